"""table: cells that each agree with a printed number of their own, all of them or a quota."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lnbench import stats
from lnbench.judge.kinds.agrees import WithinMargin
from lnbench.judge.kinds.kind import ALPHA, Json, Rule, Writer
from lnbench.judge.kinds.planning import Pilot, Prospect, prospect_of_share
from lnbench.judge.kinds.wording import counted
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, parts
from lnbench.spec.cells import SHARE_DIVERGED
from lnbench.stats import Check, Region

NAMES = {
    "reproduced": "agree",
    "contradicted": "do not agree",
    "inconclusive": "are undecided",
    "error": "could not be judged",
}


class Table(WithinMargin[parts.Table]):
    """At least `at_least` of the cells agree."""

    words = "a cell that agrees with its printed number"

    def region(self, part: parts.Table, number: Number | None) -> Region:
        """Return where a cell's mean lies; where "Diverged" is printed (`number` is None), its share of collapsed
        runs."""
        return Region.at_least(SHARE_DIVERGED) if number is None else super().region(part, number)

    def check(self, part: parts.Table, effect: Effect, member: Member, number: Number | None, rule: Rule) -> Check:
        if number is not None:
            return super().check(part, effect, member, number, rule)
        collapsed, runs = sum(member.collapsed), len(member.collapsed)
        return stats.every_run(collapsed, runs, SHARE_DIVERGED, alpha=ALPHA, looks=rule.looks)

    def prospect(
        self, part: parts.Table, number: Number | None, pilot: Pilot | None, planned: int, looks: int
    ) -> Prospect:
        if number is None:  # where truly every run collapses
            return prospect_of_share(SHARE_DIVERGED, None, planned, ALPHA / looks)
        return super().prospect(part, number, pilot, planned, looks)

    def sentence(self, part: Json, member: Json, write: Writer) -> str:
        if member.get("word") != "diverged":
            return ""
        check = member["check"]
        found = f"{check['details'].get('successes', 0)} of {counted(check['n'], 'run')} collapsed"
        interval = write.interval()
        if interval is None:
            return f"{found}; too few runs for an interval"
        return f"{found} ({write.confidence()} interval of the share: {interval}); required: {write.region()}"

    def whole(self, part: parts.Table, checks: Sequence[Check]) -> Check:
        return stats.table(checks, part.at_least)

    def beside(
        self, part: parts.Table, members: Sequence[Member], checks: Sequence[Check], numbers: Sequence[Number | None]
    ) -> dict[str, Any]:
        """Return the cells by verdict, the cells outside the interval that the printed number predicts, and Kendall's
        tau-b of each column of at least two cells."""
        found = stats.table(checks, part.at_least).details
        shown = {key: found[key] for key in ("cells", "outside_prediction", "predicted")}
        return shown | ({"columns": _columns(part, members, numbers)} if part.columns else {})

    def beside_words(self, part: Json, write: Writer) -> Iterator[str]:
        found = part["beside"]
        yield counts_words(part)
        predicted = found["predicted"]
        if predicted:
            outside = f"{found['outside_prediction']} of {predicted} cells"
            yield f"not judged: {outside} lie outside the 95 % prediction interval of the printed number"
        if found.get("columns"):
            taus = ", ".join(
                f"{name}: {'–' if tau is None else f'{tau:.2f}'}" for name, tau in found["columns"].items()
            )
            yield f"not judged: Kendall's tau of our order against the printed one, by {part['columns']}: {taus}"

    def summary(self, part: Json, write: Writer) -> str:
        checks = [member["check"] for member in part["members"]]
        agree = sum(check["p_reproduced"] <= check["alpha"] for check in checks)
        required = f"required: at least {part.get('at_least') or len(checks)}"
        others = ""
        if part.get("rows"):
            against = sum(check["p_contradicted"] <= check["alpha"] for check in checks)
            others = f", {against} do not, {len(checks) - agree - against} are open or lack runs"
        return f"{agree} of {len(checks)} cells agree with their number to within {write.margin()}{others}; {required}"


def counts_words(part: Json) -> str:
    """Return how many cells agree, each judged alone."""
    found = part["beside"]["cells"].items()
    counts = ", ".join(f"{count} {NAMES.get(verdict, verdict)}" for verdict, count in found)
    return f"of {len(part['members'])} cells, each judged alone: {counts}"


def _columns(part: parts.Table, members: Sequence[Member], numbers: Sequence[Number | None]) -> dict[str, float]:
    """Return Kendall's tau-b between our means and the printed numbers, within each column of at least two cells."""
    columns: dict[str, list[tuple[float, float]]] = {}
    for member, number in zip(members, numbers, strict=True):
        if number is None:  # a word is printed: it has no place in an order
            continue
        value = member.at[part.columns or ""]
        name = f"{value:g}" if isinstance(value, float) else str(value)
        ours = float(np.median(member.values) if any(member.collapsed) else np.mean(member.values))
        columns.setdefault(name, []).append((ours, number.value))
    return {
        name: stats.kendall_tau_b([ours for ours, _ in cells], [theirs for _, theirs in cells])
        for name, cells in columns.items()
        if len(cells) > 1
    }
