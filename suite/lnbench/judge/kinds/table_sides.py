"""table_sides: cells that each lie on the printed side of another cell of their column, all of them or a quota."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lnbench import stats
from lnbench.judge.kinds.kind import Json, Kind, Rule, Writer
from lnbench.judge.kinds.table import counts_words
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, parts
from lnbench.stats import Check, Region


class TableSides(Kind[parts.TableSides]):
    """The paired differences of a cell lie above 0, or below: on the side on which the printed numbers are."""

    words = "a cell on the printed side of the cell it is compared with"

    def region(self, part: parts.TableSides, number: Number | None) -> Region:
        assert number is not None, "a cell without a printed side is not judged"
        return Region.at_least(0.0) if number.value > 0 else Region.at_most(0.0)

    def check(self, part: parts.TableSides, effect: Effect, member: Member, number: Number | None, rule: Rule) -> Check:
        region = self.region(part, number)
        return stats.judge_mean(self.judged_values(member), region, step=member.step, kind="ordered", **rule.options)

    def whole(self, part: parts.TableSides, checks: Sequence[Check]) -> Check:
        return stats.partial_conjunction(list(checks), part.at_least, kind=part.kind)

    def beside(
        self,
        part: parts.TableSides,
        members: Sequence[Member],
        checks: Sequence[Check],
        numbers: Sequence[Number | None],
    ) -> dict[str, Any]:
        """Return the cells by verdict."""
        verdicts = [check.verdict().value for check in checks]
        return {"cells": {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}}

    def beside_words(self, part: Json, write: Writer) -> Iterator[str]:
        yield counts_words(part)

    def summary(self, part: Json, write: Writer) -> str:
        checks = [member["check"] for member in part["members"]]
        agree = sum(check["p_reproduced"] <= check["alpha"] for check in checks)
        against = sum(check["p_contradicted"] <= check["alpha"] for check in checks)
        if all(check["n"] < stats.FEWEST_TO_DECIDE for check in checks):
            return (
                f"{len(checks)} cells, with too few seeds to show on which side they lie; required: {part['at_least']}"
            )
        sides = f"{agree} of {len(checks)} cells are shown to lie on the printed side, {against} on the other"
        return f"{sides}; required: at least {part['at_least']}"
