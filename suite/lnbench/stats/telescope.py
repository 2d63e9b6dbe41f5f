"""Small telescopes: could as few runs as the original had have seen this effect? Shown, and never judged.

Uri Simonsohn, Small Telescopes: Detectability and the Evaluation of Replication Results, Psychological Science 26
(2015). d33 is the effect that the original's number of runs shows one time in three. Where ours is clearly smaller than
that, so few runs were no evidence of such an effect, whether or not there is one. The test here is the region's own:
one-sided at α, on one number per run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtr

from lnbench.stats.normal_order import expected_range_of_normals
from lnbench.stats.power import spread_nodes
from lnbench.stats.printed import Printed
from lnbench.stats.rule import quantile, upper_tail

THIRD = 1 / 3
FEWEST = 2  # runs: one has no spread, so no test


@dataclass(frozen=True, slots=True)
class Telescope:
    """What n0 runs can see. d33, and `edge33` the same in the effect's unit: how far from the edge an effect lies that
    they show one time in three. power: how often they show ours, if it is as measured. p_smaller: of "ours is at least
    that large"; small: ours is clearly smaller. For one run power is 0 and the others None."""

    n0: int
    power: float
    d33: float | None = None
    edge33: float | None = None
    p_smaller: float | None = None


def telescope(effect: float, sd: float, n: int, n0: int, *, sd0: float | None = None, alpha: float = 0.05) -> Telescope:
    """Return what the original's n0 runs could see of our effect.

    effect: how far our mean of n runs lies from the edge, positive on the side that the claim says; sd: of our runs.
    sd0: the spread of the original's runs; None: unknown, taken to be ours, and the uncertainty of our own spread is
    then part of p_smaller (noncentral t). Raises ValueError for fewer than two runs of ours, or a spread that is not
    positive.
    """
    if n < 2 or not (sd > 0 and (sd0 is None or sd0 > 0)):
        raise ValueError(f"telescope needs at least 2 runs and positive spreads, not n = {n}, sd {sd}, sd0 {sd0}")
    if n0 < FEWEST:
        return Telescope(n0, 0.0)
    theirs = sd if sd0 is None else sd0
    d33 = detectable(n0, alpha=alpha)
    t = effect * math.sqrt(n) / sd
    if sd0 is None:
        p = lower_noncentral(t, n, d33 * math.sqrt(n))
    else:
        p = float(upper_tail((d33 * sd0 - effect) * math.sqrt(n) / sd, n - 1))
    return Telescope(n0, chance_to_show(n0, effect / theirs, alpha), d33, d33 * theirs, p)


def chance_to_show(n0: int, distance_sd: float, alpha: float = 0.05) -> float:
    """Return P(t' > t(1 - α, n0 - 1)), t' noncentral with d√n0: how often n0 runs show an effect d sd from the edge.

    0 for one run. (`power_one_edge` is 0 below the number of seeds that lnbench asks for; a paper may have had two.)
    """
    if n0 < FEWEST:
        return 0.0
    return 1.0 - lower_noncentral(float(quantile(1 - alpha, n0 - 1)), n0, distance_sd * math.sqrt(n0))


@cache
def detectable(n0: int, power: float = THIRD, alpha: float = 0.05) -> float:
    """Return how many sd from the edge an effect lies that n0 runs show with that power, by bisection.

    Raises ValueError for fewer than two runs, or a power that is not between α and 1.
    """
    if n0 < FEWEST:
        raise ValueError(f"a test needs at least {FEWEST} runs, not {n0}")
    if not alpha < power < 1:
        raise ValueError(f"power must lie between {alpha} and 1, not {power}")
    low, high = 0.0, 1.0
    while chance_to_show(n0, high, alpha) < power:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if chance_to_show(n0, middle, alpha) < power else (low, middle)
    return high


def lower_noncentral(t: float, n: int, noncentrality: float) -> float:
    """Return P(t' ≤ t), t' noncentral t with n - 1 df: ∫ Φ(t·y - δ) f(y) dy, f the density of s/σ for n runs."""
    y, weight = spread_nodes(n)
    return min(1.0, max(0.0, float(np.sum(weight * ndtr(t * y - noncentrality)))))


def spread_of_runs(printed: Printed) -> float | None:
    """Return the sd (n - 1 form) of the paper's runs that its printed spread says, taken as it is; None where it does
    not say what it is or of how many runs, or is 0 to the digits printed."""
    v, n0 = printed.spread, printed.n
    if not v or n0 is None or n0 < FEWEST or printed.kind == "unknown":
        return None
    return {
        "sd": v * math.sqrt(n0 / (n0 - 1)),  # numpy's std divides by n
        "sd_sample": v,
        "se": v * math.sqrt(n0),
        "ci95": v / 1.96 * math.sqrt(n0),
        "range": v / expected_range_of_normals(n0),
    }[printed.kind]
