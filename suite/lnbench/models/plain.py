"""Perceptrons and ConvNets that are one plain stack of layers, as data; `build` makes the torch module of it.

The networks of Rolnick et al. 2018, who give their numbers of layers only. The shapes are those of the Keras examples
that their settings (AdaDelta, batch 128) come from; "4 layers" counts the convolutions (docs/decisions.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True, slots=True)
class Conv:
    """A 3×3 convolution with padding 1 and bias, followed by ReLU."""

    channels: int


@dataclass(frozen=True, slots=True)
class Pool:
    """Maximum over 2×2, stride 2 (an odd last row or column is dropped)."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A fully connected layer with bias, followed by ReLU."""

    width: int


Layer = Conv | Pool | Dense
Stack = tuple[Layer, ...]

STACKS: dict[str, Stack] = {
    "perceptron": (),
    "mlp1": (Dense(512),),
    "mlp2": (Dense(512), Dense(512)),
    "mlp4": (Dense(512),) * 4,
    "convnet4": (Conv(32), Conv(32), Pool(), Conv(64), Conv(64), Pool(), Dense(512)),
}


@dataclass(frozen=True, slots=True)
class Weights:
    """One layer with parameters: its kind, inputs and outputs, and at how many places it is applied."""

    kind: Literal["conv", "dense"]
    inputs: int
    outputs: int
    places: int

    @property
    def parameters(self) -> int:
        return self.outputs * (self.inputs * (9 if self.kind == "conv" else 1) + 1)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one forward pass of one example."""
        return self.outputs * self.inputs * (9 if self.kind == "conv" else 1) * self.places


def weights(stack: Stack, shape: Shape, classes: int) -> list[Weights]:
    """The layers with parameters, first to last, the output layer included. Raises ValueError if the image is gone."""
    channels, height, width = shape
    found: list[Weights] = []
    flat = 0
    for layer in (*stack, Dense(classes)):
        if isinstance(layer, Conv):
            found.append(Weights("conv", channels, layer.channels, height * width))
            channels = layer.channels
        elif isinstance(layer, Pool):
            height, width = height // 2, width // 2
            if not height or not width:
                raise ValueError(f"images of {shape[1]}×{shape[2]} pixels are too small for this network's pooling")
        else:
            found.append(Weights("dense", flat or channels * height * width, layer.width, 1))
            flat = layer.width
    return found


def parameters(name: str, shape: Shape, classes: int) -> int:
    """How many parameters the network has."""
    return sum(layer.parameters for layer in weights(STACKS[name], shape, classes))


def mmac(name: str, shape: Shape, classes: int) -> float:
    """Millions of multiply-accumulates of one forward pass of one example."""
    return sum(layer.macs for layer in weights(STACKS[name], shape, classes)) / 1e6


def build(name: str, shape: Shape, classes: int) -> nn.Module:
    """The network as a torch module; input (B, C, H, W) float32, output logits (B, classes). Weights are not drawn."""
    from torch import nn

    modules: list[nn.Module] = []
    sizes = iter(weights(STACKS[name], shape, classes))
    flat = False
    pending: list[nn.Module] = []  # a ReLU waits behind a pooling: max(relu(x)) = relu(max(x)), a quarter of the work
    for layer in (*STACKS[name], None):
        if isinstance(layer, Pool):
            modules += [nn.MaxPool2d(2), *pending]
            pending = []
            continue
        modules += pending
        size = next(sizes)
        if isinstance(layer, Conv):
            modules.append(nn.Conv2d(size.inputs, size.outputs, 3, padding=1))
        else:
            modules += [] if flat else [nn.Flatten()]
            modules.append(nn.Linear(size.inputs, size.outputs))
            flat = True
        pending = [nn.ReLU()]
    return nn.Sequential(*modules)
