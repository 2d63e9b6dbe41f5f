"""Slopes, taus, optima and ratios: one number per curve or pair, and the steps of each."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate
from scipy import stats as reference

from lnbench import stats
from lnbench.stats import Region, Verdict
from lnbench.stats.steps import area_weights

LEVELS = [0.0, 10.0, 20.0, 50.0, 100.0]
CURVES = np.random.default_rng(8).normal(0.9, 0.02, (4, 5)) - 0.002 * np.array(LEVELS)


def test_slopes_and_taus_are_scipys() -> None:
    assert stats.slopes(LEVELS, CURVES) == pytest.approx([reference.linregress(LEVELS, y).slope for y in CURVES])
    # without ties τ-a is τ-b
    assert stats.kendall_taus(LEVELS, CURVES) == pytest.approx([reference.kendalltau(LEVELS, y)[0] for y in CURVES])
    assert stats.kendall_taus([1, 2, 3], [[1, 1, 2]]) == pytest.approx([2 / 3])


def test_the_order_of_the_levels_does_not_matter() -> None:
    mixed = [3, 0, 4, 1, 2]
    for made in (stats.slopes, stats.kendall_taus):
        assert made([LEVELS[j] for j in mixed], CURVES[:, mixed]) == pytest.approx(made(LEVELS, CURVES))


def test_curves_have_a_number_at_every_level() -> None:
    for made in (stats.slopes, stats.kendall_taus):
        with pytest.raises(ValueError, match="one row of 5 levels"):
            made(LEVELS, CURVES[:, :3])
        with pytest.raises(ValueError, match="two different"):
            made([1.0, 1.0], CURVES[:, :2])


def test_page_in_print() -> None:
    """Page (1963), his example as in scipy's documentation: L = 133.5, p = .00182."""
    table = [
        [3, 4, 3],
        [2, 2, 4],
        [3, 3, 5],
        [1, 3, 2],
        [2, 3, 2],
        [2, 4, 5],
        [1, 2, 4],
        [3, 4, 4],
        [2, 4, 5],
        [1, 3, 4],
    ]
    assert stats.page_l_p(table) == pytest.approx(0.0018191161948127822, rel=1e-6)
    assert stats.page_l_p(table, rising=False) > 0.9
    with pytest.raises(ValueError, match="every point"):
        stats.page_l_p([[1.0, math.nan, 2.0]] * 3)


# ---- steps ----


def test_steps_are_the_most_that_one_example_moves() -> None:
    """Each step is found again by moving one example in one run of a curve."""
    u = 1e-3
    curve = np.array([0.9, 0.85, 0.8, 0.7, 0.6])
    moved = curve + u * np.eye(5)
    slope = stats.slopes(LEVELS, [curve])[0]
    assert stats.slope_step(LEVELS, u) == pytest.approx(max(abs(np.array(stats.slopes(LEVELS, moved)) - slope)))
    area = integrate.trapezoid(curve, LEVELS)
    most = max(integrate.trapezoid(m, LEVELS) - area for m in moved)
    assert stats.area_step(LEVELS, u) == pytest.approx(most)
    assert area_weights([20, 0, 10]) == pytest.approx([5, 5, 10])
    assert stats.kendall_step(5) == pytest.approx(0.2)
    swapped = stats.kendall_taus(range(3), [[1, 2, 3], [2, 1, 3]])
    assert stats.kendall_step(3) == pytest.approx(swapped[0] - swapped[1])
    assert stats.accuracy_step(10_000) == 1e-4
    assert stats.argmax_step([16, 32, 128]) == 2.0
    assert stats.argmax_step([16, 32, 128], log2=False) == 96.0
    with pytest.raises(ValueError, match="n_examples"):
        stats.accuracy_step(0)
    with pytest.raises(ValueError, match="n_levels"):
        stats.kendall_step(1)
    with pytest.raises(ValueError, match="positive"):
        stats.argmax_step([0, 1])


# ---- shift ----

AXIS = [16, 32, 64, 128, 256, 512]


def test_tied_optima_lie_between() -> None:
    assert stats.argmax_along(AXIS, [0, 1, 3, 2, 1, 0]) == 64
    assert stats.argmax_along(AXIS, [0, 0, 0.7, 0, 0.7, 0]) == pytest.approx(128)
    assert math.isnan(stats.argmax_along(AXIS, [0, 0, 0.7, math.nan, 0.7, 0]))


def test_a_shift_is_a_t_test_of_octaves_with_a_floor() -> None:
    a, b = [256, 128, 256, 256, 128], [64, 64, 128, 64, 64]
    check = stats.shift(a, b, AXIS)
    octaves = [-2, -1, -1, -2, -1]
    assert check.details["seed_effects"] == octaves
    assert check.p_reproduced == pytest.approx(reference.ttest_1samp(octaves, 0, alternative="less").pvalue)
    assert stats.shift(b, a, AXIS, Region.at_least(0.0)).p_reproduced == pytest.approx(check.p_reproduced)


def test_an_optimum_on_the_end_keeps_its_sign_but_has_no_size() -> None:
    a, b = [512] * 5, [128] * 5
    check = stats.shift(a, b, AXIS)
    assert check.verdict() is Verdict.REPRODUCED
    assert "an upper bound, as the true shifts of these seeds lie further down" in check.notes[-1]
    sized = stats.shift(a, b, AXIS, Region.at_most(-1.0))
    assert (sized.p_reproduced, sized.p_contradicted) == (1.0, 1.0)
    inner = stats.shift([256] * 5, [64] * 5, AXIS, Region.at_most(-1.0))
    assert inner.verdict() is Verdict.REPRODUCED


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (
            [64, 64, 128, 64, 64],
            [512, 512, 256, 512, 512],
            "a lower bound, as the true shifts of these seeds lie",
        ),
        ([512, 512, 64, 512, 512], [128, 128, 512, 128, 128], "the mean is no bound of the true one"),  # both ways
        (
            [512] * 5,
            [128, 128, 128, 128, 512],
            "the mean is no bound of the true one",
        ),  # one on the same end twice
    ],
)
def test_a_mean_of_shifts_beyond_the_axis_is_a_bound_only_where_they_all_go_one_way(
    a: list[float], b: list[float], words: str
) -> None:
    assert words in stats.shift(a, b, AXIS).notes[-1]


def test_shift_arguments_and_data() -> None:
    assert "half a pair" in str(stats.shift([64, 64, 64], [32, 32], AXIS).error)
    assert stats.shift([64, 64, math.nan], [32, 32, 32], AXIS).verdict() is Verdict.ERROR
    with pytest.raises(ValueError, match="off the axis"):
        stats.shift([64, 64, 64], [32, 8, 32], AXIS)
    with pytest.raises(ValueError, match="positive"):
        stats.shift([1, 1, 1], [1, 1, 1], [0, 1, 2])


def test_the_slope_of_the_difference_sees_what_a_flat_argmax_does_not() -> None:
    rng = np.random.default_rng(4)
    octaves = np.arange(6.0)
    a = 0.9 + rng.normal(0, 0.002, (5, 6)) + 0.001 * octaves
    b = 0.9 + rng.normal(0, 0.002, (5, 6)) - 0.001 * octaves
    check = stats.shift_slope(AXIS, a, b, metric_step=1e-4)
    assert check.effect == pytest.approx(np.mean(stats.slopes(octaves, b - a)))
    assert check.verdict() is Verdict.REPRODUCED


# ---- ratio ----


def test_a_ratio_is_a_paired_t_test_of_logs() -> None:
    over, under = [18.6, 19.1, 18.9, 18.5], [9.41, 9.55, 9.38, 9.47]
    check = stats.ratio(over, under, Region.at_least(1.9))
    logs = np.log(np.divide(over, under))
    expected = reference.ttest_1samp(logs, math.log(1.9), alternative="greater").pvalue
    assert check.p_reproduced == pytest.approx(expected)
    assert check.details["ratio"] == pytest.approx(math.exp(logs.mean()))
    low, high = check.details["ratio_interval"]
    assert low < check.details["ratio"] < high
    assert check.details["ratio_region"] == (1.9, math.inf)
    assert stats.ratio(over, under, Region(0.0, 2.5)).verdict() is Verdict.REPRODUCED


def test_ratio_arguments_and_data() -> None:
    assert "half a pair" in str(stats.ratio([1.0, 2.0, 3.0], [1.0, 2.0], Region.at_least(1)).error)
    assert stats.ratio([1.0, 0.0, 3.0], [1.0, 2.0, 3.0], Region.at_least(1)).verdict() is Verdict.ERROR
    assert stats.ratio([1.0, math.nan, 3.0], [1.0, 2.0, 3.1], Region.at_least(1)).verdict() is Verdict.ERROR
    for region in (Region(-1.0, 2.0), Region.at_most(0.0)):
        with pytest.raises(ValueError, match="above 0"):
            stats.ratio([1.0, 2.0, 3.0], [1.0, 2.0, 3.1], region)


def test_a_ratio_of_a_collapsed_run_is_no_number_and_no_error() -> None:
    """It is on no good side; of the rest the signs decide."""
    over, under = [2.0] * 9 + [0.0], [1.0 + 0.001 * seed for seed in range(10)]
    dead = [False] * 9 + [True]
    check = stats.ratio(over, under, Region(1.5, 3.0), collapsed=dead)
    assert check.typical
    assert check.p_reproduced == pytest.approx(11 / 1024)
    assert stats.ratio(over, under, Region(1.5, 3.0)).error == "a ratio needs positive numbers"


def test_the_step_of_a_ratio_is_a_floor_of_its_logs() -> None:
    check = stats.ratio([2.0] * 3, [1.0] * 3, Region.at_least(1.5), step=0.01)
    assert (check.sd, check.sd_used) == (0.0, 0.005)
    assert stats.ratio([2.0] * 3, [1.0] * 3, Region.at_least(1.5)).verdict() is Verdict.ERROR  # times that never vary
