"""Power of the rule: can these seeds decide it, and how many would?

That of Student's t and that of the signs are exact for normal seeds. The rule asks for both: up to a dozen seeds, where
the two part, its power is counted over made-up seeds, always the same; beyond, it is the smaller of the two. All
integrals run over y = s/σ, the error of the sample's own spread, with (n - 1)y² ~ χ²(n - 1).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import bdtr, bdtrc, chdtri, gammaln, ndtr, stdtr

from lnbench.stats.rule import p_inside, p_outside, quantile
from lnbench.stats.seeds import FEWEST_SEEDS, Floats, check_arguments
from lnbench.stats.signs import FEWEST_TO_DECIDE, SIGN_LEVEL, needed_signs
from lnbench.stats.values import Region


@lru_cache(maxsize=8)
def _gauss(nodes: int) -> tuple[Floats, Floats]:
    x, w = np.polynomial.legendre.leggauss(nodes)
    return (x + 1) / 2, w / 2


def spread_nodes(n: int, highest: float = math.inf, nodes: int = 96) -> tuple[Floats, Floats]:
    """Return (y, weight): nodes for ∫ g(y) f(y) dy from 0 to `highest`, f the density of s/σ for n seeds."""
    df = n - 1
    low = math.sqrt(chdtri(df, 1 - 1e-15) / df) if df > 2 else 0.0
    high = min(math.sqrt(chdtri(df, 1e-18) / df), highest)
    if high <= low:
        return np.zeros(0), np.zeros(0)
    x, w = _gauss(nodes)
    y = low + (high - low) * x
    log_density = math.log(2) + 0.5 * df * math.log(df / 2) - gammaln(df / 2) + (df - 1) * np.log(y) - 0.5 * df * y**2
    return y, w * (high - low) * np.exp(log_density)


def _check_n(n: int) -> None:
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")


def power_one_edge(n: int, distance_sd: float, alpha: float = 0.05) -> float:
    """Return the chance that n seeds show an effect to be beyond an edge that it is d sd away from.

    P(t' > t(1 - α, n - 1)), t' noncentral t with n - 1 df and noncentrality d√n; negative d: the wrong side.
    Fewer than 3 seeds never decide: 0.
    """
    _check_n(n)
    check_arguments(alpha)
    if n < FEWEST_SEEDS:
        return 0.0
    critical = float(quantile(1 - alpha, n - 1))
    # the integral and not scipy's nctdtr, which gives 0 or nan for large noncentralities
    y, weight = spread_nodes(n)
    return _probability(float(np.sum(weight * ndtr(distance_sd * math.sqrt(n) - critical * y))))


def power_two_edges(n: int, half_width_sd: float, offset_sd: float = 0.0, alpha: float = 0.05) -> float:
    """Return the chance that n seeds show an effect to be inside ±m, the truth at δ from the centre (m, δ in sd).

    ∫ max(0, Φ((m - δ)√n - t·y) - Φ(-(m + δ)√n + t·y)) f(y) dy, t = t(1 - α, n - 1). Raises ValueError if m <
    0.
    """
    _check_n(n)
    check_arguments(alpha)
    if half_width_sd < 0:
        raise ValueError(f"a half-width must be at least 0, not {half_width_sd}")
    if n < FEWEST_SEEDS:
        return 0.0
    if math.isinf(half_width_sd):
        return 1.0
    critical = float(quantile(1 - alpha, n - 1))
    root = math.sqrt(n)
    # above this spread no interval fits into the region; cutting there leaves a smooth integrand
    y, weight = spread_nodes(n, half_width_sd * root / critical)
    inside = ndtr((half_width_sd - offset_sd) * root - critical * y) - ndtr(
        -(half_width_sd + offset_sd) * root + critical * y
    )
    return _probability(float(np.sum(weight * inside)))


def rejection_gap(se: Floats, df: Floats | float, half: float, alpha: float) -> Floats:
    """Return the smallest g with S((g - h)/se) + S((g + h)/se) ≤ α: how far from the centre contradiction begins.

    se (m,). (g - h)/se lies between t(1 - α) (a wide region) and t(1 - α/2) (a region of no width):
    bisection.
    """
    low = np.broadcast_to(quantile(1 - alpha, df), se.shape).copy()
    high = np.broadcast_to(quantile(1 - alpha / 2, df), se.shape).copy()
    with np.errstate(divide="ignore"):
        width = np.where(se > 0, 2 * half / se, math.inf)
    for _ in range(24):
        middle = (low + high) / 2
        too_near = stdtr(df, -middle) + stdtr(df, -(middle + width)) > alpha
        low, high = np.where(too_near, middle, low), np.where(too_near, high, middle)
    return np.asarray(half + high * se, dtype=np.float64)


def power_to_contradict(n: int, half_width_sd: float, offset_sd: float, alpha: float = 0.05) -> float:
    """Return the chance that n seeds show an effect at δ to be outside ±m (both in sd), by the two-edged
    p_contradicted."""
    _check_n(n)
    check_arguments(alpha)
    if n < FEWEST_SEEDS:
        return 0.0
    y, weight = spread_nodes(n, nodes=48)
    root = math.sqrt(n)
    gap = rejection_gap(y / root, float(n - 1), half_width_sd, alpha)
    outside = ndtr((offset_sd - gap) * root) + ndtr((-offset_sd - gap) * root)
    return _probability(float(np.sum(weight * outside)))


def power_of(region: Region, effect: float, sd: float, n: int, *, alpha: float = 0.05, looks: int = 1) -> float:
    """Return the chance that n seeds give the right verdict if the truth is `effect` and its sd over seeds `sd`.

    Inside the region: `reproduced`; outside: `contradicted`. On an edge at most α. By t and the
    signs together (`rule_power`). `looks`: each test at
    α/looks, as a single look would be; the chance over all looks is a little higher. Raises ValueError for an
    sd that is negative or not finite, or a region without a finite edge.
    """
    check_arguments(alpha, looks)
    if not (math.isfinite(sd) and sd >= 0):
        raise ValueError(f"sd must be finite and at least 0, not {sd}")
    if not region.edges:
        raise ValueError("a region needs at least one finite edge")
    alpha = alpha / looks
    if sd == 0:
        return float(n >= FEWEST_TO_DECIDE and effect not in region.edges)
    return rule_power(region, effect, sd, n, alpha)


COUNTED = 12  # seeds up to which the power of both rules together is counted
STUDIES = 8000  # made-up studies: an error of half a point


def rule_power(
    region: Region, effect: float, sd: float, n: int, alpha: float = 0.05, level: float = SIGN_LEVEL
) -> float:
    """Return the chance that t and the signs both give the right verdict; see `power_of`. sd > 0."""
    _check_n(n)
    if n < FEWEST_TO_DECIDE:
        return 0.0
    if n > COUNTED:
        return min(student_power(region, effect, sd, n, alpha), signs_power(region, effect, sd, n, level))
    seeds = effect + sd * _standard_seeds(n)
    mean, se = seeds.mean(axis=1), seeds.std(axis=1, ddof=1) / math.sqrt(n)
    above, below = (seeds > region.low).sum(axis=1), (seeds < region.high).sum(axis=1)
    if region.contains(effect):
        by_t = p_inside(mean, se, n - 1, region.low, region.high)
        by_signs = np.minimum(above, below) >= needed_signs(n, level)
    else:
        by_t = p_outside(mean, se, n - 1, region.low, region.high)
        by_signs = n - np.minimum(above, below) >= needed_signs(n, level / len(region.edges))
    return float(np.mean((by_t <= alpha) & by_signs))


@lru_cache(maxsize=COUNTED)
def _standard_seeds(n: int) -> Floats:
    """Return (STUDIES, n) standard normal numbers, the same on every call."""
    return np.random.default_rng(n).normal(size=(STUDIES, n))


def student_power(region: Region, effect: float, sd: float, n: int, alpha: float = 0.05) -> float:
    """Return the chance that Student's t alone gives the right verdict; see `power_of`."""
    if len(region.edges) == 1:
        return power_one_edge(n, abs(effect - region.edges[0]) / sd, alpha)
    half = (region.high - region.low) / 2 / sd
    offset = (effect - (region.high + region.low) / 2) / sd
    inside = region.contains(effect)
    return power_two_edges(n, half, offset, alpha) if inside else power_to_contradict(n, half, offset, alpha)


def signs_power(region: Region, effect: float, sd: float, n: int, level: float = SIGN_LEVEL) -> float:
    """Return the chance that enough of n normal seeds lie on the side that the truth is on (`signs.with_signs`)."""
    _check_n(n)
    below, above = (
        float(ndtr((region.low - effect) / sd)),
        float(ndtr((effect - region.high) / sd)),
    )  # an infinite edge gives 0
    if region.contains(effect):
        spare = n - needed_signs(n, level)  # so many seeds may lie beyond either edge
        if spare < 0:
            return 0.0
        if len(region.edges) == 1:
            return _at_least(n - spare, n, 1 - below - above)
        beyond = np.arange(
            spare + 1
        )  # the lower edge: at most `spare` seeds, and of the others at most so many the upper
        chance = bdtr(beyond, n, below) - np.where(beyond > 0, bdtr(np.maximum(beyond - 1, 0), n, below), 0.0)
        others = n - beyond
        rest = bdtr(np.minimum(spare, others), others, above / (1 - below))
        return _probability(float(np.sum(chance * rest)))
    edges = len(region.edges)
    return _at_least(needed_signs(n, level / edges), n, max(below, above))


def _at_least(count: int, n: int, rate: float) -> float:
    """Return P(Bin(n, rate) ≥ count)."""
    if count > n:
        return 0.0
    return 1.0 if count <= 0 else float(bdtrc(count - 1, n, rate))


def pilot_factor(n: int) -> float:
    """Return the factor by which a pilot sd of n seeds is multiplied before planning with it: √((n - 1)/χ²(.2, n - 1)).

    Its 80 % upper limit (Browne 1995): 2.12, 1.56, 1.29 at n = 3, 5, 10. Raises ValueError if n < 2.
    """
    if n < 2:
        raise ValueError(f"a spread needs at least 2 seeds, not {n}")
    return math.sqrt((n - 1) / float(chdtri(n - 1, 0.8)))


def _probability(x: float) -> float:
    return min(1.0, max(0.0, x))
