"""above, below: the typical run's metric against one number."""

from __future__ import annotations

from lnbench import stats
from lnbench.judge.kinds.kind import Kind, Rule
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, parts
from lnbench.stats import Check, Region


class Above(Kind[parts.Threshold]):
    """The mean lies at or above the number."""

    words = "typical run above a threshold"

    def region(self, part: parts.Threshold, number: Number | None) -> Region:
        return Region.at_least(part.edge(number))

    def check(
        self, part: parts.Threshold, effect: Effect, member: Member, number: Number | None, rule: Rule
    ) -> Check:  # fmt: skip
        return stats.above(member.values, part.edge(number), step=member.step, **rule.options)


class Below(Kind[parts.Threshold]):
    """The mean lies at or below the number."""

    words = "typical run below a threshold"

    def region(self, part: parts.Threshold, number: Number | None) -> Region:
        return Region.at_most(part.edge(number))

    def check(
        self, part: parts.Threshold, effect: Effect, member: Member, number: Number | None, rule: Rule
    ) -> Check:  # fmt: skip
        return stats.below(member.values, part.edge(number), step=member.step, **rule.options)
