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


@pytest.mark.parametrize(
    ("reached", "runs", "best_of", "verdict"),
    [
        (1, 3, 5, Verdict.INCONCLUSIVE),  # one lucky run decides nothing
        (3, 3, 5, Verdict.REPRODUCED),  # π = .13: .13³
        (2, 5, 5, Verdict.INCONCLUSIVE),
        (3, 5, 5, Verdict.REPRODUCED),
        (5, 5, 1, Verdict.REPRODUCED),
        (4, 5, 1, Verdict.INCONCLUSIVE),
        (1, 10, 1, Verdict.CONTRADICTED),
        (1, 1, 1, Verdict.INCONCLUSIVE),
    ],
)
def test_can_reach_is_a_rate_that_makes_the_best_of_k_likely(
    reached: int, runs: int, best_of: int, verdict: Verdict
) -> None:
    check = stats.can_reach(reached, runs, best_of)
    pi = 1 - 0.5 ** (1 / best_of)
    assert check.verdict() is verdict
    if runs >= 3:
        tests = [reference.binomtest(reached, runs, pi, alternative=side).pvalue for side in ("greater", "less")]
        assert (check.p_reproduced, check.p_contradicted) == pytest.approx(tests)
    assert (check.effect, check.details["best_of"]) == (reached / runs, best_of)


def test_can_reach_narrows_with_more_runs_and_does_not_drift_to_reproduced() -> None:
    """At the rate that is asked for exactly, 20 runs and 2,000 stay open; the interval of the rate narrows."""
    few, many = stats.can_reach(10, 20, 1), stats.can_reach(1000, 2000, 1)
    assert few.verdict() is many.verdict() is Verdict.INCONCLUSIVE
    assert few.interval is not None and many.interval is not None
    assert many.interval.high - many.interval.low < 0.1 * (few.interval.high - few.interval.low) + 0.01


@pytest.mark.parametrize(("best_of", "fewest"), [(1, 5), (3, 13), (5, 22), (10, 44)])
def test_can_reach_is_contradicted_by_four_and_a_third_times_k(best_of: int, fewest: int) -> None:
    assert stats.can_reach(0, fewest, best_of).verdict() is Verdict.CONTRADICTED
    assert stats.can_reach(0, fewest - 1, best_of).verdict() is Verdict.INCONCLUSIVE
    assert stats.seeds_to_decide(stats.can_reach(0, 3, best_of)) == fewest
    assert fewest == math.ceil(4.3219 * best_of)


def test_can_reach_without_runs() -> None:
    assert stats.can_reach(0, 0, 3).verdict() is Verdict.ERROR
    with pytest.raises(ValueError, match="best_of"):
        stats.can_reach(0, 3, 0)
    with pytest.raises(ValueError, match="reached"):
        stats.can_reach(4, 3, 1)


def test_a_threshold_is_finite() -> None:
    for threshold in (math.nan, math.inf):
        with pytest.raises(ValueError, match="threshold"):
            stats.above([1.0, 2.0, 3.0], threshold)
