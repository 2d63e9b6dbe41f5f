"""Dilution with images from elsewhere (Rolnick et al. 2018, section 3.3 and Figure 6): of another data set, or white
noise.

The training set is n clean pairs and round(alpha·n) foreign images, each with a uniform random label of the n pairs'
classes. A foreign image is of none of these classes, so no such label is right: in a record its true label is UNKNOWN.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lnbench.data.label_files import LabelFiles
from lnbench.errors import DataError
from lnbench.noise.entries import WHITE
from lnbench.noise.law import Noise
from lnbench.randomness import Stream, below, permutation_at, u32

if TYPE_CHECKING:
    from lnbench.data.images import ImageData

UNKNOWN = -1  # the true label of an image of no class
AT_ONCE = 1000  # images whose values are summed at a time
LEVELS = 1 << 16  # values of a random number that a white pixel is drawn by
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class DiluteForeign(Noise):
    """n pairs, and round(alpha·n) images from elsewhere, each with a uniform random label.

    Example e < n shows clean image e, a later one a foreign image, number n + k of the run's images: k = e − n of white
    noise, which is fresh for each example; of another data set a random one of its training images, none twice where it
    has enough of them. Labels and images depend on the seed and on e − n only.

    `other`: the data set that the images are of; `moments`: of white noise, (mean, deviation) of each channel, in
    pixels' values. `on` finds them.
    """

    other: ImageData | None = None
    moments: tuple[tuple[float, float], ...] = ()
    highest: float = 255.0  # a pixel's

    @property
    def source(self) -> str:
        """Return the name of the data set, or `white`."""
        return str(self.options["source"])

    @property
    def beyond(self) -> int:
        """Return how many examples show foreign images."""
        return round(float(self.options["alpha"]) * self.n)

    @property
    def size(self) -> int:
        return self.n + self.beyond

    @property
    def foreign(self) -> int:
        """Return how many foreign images there are to show."""
        return self.beyond if self.other is None else len(self.other.train_labels)

    def on(self, data: ImageData, files: LabelFiles) -> DiluteForeign:
        """Return the noise with its images, for a data set. Raises DataError where the source is not there, or its
        images have another shape or scale."""
        if self.source == WHITE:
            return replace(self, moments=channel_moments(data), highest=float(data.scale))
        other = files.images(self.source)
        if (other.shape, other.scale) != (data.shape, data.scale):
            what = f"the images of {other.name} are {other.shape} with {other.scale:g} for white"
            raise DataError(f"noise: {what}, those of {data.name} {data.shape} with {data.scale:g}; use another source")
        return replace(self, other=other)

    def images(self, example: Any) -> Any:
        late = example >= self.n
        number = (example - self.n) * late
        if self.other is None:
            return example
        have = len(self.other.train_labels)
        if self.beyond <= have:
            shown = permutation_at(self.seed, Stream.NOISE, 2, have, number)
        else:
            shown = below(u32(self.seed, Stream.NOISE, 2, number), have)
        return example + (self.n + shown - example) * late

    def labels(self, example: Any, clean: Any, identity: Any) -> Any:
        late = example >= self.n
        drawn = below(u32(self.seed, Stream.NOISE, 1, (example - self.n) * late), self.classes)
        return clean + (drawn - clean) * late

    def nominal_wrong(self) -> float:
        return self.beyond / self.size

    def facts(self) -> dict[str, Any]:
        """Return for the record where the images are from."""
        if self.other is not None:
            return {"foreign": {"source": self.source, "sha256": self.other.checksum}}
        return {"foreign": {"source": self.source, "moments": [list(each) for each in self.moments]}}

    def quantiles(self) -> Bytes:
        """Return (C, LEVELS) uint8, of white noise: the pixel's value for each random number. N(μ, σ²) of the channel,
        rounded to whole values and clipped to those that a pixel can have."""
        from scipy.special import ndtri

        normal = ndtri((np.arange(LEVELS) + 0.5) / LEVELS)
        values = [np.clip(np.rint(mean + deviation * normal), 0, self.highest) for mean, deviation in self.moments]
        return np.array(values, dtype=np.uint8)


def foreign_images(noise: Any) -> int:
    """Return how many images from elsewhere a kind of noise shows."""
    return int(getattr(noise, "foreign", 0))


def channel_moments(data: ImageData) -> tuple[tuple[float, float], ...]:
    """Return (mean, deviation) of each channel over all training images, in pixels' values: sums of whole numbers, the
    same on every machine."""
    images = data.train_images
    sums = np.zeros((2, images.shape[1]), dtype=np.int64)
    for start in range(0, len(images), AT_ONCE):
        part = images[start : start + AT_ONCE].astype(np.int64)
        sums += part.sum((0, 2, 3)), (part * part).sum((0, 2, 3))
    count = images.size // images.shape[1]
    means, squares = sums / count
    return tuple((float(mean), float(np.sqrt(square - mean**2))) for mean, square in zip(means, squares, strict=True))
