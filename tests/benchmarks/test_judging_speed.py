"""A hundred claims judged, beside the bare t tests behind them; nothing is asserted of the times.

pytest tests/benchmarks/test_judging_speed.py -n 0 --benchmark-enable --benchmark-only
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from lnbench import stats
from lnbench.stats import Check, Printed, Verdict

SEEDS = [np.random.default_rng(number).normal(0.93, 0.01, 10) for number in range(25)]


def judged() -> list[Check]:
    """Four claims of each study, and of each open one how many seeds would decide it."""
    checks = []
    for x in SEEDS:
        checks += [
            stats.above(x, 0.925, step=1e-4),
            stats.agrees(x, Printed(0.91, 0.01, 0.01, 0.01, "sd", 5), 0.02, step=1e-4),
            stats.equivalent(x - 0.93, 0.004, step=1e-4),
            stats.partial_conjunction([stats.ordered(x - edge, step=1e-4) for edge in (0.91, 0.92, 0.93)]),
        ]
    for check in checks:
        if check.verdict() is Verdict.INCONCLUSIVE:
            stats.seeds_to_decide(check)
    stats.holm([check.p_contradicted for check in checks])
    return checks


def bare() -> list[float]:
    """The t tests alone, as scipy has them."""
    edges = (0.925, 0.89, 0.93, 0.926, 0.934, 0.91, 0.92, 0.93)
    return [float(ttest_1samp(x, edge, alternative="greater").pvalue) for x in SEEDS for edge in edges]


@pytest.mark.benchmark(group="a hundred claims")
@pytest.mark.parametrize("work", [judged, bare])
def test_a_hundred_claims(benchmark: Any, work: Any) -> None:
    assert benchmark(work)
