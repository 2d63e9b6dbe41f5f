"""How many seeds would decide a check: the smallest n with 80 % power at what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import bdtr, bdtrc, ndtr

from lnbench.stats.power import rejection_gap, rule_power, signs_power, spread_nodes, student_power
from lnbench.stats.rule import quantile
from lnbench.stats.seeds import FEWEST_SEEDS
from lnbench.stats.signs import SIGN_LEVEL
from lnbench.stats.values import Check, Region

Power = Callable[[int], float]


def seeds_to_decide(check: Check, target: float = 0.8, most: int = 1000) -> int | None:
    """Return the smallest n whose power at the effect and spread as measured reaches `target`; None: over `most`.

    For an effect inside the region power to reproduce, outside it power to contradict; on the edge None. n
    counts what the check counts (seeds, pairs, points). A composite: the seeds after which enough of its
    parts are decided, each at the level the composite needs and with power target^(1/parts). None too for
    what no number of seeds decides (an effect between margin and margin + u0/2 of a printed number) and
    where nothing was measured. Raises ValueError unless 0 < target < 1 and most ≥ 3.
    """
    if not 0.0 < target < 1.0 or most < FEWEST_SEEDS:
        raise ValueError(f"expected 0 < target < 1 and most ≥ {FEWEST_SEEDS}, not {target} and {most}")
    return _needed(check, check.alpha, SIGN_LEVEL, target, most)


def _needed(check: Check, alpha: float, level: float, target: float, most: int) -> int | None:
    """Return the same, each test at `alpha`, and that of the signs at `level`."""
    details = check.details
    alpha = alpha / details.get("looks", 1)
    design = details.get("design")
    if design == "composite":
        return _composite(check, alpha, level, target, most)
    if design == "signs":
        # counts, unlike t, gain power in a saw-tooth: every n is tried
        return next((n for n in range(FEWEST_SEEDS, most + 1) if _signs(n, details, alpha) >= target), None)
    if design == "counts":
        return next((n for n in range(FEWEST_SEEDS, most + 1) if _counts(n, details, alpha) >= target), None)
    if check.effect is None or check.region is None or check.se is None or not check.se > 0:
        return None
    fewest = _smallest(_rising_power(check, check.region, alpha), target, most)
    if fewest is None or design == "points":
        return fewest
    both = _power_of_both(check, check.region, alpha, level)
    if min(check.p_reproduced, check.p_contradicted) > alpha:  # those that are there did not decide it
        fewest = max(fewest, check.n + 1)
    # the power of signs goes in a saw-tooth: every n from there on is tried
    return next((n for n in range(fewest, most + 1) if both(n) >= target), None)


def _smallest(power: Power, target: float, most: int) -> int | None:
    """Return the smallest n by doubling, then bisection: the power of a mean rises with n."""
    if power(most) < target:  # asked first: most that are hopeless are hopeless at any n
        return None
    high = FEWEST_SEEDS
    while power(high) < target:
        high = min(2 * high, most)
    low = FEWEST_SEEDS - 1
    if high > FEWEST_SEEDS:
        low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= target else (middle, high)
    return high


def _rising_power(check: Check, region: Region, alpha: float) -> Power:
    effect, details = check.effect, check.details
    assert effect is not None
    assert check.se is not None
    design = details.get("design")
    if design == "points":
        zeta, scale = details["zeta"], check.se * math.sqrt(check.n - 3)
        return lambda n: (
            0.0 if n < 6 else _normal_power(zeta, scale / math.sqrt(n - 3), Region(*details["zeta_region"]), alpha)
        )
    if check.sd_used is None:
        return lambda n: 0.0
    sd = check.sd_used
    if design == "agrees" and not region.contains(effect):
        return lambda n: _printed_power(n, effect, sd, details, alpha)
    if effect in region.edges:
        return lambda n: 0.0
    return lambda n: student_power(region, effect, sd, n, alpha)


def _power_of_both(check: Check, region: Region, alpha: float, level: float) -> Power:
    """Return the power of t and signs together at the effect and spread as measured; of signs alone to contradict a
    printed number, where t has the paper's luck to allow for."""
    effect, sd = check.effect, check.sd_used
    assert effect is not None
    if not sd:
        return lambda n: 0.0
    if check.details.get("design") == "agrees" and not region.contains(effect):
        luck = check.details["S0_of_ours"]
        room = check.details["half_digit"] + 2 * (check.details["S0"] if luck is None else luck * sd)
        region = region.widen(room)
        if region.contains(effect):  # signs leave the paper twice its own standard error
            return lambda n: 0.0
        return lambda n: signs_power(region, effect, sd, n, level)
    return lambda n: rule_power(region, effect, sd, n, alpha, level)


def _normal_power(effect: float, se: float, region: Region, alpha: float) -> float:
    """Return the power of the rule with known se: an infinite df, so no integral over the spread."""
    edges = region.edges
    z = float(quantile(1 - alpha, math.inf))
    if len(edges) == 1:
        return float(ndtr(abs(effect - edges[0]) / se - z))
    half, offset = (edges[1] - edges[0]) / 2, effect - (edges[0] + edges[1]) / 2
    if region.contains(effect):
        return max(0.0, float(ndtr((half - offset) / se - z) - ndtr(-(half + offset) / se + z)))
    gap = float(rejection_gap(np.array([se]), 1e10, half, alpha)[0])
    return float(ndtr((offset - gap) / se) + ndtr((-offset - gap) / se))


def _printed_power(n: int, effect: float, sd: float, details: Mapping[str, Any], alpha: float) -> float:
    """Return the power to contradict a printed number, which stays as printed: only our own mean varies."""
    low, high = details["contradiction_region"]
    half = (high - low) / 2
    if abs(effect) <= half:
        return 0.0
    y, weight = spread_nodes(n, nodes=48)
    se, df = sd * y / math.sqrt(n), np.full(y.shape, float(n - 1))
    if details["S0_of_ours"] is not None:
        wide = np.hypot(se, details["S0_of_ours"] * sd * y)
    else:
        variance = se**2 + details["S0"] ** 2
        ours = se**2 / variance
        if details["S0"] > 0:
            df = 1 / (ours**2 / (n - 1) + (1 - ours) ** 2 / details["df0"])
        wide = np.sqrt(variance)
    gap = rejection_gap(wide, df, half, alpha)
    scale = sd / math.sqrt(n)
    return float(np.sum(weight * (ndtr((effect - gap) / scale) + ndtr((-effect - gap) / scale))))


@lru_cache(maxsize=1 << 16)  # asked for every n up to a thousand, check after check
def _critical_count(n: int, rate: float, alpha: float) -> int:
    """Return the smallest K with P(Bin(n, rate) ≥ K) ≤ α; n + 1 if there is none."""
    tails = bdtrc(np.arange(n), n, rate)  # tails[k] = P(B ≥ k + 1)
    return int(np.argmax(tails <= alpha)) + 1 if tails[-1] <= alpha else n + 1


def _at_least(k: int, n: int, rate: float) -> float:
    if k > n:
        return 0.0
    return 1.0 if k <= 0 else float(bdtrc(k - 1, n, rate))


def _signs(n: int, details: Mapping[str, Any], alpha: float) -> float:
    measured = len(details["seed_effects"])
    good, beyond = details["seeds_good"] / measured, details["seeds_beyond"] / measured
    if good >= beyond:
        return _at_least(_critical_count(n, 0.5, alpha), n, good)
    return _at_least(_critical_count(n, 0.5, alpha / details["edges"]), n, beyond)


def _counts(n: int, details: Mapping[str, Any], alpha: float) -> float:
    rate, pi = details["successes"] / details["runs"], details["pi"]
    if rate > pi:
        return _at_least(_critical_count(n, pi, alpha), n, rate)
    if rate == pi:
        return 0.0
    # P(Bin(n, π) ≤ K) ≤ α, counted in failures
    fewest_failures = _critical_count(n, 1 - pi, alpha)
    return 0.0 if fewest_failures > n else float(bdtr(n - fewest_failures, n, rate))


def _composite(check: Check, alpha: float, level: float, target: float, most: int) -> int | None:
    """Return the seeds for enough parts to reproduce, or enough to contradict, whichever takes fewer seeds."""
    parts: tuple[Check, ...] = check.details["parts"]
    q = check.details["at_least"]
    k = len(parts)
    for_claim = [part for part in parts if _side(part) > 0]
    against = [part for part in parts if _side(part) < 0]
    answers = []
    for members, enough, share in ((for_claim, q, k - q + 1), (against, k - q + 1, q)):
        if len(members) < enough:
            continue
        # a part's own looks are in its p already, and `_needed` divides by them again
        each = sorted(
            _needed(part, alpha / share, level / share, target ** (1 / enough), most) or most + 1 for part in members
        )
        answers.append(each[enough - 1])
    best = min(answers, default=most + 1)
    return best if best <= most else None


def _side(part: Check) -> int:
    """Return 1 if the part as measured speaks for the claim, -1 against it, 0 if it says nothing."""
    if part.error is not None:
        return 0
    if part.p_reproduced == part.p_contradicted:
        return 0
    return 1 if part.p_reproduced < part.p_contradicted else -1
