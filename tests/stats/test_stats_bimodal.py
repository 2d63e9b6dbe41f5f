"""Two modes or one: the dip against a linear program, and Ashman's D."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import linprog

from lnbench import stats
from lnbench.stats.dip import dip


def dip_by_linear_program(values: np.ndarray) -> float:
    """The smallest sup|F_n - F| over unimodal F, for distinct values: F convex up to a mode and concave after
    it.

    F is linear between data; at the mode, a data point, it may jump (an atom is unimodal).
    """
    x = np.sort(values)
    return min(_fit_with_mode(x, mode) for mode in range(len(x)))


def _fit_with_mode(x: np.ndarray, mode: int) -> float:
    """Variables: F up to the mode (mode + 1 of them, the last just before it), F from the mode on, and d."""
    n = len(x)
    d = n + 1
    rows: list[np.ndarray] = []
    limits: list[float] = []

    def at_most(coefficients: dict[int, float], limit: float) -> None:
        row = np.zeros(n + 2)
        row[list(coefficients)] = list(coefficients.values())
        rows.append(row)
        limits.append(limit)

    for convex, points, first in ((1, range(mode + 1), 0), (-1, range(mode, n), 1)):
        at = [first + j for j in points]  # after the mode, every variable stands one further
        for j, k in zip(points, at, strict=True):
            steps = {j / n, (j + 1) / n}
            if j == mode:  # only one side of the step is seen from each side of the mode
                steps = {j / n} if convex == 1 else {(j + 1) / n}
            for level in steps:
                at_most({k: 1, d: -1}, level)
                at_most({k: -1, d: -1}, -level)
        for a, b in pairwise(at):
            at_most({a: 1, b: -1}, 0)
        for i, j in pairwise(points[:-1]):
            # on the convex side the slope into the middle of three points is at most that out of it
            u, v = 1 / (x[j] - x[i]), 1 / (x[j + 1] - x[j])
            at_most({first + i: -convex * u, first + j: convex * (u + v), first + j + 1: -convex * v}, 0)
    at_most({mode: 1, mode + 1: -1}, 0)
    cost = np.zeros(n + 2)
    cost[d] = 1
    bounds = [(0.0, 1.0)] * (n + 1) + [(0.0, None)]
    return float(linprog(cost, np.array(rows), limits, bounds=bounds).fun)


@pytest.mark.parametrize("seed", range(12))
def test_the_dip_is_the_best_unimodal_fit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 14))
    x = rng.normal(size=n) if seed % 2 else np.concatenate([rng.normal(0, 1, n), rng.normal(6, 1, n)])
    assert dip(x) == pytest.approx(dip_by_linear_program(x), abs=1e-9)


def test_dips_in_closed_form() -> None:
    assert dip(np.arange(10)) == pytest.approx(1 / 20)  # evenly spaced: as unimodal as ten values can be
    assert dip([0.0] * 50 + [1.0] * 50) == pytest.approx(0.25)  # two atoms: as bimodal as anything can be
    assert dip([3.0] * 4) == pytest.approx(1 / 8)
    with pytest.raises(ValueError, match="finite"):
        dip([1.0, np.nan])


def test_the_dip_does_not_see_place_scale_or_side() -> None:
    x = np.random.default_rng(0).normal(size=60) ** 3
    assert dip(5 - 3 * x) == pytest.approx(dip(x))


def test_the_dips_p_is_uniform_where_it_should_be() -> None:
    """Of uniform samples 5 % and 50 % have p below .05 and .5."""
    rng = np.random.default_rng(9)
    p = np.array([stats.dip_p(rng.random(100)) for _ in range(400)])
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.035)
    assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.08)


def test_the_dips_p_for_many_values_uses_the_limit_law() -> None:
    rng = np.random.default_rng(10)
    p = np.array([stats.dip_p(rng.random(3000)) for _ in range(100)])
    assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.16)


def test_two_modes_are_seen_and_one_is_not() -> None:
    rng = np.random.default_rng(1)
    two = np.concatenate([rng.normal(0, 1, 300), rng.normal(6, 1.5, 200)])
    one = rng.normal(0, 1, 500)
    assert stats.dip_p(two) < 0.01 < 0.2 < stats.dip_p(one)
    fit = stats.Mixture((0.6, 0.4), (0.0, 6.0), (1.0, 1.5), 0.0)
    assert stats.ashman_d(fit) == pytest.approx(np.sqrt(2) * 6 / np.hypot(1, 1.5))


def test_hopeless_samples() -> None:
    for bad in ([1.0, 2.0, 3.0], [1.0, np.nan, 2.0, 3.0]):
        with pytest.raises(ValueError, match="at least 4"):
            stats.dip_p(bad)
