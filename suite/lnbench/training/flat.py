"""All parameters of a network as one flat vector, and its gradient as another."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

# Numbers of float32 at whose multiples a parameter begins. A GPU's libraries want 256 bytes, or fall back to slower
# kernels; a CPU's do not care.
BEGINS_AT = {"cuda": 64}


class FlatParameters:
    """Moves a module's parameters into one vector `weights` (V,) float32, their gradients into `gradient` (V,).

    The module keeps working: its parameters become views. Convolution kernels lie channels-last in the vector, the
    layout in which CPUs and GPUs convolve fastest. The optimiser then needs a few operations on one vector.
    `biases` (V,) bool: which of the numbers are biases, of a layer or of a normalisation. `count`: the number P of
    parameters. On a GPU V is larger, as gaps lie between them: zeros, whose gradients are zeros.
    """

    def __init__(self, module: nn.Module, device: torch.device):
        named = list(module.named_parameters())
        self.names = [name for name, _ in named]
        self.count = sum(parameter.numel() for _, parameter in named)
        self._shapes = [parameter.shape for _, parameter in named]
        self._parts: list[slice] = []
        begins_at, end = BEGINS_AT.get(device.type, 1), 0
        for _, parameter in named:
            start = -(-end // begins_at) * begins_at
            end = start + parameter.numel()
            self._parts.append(slice(start, end))
        self.weights = torch.zeros(end, device=device)
        self.gradient = torch.zeros_like(self.weights)
        self.biases = torch.zeros_like(self.weights, dtype=torch.bool)
        for (name, parameter), part in zip(named, self._parts, strict=True):
            shape = parameter.shape
            parameter.data = _view(self.weights[part], shape)
            parameter.grad = _view(self.gradient[part], shape)
            self.biases[part] = name.rpartition(".")[2] == "bias"

    def views(self, vector: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the parameters, by name, as a vector (V,) of any type has them: views of it."""
        parts = zip(self.names, self._parts, self._shapes, strict=True)
        return {name: _view(vector[part], shape) for name, part, shape in parts}

    def without_gaps(self, vector: torch.Tensor) -> torch.Tensor:
        """Return (P,): a vector (V,), such as `gradient`, without what lies between the parameters."""
        return vector if len(vector) == self.count else torch.cat([vector[part] for part in self._parts])

    def rows(self, gradients: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return (n, P): n gradients, given by the names of the parameters as (n, *shape) each, in the order of
        `without_gaps`."""
        parts = [gradients[name] for name in self.names]
        return torch.cat([(part.movedim(2, -1) if part.dim() == 5 else part).flatten(1) for part in parts], 1)


def _view(vector: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    if len(shape) != 4:
        return vector.view(shape)
    outputs, inputs, height, width = shape
    return vector.view(outputs, height, width, inputs).permute(0, 3, 1, 2)
