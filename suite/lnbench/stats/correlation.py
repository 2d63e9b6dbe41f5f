"""correlation: between independent points, and over replicates that each have an r of their own."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from lnbench.stats.rule import confidence_interval, judge_mean, p_inside, p_outside, require_edge
from lnbench.stats.seeds import Flags, Floats, Values, as_seeds, check_arguments, nearly_equal
from lnbench.stats.values import Check, Region, unjudged

FEWEST_POINTS = 6


def to_zeta(region: Region) -> Region:
    """Return the region of r on the atanh scale; an edge at ±1 (or beyond) becomes infinite.

    Raises ValueError if no finite edge is left.
    """
    low = -math.inf if region.low <= -1 else _atanh_edge(region.low)
    high = math.inf if region.high >= 1 else _atanh_edge(region.high)
    zeta = Region(low, high)
    require_edge(zeta)
    return zeta


def _atanh_edge(r: float) -> float:
    if not -1 < r < 1:
        raise ValueError(f"no correlation can lie in a region that ends at {r}")
    return math.atanh(r)


def average_ranks(values: Values) -> Floats:
    """Return (n,) ranks from 1, ties at their mean."""
    x = as_seeds(values)
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def coefficient_of(x: Values, y: Values, coefficient: str = "pearson") -> float:
    """Return Pearson's r, or Spearman's (Pearson's of average ranks); NaN where one side does not vary.

    Raises ValueError if the lengths differ or for another coefficient.
    """
    a, b = as_seeds(x, "x"), as_seeds(y, "y")
    if a.size != b.size:
        raise ValueError(f"{a.size} points against {b.size}")
    if coefficient not in ("pearson", "spearman"):
        raise ValueError(f"coefficient must be 'pearson' or 'spearman', not {coefficient!r}")
    if a.size < 2 or nearly_equal(a) or nearly_equal(b) or not np.isfinite(a + b).all():
        return math.nan
    if coefficient == "spearman":
        a, b = average_ranks(a), average_ranks(b)
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(np.dot(a, b) / math.sqrt(np.dot(a, a) * np.dot(b, b)), -1.0, 1.0))


def spearman_cap(n: int) -> float:
    """Return 1 - 6/(n(n² - 1)): where an r of 1 of n ranks is taken to be, halfway to the next smaller r."""
    return 1 - 6 / (n * (n**2 - 1))


def coefficients_without(x: Values, y: Values, coefficient: str = "pearson") -> Floats:
    """Return (n,) the coefficient of all points but one, each left out in turn."""
    a, b = as_seeds(x, "x"), as_seeds(y, "y")
    return np.array([coefficient_of(np.delete(a, i), np.delete(b, i), coefficient) for i in range(a.size)])


def correlation(
    r: float,
    n: int,
    region: Region,
    coefficient: str = "pearson",
    *,
    without: Values | None = None,
    alpha: float = 0.05,
    looks: int = 1,
) -> Check:
    """Check that the correlation of n independent points lies in the region (of r; usually [r0, 1]).

    Pearson: ζ = atanh(r) - r/(2(n - 1)), variance 1/(n - 3) (Fisher 1921). Spearman: |r| capped at 1 -
    6/(n(n² - 1)), the largest below 1 that ranks can give, ζ = atanh(r), variance (1 + r²/2)/(n - 3) (Bonett
    & Wright 2000). Both p from Normal tails. effect, interval, region are on the scale of r; zeta, se on that
    of ζ. Fewer than 6 points: inconclusive. r not finite, or a Pearson r of exactly ±1 (the two are one
    measurement): an error.

    These laws are of normal points; with long tails, skew or a spread that grows they err in up to 20 % of studies. So
    with `without` (n,), r with each point left out in turn, two more must agree, and both p are the largest of all: the
    spread of ζ over the points left out (jackknife: Tukey 1958; n - 1 df), and the same check of every n - 1 points,
    so that no one point decides. The interval covers them. details "alone": what the first law alone says.
    """
    check_arguments(alpha, looks)
    zeta_region = to_zeta(region)
    if coefficient not in ("pearson", "spearman"):
        raise ValueError(f"coefficient must be 'pearson' or 'spearman', not {coefficient!r}")
    if not math.isfinite(r) or abs(r) > 1:
        return unjudged("correlation", f"no correlation: r = {r}", region=region, n=n, alpha=alpha)
    details = {"coefficient": coefficient, "looks": looks, "design": "points"}
    if n < FEWEST_POINTS:
        note = f"fewer than {FEWEST_POINTS} points: no interval, no decision"
        return Check(kind="correlation", effect=r, region=region, n=n, alpha=alpha, notes=(note,), details=details)
    if coefficient == "pearson" and abs(r) == 1:
        return unjudged("correlation", "r = 1: the two are one measurement", region=region, n=n, alpha=alpha)
    zeta, se = _zeta(r, n, coefficient)
    laws = [(zeta, se, math.inf), *_laws_without(zeta, n, without, coefficient)]
    p_for = max(float(p_inside(*law, zeta_region.low, zeta_region.high)) for law in laws)
    p_against = max(float(p_outside(*law, zeta_region.low, zeta_region.high)) for law in laws)
    first, ends = laws[0], confidence_interval(*laws[0], alpha, looks).map(math.tanh)
    alone = {
        "p_reproduced": min(1.0, looks * float(p_inside(*first, zeta_region.low, zeta_region.high))),
        "p_contradicted": min(1.0, looks * float(p_outside(*first, zeta_region.low, zeta_region.high))),
        "interval": (ends.low, ends.high),
    }
    intervals = [confidence_interval(*law, alpha, looks) for law in laws]
    interval = replace(intervals[0], low=min(i.low for i in intervals), high=max(i.high for i in intervals))
    return Check(
        kind="correlation",
        effect=r,
        interval=interval.map(math.tanh),
        region=region,
        p_reproduced=min(1.0, looks * p_for),
        p_contradicted=min(1.0, looks * p_against),
        n=n,
        se=se,
        df=math.inf,
        alpha=alpha,
        details={**details, "zeta": zeta, "zeta_region": (zeta_region.low, zeta_region.high), "alone": alone},
    )


def _zeta(r: float, n: int, coefficient: str) -> tuple[float, float]:
    """Return ζ of r of n points and its standard error."""
    if coefficient == "spearman":
        capped = math.copysign(min(abs(r), spearman_cap(n)), r)
        return math.atanh(capped), math.sqrt((1 + capped**2 / 2) / (n - 3))
    inside = math.copysign(min(abs(r), 1 - 1e-12), r)
    return math.atanh(inside) - inside / (2 * (n - 1)), 1 / math.sqrt(n - 3)


def _laws_without(zeta: float, n: int, without: Values | None, coefficient: str) -> list[tuple[float, float, float]]:
    """Return (ζ, se, df) of the jackknife over points, and of the lowest and the highest ζ with one point left out. A
    coefficient that does not exist (without one point a column is constant) says nothing: an endless se."""
    if without is None:
        return []
    left = as_seeds(without, "without")
    if left.size != n:
        raise ValueError(f"without: expected {n} coefficients, one for each point left out, not {left.size}")
    if not np.isfinite(left).all():
        return [(zeta, 1e9, math.inf)]
    found = [_zeta(float(r), n - 1, coefficient) for r in left]
    zetas = np.array([one for one, _ in found])
    jackknife = math.sqrt((n - 1) / n * float(np.sum((zetas - zetas.mean()) ** 2)))
    ends = (min(found), max(found))
    return [(zeta, max(jackknife, 1e-12), float(n - 1)), *((one, se, math.inf) for one, se in ends)]


def correlation_replicates(
    mean_zetas: Values,
    region: Region,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: Flags | None = None,
) -> Check:
    """Check that the correlation of replicates lies in the region: e_i = atanh(r) of one of them, t over them.

    mean_zetas (n,), one per replicate; region of r, judged on the atanh scale (effect, interval, region and `step` are
    on it; details "r", "r_interval", "r_region" are not).
    """
    zeta, kind = to_zeta(region), "correlation_replicates"
    check = judge_mean(mean_zetas, zeta, step=step, alpha=alpha, looks=looks, collapsed=collapsed, kind=kind)
    return _with_r(check, region)


def _with_r(check: Check, region: Region) -> Check:
    r = None if check.effect is None else math.tanh(check.effect)
    interval = None if check.interval is None else check.interval.map(math.tanh)
    ends = None if interval is None else (interval.low, interval.high)
    return check.with_details(r=r, r_interval=ends, r_region=(region.low, region.high))
