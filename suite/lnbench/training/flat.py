"""All parameters of a network as one flat vector, its gradient as another, and the network's first weights."""

from __future__ import annotations

import math

import torch
from torch import nn

from lnbench.randomness import Stream, u32


class FlatParameters:
    """Moves a module's parameters into one vector `weights` (P,) float32, their gradients into `gradient` (P,).

    The module keeps working: its parameters become views. Convolution kernels lie channels-last in the vector, the
    layout in which CPUs and GPUs convolve fastest. The optimiser then needs a few operations on one vector.
    """

    def __init__(self, module: nn.Module, device: torch.device):
        parameters = list(module.parameters())
        sizes = [parameter.numel() for parameter in parameters]
        self.weights = torch.zeros(sum(sizes), device=device)
        self.gradient = torch.zeros_like(self.weights)
        start = 0
        for parameter, size in zip(parameters, sizes, strict=True):
            part = slice(start, start + size)
            shape = parameter.shape
            parameter.data = _view(self.weights[part], shape)
            parameter.grad = _view(self.gradient[part], shape)
            start += size


def _view(vector: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    if len(shape) != 4:
        return vector.view(shape)
    outputs, inputs, height, width = shape
    return vector.view(outputs, height, width, inputs).permute(0, 3, 1, 2)


@torch.no_grad()
def glorot_uniform(module: nn.Module, seed: int) -> None:
    """Draw every weight from U(−l, l), l = √(6 / (fan_in + fan_out)) (Glorot & Bengio 2010); biases are zero.

    Weight i of tensor k is a function of (seed, k, i): the same on every device, drawn once, in float64.
    """
    for number, parameter in enumerate(module.parameters()):
        if parameter.dim() < 2:
            parameter.zero_()
            continue
        field = math.prod(parameter.shape[2:])
        limit = math.sqrt(6.0 / (field * (parameter.shape[0] + parameter.shape[1])))
        bits = u32(seed, Stream.INIT, number, torch.arange(parameter.numel(), dtype=torch.int64))
        unit = ((bits >> 8).double() + 0.5) / 2**24  # (0, 1)
        parameter.copy_(((2 * unit - 1) * limit).view(parameter.shape))
