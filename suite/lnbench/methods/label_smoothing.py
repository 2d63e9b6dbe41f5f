"""Label smoothing: a share of the target is spread over the other classes."""

from __future__ import annotations

import math
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from lnbench.methods.method import Loss


class LabelSmoothing(Loss):
    """The report on SAM and label noise, in its code (after Szegedy et al. 2016, section 7): with the share s =
    `smoothing` of m classes, the target t is 1 − s for the label and s / (m − 1) for each other class, and the loss is

        KL(t ‖ p) = −Σ_k t_k · log p_k − H(t),   p = softmax(logits),   H(t) = −Σ_k t_k · log t_k

    so it is at least 0, and its gradient that of the cross-entropy against t. Training losses on record are this;
    losses on held-out images are the plain cross-entropy, as for every method. (Szegedy et al. spread s over all
    classes, the label's among them: their s is m / (m − 1) times this one.)
    """

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.smoothing = float(options["smoothing"])

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return smoothed(logits, labels, self.smoothing)


def smoothed(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return (B,): KL(target ‖ softmax(logits)) of logits (B, m) and labels (B,) int64, smoothed as above; without
    smoothing the cross-entropy."""
    if not smoothing:
        return F.cross_entropy(logits, labels, reduction="none")
    others = logits.shape[1] - 1
    logs = F.log_softmax(logits, dim=1)
    own = F.nll_loss(logs, labels, reduction="none")
    entropy = -(1 - smoothing) * math.log(1 - smoothing) - smoothing * math.log(smoothing / others)
    rest = -logs.sum(dim=1) - own
    return (1 - smoothing) * own + smoothing / others * rest - entropy
