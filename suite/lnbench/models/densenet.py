"""DenseNet-BC for small images (Huang et al. 2017, table 1 and section 4.2), as the authors of the AUL paper have it.

Growth 12, bottlenecks of 48 channels, three blocks, and transitions that halve both channels and resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lnbench.models.layers import Layer, Shape

if TYPE_CHECKING:
    from torch import nn

GROWTH = 12
BOTTLENECK = 4 * GROWTH
FIRST = 2 * GROWTH
BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Dense:
    """`layers` of two convolutions in each of the three blocks."""

    layers: int
    words: str
    initial: str = "kaiming_normal_fan_out_zero_bias"


NETWORKS = {
    f"densenet_bc{depth}": Dense((depth - 4) // 6, f"DenseNet-BC-{depth}, growth {GROWTH}{use}")
    for depth, use in ((10, ", for smoke tests"), (40, ""), (100, ""))
}


def layers(name: str, shape: Shape, classes: int) -> list[Layer]:
    """Return the layers with parameters, in the order in which they are registered. Raises ValueError if no pixel is
    left."""
    channels, height, width = shape
    found = [Layer("conv", channels, FIRST, height * width, 3, bias=False)]
    channels = FIRST
    for block in range(BLOCKS):
        for _ in range(NETWORKS[name].layers):
            found += _norm_conv(channels, BOTTLENECK, height * width, 1)
            found += _norm_conv(BOTTLENECK, GROWTH, height * width, 3)
            channels += GROWTH
        if block < BLOCKS - 1:
            found += _norm_conv(channels, channels // 2, height * width, 1)
            channels //= 2
            height, width = height // 2, width // 2
            if not height or not width:
                raise ValueError(f"images of {shape[1]}×{shape[2]} pixels are too small for this network's pooling")
    return [*found, Layer("norm", channels, channels, height * width), Layer("dense", channels, classes)]


def _norm_conv(inputs: int, outputs: int, places: int, kernel: int) -> list[Layer]:
    return [Layer("norm", inputs, inputs, places), Layer("conv", inputs, outputs, places, kernel, bias=False)]


def build(name: str, shape: Shape, classes: int) -> nn.Module:
    """Return the network as a torch module; input (B, C, H, W) float32, output logits (B, classes). Weights are not
    drawn."""
    from lnbench.models.torch_densenet import DenseNet

    layers(name, shape, classes)
    return DenseNet((NETWORKS[name].layers,) * BLOCKS, GROWTH, BOTTLENECK, shape[0], classes)
