"""Standard training: the mean cross-entropy of the batch's labels as given, and nothing else."""

from __future__ import annotations

from torch import Tensor

from lnbench.methods.method import Loss, cross_entropies


class Standard(Loss):
    """The cross-entropy; the engine steps along the batch's mean."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropies(logits, labels)
