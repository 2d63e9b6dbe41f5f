"""Kinds along an axis (trend, monotone, shift, crossing, scaling): each can reproduce, contradict and stay open."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats as reference

from tests.toys.claims_page import wobble
from tests.toys.kinds_world import Number, alpha, part_of

# trend

TREND = """
effects: {e: {metric: test_accuracy, at: {model: mlp1}, along: {noise.alpha: %s}}}
parts: {claim: {kind: trend, effect: e, direction: down}}
"""


@pytest.mark.parametrize("statistic", ["slope", "kendall"])
@pytest.mark.parametrize(
    ("per_alpha", "noise", "verdict"),
    [(-0.002, 0.001, "reproduced"), (0.002, 0.001, "contradicted"), (0.0, 0.01, "inconclusive")],
)
def test_a_trend(tmp_path: Path, statistic: str, per_alpha: float, noise: float, verdict: str) -> None:
    part = part_of(
        tmp_path, TREND % statistic, lambda r, s: 0.6 + per_alpha * alpha(r) + noise * wobble("t", s, alpha(r))
    )
    assert part.verdict == verdict


def test_a_trends_slopes_are_scipys(tmp_path: Path) -> None:
    def number(recipe: dict[str, Any], seed: int) -> float:
        return round(0.9 - 0.002 * alpha(recipe) + 0.01 * wobble(seed, alpha(recipe)), 4)

    (member,) = part_of(tmp_path, TREND % "slope", number).members
    levels = [0, 10, 20, 50, 100]
    for seed, value in enumerate(member.values):
        column = [number({"noise": {"alpha": float(level)}}, seed) for level in levels]
        assert value == pytest.approx(reference.linregress(levels, column).slope)
    (by_rank,) = part_of(tmp_path, TREND % "kendall", number).members
    for seed, value in enumerate(by_rank.values):
        column = [number({"noise": {"alpha": float(level)}}, seed) for level in levels]
        assert value == pytest.approx(reference.kendalltau(levels, column).statistic)


def test_beside_a_trend_stands_pages_test(tmp_path: Path) -> None:
    part = part_of(tmp_path, TREND % "slope", lambda r, s: 0.9 - 0.002 * alpha(r) + 0.001 * wobble(s, alpha(r)))
    curves = np.array(part.members[0].curves)
    assert part.beside["page_l_p"] == [pytest.approx(reference.page_trend_test(-curves).pvalue)]


# monotone

MONOTONE = """
effects: {e: {metric: test_accuracy, at: {model: mlp1}, along: {noise.alpha: steps}}}
parts: {claim: {kind: monotone, effect: e, direction: down}}
"""
CURVES = {  # alpha -> accuracy
    "reproduced": {0: 0.9, 10: 0.8, 20: 0.7, 50: 0.6, 100: 0.5},
    "contradicted": {0: 0.9, 10: 0.8, 20: 0.85, 50: 0.6, 100: 0.5},  # one step up is enough
    "inconclusive": {0: 0.9, 10: 0.8, 20: 0.8, 50: 0.6, 100: 0.5},
}


@pytest.mark.parametrize("verdict", CURVES)
def test_monotone_is_every_step(tmp_path: Path, verdict: str) -> None:
    part = part_of(tmp_path, MONOTONE, lambda r, s: CURVES[verdict][alpha(r)] + 0.001 * wobble(s, alpha(r)))
    assert part.verdict == verdict
    assert [member.label for member in part.members][:2] == [
        "mlp1: test_accuracy from noise.alpha 0 to 10",
        "mlp1: test_accuracy from noise.alpha 10 to 20",
    ]
    assert part.check.p_reproduced == max(check.p_reproduced for check in part.checks)


def test_a_curve_that_falls_in_the_whole_but_not_at_each_step_is_a_trend_and_not_monotone(tmp_path: Path) -> None:
    def number(recipe: dict[str, Any], seed: int) -> float:
        return CURVES["contradicted"][alpha(recipe)] + 0.001 * wobble(seed, alpha(recipe))  # type: ignore[index]

    assert part_of(tmp_path, TREND % "slope", number).verdict == "reproduced"
    assert part_of(tmp_path, MONOTONE, number).verdict == "contradicted"


# shift

SHIFT = """
vary: {noise.alpha: [0, 50], optimizer.lr: [0.0125, 0.025, 0.05, 0.1, 0.2]}
effects:
  e: {metric: test_accuracy, at: {noise.alpha: 50}, minus: {noise.alpha: 0}, along: {optimizer.lr: argmax}}
parts: {claim: {kind: shift, effect: e, direction: down, delta: %s}}
"""


def peak(before: float, after: float) -> Number:
    """Accuracy highest at a rate of `before` without noise and `after` with."""

    def number(recipe: dict[str, Any], seed: int) -> float:
        best = after if alpha(recipe) else before
        return 0.8 - 0.02 * math.log2(recipe["optimizer"]["lr"] / best) ** 2 + 0.0001 * wobble(seed, alpha(recipe))

    return number


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [(0.1, 0.05, "reproduced"), (0.05, 0.1, "contradicted"), (0.05, 0.05, "inconclusive")],
)
def test_an_optimum_shifts_in_octaves(tmp_path: Path, before: float, after: float, verdict: str) -> None:
    part = part_of(tmp_path, SHIFT % 0, peak(before, after))
    assert part.members[0].values == pytest.approx([math.log2(after / before)] * 5)
    assert part.members[0].step == pytest.approx(1.0)  # the axis's largest gap, in octaves
    assert part.verdict == verdict
    if verdict == "reproduced":
        interval = part.check.interval
        assert interval is not None  # half a step is the spread of equal seeds
        reach = reference.t.ppf(0.95, 4) * 0.5 / math.sqrt(5)
        assert (interval.low, interval.high) == pytest.approx((-1 - reach, -1 + reach))


def test_tied_optima_lie_at_the_mean_of_their_log2(tmp_path: Path) -> None:
    def number(recipe: dict[str, Any], seed: int) -> float:
        if not alpha(recipe):
            return peak(0.05, 0.05)(recipe, seed)
        return 0.8 if recipe["optimizer"]["lr"] in (0.1, 0.2) else 0.5  # sqrt(.1 · .2) is half an octave above .1

    assert part_of(tmp_path, SHIFT % 0, number).members[0].values == pytest.approx([1.5] * 5)


def test_an_optimum_on_the_end_of_the_axis_leaves_signs_and_hides_sizes(tmp_path: Path) -> None:
    signs = part_of(tmp_path, SHIFT % 0, peak(0.1, 0.0125))
    assert signs.verdict == "reproduced"
    assert "on an end of the axis" in signs.check.notes[-1]
    assert part_of(tmp_path, SHIFT % 1, peak(0.1, 0.0125)).verdict == "inconclusive"


def test_beside_a_shift_stands_the_slope_of_the_difference(tmp_path: Path) -> None:
    (slope,) = part_of(tmp_path, SHIFT % 0, peak(0.1, 0.05)).beside["slope"]
    # -.02 (x - a)² + .02 (x - b)² has slope .04 (a - b) in x = log2, here a - b = -1
    assert slope.effect == pytest.approx(-0.04)
    assert slope.verdict() == "reproduced"


# crossing, within, scaling, ratio

SIZES = "[500, 1000, 2000, 4000, 8000]"
WITHIN = f"""
vary: {{dataset.clean: {SIZES}}}
effects: {{e: {{metric: test_accuracy, along: {{dataset.clean: crossing}}, rises_to: 0.5%s}}}}
parts: {{claim: {{kind: within, effect: e, region: [%s, %s], because: test}}}}
"""


def straight(through: float, per_image: float = 1e-5) -> Number:
    """Accuracy that is a straight line of the images, at one half at `through` of them."""
    return lambda r, s: 0.5 + per_image * (r["dataset"]["clean"] - through - 20 * wobble("c", s))


def test_a_crossing_lies_between_two_levels_on_a_straight_line(tmp_path: Path) -> None:
    part = part_of(tmp_path, WITHIN % ("", 2500, 3500), straight(3000))
    assert part.members[0].values == pytest.approx([3000 + 20 * wobble("c", seed) for seed in range(5)])
    assert part.members[0].step == pytest.approx(2000 * 1e-4 / (2000 * 1e-5))  # a test example of 10,000 moves it by 10
    assert part.verdict == "reproduced"
    assert part_of(tmp_path, WITHIN % ("", 5000, 6000), straight(3000)).verdict == "contradicted"
    assert part_of(tmp_path, WITHIN % ("", 3000, 6000), straight(3000)).verdict == "inconclusive"


def test_a_crossing_is_read_over_the_log_of_the_axis_only_where_asked(tmp_path: Path) -> None:
    def number(recipe: dict[str, Any], seed: int) -> float:
        return 0.5 + 0.1 * math.log2(recipe["dataset"]["clean"] / 3000) + 1e-4 * seed

    log = part_of(tmp_path, WITHIN % (", interpolate: log", 2900, 3100), number).members[0].values
    assert log == pytest.approx([3000 * 2 ** (-1e-3 * seed) for seed in range(5)])
    share = math.log2(3000 / 2000)  # of the way from 2,000 to 4,000
    line = part_of(tmp_path, WITHIN % ("", 2900, 3300), number).members[0].values
    assert line[0] == pytest.approx(2000 + 2000 * share)


@pytest.mark.parametrize(
    ("through", "value", "limit", "region", "verdict"),
    [
        (400, -math.inf, 500, "[null, 2000]", "reproduced"),  # all need fewer than the smallest size: at most 2,000
        (400, -math.inf, 500, "[600, null]", "contradicted"),
        (9000, math.inf, 8000, "[7000, null]", "reproduced"),
        (9000, math.inf, 8000, "[null, 7000]", "contradicted"),
    ],
)
def test_what_is_crossed_beyond_the_levels_that_were_run_keeps_its_side(
    tmp_path: Path, through: float, value: float, limit: float, region: str, verdict: str
) -> None:
    """Nothing is averaged; signs decide. An edge lies between the levels that were run, so the side is known."""
    low, high = region.strip("[]").split(", ")
    part = part_of(tmp_path, WITHIN % ("", low, high), straight(through))
    member = part.members[0]
    assert (member.values, member.limits, member.collapsed) == ((value,) * 5, (limit,) * 5, (False,) * 5)
    assert part.check.typical and part.check.interval is None
    assert part.verdict == verdict
    assert any("5 of 5 seeds lie beyond the levels that were run" in note for note in part.check.notes)
    assert min(part.check.p_reproduced, part.check.p_contradicted) == pytest.approx(1 / 32)


@pytest.mark.parametrize(
    ("kind", "edge", "verdict"),
    [
        ("every_run_below", 2000, "reproduced"),
        ("every_run_above", 2000, "contradicted"),
    ],
)
def test_censored_runs_are_counted_on_the_side_that_is_known(
    tmp_path: Path, kind: str, edge: float, verdict: str
) -> None:
    counted = (WITHIN % ("", 1, 2)).replace(
        "{kind: within, effect: e, region: [1, 2], because: test}",
        f"{{kind: {kind}, effect: e, threshold: {edge}, pi: 0.5, because: test}}",
    )
    assert part_of(tmp_path, counted, straight(400)).verdict == verdict


def test_a_curve_beside_a_collapsed_run_is_a_collapse_and_no_censored_number(tmp_path: Path) -> None:
    part = part_of(tmp_path, WITHIN % ("", "null", 2000), lambda r, s: 0.1 if r["dataset"]["clean"] == 8000 else 0.4)
    assert all(map(math.isnan, part.members[0].values)) and part.members[0].collapsed == (True,) * 5
    assert part.verdict == "inconclusive"
    assert any("have no such number" in note for note in part.check.notes)


def test_one_seed_that_never_crosses_makes_the_claim_one_about_the_typical_run(tmp_path: Path) -> None:
    def number(recipe: dict[str, Any], seed: int) -> float:
        return straight(9000 if seed == 2 else 3000)(recipe, seed)

    ten = "seeds: {n: 10, pair: [noise]}\n" + WITHIN % ("", 2500, 3500)
    part = part_of(tmp_path, ten, number, seeds=10)
    assert part.check.p_reproduced == pytest.approx(11 / 1024)  # 9 of 10 on the good side
    assert part.verdict == "reproduced"


def test_a_run_beyond_the_crossing_may_collapse(tmp_path: Path) -> None:
    """An accuracy that falls to chance with the noise has crossed one half on the way: that is a number."""
    example = """
effects: {e: {metric: test_accuracy, at: {model: mlp1}, along: {noise.alpha: crossing}, falls_to: 0.5}}
parts: {claim: {kind: within, effect: e, region: [12, 18], because: test}}
"""
    falling = {0.0: 0.9, 10.0: 0.6, 20.0: 0.4, 50.0: 0.1, 100.0: 0.1}
    part = part_of(tmp_path, example, lambda r, s: falling[alpha(r)] + 0.002 * wobble(s, alpha(r)))
    assert part.members[0].collapsed == (False,) * 5
    assert part.members[0].values[0] == pytest.approx(15, abs=0.3)
    assert part.verdict == "reproduced"
    dead = part_of(tmp_path, example, lambda r, s: 0.1 if s == 0 and alpha(r) == 20 else falling[alpha(r)])
    assert dead.members[0].collapsed == (True, False, False, False, False)  # this one is read beside a collapsed run


SCALING = f"""
vary: {{noise.alpha: [5, 10, 20], dataset.clean: {SIZES}}}
effects: {{e: {{metric: test_accuracy, along: {{dataset.clean: crossing, noise.alpha: exponent}}, rises_to: 0.5}}}}
parts: {{claim: {{kind: scaling, effect: e, region: %s}}}}
"""


def power_law(exponent: float) -> Number:
    return lambda r, s: straight(1500 * (alpha(r) / 10) ** exponent * (1 + 0.01 * wobble(s, alpha(r))))(r, 0)


@pytest.mark.parametrize(
    ("region", "verdict"),
    [("[0.8, 1.5]", "reproduced"), ("[1.5, null]", "contradicted"), ("[null, 0.9]", "contradicted"),
     ("[1.1, null]", "inconclusive")],
)  # fmt: skip
def test_an_exponent_of_a_crossing(tmp_path: Path, region: str, verdict: str) -> None:
    part = part_of(tmp_path, SCALING % region, power_law(1.1))
    assert part.check.effect == pytest.approx(1.1, abs=0.02)
    assert part.verdict == verdict


def test_a_level_of_the_axis_that_is_never_reached_makes_its_seed_a_collapse(tmp_path: Path) -> None:
    def number(recipe: dict[str, Any], seed: int) -> float:
        return 0.2 + 1e-5 * seed if seed == 1 and alpha(recipe) == 20 else power_law(1.1)(recipe, seed)

    part = part_of(tmp_path, SCALING % "[0.8, 1.5]", number)
    assert part.members[0].collapsed == (False, True, False, False, False)
    assert math.isnan(part.members[0].values[1])
    assert part.verdict == "inconclusive"  # one collapse in five


def test_an_exponent_of_numbers_that_are_not_above_0_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    example = """
vary: {noise.alpha: [5, 10, 20]}
effects: {e: {metric: test_loss, along: {noise.alpha: exponent}}}
parts: {claim: {kind: scaling, effect: e, region: [0, 1]}}
"""
    part = part_of(tmp_path, example, lambda r, s: {"test_accuracy": 0.9, "test_loss": 0.0, "train_accuracy": 0.5})
    assert part.verdict == "error"
    assert "an exponent needs numbers above 0" in part.why
