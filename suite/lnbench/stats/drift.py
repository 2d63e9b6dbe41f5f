"""drift: our seeds against our own earlier ones."""

from __future__ import annotations

import math

import numpy as np

from lnbench.stats.rule import confidence_interval, upper_tail
from lnbench.stats.seeds import (
    FEWEST_SEEDS,
    TOO_FEW,
    Values,
    as_seeds,
    check_arguments,
    data_problem,
    nearly_equal,
    spread,
)
from lnbench.stats.values import Check, Region, unjudged


def drift(values: Values, reference_values: Values, *, step: float = 0.0, alpha: float = 0.001) -> Check:
    """Judge whether our numbers have moved against our own earlier ones. `contradicted` means drifted; nothing is ever
    `reproduced`.

    Effect ê = mean - earlier mean, region [0, 0]; Student's two-sample test: sp² = ((n-1)s² + (n0-1)s0²)/df,
    df = n + n0 - 2, se = sp·√(1/n + 1/n0), p_contradicted = 2·S(|ê|/se), each arm's s floored at step/2. Pooled,
    unlike `agrees`, as "nothing has drifted" says that both arms are draws of one distribution: the test is exact
    then, and with 3 seeds against 10 earlier ones it sees a shift of 5 sd 99 % of the time, Welch's 47 %
    (docs/statistics.md). The interval has confidence 1 - α and leaves out 0 exactly when drift is found. The same
    numbers again are no drift, whatever their spread.
    """
    check_arguments(alpha, 1, step)
    region = Region(0.0, 0.0)
    arms = (as_seeds(values, "values"), as_seeds(reference_values, "reference_values"))
    n = int(min(arms[0].size, arms[1].size))
    finite = all(arm.size and np.isfinite(arm).all() for arm in arms)
    if finite and nearly_equal(np.concatenate(arms)):
        note = "every number is the same as before"
        return Check(kind="drift", effect=0.0, region=region, n=n, step=step, alpha=alpha, notes=(note,))
    for arm, name in zip(arms, ("seeds", "reference seeds"), strict=True):
        problem = data_problem(arm, np.zeros(arm.size, dtype=np.bool_), step, name)
        if problem is not None:
            return unjudged("drift", problem, region=region, n=n, step=step, alpha=alpha)
    effect = float(np.mean(arms[0]) - np.mean(arms[1]))
    if n < FEWEST_SEEDS:
        return Check(kind="drift", effect=effect, region=region, n=n, step=step, alpha=alpha, notes=(TOO_FEW,))
    (sd, used), (_, used_before) = (spread(arm, step) for arm in arms)
    sizes = (arms[0].size, arms[1].size)
    df = sum(sizes) - 2
    pooled = ((sizes[0] - 1) * used**2 + (sizes[1] - 1) * used_before**2) / df
    se = math.sqrt(pooled * (1 / sizes[0] + 1 / sizes[1]))
    p = min(1.0, 2 * float(upper_tail(abs(effect) / se, df)))
    interval = confidence_interval(effect, se, df, alpha / 2)
    return Check(
        kind="drift",
        effect=effect,
        interval=interval,
        region=region,
        p_contradicted=p,
        n=n,
        sd=sd,
        sd_used=used,
        se=se,
        df=df,
        step=step,
        contradiction_interval=interval,
        alpha=alpha,
        details={"seed_effects": arms[0].tolist(), "reference": arms[1].tolist()},
    )
