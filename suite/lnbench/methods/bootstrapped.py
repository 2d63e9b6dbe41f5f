"""Bootstrapping in two trainings: the second learns what the first one predicts of its own training images."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lnbench.methods.label_smoothing import smoothed
from lnbench.methods.method import Method, Networks, Seen


class Bootstrapped(Method):
    """The report on SAM and label noise, section 4.3; not the bootstrapping of Reed et al. (`reed_hard`).

    A network is trained, its prediction of every training image takes the place of the label, and a network is trained
    on these: from first weights of its own, or from those that the first one ended with (`start`). The loss is the
    cross-entropy against the prediction, smoothed as by `label_smoothing` where `smoothing` is above 0.

    Predictions are those of the input `input`, by the number of the example, in evaluation mode and of the whole image.
    The published code keeps them by place in a shuffled epoch, so that they belong to other images, in training mode,
    and ends a training after its first epoch. Accuracies of training are held against the labels as given, the losses
    are those of the predictions. The record says under `method` for how many of the run's examples the prediction is
    another class than the label as given (`predictions_changed`), for how many it is the true one
    (`predictions_right`), and for how many the label as given is (`labels_right`).
    """

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.name, self.smoothing = str(options["input"]), float(options["smoothing"])
        self.predictions: Tensor  # (n,) int64; no part of `state`, as it does not change
        self.found: dict[str, Any] = {}

    def begin(self, networks: Networks) -> None:
        self.predictions = networks.input(self.name, "predictions").long()
        outside = (self.predictions < 0) | (self.predictions >= networks.classes)
        if outside.any():
            raise ValueError(f"the input {self.name} predicts classes that the data does not have")
        given, true = networks.labels()
        counts = {
            "predictions_changed": self.predictions != given,
            "predictions_right": self.predictions == true,
            "labels_right": given == true,
        }
        self.found = {name: int(each.sum()) for name, each in counts.items()}

    def losses(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        return smoothed(logits, self.predictions[seen.example], self.smoothing)

    def facts(self) -> dict[str, Any]:
        return self.found
