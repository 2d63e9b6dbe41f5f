"""The region rule: an effect's interval against a claim's region (two one-sided t tests, either way).

The array functions take floats or arrays that broadcast, so that the calibration simulations run the very
code that judges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from scipy.special import stdtr, stdtrit

from lnbench.stats.collapse import judge_typical
from lnbench.stats.seeds import (
    FEWEST_SEEDS,
    TOO_FEW,
    Flags,
    Floats,
    Values,
    as_limits,
    as_mask,
    as_seeds,
    check_arguments,
    data_problem,
    spread,
)
from lnbench.stats.share import with_share
from lnbench.stats.signs import with_signs
from lnbench.stats.values import Check, Interval, Region, unjudged

Number = float | Floats


def upper_tail(y: Number, df: Number) -> Floats:
    """Return S(y) = P(t_df ≥ y); df may be infinite (Normal). Computed as the lower tail at -y, exact far out."""
    return np.asarray(stdtr(df, -np.asarray(y, dtype=np.float64)), dtype=np.float64)


def quantile(q: float, df: Number) -> Floats:
    """Return t(q, df), Student's quantile; df may be infinite (Normal)."""
    # stdtrit gives nan for an infinite df; at 1e10 it is the Normal quantile to ten digits
    return np.asarray(stdtrit(np.minimum(df, 1e10), q), dtype=np.float64)


def p_inside(effect: Number, se: Number, df: Number, low: float, high: float) -> Floats:
    """Return p_reproduced = max(S((ê - a)/se), S((b - ê)/se)), an infinite edge giving 0 (TOST: Schuirmann 1987).

    At most α exactly when the 1 - 2α interval lies inside [a, b].
    """
    effect = np.asarray(effect, dtype=np.float64)
    below = upper_tail((effect - low) / se, df) if math.isfinite(low) else np.zeros(())
    above = upper_tail((high - effect) / se, df) if math.isfinite(high) else np.zeros(())
    return np.asarray(np.maximum(below, above), dtype=np.float64)


def p_outside(effect: Number, se: Number, df: Number, low: float, high: float) -> Floats:
    """Return p_contradicted: one finite edge, S((a - ê)/se); two, S((g - h)/se) + S((g + h)/se) with g = |ê -
    centre|.

    The second term (after Hodges & Lehmann 1954) is needed because "beyond either edge" is two tests: without
    it a region that is narrow against se is left falsely up to 2α of the time.
    """
    effect = np.asarray(effect, dtype=np.float64)
    if math.isfinite(low) and math.isfinite(high):
        half = (high - low) / 2
        gap = np.abs(effect - (low + high) / 2)
        both = upper_tail((gap - half) / se, df) + upper_tail((gap + half) / se, df)
        return np.asarray(np.minimum(both, 1.0), dtype=np.float64)
    beyond = (low - effect) if math.isfinite(low) else (effect - high)
    return upper_tail(beyond / se, df)


def confidence_interval(effect: float, se: float, df: float, alpha: float, looks: int = 1) -> Interval:
    """Return ê ± t(1 - α/looks, df)·se, of confidence 1 - 2α/looks."""
    reach = float(quantile(1 - alpha / looks, df)) * se
    return Interval(effect - reach, effect + reach, 1 - 2 * alpha / looks)


def judge_summary(
    kind: str,
    effect: float,
    se: float,
    df: float,
    region: Region,
    *,
    alpha: float = 0.05,
    looks: int = 1,
    **fields: Any,
) -> Check:
    """Apply the rule to an effect whose se and df are known; `fields` are passed on to the Check."""
    p_for = float(p_inside(effect, se, df, region.low, region.high))
    p_against = float(p_outside(effect, se, df, region.low, region.high))
    return Check(
        kind=kind,
        effect=effect,
        interval=confidence_interval(effect, se, df, alpha, looks),
        region=region,
        p_reproduced=min(1.0, p_for * looks),
        p_contradicted=min(1.0, p_against * looks),
        se=se,
        df=df,
        alpha=alpha,
        **fields,
    )


def require_edge(region: Region) -> None:
    """Raise ValueError for a region with no finite edge: every effect would be inside."""
    if not region.edges:
        raise ValueError("a region needs at least one finite edge")


class Options(TypedDict, total=False):
    """What every check of one number per seed takes beside its region; see `judge_mean`."""

    step: float
    alpha: float
    looks: int
    collapsed: Flags | None
    limits: Values | None
    counted: Sequence[int] | None


def judge_mean(
    values: Values,
    region: Region,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: Flags | None = None,
    limits: Values | None = None,
    counted: Sequence[int] | None = None,
    kind: str = "mean",
) -> Check:
    """Apply the rule to one number per seed: an accuracy, a paired difference, a slope, a log ratio.

    Effect ê = mean of the e_i, se = s/√n with s = max(sd, step/2), df = n - 1; interval ê ± t(1 - α/looks,
    df)·se. Both p are multiplied by `looks`, the number of planned looks. Then the signs of the seeds must decide as t
    does (`signs.with_signs`), and near 0 or 1 the counts of a share (`share.with_share`).

    Parameters: values (n,), one per seed; step, in the effect's unit, the most that one test example in one run
    can move it (0 for a loss or a time); collapsed (n,), True where a run behind the effect collapsed. If any
    did, the claim is about the typical seed: both p are sign tests on the median and there is no interval
    (`collapse.judge_typical`). limits (n,): what a censored value (-inf, inf) is known to lie beyond, NaN for any other
    value; with one, the claim is about the typical seed too. counted (n,): the examples that each value is
    a share of, where it is one.

    Fewer than 3 seeds: inconclusive, both p at 1. A value that is not finite, or all seeds identical with
    step 0: an error. Raises ValueError for arguments that no data could make right.
    """
    check_arguments(alpha, looks, step)
    require_edge(region)
    effects = as_seeds(values)
    mask = as_mask(collapsed, effects.size)
    beyond = as_limits(limits, effects.size)
    problem = data_problem(effects, mask, step, limits=beyond)
    if problem is not None:
        return unjudged(kind, problem, region=region, n=effects.size, step=step, alpha=alpha)
    if mask.any() or beyond is not None:
        return judge_typical(effects, mask, region, step=step, alpha=alpha, looks=looks, kind=kind, limits=beyond)
    n = int(effects.size)
    details = {"seed_effects": effects.tolist(), "looks": looks, "design": "seeds"}
    effect = float(np.mean(effects))
    if n < FEWEST_SEEDS:
        return Check(
            kind=kind,
            effect=effect,
            region=region,
            n=n,
            step=step,
            alpha=alpha,
            notes=(TOO_FEW,),
            details=details,
        )
    sd, sd_used = spread(effects, step)
    check = judge_summary(
        kind,
        effect,
        sd_used / math.sqrt(n),
        n - 1,
        region,
        alpha=alpha,
        looks=looks,
        n=n,
        sd=sd,
        sd_used=sd_used,
        step=step,
        details=details,
    )
    return with_share(with_signs(check, effects, region, step=step), effects, counted, region, looks=looks)
