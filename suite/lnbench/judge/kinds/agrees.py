"""agrees: a mean within a margin of a printed number."""

from __future__ import annotations

from lnbench import stats
from lnbench.judge.kinds.kind import Json, Kind, P, Rule
from lnbench.judge.members import Member
from lnbench.spec import Agrees as AgreesPart
from lnbench.spec import Effect, Number, Table
from lnbench.stats import Check, Printed, Region


class WithinMargin(Kind[P]):
    """The mean lies within the part's `margin` of the printed number; allowing for the paper's own luck where it does
    not."""

    distance = " (of the distance from the printed number)"

    def region(self, part: P, number: Number | None) -> Region:
        assert number is not None and isinstance(part, AgreesPart | Table), f"`{part.kind}` names a reference"
        return Region.from_margin(number.value, margin_of(part, number))

    def check(self, part: P, effect: Effect, member: Member, number: Number | None, rule: Rule) -> Check:
        assert number is not None and isinstance(part, AgreesPart | Table), f"`{part.kind}` names a reference"
        margin = margin_of(part, number)
        return stats.agrees(member.values, printed(number), margin, step=member.step, **rule.options)

    def shown(self, x: float, check: Json, printed: float | None) -> float:
        """Return the number itself: the check is of its distance from the printed one."""
        return x + (printed or 0.0)


class Agrees(WithinMargin[AgreesPart]):
    """One printed number, for all members."""

    words = "agrees with a printed number"


def margin_of(part: AgreesPart | Table, number: Number) -> float:
    """Return the margin around a printed number: the part's, or its cell's own."""
    return part.margin_of(number) if isinstance(part, Table) else part.margin


def printed(number: Number) -> Printed:
    """Return a reference as the statistics want it."""
    return Printed(
        mean=number.value,
        unit=number.unit,
        spread=number.spread,
        spread_unit=number.spread_unit,
        kind=number.spread_kind,
        n=number.n,
        reading_error=number.reading_error,
    )
