"""The measures of two known groups, against scipy, scikit-learn and counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gaussian_kde, kstest, kurtosis, norm, skew
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from lnbench.loss_curves import measures


@st.composite
def graded(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, and which are mislabeled: at least one of each."""
    n = draw(st.integers(2, 40))
    scores = np.array(draw(st.lists(st.integers(-6, 6), min_size=n, max_size=n)), dtype=np.float64)
    wrong = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    wrong[0], wrong[1] = True, False
    return scores, wrong


@given(graded())
def test_the_auc_is_that_of_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, wrong = case
    assert measures.roc_auc(scores, wrong) == pytest.approx(roc_auc_score(wrong, scores), abs=1e-12)


@given(graded())
def test_the_auc_does_not_change_under_rising_maps_and_turns_under_a_falling_one(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    scores, wrong = case
    auc = measures.roc_auc(scores, wrong)
    assert measures.roc_auc(np.exp(scores), wrong) == auc == measures.roc_auc(scores**3, wrong)
    assert measures.roc_auc(-scores, wrong) == pytest.approx(1 - auc, abs=1e-12)


@given(graded())
def test_delongs_interval_is_that_of_its_definition(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, wrong = case
    above, below = scores[wrong], scores[~wrong]
    found = measures.auc_interval(scores, wrong)
    if min(above.size, below.size) < 2:
        assert found is None
        return
    psi = (above[:, None] > below[None, :]) + 0.5 * (above[:, None] == below[None, :])
    variance = psi.mean(axis=1).var(ddof=1) / above.size + psi.mean(axis=0).var(ddof=1) / below.size
    half = norm.ppf(0.975) * np.sqrt(variance)
    assert found == pytest.approx((max(0, psi.mean() - half), min(1, psi.mean() + half)), abs=1e-12)


def test_delongs_interval_covers_the_true_auc() -> None:
    rng = np.random.default_rng(7)
    truth = norm.cdf(1.5 / np.sqrt(1 + 1.4**2))
    covered = 0
    for _ in range(300):
        wrong = np.arange(200) < 80
        low, high = measures.auc_interval(np.where(wrong, rng.normal(1.5, 1.4, 200), rng.normal(0, 1, 200)), wrong)
        covered += low <= truth <= high
    assert 0.91 <= covered / 300 <= 0.985  # three standard errors about 95 %


@given(graded(), st.integers(-6, 6))
def test_precision_and_recall_are_counts(case: tuple[np.ndarray, np.ndarray], cut: int) -> None:
    scores, wrong = case
    predicted = scores > cut
    precision, recall = measures.precision_recall(predicted, wrong)
    assert recall == pytest.approx(recall_score(wrong, predicted))
    if predicted.any():
        assert precision == pytest.approx(precision_score(wrong, predicted))
    else:
        assert precision is None


@given(graded())
def test_recall_of_the_top_breaks_ties_at_random_on_average(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, wrong = case
    rng = np.random.default_rng(0)
    places = min(2 * wrong.sum(), wrong.size)
    found = []
    for _ in range(300):
        order = np.lexsort((rng.random(scores.size), -scores))
        found.append(wrong[order[:places]].mean() * places / wrong.sum())
    exact = measures.recall_of_top(scores, wrong)
    assert abs(np.mean(found) - exact) <= 5 * np.std(found) / np.sqrt(300) + 1e-9


def test_recall_of_the_top_counts_twice_as_many_as_are_mislabeled() -> None:
    wrong = np.zeros(100, dtype=bool)
    wrong[[99, 97, 10]] = True  # scores are the numbers: two of three are among the six highest
    assert measures.recall_of_top(np.arange(100.0), wrong) == pytest.approx(2 / 3)


@pytest.mark.parametrize("wrong", [np.zeros(20, dtype=bool), np.ones(20, dtype=bool)])
def test_with_one_group_there_is_nothing_to_compare(wrong: np.ndarray) -> None:
    x = np.random.default_rng(0).normal(size=20)
    assert measures.roc_auc(x, wrong) is None
    assert measures.auc_interval(x, wrong) is None
    assert measures.precision_recall(x > 0, wrong) == (None, None)
    assert measures.recall_of_top(x, wrong) is None
    assert measures.cohen_distance(x, wrong) is None
    assert measures.mean_distance(x, wrong) is None
    assert measures.random_pairs(wrong) is None


def test_cohens_distance_of_planted_groups() -> None:
    scores, wrong = np.array([0.0, 2.0, 4.0, 5.0, 7.0, 9.0]), np.array([False] * 3 + [True] * 3)
    assert measures.cohen_distance(scores, wrong) == pytest.approx(5 / 2)
    assert measures.mean_distance(scores, wrong) == 5
    assert measures.cohen_distance(np.array([1.0, 1, 2, 2]), np.array([False, False, True, True])) is None


def test_the_modes_of_two_groups_are_found_with_their_distance() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(10, 1, 8000), rng.normal(16, 1.5, 2000)])
    assert measures.density_modes(x) == pytest.approx([10, 16], abs=0.4)
    assert measures.mode_distance(x) == pytest.approx(6, abs=0.5)


@pytest.mark.parametrize("law", ["normal", "gamma", "standard_t"])
def test_a_unimodal_law_has_no_mode_distance(law: str) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=20_000) if law == "normal" else getattr(rng, law)(3, size=20_000)
    assert len(measures.density_modes(x)) == 1
    assert measures.mode_distance(x) is None


def test_binning_does_not_move_the_modes() -> None:
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(0, 1, 300), rng.normal(5, 1, 200)])
    spread = min(x.std(ddof=1), np.subtract(*np.quantile(x, [0.75, 0.25])) / 1.34)
    grid = np.linspace(-4, 9, 4001)
    kde = gaussian_kde(x, bw_method=0.9 * spread * x.size**-0.2 / x.std(ddof=1))(grid)
    at = grid[1:-1][(kde[1:-1] > kde[:-2]) & (kde[1:-1] > kde[2:])]
    assert all(np.min(np.abs(at - mode)) < 0.05 for mode in measures.density_modes(x))
    assert measures.density_modes(x)[0] == pytest.approx(grid[np.argmax(kde)], abs=0.05)


@pytest.mark.parametrize("x", [np.ones(10), np.array([1.0, 2.0]), np.array([])])
def test_what_does_not_vary_has_no_shape(x: np.ndarray) -> None:
    assert measures.density_modes(x) == []
    assert measures.mode_distance(x) is None
    assert measures.normal_distance(x) is None
    assert measures.shape(x) == (None, None)


def test_a_far_outlier_costs_no_memory_and_hides_no_mode() -> None:
    x = np.concatenate([np.random.default_rng(0).normal(size=5000), [1e9]])
    assert measures.density_modes(x)


def test_shape_and_distance_are_those_of_scipy() -> None:
    x = np.random.default_rng(4).gamma(2, 1, 777)
    assert measures.shape(x) == pytest.approx((skew(x), kurtosis(x)))
    assert measures.normal_distance(x) == pytest.approx(kstest(x, norm(x.mean(), x.std()).cdf).statistic, abs=1e-12)


def test_pairs_are_of_a_clean_and_a_mislabeled_example_and_always_the_same() -> None:
    wrong = np.random.default_rng(0).random(300) < 0.2
    clean, mislabeled = measures.random_pairs(wrong)
    assert clean.shape == mislabeled.shape == (1000,)
    assert not wrong[clean].any() and wrong[mislabeled].all()
    again = measures.random_pairs(wrong)
    assert np.array_equal(clean, again[0]) and np.array_equal(mislabeled, again[1])


def test_order_is_asked_from_epoch_ten_on() -> None:
    clean, mislabeled = np.zeros((12, 4)), np.ones((12, 4))
    clean[8, 0] = 2  # epoch 9: before the question
    clean[9, 1] = 2  # epoch 10
    clean[11, 2] = 1  # equal is not below
    assert measures.pair_order(clean, mislabeled) == 0.5
    assert measures.pair_order(clean[:9], mislabeled[:9]) == 0.75  # nine epochs: asked from the first


def test_roughness_of_known_curves() -> None:
    line, zigzag = np.arange(6.0), np.array([0.0, 1, 0, 1, 0, 1])
    assert measures.roughness(line[:, None]) == pytest.approx(0)
    assert measures.roughness(zigzag[:, None]) == pytest.approx(2)
    assert measures.roughness(np.stack([zigzag, 100 * zigzag, line], axis=1)) == pytest.approx(2)
    assert measures.roughness(np.stack([zigzag, np.ones(6)], axis=1)) == pytest.approx(2)
    assert measures.roughness(np.ones((6, 2))) is None
    assert measures.roughness(line[:2, None]) is None


def test_running_means() -> None:
    assert measures.running_mean(np.array([[1.0], [3.0], [8.0]])).ravel().tolist() == [1, 2, 4]


def test_a_correlation_with_what_does_not_vary_does_not_exist() -> None:
    x = np.arange(10.0)
    assert measures.correlation_of(x, 3 - 2 * x) == pytest.approx(-1)
    assert measures.correlation_of(x, np.exp(x), "spearman") == pytest.approx(1)
    assert measures.correlation_of(x, np.ones(10)) is None
