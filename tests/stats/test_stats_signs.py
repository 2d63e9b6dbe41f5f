"""Signs, counts and points left out: what must agree with Student's t, against scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from lnbench import stats
from lnbench.stats import Printed, Region, Verdict
from lnbench.stats.share import counts_of, exact_p
from lnbench.stats.signs import order_interval


@pytest.mark.parametrize(("n", "needed"), [(1, 2), (3, 4), (4, 4), (5, 5), (6, 6), (7, 6), (8, 7), (10, 8), (20, 14)])
def test_so_many_signs_are_needed(n: int, needed: int) -> None:
    assert stats.needed_signs(n) == needed
    if needed <= n:
        assert reference.binomtest(needed, n, 0.5, alternative="greater").pvalue <= stats.SIGN_LEVEL
    if 0 < needed <= n:
        assert reference.binomtest(needed - 1, n, 0.5, alternative="greater").pvalue > stats.SIGN_LEVEL
    assert (n >= stats.FEWEST_TO_DECIDE) == (needed <= n)


@pytest.mark.parametrize("region", [Region.at_least(0.0), Region.at_most(0.4), Region(-0.6, 0.8)])
def test_both_rules_must_decide(region: Region) -> None:
    rng = np.random.default_rng(7)
    seen = set()
    for _ in range(600):
        n = int(rng.integers(3, 12))
        x = rng.uniform(-1.5, 1.5) + rng.choice([1, 3]) * (0.7 - rng.exponential(1.0, n)) * 0.3
        check = stats.judge_mean(x, region)
        inside = [np.sum(x > region.low)] if math.isfinite(region.low) else []
        inside += [np.sum(x < region.high)] if math.isfinite(region.high) else []
        outside = max(
            np.sum(x < region.low) if math.isfinite(region.low) else 0,
            np.sum(x > region.high) if math.isfinite(region.high) else 0,
        )
        edges = len(region.edges)
        p_for = reference.binomtest(int(min(inside)), n, 0.5, alternative="greater").pvalue
        p_against = min(1.0, edges * reference.binomtest(int(outside), n, 0.5, alternative="greater").pvalue)
        alone = check.details["alone"]
        assert check.details["signs"]["p_reproduced"] == pytest.approx(p_for)
        assert check.details["signs"]["p_contradicted"] == pytest.approx(p_against)
        assert (check.verdict() is Verdict.REPRODUCED) == (alone["p_reproduced"] <= 0.05 and p_for <= 0.07)
        assert (check.verdict() is Verdict.CONTRADICTED) == (alone["p_contradicted"] <= 0.05 and p_against <= 0.07)
        withheld = min(alone["p_reproduced"], alone["p_contradicted"]) <= 0.05 and check.verdict().open
        assert withheld == any("Student's t alone would decide" in note for note in check.notes)
        seen |= {check.verdict(), withheld}
    assert seen == {Verdict.REPRODUCED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE, True, False}


def test_three_seeds_decide_nothing_and_four_may() -> None:
    three, four = (stats.above([0.97, 0.971, 0.972, 0.973][:n], 0.9, step=1e-4) for n in (3, 4))
    assert three.verdict() is Verdict.INCONCLUSIVE and four.verdict() is Verdict.REPRODUCED
    assert three.notes == (
        "Student's t alone would decide; 3 of 3 seeds lie inside the range and 3 seeds are too few for signs to decide "
        "(signs: p = 0.12, at most 0.07)",
    )
    assert stats.seeds_to_decide(three) == 4


def test_one_bad_run_of_five_leaves_it_open() -> None:
    check = stats.ordered([0.0101, -0.0018, 0.0064, 0.0196, 0.0120], step=1e-4)
    assert check.details["alone"]["p_reproduced"] == pytest.approx(0.02872, abs=1e-5)
    assert check.p_reproduced == pytest.approx(6 / 32)
    assert check.verdict() is Verdict.INCONCLUSIVE
    assert check.interval is not None and check.interval.low == -0.0018


def test_the_interval_covers_that_of_the_order_statistics() -> None:
    x = np.array([0.1, 0.2, 0.25, 0.3, 0.31, 0.33, 2.0])
    assert order_interval(x) == (0.2, 0.33)  # six of seven
    assert order_interval(x[:3]) is None
    check = stats.above(x, 0.15)
    assert check.interval is not None
    low, high = check.details["alone"]["interval"]
    assert check.interval.low == min(low, 0.2) and check.interval.high == max(high, 0.33)


def test_two_edges_are_left_by_twice_the_signs() -> None:
    """All four on one far side: with two edges this is 2/16, too often for chance alone."""
    x = [5.0, 5.1, 4.9, 5.05]
    assert stats.below(x, 1.0).verdict() is Verdict.CONTRADICTED
    assert stats.equivalent(x, 1.0).verdict() is Verdict.INCONCLUSIVE
    assert stats.equivalent([*x, 4.95], 1.0).verdict() is Verdict.CONTRADICTED


def test_signs_leave_a_printed_number_its_luck() -> None:
    ours = [94.0, 94.2, 94.1, 93.9, 94.05, 94.15, 93.95, 94.1, 94.0, 94.2]
    near = Printed(92.0, 0.1, 0.5, 0.1, "se", 10)  # our seeds lie 1.9 to 2.2 above, the edge at .5 + .05 + 2·.55
    assert stats.agrees(ours, near, 0.5).details["signs"]["outside"] == 10
    assert stats.agrees(ours, Printed(92.0, 0.1, 0.9, 0.1, "se", 10), 0.5).details["signs"]["outside"] == 0


def test_a_share_that_is_one_in_all_draws_is_a_number_like_any_other() -> None:
    all_found = [1.0] * 5
    assert stats.above(all_found, 0.9).verdict() is Verdict.ERROR  # not known to be a share: the seed does nothing
    check = stats.above(all_found, 0.9, step=1 / 40, counted=[40] * 5)
    assert check.verdict() is Verdict.REPRODUCED and check.details["share"] == (200, 200)
    few = stats.above(all_found, 0.9, step=1 / 4, counted=[4] * 5)
    assert few.verdict() is Verdict.INCONCLUSIVE and few.p_reproduced == pytest.approx(0.9**20)


def test_counts_near_an_end_are_judged_by_the_exact_law_too() -> None:
    hits, totals = [19, 20, 20, 19, 20], [20] * 5
    values = np.array(hits) / 20
    check = stats.above(values, 0.9, step=1 / 20, counted=totals)
    exact = reference.binomtest(98, 100, 0.9, alternative="greater").pvalue
    alone = check.details["alone"]["p_reproduced"]
    assert check.p_reproduced == pytest.approx(max(exact, alone)) and exact > alone
    assert check.interval is not None
    low, high = reference.binomtest(98, 100).proportion_ci(0.9)
    assert check.interval.low <= low + 1e-12 and check.interval.high >= high
    # far from both ends t is right, and nothing changes
    middle = np.array([0.5, 0.55, 0.6, 0.5, 0.55])
    assert stats.above(middle, 0.4, step=1 / 1000, counted=[1000] * 5).details.get("share") is None
    assert counts_of(values + 0.013, totals) is None  # no share of 20


def test_exact_p_at_the_ends_of_a_share() -> None:
    assert exact_p(10, 10, Region(0.8, 1.0)) == (1.0, pytest.approx(1.0))
    assert exact_p(10, 10, Region.at_least(0.8)) == (pytest.approx(0.8**10), 1.0)
    assert exact_p(0, 10, Region.at_least(0.8)) == (1.0, pytest.approx(0.2**10))
    two = exact_p(5, 100, Region(0.1, 0.2))
    assert two[1] == pytest.approx(2 * reference.binom.cdf(5, 100, 0.1))


def test_one_point_does_not_make_a_correlation() -> None:
    x = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 9.0]
    y = [0.3, 0.1, 0.6, 0.2, 0.5, 0.4, 0.1, 8.0]
    r, without = stats.coefficient_of(x, y), stats.coefficients_without(x, y)
    region = Region(0.5, 1.0)
    assert stats.correlation(r, 8, region).verdict() is Verdict.REPRODUCED
    assert stats.correlation(r, 8, region, without=without).verdict() is Verdict.INCONCLUSIVE
    left = reference.pearsonr(x[:-1], y[:-1]).statistic
    assert without[-1] == pytest.approx(left)
    zeta = math.atanh(left) - left / 12
    expected = reference.norm.sf((zeta - math.atanh(0.5)) * math.sqrt(4))
    assert stats.correlation(r, 8, region, without=without).p_reproduced == pytest.approx(max(expected, 0), rel=1e-6)


def test_points_that_leave_a_constant_column_say_nothing() -> None:
    without = [math.nan] + [0.9] * 7
    assert stats.correlation(0.9, 8, Region(0.1, 1.0), without=without).p_reproduced == pytest.approx(0.5, abs=1e-6)
    with pytest.raises(ValueError, match="expected 8 coefficients"):
        stats.correlation(0.9, 8, Region(0.1, 1.0), without=[0.9])


@pytest.mark.parametrize(("low", "high", "truth", "n"), [(0, math.inf, 1, 5), (-1, 1, 0.2, 9), (-1, 1, 2.5, 8)])
def test_the_power_of_signs_is_what_normal_seeds_show(low: float, high: float, truth: float, n: int) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(truth, 1, (40_000, n))
    region = Region(low, high)
    if region.contains(truth):
        decided = np.minimum((x > low).sum(1), (x < high).sum(1)) >= stats.needed_signs(n)
    else:
        decided = np.maximum((x < low).sum(1), (x > high).sum(1)) >= stats.needed_signs(n, stats.SIGN_LEVEL / 2)
    assert stats.signs_power(region, truth, 1.0, n) == pytest.approx(decided.mean(), abs=0.008)
