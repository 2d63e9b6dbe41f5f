"""ordered: a difference above a size."""

from __future__ import annotations

from lnbench import stats
from lnbench.judge.kinds.kind import Kind, Rule
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, parts
from lnbench.stats import Check, Region


class Ordered(Kind[parts.Ordered]):
    """The paired differences lie above `delta`."""

    words = "difference above a size"

    def region(self, part: parts.Ordered, number: Number | None) -> Region:
        return Region.at_least(part.delta)

    def check(self, part: parts.Ordered, effect: Effect, member: Member, number: Number | None, rule: Rule) -> Check:
        return stats.ordered(member.values, part.delta, step=member.step, **rule.options)
