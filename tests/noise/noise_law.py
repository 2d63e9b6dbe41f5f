"""What a label-noise model promises, as functions that fail where it does not hold, for tests and planted faults."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from lnbench.noise.uniform import DiluteUniform


def all_labels(noise: Any, clean: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """The label of every example, in order."""
    example = np.arange(noise.size, dtype=np.int64)
    image = noise.images(example)
    return noise.labels(example, clean[image], identity[image])


def check_dilution(alpha: float, classes: int, include_true_class: bool, *, n: int = 2000, seed: int = 0) -> None:
    """Uniform dilution (Rolnick et al. 2018, §3.1) as the paper has it: `alpha` labels more an image, each uniform.

    With the true class among them 1 + alpha/m labels an image are right on average (11 of 101 at alpha 100, m 10);
    without, exactly one. Four standard deviations are allowed; the wrong labels are uniform over the wrong classes.
    """
    clean = np.arange(n, dtype=np.int64) % classes
    options = {"alpha": alpha, "include_true_class": include_true_class}
    noise = DiluteUniform(n, classes, seed, options)
    assert noise.size == n + round(alpha * n), "an image has 1 + alpha labels on average"
    labels = all_labels(noise, clean, np.arange(n, dtype=np.int64))
    truth = clean[np.arange(noise.size) % n]
    assert labels.min() >= 0 and labels.max() < classes, "a label is a class"
    assert np.array_equal(labels[:n], clean), "the first label of each image is its own"
    added, true = labels[n:], truth[n:]
    right, share = int((added == true).sum()), 1 / classes if include_true_class else 0.0
    spread = (len(added) * share * (1 - share)) ** 0.5
    assert abs(right - len(added) * share) <= 4 * spread, f"{right} of {len(added)} added labels are right"
    offset = (added - true) % classes  # 0 where right
    counts = np.bincount(offset, minlength=classes)[0 if include_true_class else 1 :]
    if len(added):
        assert stats.chisquare(counts).pvalue > 1e-4, f"added labels are not uniform: {counts}"
        assert stats.chisquare(np.bincount(added, minlength=classes)).pvalue > 1e-4, "a class is preferred"
