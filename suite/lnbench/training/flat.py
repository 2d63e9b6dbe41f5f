"""All parameters of a network as one flat vector, and its gradient as another."""

from __future__ import annotations

import torch
from torch import nn


class FlatParameters:
    """Moves a module's parameters into one vector `weights` (P,) float32, their gradients into `gradient` (P,).

    The module keeps working: its parameters become views. Convolution kernels lie channels-last in the vector, the
    layout in which CPUs and GPUs convolve fastest. The optimiser then needs a few operations on one vector.
    `biases` (P,) bool: which of the numbers are biases, of a layer or of a normalisation.
    """

    def __init__(self, module: nn.Module, device: torch.device):
        named = list(module.named_parameters())
        sizes = [parameter.numel() for _, parameter in named]
        self.weights = torch.zeros(sum(sizes), device=device)
        self.gradient = torch.zeros_like(self.weights)
        self.biases = torch.zeros_like(self.weights, dtype=torch.bool)
        start = 0
        for (name, parameter), size in zip(named, sizes, strict=True):
            part = slice(start, start + size)
            shape = parameter.shape
            parameter.data = _view(self.weights[part], shape)
            parameter.grad = _view(self.gradient[part], shape)
            self.biases[part] = name.rpartition(".")[2] == "bias"
            start += size


def _view(vector: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    if len(shape) != 4:
        return vector.view(shape)
    outputs, inputs, height, width = shape
    return vector.view(outputs, height, width, inputs).permute(0, 3, 1, 2)
