"""Labels that are drawn anew at every visit: their rates, and that epochs share nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from lnbench.noise.law import describe, in_epoch
from lnbench.noise.uniform import PairFlip, ReplaceUniform, ResampleUniform
from tests.noise.noise_law import all_labels

N = 6000
DIGITS = np.arange(N, dtype=np.int64) % 10
NUMBERS = np.arange(N, dtype=np.int64)


def resample(rate: float, *, include: bool = True, seed: int = 0) -> ResampleUniform:
    return ResampleUniform(N, 10, seed, {"rate": rate, "include_true_class": include})


def labels_of(noise: ResampleUniform, epochs: int) -> np.ndarray:
    """(epochs, N)"""
    return np.stack([all_labels(in_epoch(noise, epoch), DIGITS, NUMBERS) for epoch in range(epochs)])


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("rate", [0.05, 0.2, 1.0])
def test_every_epoch_has_its_rate_and_uniform_wrong_labels(rate: float, include: bool) -> None:
    labels = labels_of(resample(rate, include=include), 8)
    wrong = rate * (0.9 if include else 1.0)
    shares = (labels != DIGITS).mean(axis=1)
    assert shares == pytest.approx([wrong] * 8, abs=4.5 * (wrong * (1 - wrong) / N) ** 0.5 + 1e-12)
    offset = (labels - DIGITS) % 10
    assert stats.chisquare(np.bincount(offset.ravel(), minlength=10)[1:]).pvalue > 1e-4


def test_epochs_are_independent_draws() -> None:
    """An image's wrong labels over 20 epochs are Binomial(20, 0.45); neighbouring epochs' masks are uncorrelated."""
    wrong = labels_of(resample(0.5), 20) != DIGITS
    seen = np.bincount(wrong.sum(axis=0), minlength=21)
    law = N * stats.binom.pmf(np.arange(21), 20, 0.45)
    middle = law > 5
    seen, law = (np.append(x[middle], x[~middle].sum()) for x in (seen, law))
    assert stats.chisquare(seen, law).pvalue > 1e-4
    correlations = np.corrcoef(wrong.astype(float))[np.triu_indices(20, 1)]
    assert np.abs(correlations).max() < 5 / N**0.5


def test_labels_drawn_in_different_epochs_agree_by_chance_only() -> None:
    labels = labels_of(resample(1.0), 5)
    agree = [(labels[a] == labels[b]).mean() for a in range(5) for b in range(a)]
    assert agree == pytest.approx([0.1] * 10, abs=4.5 * (0.09 / N) ** 0.5)


def test_the_first_epoch_is_that_of_replacement_and_stays_what_it_is() -> None:
    """Records depend on these labels."""
    noise = resample(0.4)
    fixed = ReplaceUniform(N, 10, 0, {"rate": 0.4, "include_true_class": True})
    assert np.array_equal(labels_of(noise, 1)[0], all_labels(fixed, DIGITS, NUMBERS))
    third = describe(in_epoch(noise, 2), DIGITS, NUMBERS)
    assert third["labels_sha256"][:16] == "4d54426c7b29ae8d"


def test_other_kinds_are_the_same_in_every_epoch() -> None:
    noise = PairFlip(N, 10, 0, {"rate": 0.4})
    assert in_epoch(noise, 7) is noise


@pytest.mark.parametrize("epoch", [0, 1, 159])
def test_torch_and_numpy_give_the_same_labels(epoch: int) -> None:
    noise = in_epoch(resample(0.3, include=False), epoch)
    theirs = noise.labels(*(torch.from_numpy(each) for each in (NUMBERS, DIGITS, NUMBERS)))
    assert theirs.dtype == torch.int64
    assert np.array_equal(theirs.numpy(), noise.labels(NUMBERS, DIGITS, NUMBERS))


def test_the_record_says_that_labels_are_redrawn_and_speaks_of_the_first_epoch() -> None:
    facts = describe(resample(0.2), DIGITS, NUMBERS)
    assert facts["labels_redrawn"] == "every epoch"
    assert facts["nominal_wrong"] == pytest.approx(0.18)
    assert facts["realised_wrong"] == (labels_of(resample(0.2), 1)[0] != DIGITS).mean()
