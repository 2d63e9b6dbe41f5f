"""The two-Gaussian split: known mixtures, the guard, what cannot be split, the bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

from lnbench.loss_curves.mixture import NothingToSplit, Split, fit_split, has_two_maxima, noise_interval
from lnbench.stats import Mixture


def two_groups(n: int = 4000, share: float = 0.3, gap: float = 5.0, sd: float = 1.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < share, rng.normal(gap, sd, n), rng.normal(0, 1, n))


def a_split(weight: float, gap: float, low_sd: float, high_sd: float) -> Split:
    return Split(Mixture((1 - weight, weight), (0.0, gap), (low_sd, high_sd), 0.0), 1.0, True)


splits = st.builds(a_split, st.floats(0.01, 0.99), st.floats(0.01, 20), st.floats(0.05, 10), st.floats(0.05, 10))
scores = st.lists(st.floats(-50, 50), min_size=1, max_size=60).map(np.array)


def test_the_fit_finds_a_planted_mixture() -> None:
    split = fit_split(100 + 10 * two_groups(n=20_000, share=0.3, gap=5, sd=1.5))
    assert split.converged
    assert split.mixture.weights == pytest.approx((0.7, 0.3), abs=0.02)
    assert split.mixture.means == pytest.approx((100, 150), abs=1)
    assert split.mixture.sds == pytest.approx((10, 15), abs=0.5)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_the_noise_estimate_is_the_planted_share_where_the_groups_are_gaussian(share: float) -> None:
    x = two_groups(n=20_000, share=share)
    assert fit_split(x).noise(x) == pytest.approx(share, abs=0.012)  # three standard errors


def test_responsibilities_are_the_posterior() -> None:
    split = a_split(0.3, 4, 1.0, 2.0)
    x = np.linspace(-6, 10, 200)
    low, high = 0.7 * norm.pdf(x, 0, 1), 0.3 * norm.pdf(x, 4, 2)
    assert split.responsibilities(x, guard=False) == pytest.approx(high / (low + high), rel=1e-9)
    between = (x > 0) & (x < 4)
    assert np.array_equal(split.responsibilities(x)[between], split.responsibilities(x, guard=False)[between])


def test_the_guard_mends_a_wide_upper_group_that_claims_the_lowest_scores() -> None:
    split = a_split(0.3, 3, 0.5, 4.0)
    x = np.array([-20.0, 0.0, 3.0, 20.0])
    assert split.responsibilities(x, guard=False)[0] > 0.99
    assert split.responsibilities(x)[0] == 0.0


def test_the_guard_mends_a_wide_lower_group_that_claims_the_highest_scores() -> None:
    split = a_split(0.3, 3, 4.0, 0.5)
    assert split.responsibilities([3.5, 30.0], guard=False)[1] < 0.01
    assert split.responsibilities([3.5, 30.0])[1] == 1.0


@given(splits, scores)
def test_guarded_responsibilities_rise_with_the_score(split: Split, x: np.ndarray) -> None:
    z = split.responsibilities(np.sort(x))
    assert (np.diff(z) >= 0).all() and (z >= 0).all() and (z <= 1).all()
    low, high = split.mixture.means
    assert (z[np.sort(x) < low] == 0).all() and (z[np.sort(x) > high] == 1).all()


@given(splits, scores)
def test_the_order_of_the_scores_does_not_enter_the_guard(split: Split, x: np.ndarray) -> None:
    backwards = split.responsibilities(x[::-1])[::-1]
    assert split.responsibilities(x) == pytest.approx(backwards, abs=1e-12)


@given(splits)
@settings(max_examples=300)
def test_two_maxima_are_those_that_a_grid_sees(split: Split) -> None:
    low, high = split.mixture.means
    w, s = split.mixture.weights, split.mixture.sds
    gap = high - low
    ends = np.concatenate([k * s[i] * np.linspace(0, 9, 4000) + (low, high)[i] for i in (0, 1) for k in (-1, 1)])
    x = np.unique(np.concatenate([ends, np.linspace(low, high, 8001)]))
    x = x[(x >= low) & (x <= high)]
    density = w[0] * norm.pdf(x, low, s[0]) + w[1] * norm.pdf(x, high, s[1])
    # a valley: a place with higher ones on both sides
    left, right = np.maximum.accumulate(density), np.maximum.accumulate(density[::-1])[::-1]
    valley = bool((np.minimum(left, right) > density * (1 + 1e-9)).any())
    if has_two_maxima(split.mixture) != valley:
        # only where the valley is within rounding of vanishing, or too narrow for the grid: a slightly
        # wider gap, or a slightly narrower one, must then answer otherwise
        answers = {has_two_maxima(Mixture(w, (low, low + gap * f), s, 0.0)) for f in (0.97, 1.0, 1.03)}
        assert len(answers) == 2


@pytest.mark.parametrize(("gap", "two"), [(1.99, False), (2.01, True)])
def test_equal_gaussians_have_two_maxima_beyond_two_sds(gap: float, two: bool) -> None:
    assert has_two_maxima(Mixture((0.5, 0.5), (0.0, gap), (1.0, 1.0), 0.0)) is two


def test_one_gaussian_is_one_group_and_two_apart_are_two() -> None:
    rng = np.random.default_rng(3)
    assert fit_split(rng.normal(size=3000)).groups == 1
    assert fit_split(rng.gamma(2, 1, 3000)).groups == 1  # clean data: one mode with a long tail
    assert fit_split(two_groups()).groups == 2


def test_a_bump_without_two_maxima_is_one_group() -> None:
    split = Split(Mixture((0.98, 0.02), (0.0, 2.2), (1.0, 1.0), 0.0), 50.0, True)
    assert split.ashman > 2 and split.groups == 1


def test_two_groups_that_the_bic_does_not_prefer_are_one() -> None:
    split = a_split(0.5, 6, 1, 1)
    assert split.groups == 2
    assert Split(split.mixture, -0.1, True).groups == 1


def test_the_gain_of_two_is_the_difference_of_bics() -> None:
    x = two_groups(n=500)[:, None]
    one, two = (GaussianMixture(k, n_init=5, tol=1e-8, max_iter=2000, random_state=0).fit(x) for k in (1, 2))
    assert fit_split(x[:, 0]).gain_of_two == pytest.approx(one.bic(x) - two.bic(x), rel=0.01)


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ([1.0] * 10, "equal"),
        ([0.1 + 0.2, 0.3, 0.3, 0.3, 0.3], "equal"),
        ([1.0, 2.0, 3.0], "too few"),
        ([], "too few"),
        ([1.0, 2.0, 3.0, math.nan, 5.0], "1 of 5 scores are not finite"),
        ([1.0, 2.0, 3.0, math.inf, 5.0], "not finite"),
    ],
)
def test_what_cannot_be_split_says_why(scores: list[float], why: str) -> None:
    with pytest.raises(NothingToSplit, match=why):
        fit_split(scores)
    with pytest.raises(NothingToSplit, match=why):
        noise_interval(scores)


@pytest.mark.parametrize("scores", [[0.0, 0.0, 1.0, 1.0], [0.0] * 50 + [1.0], [1e-8, 2e-8, 3e-8, 9e-8]])
def test_a_handful_of_values_still_gives_finite_numbers(scores: list[float]) -> None:
    split = fit_split(scores)
    assert np.isfinite([*split.mixture.weights, *split.mixture.means, *split.mixture.sds]).all()
    assert 0 <= split.noise(scores) <= 1


def test_the_order_of_the_examples_does_not_change_the_fit() -> None:
    x = two_groups(n=700)
    shuffled = np.random.default_rng(1).permutation(x)
    assert fit_split(x) == fit_split(shuffled) == fit_split(x)


def test_the_unit_of_the_scores_does_not_change_the_estimate() -> None:
    x = two_groups(n=700)
    assert fit_split(1e6 * x - 3e5).noise(1e6 * x - 3e5) == pytest.approx(fit_split(x).noise(x), abs=1e-9)


def test_the_bootstrap_covers_the_planted_share_and_repeats() -> None:
    covered = 0
    for seed in range(12):
        x = two_groups(n=600, share=0.3, seed=seed)
        found = noise_interval(x, resamples=30)
        assert found.low < found.estimate < found.high
        covered += found.low <= 0.3 <= found.high
    assert covered >= 9  # fewer have a chance of .2 % where each covers 95 %
    assert noise_interval(x, resamples=30) == found != noise_interval(x, resamples=30, seed=1)


def test_the_bootstrap_of_a_part_is_as_wide_as_that_of_all() -> None:
    x = two_groups(n=4000)
    whole = noise_interval(x)
    part = noise_interval(x, at_most=400)
    assert (part.high - part.low) / (whole.high - whole.low) == pytest.approx(1, abs=0.4)


def test_the_bootstrap_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="resamples"):
        noise_interval(two_groups(n=50), resamples=1)


@pytest.mark.parametrize(("count", "most"), [(1, 0.003), (2, 0.005), (3, 0.007)])
def test_a_resample_that_misses_a_tiny_group_does_not_split_the_clean_one(count: int, most: float) -> None:
    """One score of 20 among 1,000 had the interval .0010 to .503: a third of the resamples do not draw it. The interval
    is that of the share of flagged scores, near enough of a Poisson count."""
    x = np.concatenate((np.random.default_rng(0).normal(size=1000), 20 + 0.1 * np.arange(count)))
    found = noise_interval(x)
    assert found.estimate == pytest.approx(count / len(x), abs=1e-5)
    assert found.low == pytest.approx(0, abs=1e-5)
    assert found.high == pytest.approx(most, abs=0.0015)


def test_the_interval_of_a_group_that_is_always_drawn_stays() -> None:
    x = np.concatenate((np.random.default_rng(0).normal(size=1000), 20 + 0.1 * np.random.default_rng(1).normal(size=8)))
    found = noise_interval(x)
    assert (found.low, found.high) == pytest.approx((0.0030, 0.0145), abs=0.001)


def test_a_bootstrap_that_draws_one_value_only_counts_none_as_wrong() -> None:
    found = noise_interval([0.0] * 50 + [1.0])  # (50/51)^51 = 36 % of the draws miss the one
    assert found.resamples == 100 and found.low == 0.0 and found.estimate == pytest.approx(1 / 51)
    assert 3 / 51 <= found.high + 1e-12 <= 5 / 51


@pytest.mark.parametrize("scores", [two_groups(n=500), np.random.default_rng(2).gamma(2, 1, 400)], ids=["two", "one"])
def test_the_fast_fit_from_a_start_is_scikit_learns(scores: np.ndarray) -> None:
    from lnbench.loss_curves import mixture

    z = (scores - scores.mean()) / scores.std()
    start = Mixture((0.6, 0.4), (-0.5, 0.9), (0.7, 0.9), math.nan)
    found, converged = mixture._em_from(z, start)
    theirs = GaussianMixture(
        2, max_iter=mixture.ITERATIONS, tol=mixture.TOLERANCE, weights_init=[0.6, 0.4], means_init=[[-0.5], [0.9]],
        precisions_init=[[[1 / 0.49]], [[1 / 0.81]]],
    ).fit(z[:, None])  # fmt: skip
    assert converged and theirs.converged_
    assert found.weights == pytest.approx(theirs.weights_, abs=1e-9)
    assert found.means == pytest.approx(theirs.means_[:, 0], abs=1e-9)
    assert found.sds == pytest.approx(np.sqrt(theirs.covariances_[:, 0, 0]), abs=1e-9)
    assert found.log_likelihood == pytest.approx(theirs.score(z[:, None]), abs=1e-9)
