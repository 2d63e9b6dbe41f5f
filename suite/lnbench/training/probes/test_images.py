"""What the trained networks answer on the test images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lnbench.training.batches import Held
from lnbench.training.probes.entries import TOP
from lnbench.training.probes.probe import Probe, Training

AT_ONCE = 1000  # images whose answers are compared at a time


class TopFive(Probe):
    """The share of the test images whose class is among the five that the network finds likeliest, after the last
    epoch; None of a run that diverged.

    A class counts as before another that the network gives exactly as much where its number is lower, so that the
    result does not depend on how a device sorts.
    """

    found: list[float]

    def finish(self) -> None:
        sets = self.training.sets
        self.found = []
        for data, logits in zip(sets, self.training.backend.logits([data.test for data in sets]), strict=True):
            pieces = zip(torch.split(logits, AT_ONCE), torch.split(data.test.labels, AT_ONCE), strict=True)
            right = torch.stack([_within(part, labels).sum() for part, labels in pieces]).sum()
            self.found.append(int(right) / len(data.test))

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        whole = epochs == self.training.epochs and not diverged
        return {"metrics": {"top5_accuracy": self.found[run] if whole else None}}


def _within(logits: Tensor, labels: Tensor) -> Tensor:
    """Return (n,) bool: whether fewer than five classes come before an image's own; logits (n, classes)."""
    own = logits.gather(1, labels.unsqueeze(1))
    lower = torch.arange(logits.shape[1], device=logits.device) < labels.unsqueeze(1)
    return ((logits > own) | ((logits == own) & lower)).sum(1) < TOP


class TestProbabilities(Probe):
    """The probabilities (test images, classes) float32 after the last epoch; none of a run that diverged."""

    __test__ = False  # the name is no test's

    answers: list[Tensor]

    def finish(self) -> None:
        found = self.training.backend.logits([data.test for data in self.training.sets])
        self.answers = [torch.softmax(logits, dim=1) for logits in found]

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        if epochs < self.training.epochs:
            return {}
        return {"arrays": {"test_probabilities": self.answers[run].cpu().numpy()}}


class MeanTestProbabilities(Probe):
    """The probabilities (test images, classes) float32, averaged over the states after each epoch; none of a run that
    diverged. Of all test images of the data set, however few the run is tested on.

    The mean names the class of held-out images better than the end does where wrong labels are learnt by heart.
    """

    __test__ = False

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        data = training.sets[0].on_device
        every = torch.arange(len(data.test_labels), device=training.device)
        self.held = [Held(data.test_images, every, data.test_labels) for _ in training.sets]
        shape = (training.replicas, len(every), data.classes)
        self.sums = torch.zeros(shape, dtype=torch.float32, device=training.device)

    def close(self, epoch: int) -> None:
        for place, logits in enumerate(self.training.backend.logits(self.held)):
            self.sums[place] += torch.softmax(logits, dim=1)

    def tensors(self, epoch: int) -> dict[str, Tensor]:
        return {"mean_test_probabilities": self.sums}

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        if epochs < self.training.epochs:
            return {}
        return {"arrays": {"mean_test_probabilities": (self.sums[run] / epochs).cpu().numpy()}}


class TestConfusion(Probe):
    """A (classes, classes) matrix: how many test images of a class (row) are taken for another. None where a run
    diverged."""

    __test__ = False

    found: list[list[list[int]]]

    def finish(self) -> None:
        sets, self.found = self.training.sets, []
        classes = sets[0].on_device.classes
        for data, logits in zip(sets, self.training.backend.logits([data.test for data in sets]), strict=True):
            place = data.test.labels * classes + logits.argmax(1)
            self.found.append(torch.bincount(place, minlength=classes**2).view(classes, classes).tolist())

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        return {} if diverged else {"confusion": self.found[run]}
