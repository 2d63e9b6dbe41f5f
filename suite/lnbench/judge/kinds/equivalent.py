"""equivalent: a difference within a margin."""

from __future__ import annotations

from lnbench import stats
from lnbench.judge.kinds.kind import Kind, Rule
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, parts
from lnbench.stats import Check, Region


class Equivalent(Kind[parts.Equivalent]):
    """The paired differences lie within ±`margin`."""

    words = "difference within a margin"

    def region(self, part: parts.Equivalent, number: Number | None) -> Region:
        return Region.from_margin(0.0, part.margin)

    def check(
        self, part: parts.Equivalent, effect: Effect, member: Member, number: Number | None, rule: Rule
    ) -> Check:  # fmt: skip
        return stats.equivalent(member.values, part.margin, step=member.step, **rule.options)
