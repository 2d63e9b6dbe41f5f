"""correlation: an r of each seed, or one of independent points; judged on the scale of atanh(r)."""

from __future__ import annotations

import math

import numpy as np

from lnbench import stats
from lnbench.judge.kinds.kind import ALPHA, Json, Kind, Rule
from lnbench.judge.kinds.planning import Pilot, Prospect
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, parts
from lnbench.stats import Check, Region


class Correlation(Kind[parts.Correlation]):
    """The correlation lies in the region."""

    words = "a correlation"
    scale = "atanh(r)"

    def judged_region(self, part: parts.Correlation, number: Number | None) -> Region:
        return self.region(part, number).map(math.atanh)

    def judged_values(self, member: Member) -> list[float]:
        """Return atanh of each r; NaN for one of exactly 1 or -1."""
        return [math.atanh(value) if abs(value) < 1 else math.nan for value in member.values]

    def check(
        self, part: parts.Correlation, effect: Effect, member: Member, number: Number | None, rule: Rule
    ) -> Check:  # fmt: skip
        region = self.region(part, number)
        if part.unit == "point":
            return _of_points(effect, member, region, rule)
        one = sum(abs(v) >= 1 and not c for v, c in zip(member.values, rule.dead, strict=True))
        if one:
            what = f"in {one} of {len(rule.dead)} seeds r is 1 or -1: the two are one measurement"
            return stats.unjudged("correlation", what, region=region, n=len(rule.dead), alpha=ALPHA)
        zetas, step, dead = self.judged_values(member), zeta_step(member.step), list(rule.dead)
        return stats.correlation_replicates(zetas, region, step=step, alpha=ALPHA, looks=rule.looks, collapsed=dead)

    def sampled_by_seeds(self, part: parts.Correlation) -> bool:
        return part.unit == "seed"  # more seeds are no more points

    def prospect(
        self, part: parts.Correlation, number: Number | None, pilot: Pilot | None, planned: int, looks: int
    ) -> Prospect:
        if not self.sampled_by_seeds(part):
            return Prospect()
        return super().prospect(part, number, pilot, planned, looks)

    def shown(self, x: float, check: Json, printed: float | None) -> float:
        """Return r: a check of seeds is of atanh(r), one of points of r."""
        return math.tanh(x) if "r_region" in check["details"] else x


def _of_points(effect: Effect, member: Member, region: Region, rule: Rule) -> Check:
    n = len(member.curves[0])
    if any(rule.dead):
        note = f"{sum(rule.dead)} seeds with a collapsed run: their points have no mean that could be correlated"
        return Check(
            kind="correlation", region=region, n=n, collapsed=sum(rule.dead), alpha=ALPHA, notes=(note,)
        )  # fmt: skip
    points, reducer = point_means(member), str(effect.reducer)
    r, without = stats.coefficient_of(*points, reducer), stats.coefficients_without(*points, reducer)
    return stats.correlation(r, n, region, reducer, without=without, alpha=ALPHA, looks=rule.looks)


def zeta_step(step: float) -> float:
    """Return the step of atanh(r) from that of a rank correlation's r, taken where it is largest: next to 1."""
    return math.atanh(1 - step / 2) - math.atanh(1 - step) if 0 < step < 1 else 0.0


def point_means(member: Member) -> tuple[list[float], list[float]]:
    """Return (x, y) of each point of a correlation: the mean over the seeds of either metric."""
    x, y = (np.asarray(columns, dtype=np.float64).mean(axis=0) for columns in (member.curves, member.others))
    return [float(v) for v in x], [float(v) for v in y]
