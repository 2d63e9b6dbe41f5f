"""Residual networks for small images (He et al. 2016, section 4.2), in the three forms of the papers' code.

The forms differ where a block halves the image and doubles the channels, which the block's input must follow:
`subsample` takes every second pixel and puts as many zero channels before as behind (option A; the SAM report),
`average` pools 2×2 and puts the zero channels behind (the AUL paper), `projection` is a convolution 1×1 of stride 2
with batch normalisation (option B; the ETH report). Only the last has parameters. `resnet101` is Rolnick et al.'s
"ResNet with 101 layers", which they do not describe further: torchvision's bottlenecks, the stride in the 3×3
convolution, behind a first convolution 3×3 of stride 1 without pooling, as is usual for small images.

`resnet18_imagenet` is torchvision's ResNet-18, for photographs: a first convolution 7×7 of stride 2 and a maximum over
3×3 of stride 2 quarter the image before the first block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lnbench.models.layers import Layer, Shape

if TYPE_CHECKING:
    from torch import nn

    from lnbench.models.torch_resnet import Shortcut


LARGE = 7  # side of the first convolution's window, for large images
EXPANSION = 4  # of the channels, at the end of a bottleneck


@dataclass(frozen=True, slots=True)
class Residual:
    """A convolution to `width` channels, then stages of `blocks` blocks of two, each stage but the first at half the
    resolution and twice the channels of the one before."""

    blocks: tuple[int, ...]
    width: int
    shortcut: Shortcut
    words: str
    large: bool = False  # for large images: 7×7 of stride 2 and pooling before the first block
    bottleneck: bool = False  # blocks of three convolutions, 1×1, 3×3 and 1×1, the last to four times the channels

    @property
    def initial(self) -> str:
        """Return how the first weights are drawn in the code that has these shortcuts; of bottlenecks, for which there
        is no code, as in the paper's other networks."""
        if self.bottleneck:
            return "glorot_uniform"
        if self.large:
            return "kaiming_normal_fan_out"
        return {
            "subsample": "kaiming_normal",
            "average": "kaiming_normal_fan_out",
            "projection": "torch_default",
        }[self.shortcut]


def _networks() -> dict[str, Residual]:
    found = {"resnet8_w8": Residual((1,) * 3, 8, "subsample", "CIFAR ResNet-8 of 8, 16, 32 channels, for smoke tests")}
    for depth in (20, 32, 44, 56, 110):
        blocks, words = ((depth - 2) // 6,) * 3, f"CIFAR ResNet-{depth}"
        found[f"resnet{depth}"] = Residual(blocks, 16, "subsample", f"{words}, option A shortcuts")
        found[f"resnet{depth}_aum"] = Residual(blocks, 16, "average", f"{words}, shortcuts by average pooling")
    words = "CIFAR ResNet-8, shortcuts by average pooling, for cpu tiers"
    found["resnet8_aum"] = Residual((1,) * 3, 16, "average", words)
    words = "ResNet-18 for 32×32 images, option B shortcuts"
    found["resnet18"] = Residual((2,) * 4, 64, "projection", words)
    found["resnet18_w16"] = Residual((2,) * 4, 16, "projection", f"{words}, 16 to 128 channels in place of 64 to 512")
    words = "ResNet-101 of bottlenecks for 32×32 images, option B shortcuts"
    found["resnet101"] = Residual((3, 4, 23, 3), 64, "projection", words, bottleneck=True)
    words = "ResNet-18 for ImageNet, as torchvision has it"
    found["resnet18_imagenet"] = Residual((2,) * 4, 64, "projection", words, large=True)
    return found


NETWORKS = _networks()


def layers(name: str, shape: Shape, classes: int) -> list[Layer]:
    """Return the layers with parameters, in the order in which they are registered. Raises ValueError if no pixel is
    left, or if `average` meets an odd size, which convolution and pooling would round differently."""
    net = NETWORKS[name]
    channels, height, width = shape
    if net.large:
        height, width = -(-height // 2), -(-width // 2)
    found = [*_conv(channels, net.width, height * width, kernel=LARGE if net.large else 3)]
    if net.large:
        height, width = -(-height // 2), -(-width // 2)
    channels = net.width
    for stage, blocks in enumerate(net.blocks):
        outputs = net.width << stage
        for block in range(blocks):
            halve, before = bool(stage) and not block, height * width
            if halve:
                if net.shortcut == "average" and (height % 2 or width % 2):
                    what = f"images of {shape[1]}×{shape[2]} pixels cannot be halved {len(net.blocks) - 1} times"
                    raise ValueError(f"{what}, as this network's shortcuts do")
                height, width = -(-height // 2), -(-width // 2)
            if net.bottleneck:
                found += _conv(channels, outputs, before, kernel=1)
                found += _conv(outputs, outputs, height * width)
                found += _conv(outputs, EXPANSION * outputs, height * width, kernel=1)
            else:
                found += [*_conv(channels, outputs, height * width), *_conv(outputs, outputs, height * width)]
            ends = EXPANSION * outputs if net.bottleneck else outputs
            if net.shortcut == "projection" and channels != ends:
                found += _conv(channels, ends, height * width, kernel=1)
            channels = ends
    return [*found, Layer("dense", channels, classes)]


def _conv(inputs: int, outputs: int, places: int, kernel: int = 3) -> list[Layer]:
    return [Layer("conv", inputs, outputs, places, kernel, bias=False), Layer("norm", outputs, outputs, places)]


def build(name: str, shape: Shape, classes: int) -> nn.Module:
    """Return the network as a torch module; input (B, C, H, W) float32, output logits (B, classes). Weights are not
    drawn."""
    from lnbench.models.torch_resnet import ResNet

    layers(name, shape, classes)
    net = NETWORKS[name]
    return ResNet(net.blocks, net.width, net.shortcut, shape[0], classes, net.bottleneck, net.large)
