"""ratio: of two numbers of a seed, judged as a log."""

from __future__ import annotations

import math

import numpy as np

from lnbench.stats.rule import judge_mean
from lnbench.stats.seeds import Flags, Values, as_mask, as_seeds
from lnbench.stats.values import Check, Region, unjudged


def ratio(
    numerator: Values,
    denominator: Values,
    region: Region,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: Flags | None = None,
    limits: Values | None = None,
) -> Check:
    """Check that the ratio lies in the region: e_i = log(numerator/denominator), paired, e.g. interleaved in one run of
    a machine.

    effect, interval and region are on the log scale; details "ratio", "ratio_interval", "ratio_region" are
    not. step: of the log (0 for times). Numbers that are not positive (of uncollapsed runs) or of which a half is
    missing: an error. Raises ValueError for a region that ends at or below 0 where it should not.
    """
    if region.high <= 0 or (math.isfinite(region.low) and region.low < 0):
        raise ValueError(f"a ratio is above 0: no region {region.describe()}")
    low = math.log(region.low) if region.low > 0 else -math.inf
    logs = Region(low, math.log(region.high) if math.isfinite(region.high) else math.inf)
    over, under = as_seeds(numerator, "numerator"), as_seeds(denominator, "denominator")
    n = int(min(over.size, under.size))
    if over.size != under.size:
        problem = f"half a pair: {over.size} numbers over {under.size}"
        return unjudged("ratio", problem, region=logs, n=n, alpha=alpha)
    kept = ~as_mask(collapsed, n)
    if np.any(over[kept] <= 0) or np.any(under[kept] <= 0):
        return unjudged("ratio", "a ratio needs positive numbers", region=logs, n=n, step=step, alpha=alpha)
    with np.errstate(divide="ignore", invalid="ignore"):  # of a collapsed run: on no good side, whatever it is
        effects = np.log(over) - np.log(under)
    check = judge_mean(
        effects, logs, step=step, alpha=alpha, looks=looks, collapsed=collapsed, limits=limits, kind="ratio"
    )
    interval = None if check.interval is None else (math.exp(check.interval.low), math.exp(check.interval.high))
    return check.with_details(
        ratio=None if check.effect is None else math.exp(check.effect),
        ratio_interval=interval,
        ratio_region=(region.low, region.high),
    )
