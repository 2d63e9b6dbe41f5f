"""The kind of check: the median over seeds against a threshold."""

from __future__ import annotations

import statistics

from scipy.stats import binomtest

from lnbench.judge.kinds import Kind
from lnbench.judge.kinds.kind import Rule
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number
from lnbench.stats import Check, Region
from lnbench_bars import MedianAbove


class MedianAboveKind(Kind[MedianAbove]):
    """The exact sign test: were the median at the threshold, half of the seeds would lie above it.

    Five seeds, all above, are the fewest that confirm it at an error rate of 0.05: 1/32.
    """

    words = "median above a threshold"

    def region(self, part: MedianAbove, number: Number | None) -> Region:
        """Return where the median lies if the part is true."""
        return Region.at_least(part.threshold)

    def check(self, part: MedianAbove, effect: Effect, member: Member, number: Number | None, rule: Rule) -> Check:
        """Judge one number per seed. With several planned looks each p counts so many times (Bonferroni)."""
        n, above = len(member.values), sum(value > part.threshold for value in member.values)
        for_it, against = (binomtest(above, n, alternative=side).pvalue for side in ("greater", "less"))
        return Check(
            kind=part.kind,
            effect=statistics.median(member.values),
            region=self.region(part, number),
            p_reproduced=min(1.0, rule.looks * for_it),
            p_contradicted=min(1.0, rule.looks * against),
            n=n,
            notes=(f"{above} of {n} seeds lie above",),
        )
