"""Generalised cross-entropy: between the cross-entropy and the mean absolute error."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lnbench.methods.method import Loss, cross_entropies


class GeneralisedCrossEntropy(Loss):
    """Zhang & Sabuncu 2018, equation 6, without the truncation of section 3.3: for the probability p of the label

    loss = (1 − p^q) / q

    near q = 0 the cross-entropy, at q = 1 the mean absolute error up to a factor of 2.
    """

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.q = float(options["q"])

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return (1 - (-self.q * cross_entropies(logits, labels)).exp()) / self.q
