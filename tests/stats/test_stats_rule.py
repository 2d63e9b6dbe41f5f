"""The region rule against scipy's t tests, and its floors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from lnbench import stats
from lnbench.stats import Region, Verdict, judge_mean
from tests.stats.run_cases import student

RNG = np.random.default_rng(11)
SAMPLES = [RNG.normal(0.3, 1.0, n) for n in (3, 4, 5, 10, 30)]


@pytest.mark.parametrize("x", SAMPLES, ids=len)
def test_one_edge_is_the_one_sided_t_test(x: np.ndarray) -> None:
    check = student(stats.above(x, 0.1))
    assert check.p_reproduced == pytest.approx(reference.ttest_1samp(x, 0.1, alternative="greater").pvalue)
    assert check.p_contradicted == pytest.approx(reference.ttest_1samp(x, 0.1, alternative="less").pvalue)
    low, high = reference.ttest_1samp(x, 0.1).confidence_interval(0.9)
    assert check.interval is not None
    assert (check.interval.low, check.interval.high) == pytest.approx((low, high))
    assert (check.n, check.df) == (len(x), len(x) - 1)
    mirrored = student(stats.below(-x, -0.1))
    assert mirrored.p_reproduced == pytest.approx(check.p_reproduced)


@pytest.mark.parametrize("x", SAMPLES, ids=len)
def test_two_edges_are_two_one_sided_tests(x: np.ndarray) -> None:
    check = student(stats.equivalent(x, 1.5))
    above = reference.ttest_1samp(x, -1.5, alternative="greater").pvalue
    below = reference.ttest_1samp(x, 1.5, alternative="less").pvalue
    assert check.p_reproduced == pytest.approx(max(above, below))
    # Hodges and Lehmann: beyond the nearer edge, and the tail of the same |ê| from the farther one
    side = float(np.sign(x.mean()))
    tails = [reference.ttest_1samp(side * x, edge, alternative="greater").pvalue for edge in (1.5, -1.5)]
    assert check.p_contradicted == pytest.approx(sum(tails))


def test_a_region_without_width_is_the_two_sided_t_test() -> None:
    x = SAMPLES[2]
    check = stats.equivalent(x, 0.0)
    assert check.p_contradicted == pytest.approx(reference.ttest_1samp(x, 0.0).pvalue)
    assert check.p_reproduced >= 0.5


@pytest.mark.parametrize("region", [Region(low=0.0), Region(high=0.5), Region(-0.7, 0.9), Region(0.2, 3.0)])
def test_the_verdict_is_where_the_interval_falls(region: Region) -> None:
    rng = np.random.default_rng(3)
    seen = set()
    for _ in range(400):
        check = stats.judge_mean(rng.normal(rng.uniform(-2, 3), 0.5, 5), region)
        assert check.interval is not None
        assert (check.verdict() is Verdict.REPRODUCED) == region.holds(check.interval)
        if check.verdict() is Verdict.CONTRADICTED:
            assert region.excludes(check.interval)
        elif len(region.edges) == 1:
            assert not region.excludes(check.interval)
        seen.add(check.verdict())
    assert seen == {Verdict.REPRODUCED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE}


def test_just_outside_a_narrow_region_is_inconclusive() -> None:
    """Leaving [-m, m] by either edge is two tests: the interval alone would accuse up to 2α of the time."""
    x = np.array([-1.0, -1.0, 0.0, 1.0, 1.0]) + 1.08
    check = stats.equivalent(x, 0.05)
    assert check.interval is not None
    assert check.region is not None
    assert check.region.excludes(check.interval)
    assert check.verdict() is Verdict.INCONCLUSIVE


def test_equal_seeds_never_prove_more_than_they_can() -> None:
    """n equal seeds on a coarse metric: a share p of them on the next value up is missed with chance (1 -
    p)ⁿ.
    """
    for n in range(3, 40):
        floor = stats.judge_mean([0.9] * n, Region.at_least(0.0), step=1.0)
        assert floor.sd == 0.0
        assert floor.sd_used == 0.5
        assert floor.interval is not None
        reach = floor.interval.high - 0.9
        assert (1 - min(reach, 1.0)) ** n <= 0.05 + 1e-12


def test_the_floor_is_half_a_step_and_only_a_floor() -> None:
    x = [0.90, 0.91, 0.92]
    assert stats.above(x, 0.5, step=0.01).sd_used == pytest.approx(0.01)
    assert stats.above(x, 0.5, step=0.03).sd_used == pytest.approx(0.015)


def test_fewer_than_three_seeds_decide_nothing() -> None:
    for x in ([0.99], [0.99, 0.98]):
        check = stats.above(x, 0.1, step=1e-4)
        assert (check.p_reproduced, check.p_contradicted, check.interval) == (1.0, 1.0, None)
        assert check.verdict() is Verdict.INCONCLUSIVE
        assert check.effect == pytest.approx(np.mean(x))
        assert "fewer than 3" in check.notes[0]


def test_identical_seeds_without_a_step_are_an_error() -> None:
    check = stats.below([2.3] * 5, 3.0)
    assert check.verdict() is Verdict.ERROR
    assert check.error == "all seeds are identical: the seed does nothing"
    # differences of identical pairs differ in their last bits
    assert stats.ordered([2.3 - 2.2, 1.3 - 1.2, 0.3 - 0.2, 3.3 - 3.2]).verdict() is Verdict.ERROR
    assert stats.below([2.3] * 5, 3.0, step=0.01).verdict() is Verdict.REPRODUCED


def test_looks_multiply_both_p_and_widen_the_interval() -> None:
    x = SAMPLES[3]
    once, thrice = student(stats.above(x, 0.1)), student(stats.above(x, 0.1, looks=3))
    assert thrice.p_reproduced == pytest.approx(min(1, 3 * once.p_reproduced))
    assert thrice.interval is not None
    assert thrice.interval.confidence == pytest.approx(1 - 0.1 / 3)
    reach = reference.t.ppf(1 - 0.05 / 3, 9) * reference.sem(x)
    assert thrice.interval.high - x.mean() == pytest.approx(reach)


def test_alpha_reaches_interval_and_verdict() -> None:
    x = SAMPLES[3]
    check = stats.above(x, x.mean() - 2.5 * reference.sem(x), alpha=0.01)
    assert 0.01 < check.p_reproduced < 0.05
    assert check.verdict() is Verdict.INCONCLUSIVE
    assert check.verdict(0.05) is Verdict.REPRODUCED
    assert check.interval is not None
    assert check.interval.confidence == pytest.approx(0.98)


def test_an_adjusted_accusation_can_be_withdrawn() -> None:
    check = stats.above([0.1, 0.11, 0.12, 0.13], 0.9, step=1e-4)
    assert check.verdict() is Verdict.CONTRADICTED
    assert check.verdict(p_contradicted=0.2) is Verdict.INCONCLUSIVE


def test_the_rule_with_infinite_df_is_the_normal_one() -> None:
    from lnbench.stats.rule import confidence_interval, quantile, upper_tail

    assert float(upper_tail(1.5, math.inf)) == pytest.approx(reference.norm.sf(1.5))
    assert float(quantile(0.95, math.inf)) == pytest.approx(reference.norm.ppf(0.95), rel=1e-9)
    assert confidence_interval(0.0, 1.0, math.inf, 0.05).high == pytest.approx(1.6448536, rel=1e-7)


@pytest.mark.parametrize(
    ("value", "limit", "region", "for_it", "against"),
    [
        (-math.inf, 500, Region.at_most(2000), 1 / 32, 1.0),
        (-math.inf, 500, Region.at_least(600), 1.0, 1 / 32),
        (-math.inf, 500, Region.at_most(450), 1.0, 1.0),  # fewer than 500 may be more than 450, or fewer
        (-math.inf, 500, Region.at_least(450), 1.0, 1.0),
        (math.inf, 8000, Region.at_least(8000), 1 / 32, 1.0),
        (math.inf, 8000, Region.at_most(8500), 1.0, 1.0),
        (math.inf, 8000, Region(7000, 9000), 1.0, 1.0),
        (math.inf, 8000, Region(5000, 7000), 1.0, 2 / 32),
    ],
)
def test_a_censored_value_is_on_a_side_only_where_its_limit_shows_it(
    value: float, limit: float, region: Region, for_it: float, against: float
) -> None:
    check = judge_mean([value] * 5, region, limits=[limit] * 5)
    assert check.error is None and check.typical and check.effect is None and check.interval is None
    assert (check.p_reproduced, check.p_contradicted) == pytest.approx((for_it, against))
    assert check.details["censored"] == 5 and check.collapsed == 0


def test_a_few_censored_values_leave_the_median_and_none_leaves_the_mean() -> None:
    limits = [math.nan, math.nan, math.nan, math.nan, 8000.0]
    check = judge_mean([900.0, 1000.0, 1100.0, 1200.0, math.inf], Region.at_most(2000), limits=limits)
    assert check.effect == 1100 and check.p_reproduced == pytest.approx(6 / 32)  # 4 of 5 are on the good side
    known = judge_mean([900.0, 1000.0, 1100.0, 1200.0], Region.at_most(2000), limits=[math.nan] * 4)
    assert known == judge_mean([900.0, 1000.0, 1100.0, 1200.0], Region.at_most(2000))
    with pytest.raises(ValueError, match="limits: expected 4 numbers"):
        judge_mean([900.0, 1000.0, 1100.0, 1200.0], Region.at_most(2000), limits=[math.nan])
    assert judge_mean([900.0, 1000.0, math.inf], Region.at_most(2000)).error == "1 of 3 seeds have no finite value"
