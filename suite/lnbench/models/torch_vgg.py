"""The torch modules of `vgg.py`: no branch on data, so that a step can be compiled or captured in a CUDA graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from lnbench.models.torch_dropout import Dropout

if TYPE_CHECKING:
    from lnbench.models.vgg import Stack


class Conv(nn.Module):
    """A convolution 3×3 with bias and batch normalisation, a maximum pooling over 2×2 where `pool` says so, and ReLU.

    max(relu(x)) = relu(max(x)): behind the pooling it is a quarter of the work.
    """

    def __init__(self, inputs: int, outputs: int, pool: bool):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, inputs, H, W) -> (B, outputs, H, W), or halved
        y = self.norm(self.conv(x))
        return F.relu(F.max_pool2d(y, 2) if self.pool else y, inplace=True)


class VGG(nn.Module):
    """The convolutions, the average pooling to side × side pixels, and the dense layers with ReLU and dropout."""

    def __init__(self, stack: Stack, side: int, dense: tuple[int, ...], dropout: float, channels: int, classes: int):
        super().__init__()
        self.features = nn.Sequential()
        for place, outputs in enumerate(stack):
            if outputs != "M":
                self.features.append(Conv(channels, outputs, stack[place + 1 : place + 2] == ("M",)))
                channels = outputs
        self.side = side
        self.classifier = nn.Sequential()
        flat = channels * side**2
        for width in dense:
            self.classifier.extend([nn.Linear(flat, width), nn.ReLU(inplace=True), Dropout(dropout)])
            flat = width
        self.classifier.append(nn.Linear(flat, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = averaged(self.features(images), self.side)
        logits: torch.Tensor = self.classifier(x.flatten(1))
        return logits


def averaged(x: torch.Tensor, side: int) -> torch.Tensor:
    """Return (B, C, H, W) as (B, C, side, side): the means over the windows of torch's `adaptive_avg_pool2d`, whose own
    gradient is not the same twice on a GPU. A single pixel is repeated."""
    if x.shape[2:] == (1, 1):
        return x.expand(-1, -1, side, side)
    for axis in (2, 3):
        size = x.shape[axis]
        edges = [(place * size // side, -(-(place + 1) * size // side)) for place in range(side)]
        x = torch.stack([x.narrow(axis, first, last - first).mean(axis) for first, last in edges], axis)
    return x
