"""The law of label noise: how many labels are right, which wrong ones there are, and that nothing else decides them."""

from __future__ import annotations

import hashlib
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from lnbench.noise.law import describe
from lnbench.noise.uniform import DiluteUniform, NoNoise, ReplaceUniform
from tests.noise.noise_law import all_labels, check_dilution

DIGITS = np.arange(6000, dtype=np.int64) % 10
NUMBERS = np.arange(6000, dtype=np.int64)


def dilute(alpha: float, *, n: int = 6000, include: bool = True, seed: int = 0, classes: int = 10) -> DiluteUniform:
    return DiluteUniform(n, classes, seed, {"alpha": alpha, "include_true_class": include})


def replace(rate: float, *, n: int = 6000, include: bool = True, seed: int = 0) -> ReplaceUniform:
    return ReplaceUniform(n, 10, seed, {"rate": rate, "include_true_class": include})


# ---- dilution


@pytest.mark.parametrize("include", [True, False], ids=["with the true class", "without"])
@pytest.mark.parametrize(("alpha", "classes"), [(100, 10), (20, 10), (1, 10), (3.7, 10), (0.25, 10), (10, 2), (5, 100)])
def test_dilution_obeys_its_law(alpha: float, classes: int, include: bool) -> None:
    if not include and classes == 2:
        pytest.skip("one wrong class: nothing to be uniform over")
    for seed in range(3):
        check_dilution(alpha, classes, include, seed=seed)


def test_at_alpha_100_eleven_of_101_labels_are_right() -> None:
    """R001-23. 6,000 images: the mean's standard deviation is √(100 · 0.1 · 0.9 / 6000) = 0.0387 labels."""
    facts = describe(dilute(100), DIGITS, NUMBERS)
    assert facts["examples"] == 101 * 6000
    assert facts["right_labels"] / 6000 == pytest.approx(11, abs=4 * 0.0387)
    assert facts["nominal_wrong"] == pytest.approx(90 / 101)


def test_without_the_true_class_one_of_101_labels_is_right() -> None:
    facts = describe(dilute(100, include=False), DIGITS, NUMBERS)
    assert facts["right_labels"] == 6000
    assert facts["nominal_wrong"] == facts["realised_wrong"] == pytest.approx(100 / 101)


def test_right_labels_an_image_are_binomial() -> None:
    """One image's copies are independent draws: 1 + Binomial(50, 1/10)."""
    labels = all_labels(dilute(50), DIGITS, NUMBERS).reshape(51, 6000)
    right = (labels[1:] == DIGITS).sum(axis=0)
    law = stats.binom.pmf(np.arange(12), 50, 0.1)
    seen = np.bincount(np.minimum(right, 12), minlength=13)
    assert stats.chisquare(seen, 6000 * np.append(law, 1 - law.sum())).pvalue > 1e-4


@pytest.mark.parametrize("true", range(10))
def test_every_class_is_given_to_every_class_equally_often(true: int) -> None:
    clean = np.full(4000, true, dtype=np.int64)
    labels = all_labels(dilute(5, n=4000), clean, NUMBERS[:4000])[4000:]
    assert stats.chisquare(np.bincount(labels, minlength=10)).pvalue > 1e-4


def test_alpha_0_is_no_noise() -> None:
    noise = dilute(0)
    assert noise.size == 6000
    assert np.array_equal(all_labels(noise, DIGITS, NUMBERS), DIGITS)
    facts, plain = describe(noise, DIGITS, NUMBERS), describe(NoNoise(6000, 10, 0, {}), DIGITS, NUMBERS)
    assert facts == plain
    assert facts["right_labels"] == 6000 and facts["realised_wrong"] == facts["nominal_wrong"] == 0


@pytest.mark.parametrize(("alpha", "size"), [(0.5, 15), (0.25, 12), (0.3, 13), (1.25, 22), (2.0, 30)])
def test_an_alpha_that_is_no_whole_number_gives_that_many_labels(alpha: float, size: int) -> None:
    noise = dilute(alpha, n=10)
    assert noise.size == size  # 10 + round(alpha · 10), half to even
    shown = noise.images(np.arange(size))
    assert np.bincount(shown).max() - np.bincount(shown).min() <= 1


@pytest.mark.parametrize("noise", [dilute(7), dilute(7, include=False), replace(0.4), replace(0.4, include=False)])
def test_torch_and_numpy_give_the_same_labels(noise: Any) -> None:
    example = np.arange(noise.size, dtype=np.int64)[::7].copy()
    image = noise.images(example)
    mine = noise.labels(example, DIGITS[image], NUMBERS[image])
    tensor = torch.from_numpy(example)
    shown = noise.images(tensor)
    theirs = noise.labels(tensor, torch.from_numpy(DIGITS)[shown], torch.from_numpy(NUMBERS)[shown])
    assert theirs.dtype == torch.int64
    assert np.array_equal(theirs.numpy(), mine)


@pytest.mark.parametrize("include", [True, False])
def test_a_subset_has_the_labels_that_the_full_set_gives_it(include: bool) -> None:
    """The images' numbers in the whole data set decide, not their places among the chosen."""
    chosen = np.sort(np.random.default_rng(0).permutation(6000)[:500])
    full = all_labels(dilute(4, include=include), DIGITS, NUMBERS).reshape(5, 6000)
    part = all_labels(dilute(4, n=500, include=include), DIGITS[chosen], chosen).reshape(5, 500)
    assert np.array_equal(part, full[:, chosen])


def test_less_noise_is_a_beginning_of_more() -> None:
    few, many = (all_labels(dilute(alpha), DIGITS, NUMBERS) for alpha in (3, 8))
    assert np.array_equal(many[: len(few)], few)


def test_other_seeds_give_other_labels_and_copies_differ() -> None:
    first, second = (all_labels(dilute(2, seed=seed), DIGITS, NUMBERS).reshape(3, 6000) for seed in (0, 1))
    for one, other in ((first[1], second[1]), (first[1], first[2])):
        assert (one == other).mean() == pytest.approx(0.1, abs=4 * (0.09 / 6000) ** 0.5)


# ---- replacement


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_replacement_makes_as_many_labels_wrong_as_it_says(rate: float, include: bool) -> None:
    noise = replace(rate, include=include)
    wrong = rate * (0.9 if include else 1.0)
    facts = describe(noise, DIGITS, NUMBERS)
    assert facts["examples"] == 6000
    assert facts["nominal_wrong"] == pytest.approx(wrong)
    assert facts["realised_wrong"] == pytest.approx(wrong, abs=4 * (wrong * (1 - wrong) / 6000) ** 0.5 + 1e-12)
    offset = (all_labels(noise, DIGITS, NUMBERS) - DIGITS) % 10
    if rate:
        assert stats.chisquare(np.bincount(offset, minlength=10)[1:]).pvalue > 1e-4


def test_higher_rates_keep_what_lower_ones_replaced() -> None:
    low, high = (all_labels(replace(rate, include=False), DIGITS, NUMBERS) for rate in (0.2, 0.5))
    changed = low != DIGITS
    assert np.array_equal(high[changed], low[changed])


# ---- what goes into the record


def test_describe_counts_what_is_there() -> None:
    noise = dilute(3.5, n=1000)
    clean, numbers = DIGITS[:1000], NUMBERS[:1000]
    labels = all_labels(noise, clean, numbers)
    truth = clean[np.arange(4500) % 1000]
    assert describe(noise, clean, numbers) == {
        "examples": 4500,
        "clean_images": 1000,
        "right_labels": int((labels == truth).sum()),
        "nominal_wrong": 0.9 * 3500 / 4500,
        "realised_wrong": (labels != truth).mean(),
        "labels_sha256": hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest(),
    }


def test_the_labels_checksum_is_pinned() -> None:
    assert describe(dilute(2), DIGITS, NUMBERS)["labels_sha256"][:16] == "16a745a8c125a65d"
    assert describe(replace(0.4), DIGITS, NUMBERS)["labels_sha256"][:16] == "a6cebc8c7f57e0ae"


def test_more_than_256_classes_keep_their_labels_apart() -> None:
    clean = np.arange(600, dtype=np.int64)
    facts = describe(NoNoise(600, 600, 0, {}), clean, clean)
    assert facts["labels_sha256"] == hashlib.sha256(clean.astype(np.uint16).tobytes()).hexdigest()


def test_describing_six_million_labels_takes_little_memory() -> None:
    n = 60_000
    clean, numbers = np.arange(n, dtype=np.int64) % 10, np.arange(n, dtype=np.int64)
    tracemalloc.start()
    try:
        facts = describe(dilute(100, n=n), clean, numbers)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert facts["examples"] == 6_060_000
    assert peak < 40e6  # the images are never copied; all labels at once would be 48 MB
    assert facts["right_labels"] / n == pytest.approx(11, abs=4 * (9 / n) ** 0.5)
