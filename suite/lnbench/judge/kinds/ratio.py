"""ratio: two numbers of a seed, one over the other; judged on the scale of logs."""

from __future__ import annotations

import math

from lnbench import stats
from lnbench.judge.kinds.kind import Kind, Rule
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, parts
from lnbench.stats import Check, Region


class Ratio(Kind[parts.Ratio]):
    """The ratio lies in the region. A member's values are logs already."""

    words = "a ratio"
    scale = "logs"

    def judged_region(self, part: parts.Ratio, number: Number | None) -> Region:
        return self.region(part, number).map(math.log)

    def check(self, part: parts.Ratio, effect: Effect, member: Member, number: Number | None, rule: Rule) -> Check:
        return stats.ratio(*member.arms, self.region(part, number), step=member.step, **rule.options)
