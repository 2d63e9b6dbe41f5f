"""The data set: a bright line on a noisy ground, level, upright or along one of the two diagonals."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lnbench.data import Source
from lnbench.data.readers import Arrays


def read(source: Source, root: Path) -> Arrays:
    """Make the images: no file is read. A source with `archives` finds their files in the data root `root`."""
    return *_split(source, source.train, seed=0), *_split(source, source.test, seed=1)


def _split(source: Source, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images (count, 1, 8, 8) uint8 and labels (count,) int64."""
    numbers = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % source.classes
    images = numbers.integers(0, 160, (count, *source.shape), dtype=np.uint8)
    row, column = np.indices(source.shape[1:])
    for image, label, place in zip(images, labels, numbers.integers(0, 8, count), strict=True):
        along = (row, column, row + column, row - column)[label]
        image[0][along % 8 == place] = 255
    return images, labels
