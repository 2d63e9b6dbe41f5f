"""Label noise as pure functions of an example's number: nothing is stored, whatever the amount of noise.

A noisy training set is a range of *examples* 0 … size-1. `images(example)` says which of the n images an example
shows, `labels(example)` which label it carries. Both work on numpy int64 arrays and on torch int64 tensors alike, so
a batch's labels are made on the device that trains, and the same seed gives the same labels anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from lnbench.noise.law import Noise, random_label, share_wrong
from lnbench.randomness import Stream, u32


@dataclass(frozen=True, slots=True)
class NoNoise(Noise):
    """n examples, each with its own label."""

    def labels(self, example: Any, clean: Any, identity: Any) -> Any:
        return clean

    def nominal_wrong(self) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class Dilution(Noise):
    """Dilution (Rolnick et al. 2018, §3.1): every pair once, and round(alpha·n) more. Example e shows image e mod n."""

    @property
    def size(self) -> int:
        return self.n + round(float(self.options["alpha"]) * self.n)

    def images(self, example: Any) -> Any:
        return example % self.n


@dataclass(frozen=True, slots=True)
class DiluteUniform(Dilution):
    """Dilution with uniform random labels.

    Copy 0 (e < n) carries the true label; copy c > 0 a label that depends on the seed, on c and on the image's number
    in the whole data set only, so that a subset's labels are those of the full set. With `include_true_class` the label
    is uniform on all m classes, so alpha/m of the copies are right by luck and 1 + alpha/m labels per image are right
    on average; without, uniform on the m - 1 wrong ones.
    """

    def labels(self, example: Any, clean: Any, identity: Any) -> Any:
        """Return labels (B,) int64 of examples (B,); `clean` (B,) are the true ones, `identity` (B,) the images'
        numbers in the whole data set."""
        copy = example // self.n
        bits = u32(self.seed, Stream.NOISE, copy, identity)
        drawn = random_label(bits, clean, self.classes, self.options["include_true_class"])
        return clean + (drawn - clean) * (copy > 0)

    def nominal_wrong(self) -> float:
        return share_wrong(self.classes, self.options["include_true_class"]) * (self.size - self.n) / self.size


@dataclass(frozen=True, slots=True)
class ReplaceUniform(Noise):
    """Replacement: each of n labels is, with probability `rate`, replaced by a uniform draw (true class included or
    not)."""

    def labels(self, example: Any, clean: Any, identity: Any) -> Any:
        replaced = u32(self.seed, Stream.NOISE, 0, identity) < self.threshold
        bits = u32(self.seed, Stream.NOISE, 1, identity)
        drawn = random_label(bits, clean, self.classes, self.options["include_true_class"])
        return clean + (drawn - clean) * replaced

    @property
    def threshold(self) -> int:
        """Return the hash below which an image's label is replaced."""
        return round(float(self.options["rate"]) * 2**32)

    def nominal_wrong(self) -> float:
        return float(self.options["rate"]) * share_wrong(self.classes, self.options["include_true_class"])


@dataclass(frozen=True)
class ReplaceCount(ReplaceUniform):
    """Replacement of an exact number: of all N images of the data set, before it is split, floor(rate·N) get a label
    that is a uniform draw (true class included or not). So a part of the images has a share of these that varies a
    little, as in the code of the ETH report on batch sizes (its section 4).

    Replaced are the images whose hash is among the floor(rate·N) smallest; no two images of a seed have the same. N is
    what `of_all` was told, or else n.
    """

    whole: int = 0

    def of_all(self, images: int) -> ReplaceCount:
        return replace(self, whole=images)

    @property
    def replaced(self) -> int:
        """Return how many labels of the whole data set are replaced."""
        return int(Fraction(str(self.options["rate"])) * (self.whole or self.n))

    @cached_property
    def _first_kept(self) -> int:
        """Return the smallest hash of an image that keeps its label; 2^32 where none does."""
        hashes = u32(self.seed, Stream.NOISE, 0, np.arange(self.whole or self.n, dtype=np.int64))
        return int(np.sort(hashes)[self.replaced]) if self.replaced < len(hashes) else 1 << 32

    @property
    def threshold(self) -> int:
        return self._first_kept

    def facts(self) -> dict[str, Any]:
        """Return for the record how many labels were replaced, and of how many images."""
        return {"replaced_of_all": self.replaced, "all_images": self.whole or self.n}


@dataclass(frozen=True, slots=True)
class DiluteNovel(Noise):
    """Dilution with images of their own (Rolnick et al. 2018, Figure 7): n pairs, and round(alpha·n) other images of
    the same data set, each shown once, with a uniform random label.

    Example e shows image e of the n clean images and the `novel` ones behind them. The label depends on the seed and
    on the image's number in the whole data set only. Without `include_true_class` it is never the image's own class.
    """

    @property
    def novel(self) -> int:
        """Return the number of images beyond the clean ones that this noise shows."""
        return round(float(self.options["alpha"]) * self.n)

    @property
    def size(self) -> int:
        return self.n + self.novel

    def labels(self, example: Any, clean: Any, identity: Any) -> Any:
        bits = u32(self.seed, Stream.NOISE, 1, identity)
        drawn = random_label(bits, clean, self.classes, self.options["include_true_class"])
        return clean + (drawn - clean) * (example >= self.n)

    def nominal_wrong(self) -> float:
        return share_wrong(self.classes, self.options["include_true_class"]) * self.novel / self.size


@dataclass(frozen=True, slots=True)
class PairFlip(Noise):
    """Pair noise: each of n labels y is, with probability `rate`, (y + 1) mod m."""

    def labels(self, example: Any, clean: Any, identity: Any) -> Any:
        flipped = u32(self.seed, Stream.NOISE, 0, identity) < round(self.options["rate"] * 2**32)
        return (clean + flipped * 1) % self.classes

    def nominal_wrong(self) -> float:
        return float(self.options["rate"])


@dataclass(frozen=True, slots=True)
class ResampleUniform(Noise):
    """Label noise as label-noise SGD has it: each time an example is visited, once an epoch, its label is with
    probability `rate` a uniform random one, with a new draw each time (true class included or not).

    A label is a function of the seed, the epoch and the image's number in the whole data set; `at` is the noise of
    another epoch. The first epoch's labels are those of `ReplaceUniform`.
    """

    epoch: int = 0

    def at(self, epoch: int) -> ResampleUniform:
        return replace(self, epoch=epoch)

    def labels(self, example: Any, clean: Any, identity: Any) -> Any:
        redrawn = u32(self.seed, Stream.NOISE, 2 * self.epoch, identity) < round(self.options["rate"] * 2**32)
        bits = u32(self.seed, Stream.NOISE, 2 * self.epoch + 1, identity)
        drawn = random_label(bits, clean, self.classes, self.options["include_true_class"])
        return clean + (drawn - clean) * redrawn

    def nominal_wrong(self) -> float:
        return float(self.options["rate"]) * share_wrong(self.classes, self.options["include_true_class"])

    def facts(self) -> dict[str, Any]:
        """Return a note for the record, whose other facts about labels describe the first epoch."""
        return {"labels_redrawn": "every epoch"}
