"""A data set as numpy arrays.

torchvision and scikit-learn are imported inside the loaders that need them: judging stored records needs
neither.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..randomness import u32
from . import synthetic
from .root import data_root, status
from .sources import SOURCES, Source, find
from .unpack import unpack

Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int64]]

DIGITS_TEST = 497  # of scikit-learn's 1,797
DIGITS_SEED = 99  # the first whose test set has 45 to 53 images of each class
DIGITS_STREAM = 100  # of the hash, apart from the streams of training and of the synthetic images


@dataclass(frozen=True)
class ImageData:
    """A data set in memory. Images are (N, C, H, W) uint8, labels (N,) int64 in 0 … classes-1.

    `scale` is the pixel value that means 1.0. `checksum` is the sha256, hex, over names, shapes and bytes of
    the four arrays: it goes into every record, so that results on different data are never taken for one
    another.
    """

    name: str
    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int64]
    classes: int
    scale: float
    checksum: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        _, channels, height, width = self.train_images.shape
        return channels, height, width

    def describe(self) -> str:
        """One line for a log."""
        size = "x".join(map(str, self.shape))
        counts = f"{len(self.train_labels):,} + {len(self.test_labels):,}"
        return f"{self.name}: {counts} images of {size}, {self.classes} classes, sha256 {self.checksum[:12]}"


def load(
    name: str,
    *,
    root: str | os.PathLike[str] | None = None,
    options: Mapping[str, int] | None = None,
    sources: Mapping[str, Source] = SOURCES,
) -> ImageData:
    """The data set `name`; `root` is the data root (`data_root(None)` when None). Never downloads.

    `options` are for the synthetic sets: `train` and `test` counts and `seed`. Raises DataError when the data
    set is not there or not what it should be, and for a name or option that does not exist.
    """
    source = find(name, sources)
    if name.startswith("synthetic_"):
        arrays = _synthetic(source, options or {})
    elif options:
        raise DataError(f"{name} takes no options, but {', '.join(options)} was given")
    elif name == "digits":
        arrays = _digits()
    else:
        arrays = _torchvision(source, data_root(root))
    return _bundle(source, arrays)


def _bundle(source: Source, arrays: Arrays) -> ImageData:
    return ImageData(source.name, *arrays, source.classes, source.scale, checksum(arrays))


def checksum(arrays: Arrays) -> str:
    """sha256, hex, over each array's name, dtype, shape and bytes (C order, little-endian)."""
    digest = hashlib.sha256()
    for name, array in _named(arrays).items():
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(little.data)
    return digest.hexdigest()


def _named(arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    return dict(zip(("train_images", "train_labels", "test_images", "test_labels"), arrays, strict=True))


def _synthetic(source: Source, options: Mapping[str, int]) -> Arrays:
    if unknown := sorted(set(options) - {"train", "test", "seed"}):
        raise DataError(f"{source.name} has no option '{unknown[0]}'; it has train, test and seed")
    try:
        return synthetic.make(source.shape, **{"train": source.train, "test": source.test, **options})
    except ValueError as error:
        raise DataError(f"{source.name}: {error}") from error


def _digits() -> Arrays:
    """scikit-learn's 1,797 real 8x8 digits, 1,300 for training and 497 for testing, values 0 … 16.

    The split is one for ever: images are ordered by a hash of their index, and the last 497 are the test set.
    Both parts keep scikit-learn's order.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[:, None]  # (1797, 1, 8, 8)
    labels = bunch.target.astype(np.int64)
    keys = u32(DIGITS_SEED, DIGITS_STREAM, 0, np.arange(len(labels), dtype=np.int64))
    order = np.argsort(keys, kind="stable")
    train, test = np.sort(order[:-DIGITS_TEST]), np.sort(order[-DIGITS_TEST:])
    return images[train], labels[train], images[test], labels[test]


def _torchvision(source: Source, root: Path) -> Arrays:
    status(root, [source.name], {source.name: source})[0].demand()
    reader = _reader(source)
    with _unpacked(source, root) as folder:
        try:
            train, test = (reader(str(folder), train=part, download=False) for part in (True, False))
        except Exception as error:  # torchvision reads with asserts, views and pickles: whatever it is, it
            # is about the files, and the user needs to hear which data set and what to do
            raise _wrong(source, root, str(error) or "its files do not have the form they should") from error
    arrays = *_arrays(train), *_arrays(test)
    _verify(source, root, arrays)
    return arrays


def _reader(source: Source) -> Callable[..., Any]:
    try:
        from torchvision import datasets
    except ImportError as error:
        raise DataError(f"reading {source.name} needs torchvision, which is not there ({error})") from error
    reader: Callable[..., Any] = getattr(datasets, source.torchvision)
    return reader


def _unpacked(source: Source, root: Path) -> AbstractContextManager[str | Path]:
    """A folder with the unpacked files: `root`, or a temporary one where `root` is read-only and has .gz."""
    packed = [a for a in source.archives if not a.is_tar and not (root / a.members[0].path).is_file()]
    try:
        for archive in packed:
            unpack(archive, root / archive.path, root)
    except OSError:
        return _unpacked_elsewhere(source, root)
    return nullcontext(root)


def _unpacked_elsewhere(source: Source, root: Path) -> AbstractContextManager[str]:
    try:
        scratch = tempfile.TemporaryDirectory(prefix="lnbench-")
        for archive in source.archives:
            file, packed = archive.members[0].path, root / archive.path
            if (root / file).is_file():
                link = Path(scratch.name, file)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to((root / file).resolve())
            else:
                unpack(archive, packed, Path(scratch.name))
    except OSError as error:
        what = f"neither in {root} nor in a temporary folder ({error.strerror or error})"
        raise DataError(f"{source.name} cannot be unpacked, {what}; gunzip its files yourself") from error
    return scratch  # removes itself, here at `with` and after an error when it is collected


def _arrays(split: Any) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """A torchvision data set's images as (N, C, H, W) uint8 and its labels as (N,) int64."""
    images = np.asarray(split.data)  # (N, H, W) or (N, H, W, C)
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(images), np.asarray(split.targets, dtype=np.int64)


def _verify(source: Source, root: Path, arrays: Arrays) -> None:
    """Raises DataError unless shapes, pixels and labels are the published ones, to the last bit."""
    for name, array in _named(arrays).items():
        count = source.train if name.startswith("train") else source.test
        shape = (count, *source.shape) if name.endswith("images") else (count,)
        if array.shape != shape:
            raise _wrong(source, root, f"its {name} have shape {array.shape}, not {shape}")
        published = source.arrays.get(name)
        if published and _published_digest(array) != published:
            raise _wrong(source, root, f"its {name} are not the published ones")


def _published_digest(array: npt.NDArray[Any]) -> str:
    """sha256 over an array as it is published: uint8, images NHW or NHWC."""
    if array.ndim == 4:
        array = array[:, 0] if array.shape[1] == 1 else array.transpose(0, 2, 3, 1)
    return hashlib.sha256(np.ascontiguousarray(array, dtype=np.uint8).data).hexdigest()


def _wrong(source: Source, root: Path, what: str) -> DataError:
    return DataError(
        f"{source.name} in {root} is damaged: {what}; see `lnbench data check {source.name}`, "
        f"mend it with `lnbench data fetch {source.name}`"
    )
