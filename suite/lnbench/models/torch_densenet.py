"""The torch modules of `densenet.py`: no branch on data, so that a step can be compiled or captured in a CUDA graph."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class NormConv(nn.Module):
    """Batch normalisation, ReLU, convolution: (B, inputs, H, W) -> (B, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        new: torch.Tensor = self.conv(F.relu(self.norm(x), inplace=True))
        return new


class Grow(nn.Sequential):
    """`growth` new channels appended to those that are there, computed through `bottleneck` ones."""

    def __init__(self, inputs: int, bottleneck: int, growth: int):
        super().__init__(NormConv(inputs, bottleneck, 1), NormConv(bottleneck, growth, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, super().forward(x)], 1)  # type: ignore[no-untyped-call]


class DenseNet(nn.Module):
    """Convolution 3×3 to 2·growth channels, blocks with a transition between each two, the mean over all pixels, a
    dense layer."""

    def __init__(self, blocks: tuple[int, ...], growth: int, bottleneck: int, channels: int, classes: int):
        super().__init__()
        width = 2 * growth
        self.conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.blocks = nn.Sequential()
        for block, layers in enumerate(blocks, 1):
            for _ in range(layers):
                self.blocks.append(Grow(width, bottleneck, growth))
                width += growth
            if block < len(blocks):
                self.blocks.extend([NormConv(width, width // 2, 1), nn.AvgPool2d(2)])
                width //= 2
        self.norm = nn.BatchNorm2d(width)
        self.dense = nn.Linear(width, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(self.blocks(self.conv(images))), inplace=True)
        logits: torch.Tensor = self.dense(x.mean((2, 3)))
        return logits
