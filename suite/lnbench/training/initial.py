"""First weights. How they are drawn belongs to a network's definition; the catalog names it (`Entry.initial`).

A run may start from the weights that another ended with instead: `first_weights`.

Weight i of tensor k (in the order of `module.parameters()`) is a function of (seed, k, i): the same on every device,
drawn once, on the CPU and in float64. Batch normalisation starts with γ = 1, β = 0 and fresh statistics, always.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from torch import nn

from lnbench.randomness import Stream, u32

Shape = tuple[int, ...]  # of a weight: (outputs, inputs) or (outputs, inputs, height, width)
Law = tuple[Literal["uniform", "normal"], float]  # U(−spread, spread) or N(0, spread²); a spread of 0 is zeros
ZERO: Law = ("uniform", 0.0)
PIECE = 1 << 16  # weights drawn at once: of a dense layer of 10⁸ the integers would take gigabytes, and no cache


def fans(shape: Shape) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight: inputs and outputs, times the pixels of a kernel."""
    field = math.prod(shape[2:])
    return field * shape[1], field * shape[0]


def torch_default(shape: Shape, bias: bool) -> Law:
    """U(−1/√fan_in, 1/√fan_in) for weights and biases: nn.Conv2d's and nn.Linear's, Kaiming-uniform with a = √5."""
    return "uniform", 1 / math.sqrt(fans(shape)[0])


def glorot_uniform(shape: Shape, bias: bool) -> Law:
    """U(−l, l), l = √(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, eq. 16); biases are zero. Keras' default."""
    return ZERO if bias else ("uniform", math.sqrt(6.0 / sum(fans(shape))))


def kaiming_normal(shape: Shape, bias: bool) -> Law:
    """N(0, 2 / fan_in) (He et al. 2015, eq. 10) for convolutions and dense layers; biases as torch has them."""
    return torch_default(shape, bias) if bias else ("normal", math.sqrt(2 / fans(shape)[0]))


def kaiming_normal_fan_out(shape: Shape, bias: bool) -> Law:
    """N(0, 2 / fan_out) (He et al. 2015, eq. 14) for convolutions; dense layers as torch has them."""
    if bias or len(shape) < 4:
        return torch_default(shape, bias)
    return "normal", math.sqrt(2 / fans(shape)[1])


def kaiming_normal_fan_out_zero_bias(shape: Shape, bias: bool) -> Law:
    """Draw as `kaiming_normal_fan_out`, but biases are zero."""
    return ZERO if bias else kaiming_normal_fan_out(shape, bias)


def kaiming_normal_fan_out_small_dense(shape: Shape, bias: bool) -> Law:
    """N(0, 2 / fan_out) for convolutions, N(0, 0.01²) for dense layers; biases are zero. torchvision's for VGG."""
    if bias:
        return ZERO
    return kaiming_normal_fan_out(shape, bias) if len(shape) == 4 else ("normal", 0.01)


INITIALISATIONS: dict[str, Callable[[Shape, bool], Law]] = {
    law.__name__: law
    for law in (
        torch_default,
        glorot_uniform,
        kaiming_normal,
        kaiming_normal_fan_out,
        kaiming_normal_fan_out_zero_bias,
        kaiming_normal_fan_out_small_dense,
    )
}


def first_weights(module: nn.Module, name: str, seed: int, start: np.ndarray | None) -> None:
    """Give a module its first weights: drawn by `INITIALISATIONS[name]`, or `start`, as `all_weights` has them.

    Raises ValueError where `start` is of another network.
    """
    if start is None:
        initialise(module, name, seed)
        return
    tensors = _tensors(module)
    sizes = [tensor.numel() for tensor in tensors]
    if start.shape != (sum(sizes),):
        raise ValueError(f"start: {start.shape} numbers for a network that has ({sum(sizes)},)")
    with torch.no_grad():
        for tensor, part in zip(tensors, torch.split(torch.from_numpy(start), sizes), strict=True):
            tensor.copy_(part.view(tensor.shape))


@torch.no_grad()
def all_weights(module: nn.Module) -> torch.Tensor:
    """Return (W,) float32: all parameters in the order of `module.parameters()`, each in the order of its indices, then
    all buffers (what batch normalisations have learnt of their inputs)."""
    return torch.cat([tensor.flatten().to(torch.float32) for tensor in _tensors(module)])


def _tensors(module: nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(), *module.buffers()]


@torch.no_grad()
def initialise(module: nn.Module, name: str, seed: int) -> None:
    """Draw all of `module`'s parameters, wherever and in whatever layout they lie, by `INITIALISATIONS[name]`."""
    law_of = INITIALISATIONS[name]
    for number, (layer, role, parameter) in enumerate(_parameters(module)):
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            parameter.fill_(1.0 if role == "weight" else 0.0)
            layer.reset_running_stats()
            continue
        weight = layer.get_parameter("weight")
        law, spread = law_of(tuple(weight.shape), role == "bias")
        if spread:
            parameter.copy_(_drawn(law, spread, seed, number, parameter))
        else:
            parameter.zero_()


def _parameters(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Parameter]]:
    """Return (its layer, its name there, the parameter), in the order of `module.parameters()`."""
    for layer in module.modules():
        for role, parameter in layer.named_parameters(recurse=False):
            yield layer, role, parameter


def _drawn(law: str, spread: float, seed: int, number: int, like: torch.Tensor) -> torch.Tensor:
    """Return the draws for a tensor, of its shape and type, on the CPU."""
    drawn = torch.empty(like.shape, dtype=like.dtype)
    for place, piece in enumerate(torch.split(drawn.view(-1), PIECE)):
        index = torch.arange(place * PIECE, place * PIECE + len(piece), dtype=torch.int64)
        piece.copy_(_draw(law, spread, seed, number, index))
    return drawn


def _draw(law: str, spread: float, seed: int, number: int, index: torch.Tensor) -> torch.Tensor:
    """Return float64 for weights `index` (n,) int64 of tensor `number`."""
    bits: torch.Tensor = u32(seed, Stream.INIT, number, index)
    if law == "uniform":
        unit = ((bits >> 8).double() + 0.5) / 2**24  # (0, 1)
        return (2 * unit - 1) * spread
    normal: torch.Tensor = torch.special.ndtri((bits.double() + 0.5) / 2**32)  # by inversion: one number per weight
    return normal * spread
