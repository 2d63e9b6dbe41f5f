"""What a network is made of, as numbers: its size and its price are known before torch is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Shape = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with parameters: a convolution, a dense layer, or a batch normalisation (whose inputs = outputs).

    `places`: at how many pixels of its output it is applied; `kernel`: the side of a convolution's window.
    """

    kind: Literal["conv", "dense", "norm"]
    inputs: int
    outputs: int
    places: int = 1
    kernel: int = 1
    bias: bool = True

    @property
    def parameters(self) -> int:
        if self.kind == "norm":
            return 2 * self.outputs  # γ, β; the running mean and variance are no parameters
        return self.outputs * (self.inputs * self.kernel**2 + self.bias)

    @property
    def macs(self) -> int:
        """Return the multiply-accumulates of one forward pass of one example. Normalisations, pooling and sums are not
        counted."""
        return 0 if self.kind == "norm" else self.outputs * self.inputs * self.kernel**2 * self.places


Table = Callable[[str, Shape, int], list[Layer]]  # one family's: (network's name, an image's shape, classes)


def parameters(table: Table, name: str, shape: Shape, classes: int) -> int:
    """Return how many parameters a network has. Raises ValueError where the images are too small for it."""
    return sum(layer.parameters for layer in table(name, shape, classes))


@lru_cache(maxsize=256)
def mmac(table: Table, name: str, shape: Shape, classes: int) -> float:
    """Return the multiply-accumulates, in millions, of one forward pass of one example: asked for each recipe that is
    read. Raises ValueError as `parameters` does."""
    return sum(layer.macs for layer in table(name, shape, classes)) / 1e6
