"""Losses of a training that never was, with a law that is known: clean examples fall fast, mislabeled ones slowly."""

from __future__ import annotations

import numpy as np


def planted_losses(
    *, epochs: int = 20, n: int = 1000, noise: float = 0.3, seed: int = 0, images: int = 50
) -> dict[str, np.ndarray]:
    """Arrays as a training keeps them: every probe of detection, `images` test and half as many validation images."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 10, n).astype(np.int16)
    wrong = rng.random(n) < noise
    label = np.where(wrong, (true + rng.integers(1, 10, n)) % 10, true).astype(np.int16)
    t = np.arange(1, epochs + 1)[:, None]
    level = 2.3 * np.exp(-t / np.where(wrong, 40, 5))  # (epochs, n)
    own = 0.2 * rng.random(n)  # some examples are hard at every epoch
    loss = (level + own + 1.6 * rng.random((epochs, n))).astype(np.float32)
    held = (np.exp(-t / 5) + rng.random(images) + 0.1 * rng.random((epochs, images))).astype(np.float32)
    by_loss = np.argsort(-loss.sum(axis=0, dtype=np.float64), kind="stable")[:64]
    return {
        "example_loss": loss,
        "example_loss_eval": (loss * 0.9).astype(np.float32),
        "example_margin": (1 - loss + 0.1 * rng.random((epochs, n))).astype(np.float32),
        "example_label": label,
        "example_true": true,
        "example_image": np.arange(n, dtype=np.int32),
        "test_example_loss": held,
        "validation_example_loss": held[:, : images // 2],
        "suspect_examples": by_loss.astype(np.int32),
        "suspect_images": rng.integers(0, 256, (len(by_loss), 1, 8, 8), dtype=np.uint8),
    }


def wrong_of(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """(n,) bool: which examples are mislabeled."""
    return arrays["example_label"] != arrays["example_true"]
