"""What one curve says by itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from lnbench.experiments.series import mann_kendall, ramp


def test_mann_kendalls_tau_is_kendalls_against_time() -> None:
    rng = np.random.default_rng(1)
    y = np.cumsum(rng.normal(size=50)) - 0.2 * np.arange(50)
    tau, p = mann_kendall(y)
    known = kendalltau(np.arange(50), y, alternative="less", method="asymptotic")
    assert tau == pytest.approx(known.statistic)
    assert p == pytest.approx(known.pvalue, rel=0.15)  # scipy leaves out the continuity correction


def test_a_rising_curve_does_not_fall_and_a_flat_one_says_nothing() -> None:
    assert mann_kendall([1, 2, 3, 4, 5])[1] > 0.98
    assert mann_kendall([5, 4, 3, 2, 1])[1] < 0.02
    assert mann_kendall([1.0] * 9) == (0.0, 1.0)


def test_mann_kendalls_p_is_uniform_enough_without_a_trend() -> None:
    rng = np.random.default_rng(2)
    p = np.array([mann_kendall(rng.normal(size=40))[1] for _ in range(2000)])
    assert abs((p < 0.05).mean() - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize(("begin", "end"), [(2.0, 5.0), (3.5, 6.0), (0.5, 1.5)])
def test_a_ramp_is_found_where_it_is(begin: float, end: float) -> None:
    x = np.linspace(0, 6, 121)
    y = 0.18 + 0.7 * np.clip((x - begin) / (end - begin), 0, 1) + np.random.default_rng(3).normal(0, 0.005, len(x))
    found = ramp(x, y)
    assert found[:2] == pytest.approx((begin, end), abs=0.11)
    assert found[2:] == pytest.approx((0.18, 0.88), abs=0.02)


def test_a_fall_is_a_ramp_too() -> None:
    x = np.linspace(0, 6, 61)
    assert ramp(x, 1 - np.clip((x - 2) / 3, 0, 1)) == pytest.approx((2, 5, 1, 0))
