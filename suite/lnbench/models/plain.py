"""Perceptrons and ConvNets that are one plain stack of layers, as data; `build` makes the torch module of it.

The networks of Rolnick et al. 2018, who give their numbers of layers only: the shapes are those of the Keras examples
that their settings (AdaDelta, batch 128) come from, and "4 layers" counts the convolutions (docs/decisions.md). And
LeNet (20-50-FC500) as the authors of the AUL paper have it in their later code. `lenet5` (6-16-FC120-84) is the small
network of the report on SAM and label noise (section 6), as its code has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lnbench.models.layers import Layer, Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution with bias, followed by ReLU; padded with zeros to the size of its input (`same`), or not at all."""

    channels: int
    kernel: int = 3
    same: bool = True


@dataclass(frozen=True, slots=True)
class Pool:
    """Maximum over 2×2, stride 2 (an odd last row or column is dropped)."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A fully connected layer with bias, followed by ReLU."""

    width: int


@dataclass(frozen=True, slots=True)
class Plain:
    """A network: its layers but the last, which is dense with one output per class; and how its first weights are
    drawn."""

    stack: tuple[Conv | Pool | Dense, ...]
    words: str
    initial: str = "glorot_uniform"


_FOUR = (Conv(32), Conv(32), Pool(), Conv(64), Conv(64), Pool())

NETWORKS: dict[str, Plain] = {
    "perceptron": Plain((), "one layer, softmax"),
    "mlp1_w32": Plain((Dense(32),), "1 hidden layer of 32, ReLU"),
    "mlp1": Plain((Dense(512),), "1 hidden layer of 512, ReLU"),
    "mlp2": Plain((Dense(512),) * 2, "2 hidden layers of 512, ReLU"),
    "mlp4": Plain((Dense(512),) * 4, "4 hidden layers of 512, ReLU"),
    "convnet2": Plain(
        (Conv(32, same=False), Conv(64, same=False), Pool(), Dense(128)),
        "2 convolutions without padding (32, 64, pool), 128 dense",
    ),
    "convnet4": Plain((*_FOUR, Dense(512)), "4 convolutions (32, 32, pool, 64, 64, pool), 512 dense"),
    "convnet6": Plain(
        (*_FOUR, Conv(128), Conv(128), Pool(), Dense(512)),
        "6 convolutions (32, 32, pool, 64, 64, pool, 128, 128, pool), 512 dense",
    ),
    "lenet": Plain(
        (Conv(20, 5, same=False), Pool(), Conv(50, 5, same=False), Pool(), Dense(500)),
        "2 convolutions 5×5 without padding (20, pool, 50, pool), 500 dense",
        initial="torch_default",
    ),
    "lenet5": Plain(
        (Conv(6, 5, same=False), Pool(), Conv(16, 5, same=False), Pool(), Dense(120), Dense(84)),
        "2 convolutions 5×5 without padding (6, pool, 16, pool), 120 and 84 dense",
        initial="torch_default",
    ),
}


def layers(name: str, shape: Shape, classes: int) -> list[Layer]:
    """Return the layers with parameters, first to last, the output layer included. Raises ValueError if no pixel is
    left."""
    channels, height, width = shape
    found: list[Layer] = []
    flat = 0
    for layer in (*NETWORKS[name].stack, Dense(classes)):
        if isinstance(layer, Dense):
            found.append(Layer("dense", flat or channels * height * width, layer.width))
            flat = layer.width
            continue
        if isinstance(layer, Conv):
            lost = 0 if layer.same else layer.kernel - 1
            height, width = max(0, height - lost), max(0, width - lost)
            found.append(Layer("conv", channels, layer.channels, height * width, layer.kernel))
            channels = layer.channels
        else:
            height, width = height // 2, width // 2
        if not height or not width:
            what = "pooling" if isinstance(layer, Pool) else "convolutions"
            raise ValueError(f"images of {shape[1]}×{shape[2]} pixels are too small for this network's {what}")
    return found


def build(name: str, shape: Shape, classes: int) -> nn.Module:
    """Return the network as a torch module; input (B, C, H, W) float32, output logits (B, classes). Weights are not
    drawn."""
    from torch import nn

    modules: list[nn.Module] = []
    sizes = iter(layers(name, shape, classes))
    flat = False
    pending: list[nn.Module] = []  # a ReLU waits behind a pooling: max(relu(x)) = relu(max(x)), a quarter of the work
    for layer in (*NETWORKS[name].stack, None):
        if isinstance(layer, Pool):
            modules += [nn.MaxPool2d(2), *pending]
            pending = []
            continue
        modules += pending
        size = next(sizes)
        if isinstance(layer, Conv):
            padding = layer.kernel // 2 if layer.same else 0
            modules.append(nn.Conv2d(size.inputs, size.outputs, layer.kernel, padding=padding))
        else:
            modules += [] if flat else [nn.Flatten()]
            modules.append(nn.Linear(size.inputs, size.outputs))
            flat = True
        pending = [nn.ReLU()]
    return nn.Sequential(*modules)
