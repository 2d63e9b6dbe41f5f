from __future__ import annotations

import math

import pytest
from scipy import stats as reference

from lnbench import stats
from lnbench.stats import Verdict


@pytest.mark.parametrize(
    ("k", "n", "pi"), [(5, 5, 0.5), (3, 5, 0.5), (29, 29, 0.9), (28, 29, 0.9), (0, 4, 0.5), (7, 10, 0.9)]
)
def test_every_run_is_the_exact_binomial_test(k: int, n: int, pi: float) -> None:
    check = stats.every_run(k, n, pi)
    assert check.p_reproduced == pytest.approx(reference.binomtest(k, n, pi, alternative="greater").pvalue)
    assert check.p_contradicted == pytest.approx(reference.binomtest(k, n, pi, alternative="less").pvalue)
    both = reference.binomtest(k, n, pi).proportion_ci(0.9, method="exact")
    assert check.interval is not None
    assert (check.interval.low, check.interval.high) == pytest.approx((both.low, both.high))
    assert check.effect == k / n


def test_how_many_runs_the_words_take() -> None:
    """ "runs do" takes 5 of 5, "always" 29 of 29."""
    assert stats.every_run(5, 5, 0.5).verdict() is Verdict.REPRODUCED
    assert stats.every_run(4, 4, 0.5).verdict() is Verdict.INCONCLUSIVE
    assert stats.every_run(29, 29, 0.9).verdict() is Verdict.REPRODUCED
    assert stats.every_run(28, 28, 0.9).verdict() is Verdict.INCONCLUSIVE
    assert stats.every_run(5, 5).notes == ("5 of 5 runs",)


def test_two_runs_decide_nothing() -> None:
    check = stats.every_run(0, 2, 0.9)
    assert (check.p_reproduced, check.p_contradicted, check.interval) == (1.0, 1.0, None)
    assert stats.every_run(0, 0).verdict() is Verdict.ERROR


@pytest.mark.parametrize(("k", "n", "pi"), [(3, 2, 0.5), (-1, 2, 0.5), (1, 2, 0.0), (1, 2, 1.0), (1, 2, math.nan)])
def test_impossible_counts_are_refused(k: int, n: int, pi: float) -> None:
    with pytest.raises(ValueError, match=r"expected|pi"):
        stats.every_run(k, n, pi)


def test_can_reach_needs_one_run_that_does() -> None:
    check = stats.can_reach(1, 3, 5)
    assert check.verdict() is Verdict.REPRODUCED
    assert "weaker form" in check.notes[0]
    assert stats.can_reach(True, 1, 1).verdict() is Verdict.REPRODUCED


@pytest.mark.parametrize(("best_of", "fewest"), [(1, 5), (3, 13), (5, 22), (10, 44)])
def test_can_reach_is_contradicted_by_four_and_a_third_times_k(best_of: int, fewest: int) -> None:
    assert stats.can_reach(False, fewest, best_of).verdict() is Verdict.CONTRADICTED
    assert stats.can_reach(False, fewest - 1, best_of).verdict() is Verdict.INCONCLUSIVE
    assert stats.seeds_to_decide(stats.can_reach(False, 3, best_of)) == fewest
    assert fewest == math.ceil(4.3219 * best_of)


def test_can_reach_without_runs() -> None:
    assert stats.can_reach(False, 0, 3).verdict() is Verdict.ERROR
    with pytest.raises(ValueError, match="best_of"):
        stats.can_reach(False, 3, 0)
    with pytest.raises(ValueError, match="reached"):
        stats.can_reach(4, 3, 1)


def test_a_threshold_is_finite() -> None:
    for threshold in (math.nan, math.inf):
        with pytest.raises(ValueError, match="threshold"):
            stats.above([1.0, 2.0, 3.0], threshold)
