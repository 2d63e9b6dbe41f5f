"""agrees: our seeds against a number that a paper printed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lnbench.stats.collapse import judge_typical
from lnbench.stats.printed import PaperLuck, Printed, paper_luck
from lnbench.stats.rule import confidence_interval, judge_summary, p_outside
from lnbench.stats.seeds import (
    FEWEST_SEEDS,
    TOO_FEW,
    Flags,
    Floats,
    Mask,
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
from lnbench.stats.welch import welch


def agrees(
    values: Values,
    printed: Printed,
    margin: float,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: Flags | None = None,
    limits: Values | None = None,
    counted: Sequence[int] | None = None,
) -> Check:
    """Check that our mean lies within `margin` of the number as printed.

    Effect ê = mean - x0, region [-m, m]. p_reproduced: x0 is a constant, se = s1/√n1, df = n1 - 1.
    p_contradicted: further away than m even allowing for the paper's own luck, h = m + u0/2, se² = s1²/n1 +
    S0², Welch's df (a lone number: n1 - 1); its interval is `contradiction_interval`. In the metric's own
    unit: details "mean", "mean_interval", "mean_contradiction_interval".

    values (n,), one per seed. Raises ValueError for a margin that
    is negative or smaller than u0/2: no number can be known better than it was printed.
    """
    check_arguments(alpha, looks, step)
    region = Region.from_margin(0.0, margin)
    half = printed.half_digit
    if margin < half * (1 - 1e-9):
        raise ValueError(f"margin {margin:g} is smaller than half the printed last digit, {half:g}")
    seeds = as_seeds(values)
    mask = as_mask(collapsed, seeds.size)
    beyond = as_limits(limits, seeds.size)
    problem = data_problem(seeds, mask, step, limits=beyond)
    if problem is not None:
        return unjudged("agrees", problem, region=region, n=seeds.size, step=step, alpha=alpha)
    if mask.any() or beyond is not None:
        return _agrees_typically(seeds, mask, beyond, printed, region, step, alpha, looks)
    n = int(seeds.size)
    mean = float(np.mean(seeds))
    effect = mean - printed.mean
    details = {
        "seed_effects": seeds.tolist(),
        "looks": looks,
        "design": "agrees",
        "mean": mean,
        "printed": printed.mean,
        "half_digit": half,
    }
    if n < FEWEST_SEEDS:
        return Check(
            kind="agrees",
            effect=effect,
            region=region,
            n=n,
            step=step,
            alpha=alpha,
            notes=(TOO_FEW,),
            details=details,
        )
    sd, sd_used = spread(seeds, step)
    se = sd_used / math.sqrt(n)
    luck = paper_luck(printed, sd_used)
    wide_se, wide_df = _with_luck(se, n - 1, luck)
    wide = region.widen(half)
    against = float(p_outside(effect, wide_se, wide_df, wide.low, wide.high))
    narrow_check = judge_summary("agrees", effect, se, n - 1, region, alpha=alpha, looks=looks)
    wide_interval = confidence_interval(effect, wide_se, wide_df, alpha, looks)
    assert narrow_check.interval is not None
    check = Check(
        kind="agrees",
        effect=effect,
        interval=narrow_check.interval,
        region=region,
        p_reproduced=narrow_check.p_reproduced,
        p_contradicted=min(1.0, against * looks),
        n=n,
        sd=sd,
        sd_used=sd_used,
        se=se,
        df=n - 1,
        step=step,
        contradiction_interval=wide_interval,
        alpha=alpha,
        notes=luck.notes,
        details={
            **details,
            "mean_contradiction_interval": _ends(wide_interval.shift(printed.mean)),
            "contradiction_region": (wide.low, wide.high),
            "wide_se": wide_se,
            "wide_df": wide_df,
            "S0": luck.S0,
            "df0": None if luck.ours is not None else luck.df,
            "S0_of_ours": luck.ours,
        },
    )
    inner = region.shift(printed.mean)
    outer = _beyond_luck(inner, half, luck)
    check = with_share(
        with_signs(check, seeds, inner, wide=outer, step=step), seeds, counted, inner, wide=outer, looks=looks
    )
    assert check.interval is not None
    return check.with_details(mean_interval=_ends(check.interval.shift(printed.mean)))


def _with_luck(se: float, df: float, luck: PaperLuck) -> tuple[float, float]:
    """Return (se, df) of our mean minus the paper's. A lone number's S0 is made of our own s1, so it adds no df."""
    if luck.ours is not None or luck.S0 == 0:
        return math.hypot(se, luck.S0), df
    return welch(se, df, luck.S0, luck.df)


def _agrees_typically(
    seeds: Floats,
    mask: Mask,
    limits: Floats | None,
    printed: Printed,
    region: Region,
    step: float,
    alpha: float,
    looks: int,
) -> Check:
    """Judge by sign tests, as there is a collapse or a censored seed; for p_contradicted the edges move out by u0/2 +
    2·S0."""
    kept = seeds[~mask & np.isfinite(seeds)]
    # the spread of fewer than three seeds says nothing: a lone number then gets no allowance of its own
    sd_ours = spread(kept, step)[1] if kept.size >= FEWEST_SEEDS else 0.0
    luck = paper_luck(printed, sd_ours)
    check = judge_typical(
        seeds,
        mask,
        region.shift(printed.mean),
        contradiction_region=_beyond_luck(region.shift(printed.mean), printed.half_digit, luck),
        step=step,
        alpha=alpha,
        looks=looks,
        kind="agrees",
        limits=limits,
    )
    return Check(
        kind="agrees",
        effect=None if check.effect is None else check.effect - printed.mean,
        region=region,
        p_reproduced=check.p_reproduced,
        p_contradicted=check.p_contradicted,
        n=check.n,
        step=step,
        collapsed=check.collapsed,
        typical=True,
        alpha=alpha,
        notes=check.notes + luck.notes,
        details={**check.details, "S0": luck.S0, "median": check.effect, "printed": printed.mean},
    )


def _beyond_luck(region: Region, half_digit: float, luck: PaperLuck) -> Region:
    """Return the region that a count must leave: edges moved out by u0/2 + 2·S0, as a count has no room for the
    paper's own luck in its spread."""
    return region.widen(half_digit + 2 * luck.S0)


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high
