"""Two arms that are not paired: Welch's standard error and degrees of freedom (never pooled)."""

from __future__ import annotations

import math

import numpy as np

from lnbench.stats.collapse import judge_typical
from lnbench.stats.rule import judge_summary, require_edge
from lnbench.stats.seeds import (
    FEWEST_SEEDS,
    TOO_FEW,
    Flags,
    Values,
    as_mask,
    as_seeds,
    check_arguments,
    data_problem,
    spread,
)
from lnbench.stats.values import Check, Region, unjudged


def welch(se_a: float, df_a: float, se_b: float, df_b: float) -> tuple[float, float]:
    """(se, df): se² = seA² + seB², df = se⁴/(seA⁴/dfA + seB⁴/dfB) (Welch 1947, Satterthwaite 1946).

    seA, seB: standard errors of the two means. Both 0 gives df = dfA + dfB.
    """
    variance = se_a**2 + se_b**2
    # shares of the variance: tiny standard errors raised to the fourth would underflow
    if variance == 0:
        return 0.0, df_a + df_b
    share_a, share_b = se_a**2 / variance, se_b**2 / variance
    return math.sqrt(variance), 1.0 / (share_a**2 / df_a + share_b**2 / df_b)


def judge_difference(
    a: Values,
    b: Values,
    region: Region,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed_a: Flags | None = None,
    collapsed_b: Flags | None = None,
    kind: str = "difference",
) -> Check:
    """The rule for mean(a) - mean(b) of unpaired seeds: se² = sA²/nA + sB²/nB with each s floored at step/2.

    Once a run of either arm has collapsed, the seeds are paired in the order given (the arms are independent,
    so any pairing fixed beforehand is valid) and the differences judged by sign tests on their median; the
    longer arm's surplus has no partner and is left out of the test. Prefer real pairs: half the noise and no
    such choice.
    """
    check_arguments(alpha, looks, step)
    require_edge(region)
    arms = (as_seeds(a, "a"), as_seeds(b, "b"))
    masks = (as_mask(collapsed_a, arms[0].size), as_mask(collapsed_b, arms[1].size))
    n = int(min(arms[0].size, arms[1].size))
    for values, mask, name in zip(arms, masks, ("first arm's seeds", "second arm's seeds"), strict=True):
        problem = data_problem(values, mask, step, name)
        if problem is not None:
            return unjudged(kind, problem, region=region, n=n, step=step, alpha=alpha)
    if masks[0].any() or masks[1].any():
        typical = judge_typical(
            arms[0][:n] - arms[1][:n],
            masks[0][:n] | masks[1][:n],
            region,
            step=step,
            alpha=alpha,
            looks=looks,
            kind=kind,
        )
        return typical.with_notes("unpaired arms: seeds were paired in the order given")
    effect = float(np.mean(arms[0]) - np.mean(arms[1]))
    details = {"a": arms[0].tolist(), "b": arms[1].tolist(), "looks": looks, "design": "welch"}
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
    used = [spread(values, step)[1] for values in arms]
    sizes = [int(values.size) for values in arms]
    se, df = welch(used[0] / math.sqrt(sizes[0]), sizes[0] - 1, used[1] / math.sqrt(sizes[1]), sizes[1] - 1)
    return judge_summary(
        kind,
        effect,
        se,
        df,
        region,
        alpha=alpha,
        looks=looks,
        n=n,
        step=step,
        details={**details, "sd_used": used, "n": sizes},
    )
