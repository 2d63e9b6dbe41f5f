"""VGG with batch normalisation (Simonyan & Zisserman 2015, table 1), as torchvision has it.

`vgg16_bn` is the ETH report's network for Fashion-MNIST (its appendix A), on images of 32×32 pixels.

Convolutions 3×3 with bias, each with batch normalisation and ReLU, between maximum poolings; an average pooling to a
fixed size, adaptive as torch's; dense layers with ReLU and dropout, and one with an output per class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lnbench.models.layers import Layer, Shape

if TYPE_CHECKING:
    from torch import nn

Stack = tuple[int | Literal["M"], ...]  # a convolution's channels; M: maximum over 2×2, stride 2

VGG11: Stack = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
VGG16: Stack = (
    64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Vgg:
    """A network: its convolutions and maximum poolings, how many pixels wide and high the average pooling makes it, and
    the widths of the dense layers that follow, each with dropout, but the last."""

    stack: Stack
    side: int
    dense: tuple[int, ...]
    words: str
    dropout: float = 0.5
    initial: str = "kaiming_normal_fan_out_small_dense"


NETWORKS = {
    "vgg16_bn": Vgg(VGG16, 7, (4096, 4096), "VGG-16 with batch normalisation, torchvision's: 2 dense layers of 4096"),
    "vgg11_bn_w512": Vgg(VGG11, 1, (512,), "VGG-11 with batch normalisation, 1 dense layer of 512, for lite tiers"),
    "vgg_small": Vgg((8, 16, "M", 32, "M"), 2, (64,), "3 convolutions (8, 16, pool, 32, pool), 64 dense, for smoke"),
}


def layers(name: str, shape: Shape, classes: int) -> list[Layer]:
    """Return the layers with parameters, in the order in which they are registered. Raises ValueError if no pixel is
    left."""
    net = NETWORKS[name]
    channels, height, width = shape
    found: list[Layer] = []
    for layer in net.stack:
        if layer == "M":
            height, width = height // 2, width // 2
            if not height or not width:
                raise ValueError(f"images of {shape[1]}×{shape[2]} pixels are too small for this network's pooling")
            continue
        found += [Layer("conv", channels, layer, height * width, 3), Layer("norm", layer, layer, height * width)]
        channels = layer
    flat = channels * net.side**2
    for outputs in (*net.dense, classes):
        found.append(Layer("dense", flat, outputs))
        flat = outputs
    return found


def build(name: str, shape: Shape, classes: int) -> nn.Module:
    """Return the network as a torch module; input (B, C, H, W) float32, output logits (B, classes). Weights are not
    drawn."""
    from lnbench.models.torch_vgg import VGG

    layers(name, shape, classes)
    net = NETWORKS[name]
    return VGG(net.stack, net.side, net.dense, net.dropout, shape[0], classes)
