"""The method: label smoothing."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from lnbench.methods.method import Loss


class Smoothing(Loss):
    """The cross-entropy against (1 - a) · label + a · uniform (Szegedy et al. 2016, section 7).

    A `Loss` looks at logits and labels alone. A method with several networks, a state or weights is a `Method`.
    """

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.amount = float(options["amount"])

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of each example, (B,) float32, from logits (B, m) and labels (B,) int64."""
        return F.cross_entropy(logits, labels, reduction="none", label_smoothing=self.amount)
