"""The code that reads lnbench's own data sets: the targets of their catalog entries.

A plug-in's reader has the same form, `(source, root) -> Arrays`; `lnbench.data.images.load` has checked before that the
source's files are there, and compares afterwards what came with what the source says. torchvision and scikit-learn are
imported inside the readers that need them: judging stored records needs neither.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lnbench.data.root import check
from lnbench.data.sources import Source
from lnbench.data.synthetic import make
from lnbench.data.unpack import unpack
from lnbench.errors import DataError
from lnbench.randomness import u32

# train_images, train_labels, test_images, test_labels: images (N, C, H, W), labels (N,)
Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int64]]

DIGITS_TEST = 497  # of scikit-learn's 1,797
DIGITS_SEED = 99  # the first whose test set has 45 to 53 images of each class
DIGITS_STREAM = 100  # of the hash, apart from the streams of training and of the synthetic images


def synthetic(
    source: Source, root: Path, *, train: int | None = None, test: int | None = None, seed: int = 0
) -> Arrays:
    """Make seeded images of the source's shape; as many as the source says, unless `train` or `test` count them."""
    counts = {"train": source.train if train is None else train, "test": source.test if test is None else test}
    try:
        return make(source.shape, **counts, seed=seed)
    except ValueError as error:
        raise DataError(f"{source.name}: {error}") from error


def synthetic_other(source: Source, root: Path, *, train: int | None = None, test: int | None = None) -> Arrays:
    """Make seeded images like `synthetic`, with values 0 … 15: for label noise from elsewhere, beside the digits."""
    train_images, train_labels, test_images, test_labels = synthetic(source, root, train=train, test=test, seed=1)
    return train_images // 16, train_labels, test_images // 16, test_labels


def digits(source: Source, root: Path) -> Arrays:
    """Return scikit-learn's 1,797 real 8x8 digits, 1,300 for training and 497 for testing, values 0 … 16.

    The split never changes: images are ordered by a hash of their index, and the last 497 are the test set. Both parts
    keep scikit-learn's order.
    """
    pixels, labels = _digits()
    keys = u32(DIGITS_SEED, DIGITS_STREAM, 0, np.arange(len(labels), dtype=np.int64))
    order = np.argsort(keys, kind="stable")
    train, test = np.sort(order[:-DIGITS_TEST]), np.sort(order[-DIGITS_TEST:])
    return pixels[train], labels[train], pixels[test], labels[test]


@cache
def _digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return images (1797, 1, 8, 8) and labels (1797,), from scikit-learn's file: importing it takes as long as torch.

    Only where the file is not where it has always been, scikit-learn is asked.
    """
    sklearn = importlib.util.find_spec("sklearn")
    file = Path(sklearn.origin if sklearn and sklearn.origin else "").parent / "datasets/data/digits.csv.gz"
    if file.is_file():
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)  # 64 pixels and the label
        pixels, labels = table[:, :-1], table[:, -1]
    else:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        pixels, labels = bunch.data, bunch.target.astype(np.int64)
    return pixels.astype(np.uint8).reshape(-1, 1, 8, 8), labels


def torchvision(source: Source, root: Path) -> Arrays:
    """Read files in torchvision's layout by the torchvision class that the source names. Raises DataError where they
    cannot be read."""
    reader = _reader(source)
    with _unpacked(source, root) as folder:
        try:
            train, test = (reader(str(folder), train=part, download=False) for part in (True, False))
        except Exception as error:  # torchvision reads with asserts, views and pickles: whatever it is, it
            # is about the files, and the user needs to hear which data set and what to do
            raise damaged(source, root, str(error) or "its files do not have the form they should") from error
    return *_arrays(train), *_arrays(test)


def resized(source: Source, root: Path) -> Arrays:
    """Read as `torchvision` does, and bring each image to the source's size, bilinearly: the bytes that torchvision's
    `Resize` makes of a PIL image. Nothing is written. Raises DataError where a file is not the published one."""
    check(root, [source.name], {source.name: source})[0].demand()
    train, train_labels, test, test_labels = torchvision(source, root)
    size = source.shape[1:]
    return _resized(train, size), train_labels, _resized(test, size), test_labels


def _resized(images: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return images (N, C, H, W) as (N, C, *size), each channel by itself."""
    from PIL import Image

    height, width = size
    found = np.empty((*images.shape[:2], height, width), dtype=np.uint8)
    for place in np.ndindex(images.shape[:2]):
        found[place] = Image.fromarray(images[place]).resize((width, height), Image.Resampling.BILINEAR)
    return found


def _reader(source: Source) -> Callable[..., Any]:
    try:
        from torchvision import datasets
    except ImportError as error:
        raise DataError(f"reading {source.name} needs torchvision, which is not there ({error})") from error
    reader: Callable[..., Any] = getattr(datasets, source.torchvision)
    return reader


def _unpacked(source: Source, root: Path) -> AbstractContextManager[str | Path]:
    """Return a folder with the unpacked files: `root`, or a temporary one where `root` is read-only and has .gz."""
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
    """Return a torchvision data set's images as (N, C, H, W) uint8 and its labels as (N,) int64."""
    images = np.asarray(split.data)  # (N, H, W) or (N, H, W, C)
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(images), np.asarray(split.targets, dtype=np.int64)


def damaged(source: Source, root: Path, what: str) -> DataError:
    """Return the error to raise where a data set is not what its source says."""
    if source.embedded:
        return DataError(f"{source.name} is not what its catalog entry says: {what}; mend its reader or its source")
    return DataError(
        f"{source.name} in {root} is damaged: {what}; see `lnbench data check {source.name}`, "
        f"mend it with `lnbench data fetch {source.name}`"
    )
