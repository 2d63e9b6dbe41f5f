"""Signs: how many seeds lie on which side of an edge. What they say holds for a typical run whatever the seeds'
distribution, where Student's t needs seeds that are near normal."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.special import bdtrc

from lnbench.stats.seeds import Floats, Mask
from lnbench.stats.values import Check, Interval, Region

# Signs go in steps (4 of 4: .0625; 5 of 5: .031; 8 of 10: .055). At .07, the error that docs/statistics.md allows any
# kind, four seeds can decide, and one seed of seven may lie on the other side.
SIGN_LEVEL = 0.07
# Seeds that all lie further from an edge than so many times their own range need no correction for several parts: where
# runs have one mode, luck does not put them there.
FAR = 3.0
FEWEST_TO_DECIDE = 4  # ½⁴ is below that level, ½³ is not


def sign_test_p(count: int, n: int) -> float:
    """Return P(B ≥ count), B ~ Binomial(n, ½): how often n fair coins show at least `count` heads."""
    return 1.0 if count <= 0 else float(bdtrc(count - 1, n, 0.5))


@cache
def needed_signs(n: int, level: float = SIGN_LEVEL) -> int:
    """Return the smallest K with P(Bin(n, ½) ≥ K) ≤ level; n + 1 if there is none."""
    return next((k for k in range(n // 2, n + 1) if sign_test_p(k, n) <= level), n + 1)


def beyond(values: Floats, edge: float, side: int, step: float, limits: Floats | None = None) -> Mask:
    """Return which values (n,) are strictly beyond the edge, above (side 1) or below (-1). NaN (a collapsed run without
    an effect) never is; a censored value is where its limit is at the edge or beyond it already.

    A difference of two accuracies carries rounding (.93 - .92 > .01 in floats), so "strictly" has a small
    tolerance.
    """
    slack = 1e-6 * step if step > 0 else 1e-12 * max(1.0, abs(edge))
    with np.errstate(invalid="ignore"):
        past = np.asarray(side * (values - edge) > slack, dtype=np.bool_)
        if limits is None:
            return past
        known = np.isnan(limits) | (side * (limits - edge) >= -slack)
        return np.asarray(past & known, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Signs:
    """Seeds by the side of the edges on which they lie. `good`: strictly inside of the edge that fewest are inside of;
    `outside`: strictly beyond the edge that most are beyond; `edges`: how many edges are finite; `far`: whether every
    seed lies on one side of the edges that matter, further off than `FAR` times the range of all."""

    n: int
    good: int
    outside: int
    edges: int
    far: bool

    @property
    def p_reproduced(self) -> float:
        """Return the largest, over the finite edges, of P(B ≥ seeds strictly on the good side)."""
        return sign_test_p(self.good, self.n)

    @property
    def p_contradicted(self) -> float:
        """Return P(B ≥ seeds strictly beyond the edge), with two finite edges twice the smaller."""
        return min(1.0, self.edges * sign_test_p(self.outside, self.n))


def signs_of(
    values: Floats,
    region: Region,
    *,
    wide: Region | None = None,
    step: float = 0.0,
    collapsed: Mask | None = None,
    limits: Floats | None = None,
) -> Signs:
    """Count seeds by sides. values (n,); a collapsed seed is on no good side, and beyond an edge if its value is.
    `wide`: the region that is contradicted from, where that is another (`agrees`)."""
    wide = region if wide is None else wide
    kept = np.ones(values.size, dtype=np.bool_) if collapsed is None else ~collapsed
    good, outside = [], []
    for edge, wide_edge, inward in ((region.low, wide.low, 1), (region.high, wide.high, -1)):
        if math.isfinite(edge):
            good.append(int(np.count_nonzero(beyond(values, edge, inward, step, limits) & kept)))
            outside.append(int(np.count_nonzero(beyond(values, wide_edge, -inward, step, limits))))
    return Signs(int(values.size), min(good), max(outside), len(good), _far(values, region, wide, step))


def _far(values: Floats, region: Region, wide: Region, step: float) -> bool:
    if not np.isfinite(values).all():
        return False
    low, high = float(values.min()), float(values.max())
    room = FAR * max(high - low, step)
    inside = min(low - region.low, region.high - high) >= room
    return inside or wide.low - high >= room or low - wide.high >= room


def order_interval(values: Floats, level: float = SIGN_LEVEL) -> tuple[float, float] | None:
    """Return the ends between which signs leave the median (n,): the K-th largest and the K-th smallest value, K of
    `needed_signs`; None for so few seeds that signs say nothing."""
    needed = needed_signs(values.size, level)
    if needed > values.size:
        return None
    ordered = np.sort(values)
    return float(ordered[values.size - needed]), float(ordered[needed - 1])


def with_signs(check: Check, values: Floats, region: Region, *, wide: Region | None = None, step: float = 0.0) -> Check:
    """Return a check by Student's t that decides only where the signs of its seeds do too.

    The claim is about a typical run. t is exact for the mean of near-normal seeds, where mean and median are one; with
    a long tail it is about the mean, which a few seeds do not show, and errs in up to a third of studies. Signs hold
    for the median of any distribution. Both must agree: a p of t's stands where the p of signs is at most
    `SIGN_LEVEL`; where it is larger, p is the larger of the two. A correction for several parts multiplies their p too,
    but for parts whose seeds all lie far from the edge (`compose.partial_conjunction`); those for looks and claims
    multiply t's alone. The interval covers both, so that it lies inside the region exactly when the claim is
    reproduced. details "alone": what t alone says; "signs": the counts.

    values (n,) on the scale of `region`; `check.effect` may be on a scale moved by a printed number, as its region is.
    """
    signs = signs_of(values, region, wide=wide, step=step)
    student = {"p_reproduced": check.p_reproduced, "p_contradicted": check.p_contradicted}
    p_for, p_against = (
        p if of_signs <= SIGN_LEVEL else max(p, of_signs)
        for p, of_signs in (
            (check.p_reproduced, signs.p_reproduced),
            (check.p_contradicted, signs.p_contradicted),
        )
    )
    found = {
        "good": signs.good, "outside": signs.outside, "edges": signs.edges, "p_reproduced": signs.p_reproduced,
        "p_contradicted": signs.p_contradicted, "far": signs.far, "level": SIGN_LEVEL,
    }  # fmt: skip
    ends = order_interval(values)
    interval = check.interval
    if interval is not None:
        student["interval"] = (interval.low, interval.high)  # type: ignore[assignment]
        if ends is not None and check.region is not None:
            moved = next(e - s for e, s in zip(region.bounds, check.region.bounds, strict=True) if math.isfinite(e))
            low, high = min(interval.low, ends[0] - moved), max(interval.high, ends[1] - moved)
            interval = Interval(low, high, interval.confidence)
    notes = check.notes
    if min(student["p_reproduced"], student["p_contradicted"]) <= check.alpha < min(p_for, p_against):
        notes = (*notes, _withheld(signs, student["p_reproduced"] <= check.alpha))
    return replace(check, p_reproduced=p_for, p_contradicted=p_against, interval=interval, notes=notes).with_details(
        alone=student, signs=found
    )


def _withheld(signs: Signs, for_it: bool) -> str:
    count, side, p = (
        (signs.good, "inside the range", signs.p_reproduced)
        if for_it
        else (signs.outside, "outside the range", signs.p_contradicted)
    )
    needed = needed_signs(signs.n, SIGN_LEVEL / (1 if for_it else signs.edges))
    asked = f"{needed} of {signs.n} must" if needed <= signs.n else f"{signs.n} seeds are too few for signs to decide"
    return (
        f"Student's t alone would decide; {count} of {signs.n} seeds lie {side} and {asked} "
        f"(signs: p = {p:.2g}, at most {SIGN_LEVEL:g})"
    )
