"""How many test images of a class are taken for another."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lnbench.training.backends.protocol import Backend
from lnbench.training.batches import TrainingSet


def test_confusion(backend: Backend, sets: Sequence[TrainingSet], classes: int) -> list[list[list[int]]]:
    """For each replica a (classes, classes) matrix: how many test images of a class (row) are taken for another."""
    found = []
    for data, logits in zip(sets, backend.logits([data.test for data in sets]), strict=True):
        place = data.test.labels * classes + logits.argmax(1)
        found.append(torch.bincount(place, minlength=classes**2).view(classes, classes).tolist())
    return found
