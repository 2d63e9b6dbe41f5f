"""The deep networks as formulas over a list of weights, written apart from `lnbench.models`, as their oracle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lnbench.randomness import DROPOUT, u32


def _norm(x: Tensor, weights: Iterator[Tensor]) -> Tensor:
    """Batch normalisation with the batch's own statistics."""
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    scale, shift = next(weights)[:, None, None], next(weights)[:, None, None]
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


def _halved(x: Tensor) -> Tensor:
    """The mean of each 2×2 pixels; an odd last row or column is dropped."""
    count, channels, height, width = x.shape
    x = x[:, :, : height // 2 * 2, : width // 2 * 2]
    return x.reshape(count, channels, height // 2, 2, width // 2, 2).mean((3, 5))


def resnet(module: nn.Module, images: Tensor, blocks: tuple[int, ...], shortcut: str) -> Tensor:
    """He et al. 2016, section 4.2, in training mode, with the weights of `module` in their order."""
    weights = iter(module.parameters())
    x = _norm(F.conv2d(images, next(weights), padding=1), weights).relu()
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            y = _norm(F.conv2d(x, next(weights), stride=stride, padding=1), weights).relu()
            y = _norm(F.conv2d(y, next(weights), padding=1), weights)
            if stride == 2 and shortcut == "subsample":
                small = x[:, :, ::2, ::2]
                quarter = torch.zeros_like(y[:, : y.shape[1] // 4])
                x = torch.cat([quarter, small, quarter], 1)
            elif stride == 2 and shortcut == "average":
                small = _halved(x)
                x = torch.cat([small, 0 * small], 1)
            elif stride == 2:
                x = _norm(F.conv2d(x, next(weights), stride=2), weights)
            x = (x + y).relu()
    return x.flatten(2).mean(2) @ next(weights).T + next(weights)


def densenet(module: nn.Module, images: Tensor, layers: int) -> Tensor:
    """Huang et al. 2017, DenseNet-BC in training mode, with the weights of `module` in their order."""
    weights = iter(module.parameters())
    features = [F.conv2d(images, next(weights), padding=1)]
    for block in range(3):
        for _ in range(layers):
            y = _norm(torch.cat(features, 1), weights).relu()
            y = _norm(F.conv2d(y, next(weights)), weights).relu()
            features.append(F.conv2d(y, next(weights), padding=1))
        if block < 2:
            y = _norm(torch.cat(features, 1), weights).relu()
            features = [_halved(F.conv2d(y, next(weights)))]
    y = _norm(torch.cat(features, 1), weights).relu()
    return y.flatten(2).mean(2) @ next(weights).T + next(weights)


def vgg(module: nn.Module, images: Tensor, stack: str, side: int, step: int, share: float) -> Tensor:
    """Simonyan & Zisserman 2015 with batch normalisation, in training mode, the weights of `module` in their order.

    stack: "1" for a convolution, "M" for a pooling. Dropout layer l has the seed l and drops what it draws in `step`.
    """
    weights = iter(module.parameters())
    x = images
    for letter in stack:
        if letter == "M":
            x = x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]
            x = torch.stack([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]).amax(0)
        else:
            x = _norm(F.conv2d(x, next(weights), next(weights), padding=1), weights).relu()
    x = F.adaptive_avg_pool2d(x, side).flatten(1)
    dense = list(weights)
    for layer, (weight, bias) in enumerate(zip(dense[:-2:2], dense[1:-2:2], strict=True)):
        x = (x @ weight.T + bias).relu()
        drawn = u32(layer, DROPOUT, step, np.arange(x.numel())) / 2**32
        kept = torch.from_numpy(drawn >= share).view(x.shape)
        x = x * kept / (1 - share)
    return x @ dense[-2].T + dense[-1]
