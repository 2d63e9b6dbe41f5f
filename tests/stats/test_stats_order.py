from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from lnbench import stats
from lnbench.stats import Verdict
from lnbench.stats.welch import welch

A = [0.92, 0.95, 0.93, 0.96, 0.91]
B = [0.90, 0.92, 0.94, 0.91, 0.88]


def test_ordered_is_the_paired_t_test() -> None:
    check = stats.ordered(np.subtract(A, B))
    assert check.p_reproduced == pytest.approx(reference.ttest_rel(A, B, alternative="greater").pvalue)
    assert stats.ordered(np.subtract(A, B), 0.01).p_reproduced > check.p_reproduced


def test_students_sleep_data() -> None:
    """Student (1908): ten patients, second drug less first; t = 4.0621 with 9 df, p = .00142 one-sided."""
    gain = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    check = stats.ordered(gain, step=0.1)
    assert check.effect is not None
    assert check.se is not None
    assert check.effect / check.se == pytest.approx(4.0621, abs=5e-5)
    assert check.p_reproduced == pytest.approx(0.002833 / 2, abs=5e-7)


@pytest.mark.parametrize("nb", [3, 5, 9])
def test_unpaired_is_welchs_test(nb: int) -> None:
    b = np.linspace(0.8, 0.93, nb)
    check = stats.ordered_unpaired(A, b)
    found = reference.ttest_ind(A, b, equal_var=False, alternative="greater")
    assert check.p_reproduced == pytest.approx(found.pvalue)
    assert check.df == pytest.approx(found.df)
    assert check.n == min(5, nb)
    same = stats.equivalent_unpaired(A, b, 0.1)
    edges = [
        reference.ttest_ind(np.add(A, 0.1), b, equal_var=False, alternative="greater").pvalue,
        reference.ttest_ind(np.subtract(A, 0.1), b, equal_var=False, alternative="less").pvalue,
    ]
    assert same.p_reproduced == pytest.approx(max(edges))


def test_welch_of_tiny_numbers() -> None:
    se, df = welch(1e-120, 4, 2e-120, 4)
    assert se == pytest.approx(math.sqrt(5) * 1e-120)
    assert df == pytest.approx(25 / (1 / 4 + 16 / 4))
    assert welch(0.0, 4, 0.0, 3) == (0.0, 7)


def test_each_unpaired_arm_has_its_own_floor() -> None:
    check = stats.ordered_unpaired([0.9, 0.9, 0.9], [0.5, 0.6, 0.7], step=0.01)
    assert check.details["sd_used"] == pytest.approx([0.005, 0.1])


def test_unpaired_arms_with_problems() -> None:
    assert stats.ordered_unpaired(A, []).verdict() is Verdict.ERROR
    check = stats.ordered_unpaired([0.9, math.nan, 0.8], B)
    assert check.error == "1 of 3 first arm's seeds have no finite value"
    assert stats.ordered_unpaired(A, [0.1, 0.2]).p_reproduced == 1.0
    assert "second arm's" in str(stats.ordered_unpaired(A, [0.9] * 5).error)


def test_a_chain_is_as_strong_as_its_weakest_step() -> None:
    strong, weak = [0.03, 0.02, 0.04, 0.03, 0.03], [0.01, -0.01, 0.02, 0.0, 0.01]
    check = stats.chain([strong, weak, strong], step=1e-4)
    assert check.p_reproduced == stats.ordered(weak, step=1e-4).p_reproduced
    against = [-x for x in strong]
    broken = stats.chain([strong, against, strong], step=1e-4)
    assert broken.p_contradicted == pytest.approx(3 * stats.ordered(against, step=1e-4).p_contradicted)
    assert broken.verdict() is Verdict.CONTRADICTED
    assert [part.kind for part in check.details["parts"]] == ["ordered"] * 3


def test_a_chain_with_half_a_pair_is_an_error_unless_decided() -> None:
    good, broken = [0.03, 0.02, 0.04, 0.03], [0.03, math.nan, 0.04, 0.03]
    assert stats.chain([good, broken], step=1e-4).verdict() is Verdict.ERROR
    assert stats.chain([[-x for x in good], broken], step=1e-4).verdict() is Verdict.CONTRADICTED
    assert stats.chain([good, broken], step=1e-4, at_least=1).verdict() is Verdict.REPRODUCED


def test_chain_arguments() -> None:
    with pytest.raises(ValueError, match="number of parts"):
        stats.chain([])
    with pytest.raises(ValueError, match="one mask a step"):
        stats.chain([A, B], collapsed=[None])


def test_pairs_are_made_by_seed() -> None:
    found = stats.paired_differences({1: 0.9, 2: 0.8, 3: 0.7}, {2: 0.6, 1: 0.8, 4: 0.1})
    assert found[:2] == pytest.approx([0.1, 0.2])
    assert np.isnan(found[2:]).all()
    assert stats.ordered(found, step=1e-4).verdict() is Verdict.ERROR


def test_record_statistics_against_scipy() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(0.5, 1, 6), rng.normal(0, 1, 7)
    exact = reference.mannwhitneyu(a, b, alternative="greater", method="exact")
    assert stats.mann_whitney_p(a, b) == pytest.approx(exact.pvalue)
    assert stats.probability_of_superiority(a, b) == pytest.approx(exact.statistic / 42)
    d = rng.normal(0.5, 1, 9)
    flips = reference.permutation_test(
        (d,), np.sum, permutation_type="samples", alternative="greater", n_resamples=np.inf
    )
    assert stats.sign_flip_p(d) == pytest.approx(flips.pvalue)


def test_record_statistics_at_their_limits() -> None:
    assert stats.mann_whitney_p([3, 4, 5], [0, 1, 2]) == pytest.approx(0.05)
    assert stats.sign_flip_p([1, 2, 3, 4, 5]) == pytest.approx(1 / 32)
    assert stats.sign_flip_p([0.1] * 4) == pytest.approx(1 / 16)
    assert stats.probability_of_superiority([1, 2], [1, 2], paired=True) == 0.5
    assert stats.probability_of_superiority([2, 2], [1, 2], paired=True) == 0.75
    for empty in (
        stats.sign_flip_p([]),
        stats.mann_whitney_p([], [1.0]),
        stats.probability_of_superiority([], []),
    ):
        assert math.isnan(empty)
    with pytest.raises(ValueError, match="paired"):
        stats.probability_of_superiority([1, 2], [1], paired=True)


def test_many_seeds_are_permuted_at_random_but_reproducibly() -> None:
    d = np.random.default_rng(1).normal(0.4, 1, 40)
    p = stats.sign_flip_p(d)
    assert p == stats.sign_flip_p(d)
    assert p == pytest.approx(reference.ttest_1samp(d, 0, alternative="greater").pvalue, abs=5e-3)
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.3, 1, 20), rng.normal(0, 1, 20)
    near = reference.mannwhitneyu(a, b, alternative="greater")
    assert stats.mann_whitney_p(a, b, draws=20_000) == pytest.approx(near.pvalue, abs=0.01)


def test_welchs_df_are_a_known_limit_of_noise_never_helps() -> None:
    """Noise in an arm of ten seeds lends its df to a wide arm of three: the critical distance shrinks.

    Pairs have no such limit, so they are what a spec should ask for (docs/statistics.md).
    """
    wide, steady = np.array([-10.0, 0.0, 10.0]), np.linspace(-1, 1, 10)
    noisy = steady * 10 / np.std(steady, ddof=1)

    def reach(arm: np.ndarray) -> float:
        interval = stats.ordered_unpaired(wide, arm).interval
        assert interval is not None
        return (interval.high - interval.low) / 2

    assert 0.85 * reach(steady) < reach(noisy) < reach(steady)
