"""The noise: a label is the mirror class's, at a rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lnbench.noise.law import Noise
from lnbench.randomness import Stream, u32


@dataclass(frozen=True, slots=True)
class Mirror(Noise):
    """Each of n labels y is, with probability `rate`, m - 1 - y, for an even number m of classes.

    A label is a function of the seed and of the image's number in the whole data set: nothing is stored, and numpy
    arrays and torch tensors give the same.
    """

    def labels(self, example: Any, clean: Any, identity: Any) -> Any:
        """Return labels (B,) int64 of examples (B,); `clean` (B,) are the true ones, `identity` (B,) the images'."""
        mirrored = u32(self.seed, Stream.NOISE, 0, identity) < round(self.options["rate"] * 2**32)
        return clean + (self.classes - 1 - 2 * clean) * mirrored

    def nominal_wrong(self) -> float:
        """Return the expected share of wrong labels."""
        return float(self.options["rate"])
