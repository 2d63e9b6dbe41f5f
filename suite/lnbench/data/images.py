"""A data set as numpy arrays, read by the code that its catalog entry names."""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lnbench import catalog
from lnbench.data.image_folder import FolderData, Report, load_folder
from lnbench.data.readers import Arrays, damaged
from lnbench.data.root import data_root, status
from lnbench.data.sources import FolderSource, Source, find, source_of
from lnbench.errors import DataError


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
        """Return (channels, height, width) of one image."""
        _, channels, height, width = self.train_images.shape
        return channels, height, width

    def describe(self) -> str:
        """Return one line for a log."""
        size = "x".join(map(str, self.shape))
        counts = f"{len(self.train_labels):,} + {len(self.test_labels):,}"
        return f"{self.name}: {counts} images of {size}, {self.classes} classes, sha256 {self.checksum[:12]}"


def load(
    name: str,
    *,
    root: str | os.PathLike[str] | None = None,
    options: Mapping[str, int] | None = None,
    sources: Mapping[str, Source] | None = None,
) -> ImageData:
    """Return the data set `name` of the catalog; `root`: the data root (`data_root(None)` when None). Never downloads.

    The entry's `target` reads it: a function `(source, root) -> (train_images, train_labels, test_images, test_labels)`
    with images (N, C, H, W) uint8 and labels (N,) int64. Files that the source lists are there when it is called; what
    it returns is compared with the source. `options` are its keyword-only arguments; the synthetic sets have `train`
    and `test` counts and `seed`. `sources` in place of the catalog's (name -> Source) lets tests describe other files.

    Raises DataError when the data set is not there or not what it should be, and for a name or option that does not
    exist.
    """
    source, place, entry = find(name, sources), data_root(root), catalog.find("dataset", name)
    if isinstance(source, FolderSource):
        raise DataError(f"{name}: its images are files, and this needs all of them in memory; use a set like cifar10")
    read: Callable[..., Arrays] = entry.load()
    _check_options(source, read, options or {})
    status(place, [name], {name: source})[0].demand()
    try:
        arrays = read(source, place, **(options or {}))
    except (DataError, MemoryError):
        raise
    except Exception as error:  # a reader may fail in any way, and the user needs to hear which one it was
        what = f"{type(error).__name__}: {error}"
        raise DataError(f"{name} cannot be read: {entry.target} fails with {what}") from error
    _check(source, place, arrays, options or {})
    return ImageData(source.name, *arrays, source.classes, source.scale, checksum(arrays))


AnyData = ImageData | FolderData


def load_for(
    dataset: Mapping[str, Any], *, root: str | os.PathLike[str] | None = None, report: Report | None = None
) -> AnyData:
    """Return the data that a recipe's `dataset`, as plain data, names: arrays in memory as `load` gives them, or the
    files of a folder. `report` hears how many files of a folder were looked into, where that is done now. Raises
    DataError."""
    source, place = source_of(dataset), data_root(root)
    if not isinstance(source, FolderSource):
        return load(source.name, root=root)
    status(place, [source.name], {source.name: source})[0].demand()
    return load_folder(source, place, report)


def _check_options(source: Source, read: Callable[..., Arrays], options: Mapping[str, int]) -> None:
    taken = [p.name for p in inspect.signature(read).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if options and not taken:
        raise DataError(f"{source.name} takes no options, but {', '.join(options)} was given")
    if unknown := sorted(set(options) - set(taken)):
        has = " and ".join(filter(None, (", ".join(taken[:-1]), taken[-1])))
        raise DataError(f"{source.name} has no option '{unknown[0]}'; it has {has}")


def checksum(arrays: Arrays) -> str:
    """Return the sha256, in hex, over each array's name, dtype, shape and bytes (C order, little-endian)."""
    digest = hashlib.sha256()
    for name, array in _named(arrays).items():
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(little.data)
    return digest.hexdigest()


def _named(arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    return dict(zip(("train_images", "train_labels", "test_images", "test_labels"), arrays, strict=True))


def _check(source: Source, root: Path, arrays: Arrays, options: Mapping[str, int]) -> None:
    """Raise DataError unless types, shapes and labels are those of the source; where it gives checksums, to the last
    bit."""
    counts = {"train": source.train, "test": source.test, **options}
    for name, array in _named(arrays).items():
        count, images = counts[name.partition("_")[0]], name.endswith("images")
        shape = (count, *source.shape) if images else (count,)
        published = source.arrays.get(name)
        if array.shape != shape:
            raise damaged(source, root, f"its {name} have shape {array.shape}, not {shape}")
        if array.dtype != (np.uint8 if images else np.int64):
            raise damaged(source, root, f"its {name} are {array.dtype}, not {'uint8' if images else 'int64'}")
        if not images and array.size and not (array.min() >= 0 and array.max() < source.classes):
            raise damaged(source, root, f"its {name} do not all lie in 0 … {source.classes - 1}")
        if published and _published_digest(array) != published:
            raise damaged(source, root, f"its {name} are not the published ones")


def _published_digest(array: npt.NDArray[Any]) -> str:
    """Return the sha256 over an array as it is published: uint8, images NHW or NHWC."""
    if array.ndim == 4:
        array = array[:, 0] if array.shape[1] == 1 else array.transpose(0, 2, 3, 1)
    return hashlib.sha256(np.ascontiguousarray(array, dtype=np.uint8).data).hexdigest()
