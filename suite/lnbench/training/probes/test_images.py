"""What the trained networks answer on the test images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lnbench.training.probes.probe import Probe


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
