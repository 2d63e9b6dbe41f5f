"""Standard training: the mean cross-entropy of the batch's labels as given, and nothing else."""

from __future__ import annotations

import torch
import torch.nn.functional as F


class Standard:
    """`losses` (B,) float32 of logits (B, m) float32 and labels (B,) int64; the engine steps along their mean."""

    def losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, labels, reduction="none")
