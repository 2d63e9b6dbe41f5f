"""Wrong labels where images are hard: a weak classifier says which images look most like another class, and like which.

A stand-in for the errors of people ("red" noise in the report on SAM and label noise, section 2), for data sets that
nobody labelled twice: it needs no file, and works on any images.
"""

from __future__ import annotations

import weakref
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lnbench.data.label_files import LabelFiles
from lnbench.noise.tables import Labels, Table, TableNoise
from lnbench.randomness import Stream, u32

if TYPE_CHECKING:
    from lnbench.data.images import ImageData

IMAGES_A_CHUNK = 1 << 11


@dataclass(frozen=True)
class HardImages(TableNoise):
    """Exactly floor(rate · N) of all N training images, those of the smallest margin, get the label of the nearest
    other class. (A part of the images has a share of these that varies a little.)

    The classifier: the mean image of each class, in pixel space. An image's margin is its squared distance to the
    nearest mean of another class, less that to its own class's: below 0 where the classifier is wrong. The seed draws
    the images that the means are computed from, half of each class, as one annotator knows other examples than the
    next. So two seeds agree on most wrong labels and not on all. Of equal margins the image that comes first.
    """

    def made(self, data: ImageData, files: LabelFiles) -> Table:
        true = data.train_labels
        margin, other = _of_data(data, self.seed)
        count = int(Fraction(str(self.options["rate"])) * len(true))
        moved = np.argsort(margin, kind="stable")[:count]
        labels = true.copy()
        labels[moved] = other[moved]
        return Table(labels, true, data.classes, "hard_images")


def _of_data(data: ImageData, seed: int) -> tuple[npt.NDArray[np.float64], Labels]:
    """Return the margins of a data set's training images. The last ones are kept: runs that differ in a learning rate,
    and not in their seed, come one after the other, and 50,000 images of CIFAR take seconds."""
    for known, of_seed, found in _last:
        if known() is data and of_seed == seed:
            return found
    found = margins(data.train_images, data.train_labels, data.classes, seed)
    _last.append((weakref.ref(data), seed, found))
    return found


_last: deque[tuple[weakref.ref[ImageData], int, tuple[npt.NDArray[np.float64], Labels]]] = deque(maxlen=8)


def margins(
    images: npt.NDArray[np.uint8], true: Labels, classes: int, seed: int
) -> tuple[npt.NDArray[np.float64], Labels]:
    """Return (margin (N,) float64, nearest other class (N,) int64) of images (N, C, H, W) of the classes `true`.

    The same bits on every machine: products and sums are of whole numbers below 2^53, which float64 holds exactly in
    any order, so that only the two divisions by a class's count round.
    """
    count = len(true)
    pixels = images.reshape(count, -1)
    sums, of_class = class_sums(pixels, true, classes, seed)
    squares = (sums**2).sum(axis=1)  # (m,) int64
    n = np.where(of_class > 0, of_class, 1).astype(np.float64)
    margin, other = np.empty(count), np.empty(count, dtype=np.int64)
    for start in range(0, count, IMAGES_A_CHUNK):
        part = slice(start, start + IMAGES_A_CHUNK)
        products = pixels[part].astype(np.float64) @ sums.T.astype(np.float64)  # (B, m)
        distance = (squares / n - 2.0 * products) / n  # squared distance, less the image's own square
        distance[:, of_class == 0] = np.inf
        rows, own = np.arange(len(distance)), true[part]
        mine = distance[rows, own]
        distance[rows, own] = np.inf
        other[part] = distance.argmin(axis=1)
        margin[part] = distance[rows, other[part]] - mine
    return margin, other


def class_sums(
    pixels: npt.NDArray[np.uint8], true: Labels, classes: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (sums (m, P), counts (m,)), int64, over half of the images of each class, rounded up: those whose hash is
    smallest. `pixels` (N, P)."""
    hashes = u32(seed, Stream.NOISE, 0, np.arange(len(true), dtype=np.int64))
    sums = np.zeros((classes, pixels.shape[1]), dtype=np.int64)
    counts = np.zeros(classes, dtype=np.int64)
    for label in range(classes):
        own = np.flatnonzero(true == label)
        chosen = own[np.argsort(hashes[own], kind="stable")[: (len(own) + 1) // 2]]
        sums[label] = pixels[chosen].sum(axis=0, dtype=np.int64)
        counts[label] = len(chosen)
    return sums, counts
