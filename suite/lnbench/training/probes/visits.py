"""What a step leaves of each example that it trained on, beside the sums of the epoch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Visits:
    """Where the steps of one epoch write, each example at its own number: (K, N) float32 on the device; None where
    nobody asked. The numbers are of the forward pass that trained the example, under the label that it was trained on.
    """

    losses: Tensor | None = None
    margins: Tensor | None = None

    def tensors(self) -> list[Tensor]:
        """Those that somebody asked for."""
        return [tensor for tensor in (self.losses, self.margins) if tensor is not None]


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """(…): the logit of the label less the largest other one, of logits (…, classes) and labels (…) int64.

    The margin of Pleiss et al. 2020, as their package `aum` computes it: its mean over epochs is an example's AUM.
    """
    classes = torch.arange(logits.shape[-1], device=logits.device)
    own = classes == labels.unsqueeze(-1)
    other = logits.masked_fill(own, -torch.inf).amax(-1)
    return logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1) - other
