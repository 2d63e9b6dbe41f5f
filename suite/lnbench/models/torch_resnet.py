"""The torch modules of `resnet.py`: no branch on data, so that a step can be compiled or captured in a CUDA graph."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from lnbench.models.resnet import EXPANSION, LARGE

Shortcut = Literal["subsample", "average", "projection"]  # what they are: `resnet.py`


class Block(nn.Module):
    """Two convolutions 3×3 with batch normalisation, and what came in added before the last ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: Shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = shortcut if stride > 1 else "identity"
        if self.shortcut == "projection":
            self.project = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.norm3 = nn.BatchNorm2d(outputs)
        self.stride, self.missing = stride, outputs - inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, inputs, H, W) -> (B, outputs, H/stride, W/stride)
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self._carried(x), inplace=True)

    def _carried(self, x: torch.Tensor) -> torch.Tensor:
        if self.shortcut == "subsample":
            half = self.missing // 2
            return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half))
        if self.shortcut == "average":
            return F.pad(F.avg_pool2d(x, self.stride), (0, 0, 0, 0, 0, self.missing))
        if self.shortcut == "projection":
            projected: torch.Tensor = self.norm3(self.project(x))
            return projected
        return x


class Bottleneck(nn.Module):
    """Convolutions 1×1, 3×3 and 1×1 with batch normalisation, the last to `EXPANSION` times the channels, and what came
    in, or a projection of it where that has another form, added before the last ReLU."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        outputs = EXPANSION * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.projects = inputs != outputs
        if self.projects:
            self.project = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.norm4 = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, inputs, H, W) -> (B, 4·width, H/stride, W/stride)
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = F.relu(self.norm2(self.conv2(y)), inplace=True)
        carried = self.norm4(self.project(x)) if self.projects else x
        return F.relu(self.norm3(self.conv3(y)) + carried, inplace=True)


class ResNet(nn.Module):
    """Convolution 3×3, or for large images 7×7 and pooling; the stages of blocks, the mean over all pixels, and a dense
    layer."""

    def __init__(
        self,
        blocks: tuple[int, ...],
        width: int,
        shortcut: Shortcut,
        channels: int,
        classes: int,
        bottleneck: bool = False,
        large: bool = False,
    ):
        super().__init__()
        window, stride = (LARGE, 2) if large else (3, 1)
        self.conv = nn.Conv2d(channels, width, window, stride, padding=window // 2, bias=False)
        self.large = large
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential()
        inputs = width
        for stage, count in enumerate(blocks):
            for block in range(count):
                stride = 2 if stage and not block else 1
                if bottleneck:
                    self.blocks.append(Bottleneck(inputs, width << stage, stride))
                    inputs = EXPANSION * width << stage
                else:
                    self.blocks.append(Block(inputs, width << stage, stride, shortcut))
                    inputs = width << stage
        self.dense = nn.Linear(inputs, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(self.conv(images)), inplace=True)
        if self.large:
            x = F.max_pool2d(x, 3, 2, padding=1)
        logits: torch.Tensor = self.dense(self.blocks(x).mean((2, 3)))
        return logits
