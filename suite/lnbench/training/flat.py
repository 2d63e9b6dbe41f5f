"""All parameters of a network as one flat vector, and its gradient as another."""

from __future__ import annotations

from collections.abc import Mapping

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
        self.names = [name for name, _ in named]
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

    def rows(self, gradients: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return (n, P): n gradients, given by the names of the parameters as (n, *shape) each, in the order in which
        `gradient` has one."""
        parts = [gradients[name] for name in self.names]
        return torch.cat([(part.movedim(2, -1) if part.dim() == 5 else part).flatten(1) for part in parts], 1)


def _view(vector: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    if len(shape) != 4:
        return vector.view(shape)
    outputs, inputs, height, width = shape
    return vector.view(outputs, height, width, inputs).permute(0, 3, 1, 2)
