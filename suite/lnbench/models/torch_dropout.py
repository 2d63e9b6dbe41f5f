"""Dropout that is a function of a seed and the step: the one layer of these networks that draws while it trains.

The numbers of torch's own come from a generator with a state: another device has others, and a run that resumes would
have to keep it. The engine finds every layer of this class in a network, a plug-in's too, and tells it each step
(`training/backends/network.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lnbench.randomness import DROPOUT, key, keyed


class Dropout(nn.Module):
    """In training mode sets each number of its input to 0 with probability `share`, and divides the others by 1 − share
    (Srivastava et al. 2014, in the form of torch.nn.Dropout); in evaluation mode hands its input on.

    Number i of a batch, one example after the other, is kept in a step where `u32(seed, DROPOUT, step, i)` is at least
    share · 2³². `key` is a tensor, which a step that is compiled or captured reads, and no buffer: a checkpoint has no
    need of it.
    """

    def __init__(self, share: float):
        super().__init__()
        self.share = share
        self.seed: int | None = None
        self.key: Tensor

    def start(self, seed: int, device: torch.device) -> None:
        """Set the layer's own seed, in [0, 2^32), once before training; the steps' keys will lie on `device`."""
        self.seed = seed
        self.key = torch.zeros((), dtype=torch.int64, device=device)
        self.draw(0)

    def draw(self, step: int) -> None:
        """Choose what step number `step` drops. The device is not waited for."""
        assert self.seed is not None
        self.key.fill_(key(self.seed, DROPOUT, step))

    def keys(self, first: int, count: int) -> np.ndarray[Any, Any]:
        """Return (count,) int64: what `draw` chooses for each step from number `first` on."""
        assert self.seed is not None
        return np.array([key(self.seed, DROPOUT, step) for step in range(first, first + count)], dtype=np.int64)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, …) of the input's type. Raises RuntimeError in training mode before `start`."""
        if not self.training:
            return x
        if self.seed is None:
            raise RuntimeError("a network with dropout has no seed to train with; call `start` of its Dropout layers")
        bits = keyed(self.key, torch.arange(x.numel(), device=x.device)).view(x.shape)
        kept: Tensor = (bits >= round(self.share * 2**32)).to(x.dtype)
        return x * kept.mul_(1 / (1 - self.share))

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of the layer."""
        return f"share={self.share}"
