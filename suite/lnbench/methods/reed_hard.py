"""Hard bootstrapping: the network's own prediction is a part of the target."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lnbench.methods.method import Loss, bootstrapped


class ReedHard(Loss):
    """Reed et al. 2015, "hard" bootstrapping: for the label y, p = softmax(logits) and z = the one-hot argmax of p,

    loss = −sum over k of (beta · y_k + (1 − beta) · z_k) · log p_k
    """

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.beta = float(options["beta"])

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return bootstrapped(logits, labels, self.beta)
