"""The laws of the noise that is no uniform replacement or dilution: structured, novel images, pair flips."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from lnbench.noise.law import describe, novel_images
from lnbench.noise.structured import DiluteStructured, label_law
from lnbench.noise.uniform import DiluteNovel, DiluteUniform, PairFlip
from tests.noise.noise_law import all_labels

DIGITS = np.arange(6000, dtype=np.int64) % 10
NUMBERS = np.arange(6000, dtype=np.int64)
CONFUSION = [[100 if i == j else (7 * i + 3 * j) % 10 for j in range(10)] for i in range(10)]  # each row: 0 to 9 once


def structured(
    delta: float, order: str = "confusing", *, alpha: float = 20, n: int = 6000, seed: int = 0, classes: int = 10
) -> DiluteStructured:
    inputs = {} if order == "random" else {"confusion": {"confusion": CONFUSION}}
    return DiluteStructured(n, classes, seed, {"alpha": alpha, "delta": delta, "order": order}, inputs)


# ---- the law of structured noise, exactly


@pytest.mark.parametrize(("alpha", "delta", "m"), [*product([20.0, 10.0, 100.0, 13.5], [0.0, 0.25, 0.9, 1.0], [3, 10])])
def test_the_shares_of_all_labels_are_those_of_the_paper(alpha: float, delta: float, m: int) -> None:
    """Over an image's 1 + alpha labels: the shares sum to 1, delta leaves the correct one alone, at 0 the wrong ones
    are equal, they fall linearly in rank, and at delta 1 the likeliest wrong label is as likely as the correct one."""
    law, clipped = label_law(alpha, delta, m)
    assert not clipped
    e = 1 / (1 + Fraction(alpha))
    shares = [(1 - e) * q + (e if rank == 0 else 0) for rank, q in enumerate(law)]
    u = (1 - e) / m
    assert sum(shares) == 1
    assert shares[0] == e + u
    assert shares[1] - shares[-1] == 2 * Fraction(delta) * e
    assert len({one - other for one, other in pairwise(shares[1:])}) <= 1
    if delta == 0:
        assert set(shares[1:]) == {u}
    if delta == 1:
        assert shares[1] == shares[0]


def test_the_papers_point_by_hand() -> None:
    """alpha 20, ten classes, delta 1: P_0 = P_1 = .1429, P_9 = .0476; of the added labels .15 down to .05."""
    law, _ = label_law(20, 1, 10)
    assert [float(q) for q in law] == [0.1, 0.15, 0.1375, 0.125, 0.1125, 0.1, 0.0875, 0.075, 0.0625, 0.05]


def test_below_alpha_m_the_law_is_clipped_and_the_wrong_classes_keep_their_whole_share() -> None:
    assert label_law(10, 1, 10)[1] is False  # the last wrong class has exactly 0
    law, clipped = label_law(5, 1, 10)
    assert clipped
    assert law[0] == Fraction(1, 10) and sum(law) == 1 and min(law) == 0
    raw = [Fraction(1, 10) + Fraction(1, 5) * (1 - Fraction(2 * rank, 8)) for rank in range(9)]
    kept = [max(share, Fraction(0)) for share in raw]
    assert law[1:] == [share * Fraction(9, 10) / sum(kept) for share in kept]
    assert describe(structured(1, alpha=5), DIGITS, NUMBERS)["clipped"] is True
    assert describe(structured(0.5, alpha=5), DIGITS, NUMBERS)["clipped"] is False


def test_two_classes_have_no_order_and_no_noise_has_no_law_to_divide_by() -> None:
    assert label_law(20, 1, 2) == ([Fraction(1, 2), Fraction(1, 2)], False)
    assert label_law(0, 1, 10) == ([Fraction(1, 10)] * 10, False)


# ---- what is drawn


@pytest.mark.parametrize(("delta", "order"), [*product([0.0, 0.5, 1.0], ["confusing", "reverse", "random"])])
def test_structured_noise_obeys_its_law(delta: float, order: str) -> None:
    """120,000 added labels, by rank, for each true class alone as well: chi-squared against the law."""
    noise = structured(delta, order)
    labels = all_labels(noise, DIGITS, NUMBERS)
    assert np.array_equal(labels[:6000], DIGITS)
    truth = DIGITS[np.arange(6000, noise.size) % 6000]
    rank_of = np.argsort(noise.by_rank, axis=1)  # row y: of each class, its rank
    ranks = rank_of[truth, labels[6000:]]
    law = np.array([float(q) for q in label_law(20, delta, 10)[0]])
    assert stats.chisquare(np.bincount(ranks, minlength=10), law * len(ranks)).pvalue > 1e-4
    for true in range(10):
        own = ranks[truth == true]
        assert stats.chisquare(np.bincount(own, minlength=10), law * len(own)).pvalue > 1e-5
    facts = describe(noise, DIGITS, NUMBERS)
    right = facts["right_labels"] / 6000
    assert right == pytest.approx(1 + 20 / 10, abs=4 * (20 * 0.09 / 6000) ** 0.5)  # delta leaves it alone
    assert facts["nominal_wrong"] == pytest.approx(0.9 * 20 / 21)
    assert facts["label_law"] == law.tolist()


def test_confusing_is_the_confusion_matrix_by_row_and_reverse_its_mirror() -> None:
    confusing, reverse = structured(1, "confusing").by_rank, structured(1, "reverse").by_rank
    for true in range(10):
        others = [label for label in range(10) if label != true]
        wanted = sorted(others, key=lambda label: -CONFUSION[true][label])
        assert confusing[true].tolist() == [true, *wanted]
        assert reverse[true].tolist() == [true, *reversed(wanted)]
    assert describe(structured(1), DIGITS, NUMBERS)["order"] == confusing[:, 1:].tolist()


def test_classes_that_are_confused_equally_often_are_ordered_at_random() -> None:
    flat = {"confusion": {"confusion": [[1] * 10 for _ in range(10)]}}
    options = {"alpha": 20, "delta": 1, "order": "confusing"}
    orders = [DiluteStructured(10, 10, seed, options, flat).by_rank for seed in range(200)]
    assert all(sorted(row) == list(range(10)) for order in orders for row in order.tolist())
    firsts = np.array([order[3, 1] for order in orders])
    assert stats.chisquare(np.bincount(firsts, minlength=10)[[0, 1, 2, 4, 5, 6, 7, 8, 9]]).pvalue > 1e-4


def test_a_random_order_is_one_for_each_class_and_seed() -> None:
    orders = np.array([structured(1, "random", seed=seed).by_rank for seed in range(300)])
    assert len({tuple(row) for row in orders[0, :, 1:].tolist()}) > 5  # classes do not share one
    firsts = orders[:, 0, 1]
    assert stats.chisquare(np.bincount(firsts, minlength=10)[1:]).pvalue > 1e-4
    assert np.array_equal(structured(1, "random").by_rank, structured(0.5, "random", n=50).by_rank)


def test_an_order_by_confusion_without_a_confusion_matrix_says_what_is_missing() -> None:
    noise = DiluteStructured(10, 10, 0, {"alpha": 20, "delta": 1, "order": "reverse"})
    assert noise.size == 210  # what a plan asks needs no input
    with pytest.raises(ValueError, match="order reverse needs the input confusion"):
        noise.labels(NUMBERS[:10], DIGITS[:10], NUMBERS[:10])
    wrong = DiluteStructured(10, 10, 0, noise.options, {"confusion": {"confusion": [[1, 2], [3, 4]]}})
    with pytest.raises(ValueError, match=r"shape \(2, 2\) for 10 classes"):
        wrong.labels(NUMBERS[:10], DIGITS[:10], NUMBERS[:10])


# ---- novel images


@pytest.mark.parametrize("include", [True, False])
def test_novel_images_have_labels_that_say_nothing_of_them(include: bool) -> None:
    noise = DiluteNovel(2000, 10, 0, {"alpha": 2, "include_true_class": include})
    assert (novel_images(noise), noise.size) == (4000, 6000)
    labels = all_labels(noise, DIGITS, NUMBERS)
    assert np.array_equal(labels[:2000], DIGITS[:2000])
    offset = (labels - DIGITS)[2000:] % 10
    assert stats.chisquare(np.bincount(offset, minlength=10)[0 if include else 1 :]).pvalue > 1e-4
    assert include or not (offset == 0).any()
    facts = describe(noise, DIGITS, NUMBERS)
    wrong = (0.9 if include else 1) * 4000 / 6000
    assert (facts["clean_images"], facts["novel_images"]) == (2000, 4000)
    assert facts["nominal_wrong"] == pytest.approx(wrong)
    assert facts["realised_wrong"] == pytest.approx(wrong, abs=4 * 0.3 * 4000**0.5 / 6000)


def test_each_novel_image_is_shown_once() -> None:
    noise = DiluteNovel(100, 10, 0, {"alpha": 3, "include_true_class": True})
    assert np.array_equal(noise.images(np.arange(400)), np.arange(400))
    assert novel_images(DiluteUniform(100, 10, 0, {"alpha": 3, "include_true_class": True})) == 0


# ---- pair flips


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.45, 1.0])
def test_a_pair_flip_takes_the_next_class(rate: float) -> None:
    noise = PairFlip(6000, 10, 0, {"rate": rate})
    offset = (all_labels(noise, DIGITS, NUMBERS) - DIGITS) % 10
    assert set(offset) <= {0, 1}
    assert offset.mean() == pytest.approx(rate, abs=4 * (rate * (1 - rate) / 6000) ** 0.5)
    for true in range(10):
        assert offset[true == DIGITS].mean() == pytest.approx(rate, abs=4 * (rate * (1 - rate) / 600) ** 0.5)
    assert describe(noise, DIGITS, NUMBERS)["nominal_wrong"] == rate


def test_a_higher_rate_keeps_what_a_lower_one_flipped() -> None:
    low, high = (all_labels(PairFlip(6000, 10, 0, {"rate": rate}), DIGITS, NUMBERS) != DIGITS for rate in (0.2, 0.5))
    assert not (low & ~high).any()


# ---- on any device


@pytest.mark.parametrize(
    "noise",
    [
        structured(0.9), structured(0.9, "reverse"), structured(1, "random", alpha=3),
        DiluteNovel(2000, 10, 0, {"alpha": 2, "include_true_class": False}), PairFlip(6000, 10, 0, {"rate": 0.4}),
    ],
    ids=lambda noise: type(noise).__name__,
)  # fmt: skip
def test_torch_and_numpy_give_the_same_labels(noise: Any) -> None:
    example = np.arange(noise.size, dtype=np.int64)[::7].copy()
    image = noise.images(example)
    mine = noise.labels(example, DIGITS[image], NUMBERS[image])
    tensor = torch.from_numpy(example)
    shown = noise.images(tensor)
    theirs = noise.labels(tensor, torch.from_numpy(DIGITS)[shown], torch.from_numpy(NUMBERS)[shown])
    assert theirs.dtype == torch.int64
    assert np.array_equal(theirs.numpy(), mine)


def test_a_subset_has_the_labels_that_the_full_set_gives_it() -> None:
    chosen = np.sort(np.random.default_rng(0).permutation(6000)[:500])
    full = all_labels(structured(0.5, alpha=4), DIGITS, NUMBERS).reshape(5, 6000)
    part = all_labels(structured(0.5, alpha=4, n=500), DIGITS[chosen], chosen).reshape(5, 500)
    assert np.array_equal(part, full[:, chosen])


def test_the_labels_checksums_are_pinned() -> None:
    """Records of these kinds of noise depend on them."""
    noises = [structured(0.5), DiluteNovel(2000, 10, 0, {"alpha": 2, "include_true_class": True})]
    noises.append(PairFlip(6000, 10, 0, {"rate": 0.4}))
    assert [describe(noise, DIGITS, NUMBERS)["labels_sha256"][:16] for noise in noises] == [
        "6334cc7b3ff277b3", "a72a557828126e6e", "99558df004374f31"
    ]  # fmt: skip
