"""What a training measures beside its curves, where its recipe's `probes` ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lnbench.training.backends.protocol import Backend
from lnbench.training.batches import Held, TrainingSet
from lnbench.training.entries import GRADIENT_COSINES

COSINE_IMAGES = 4096  # clean training images whose mean gradients are compared


class GradientCosine:
    """The cosine between the mean gradient of the method's loss and that of the cross-entropy, both on the same clean
    labels of at most COSINE_IMAGES training images; looked at four times in a training, and kept on the device.

    A step whose gradient is 0 has no cosine: NaN, and null in the record.
    """

    def __init__(self, sets: Sequence[TrainingSet], steps: int):
        self.images: list[Held] = [data.clean_images(COSINE_IMAGES) for data in sets]
        self.marks = (0, steps // 10, steps // 2, steps)
        self.values = torch.full((len(self.marks), len(sets)), torch.nan, device=sets[0].device)

    def look(self, backend: Backend, step: int) -> None:
        """Before step number `step` (after the last, their number). Asks the device for nothing."""
        if step in self.marks:
            now = backend.gradient_cosine(self.images)
            for row, mark in enumerate(self.marks):
                if mark == step:
                    self.values[row] = now

    def metrics(self, run: int, diverged: bool) -> dict[str, Any]:
        """name -> cosine, or None where there is none."""
        numbers = self.values[:, run].tolist()
        return {
            name: None if diverged or number != number else number
            for name, number in zip(GRADIENT_COSINES, numbers, strict=True)
        }
