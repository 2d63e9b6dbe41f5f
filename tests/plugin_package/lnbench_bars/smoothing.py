"""The method: label smoothing."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F


class Smoothing:
    """The cross-entropy against (1 - a) · label + a · uniform (Szegedy et al. 2016, section 7)."""

    def __init__(self, options: dict[str, Any]):
        self.amount = float(options["amount"])

    def losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of each example, (B,) float32, from logits (B, m) and labels (B,) int64."""
        return F.cross_entropy(logits, labels, reduction="none", label_smoothing=self.amount)
