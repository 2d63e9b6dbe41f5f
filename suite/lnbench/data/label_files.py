"""A file of labels of a user's own: where it lies, what forms it may have, and how it is held against the data set.

    .npy         one label per training image
    .npz         the same, the array that `key` names
    .json        a list of labels; or an object that has one under `key`; or, for some images only, an object
                 {index: label} or a list of [index, label] pairs: the other images keep their labels
    .csv         one column of labels; or two columns, index and label, for all images or for some; a header is skipped

A file is known by the sha256 of its bytes, which a study writes down: where it lies is no part of a run. Nothing is
ever unpickled.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lnbench import untrusted
from lnbench.data.arrays import MOST_BYTES, array_of_bytes, opened_archive, whole_numbers
from lnbench.data.label_sets import LABEL_SETS, LabelSet, of_dataset, read
from lnbench.data.root import data_root
from lnbench.errors import DataError, visible

if TYPE_CHECKING:
    from lnbench.data.images import ImageData

Labels = npt.NDArray[np.int64]

FORMS = (".npy", ".npz", ".json", ".csv")
FOLDER = "labels"  # of the data root: a file of labels there is found by its sha256, whatever its name
DEVIATIONS = 4.0  # by which agreement with the true labels must exceed chance: 3 shuffled files in 100,000 pass


@dataclass(frozen=True)
class GivenLabels:
    """What a file says: `labels` (M,) int64, of the images `index` (M,) int64, or of all in order where it is None."""

    labels: Labels
    index: Labels | None = None


@dataclass(frozen=True)
class LabelFiles:
    """Where label files lie on this machine.

    `root`: the data root, None for the default; `paths`: sha256 -> the path of a user's file, from the study that names
    it; `sets`: the human label sets by data set.
    """

    root: Path | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, LabelSet] = field(default_factory=lambda: LABEL_SETS)

    def images(self, name: str) -> ImageData:
        """Return another data set, whose images a noise shows: the last one is kept. Raises DataError."""
        return _loaded(name, data_root(self.root))

    def human(self, data: ImageData, labels: str) -> tuple[Labels, str]:
        """Return (labels (N,) int64, name of the set) that people gave to a data set's training images.

        Raises DataError where the data set has none of that name, where they are not there or not the published ones,
        or where their order is not that of the images.
        """
        about = of_dataset(data.name, labels, self.sets)
        found = read(about, data_root(self.root))
        true = data.train_labels
        if found[about.clean].shape != true.shape or not np.array_equal(found[about.clean], true):
            what = f"the true labels in {about.file(data_root(self.root))} are not those of {data.name}, image by image"
            raise DataError(f"{what}: the images are other ones or in another order than torchvision's")
        return found[about.labels[labels]], f"{about.name} {labels}"

    def read(self, sha256: str, key: str | None, path: str | None = None) -> tuple[GivenLabels, Path]:
        """Return what the file with this checksum says, and where it lies. Raises DataError."""
        found, raw = self._found(sha256, path)
        return parsed(raw, found, key), found

    def where(self, sha256: str, path: str | None = None) -> Path:
        """Return where the file with this checksum lies. Raises DataError where it is not there or has changed."""
        return self._found(sha256, path)[0]

    def _found(self, sha256: str, path: str | None) -> tuple[Path, bytes]:
        named = self.paths.get(sha256) or path
        if named is not None and Path(named).is_file():
            raw = bytes_of(Path(named))
            if (real := hashlib.sha256(raw).hexdigest()) == sha256:
                return Path(named), raw
            raise DataError(f"{named} has the sha256 {real}, not {sha256} as the study says; {ANOTHER}")
        folder = data_root(self.root) / FOLDER
        for candidate in sorted(folder.iterdir()) if folder.is_dir() else []:
            if candidate.suffix in FORMS and candidate.is_file() and candidate.stat().st_size <= MOST_BYTES:
                raw = bytes_of(candidate)
                if hashlib.sha256(raw).hexdigest() == sha256:
                    return candidate, raw
        what = f"the file of labels {named} is not there" if named else "no path to the file of labels is known here"
        raise DataError(f"{what}, nor is one with its sha256 {sha256} in {folder}; put it at one of the two")


ANOTHER = "write the new one into the study if these are the labels meant, or put the old file back"


@lru_cache(maxsize=1)
def _loaded(name: str, root: Path) -> ImageData:
    from lnbench.data.images import load

    return load(name, root=root)


def bytes_of(path: Path) -> bytes:
    """Return a file's bytes. Raises DataError where it cannot be read, is no file, or is larger than 64 MiB."""
    try:
        if untrusted.kind_of(path) in ("folder", "other"):
            raise DataError(f"{path} is not a file; give a file of labels")
        return untrusted.bytes_of(path, MOST_BYTES)
    except untrusted.Unreadable as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file of labels, in hex. Raises DataError as `bytes_of` does."""
    return hashlib.sha256(bytes_of(path)).hexdigest()


# ---- what a file says


def parsed(raw: bytes, path: Path, key: str | None) -> GivenLabels:
    """Return what a file's bytes say; its name's ending tells the form. Raises DataError with the file, what is wrong
    in it and what to do."""
    form = path.suffix.lower()
    if form not in FORMS:
        raise DataError(f"{path}: labels are read from {', '.join(FORMS)} files; save them as one of these")
    if form in (".npy", ".csv") and key is not None:
        raise DataError(f"{path}: a {form} file has no keys; leave `key`, or --labels-key, out")
    if form == ".npy":
        given = GivenLabels(_column(array_of_bytes(raw, str(path)), str(path)))
    elif form == ".npz":
        given = GivenLabels(_column(_of_archive(raw, path, key), f"{path}, {key}"))
    elif form == ".json":
        given = _of_json(_json(raw, path), path, key)
    else:
        given = _of_csv(raw, path)
    if not given.labels.size:
        raise DataError(f"{path} has no labels; it is empty")
    if given.index is not None:
        values, counts = np.unique(given.index, return_counts=True)
        if counts.max() > 1:
            twice = values[counts > 1][0]
            raise DataError(f"{path}: the index {twice} is there {counts.max()} times; give each image one label")
    return given


def _column(array: npt.NDArray[Any], what: str) -> Labels:
    if array.ndim != 1:
        hint = "; of one row of scores per image, save the argmax" if array.ndim == 2 else ""
        raise DataError(f"{what} has shape {array.shape}; labels are one column, one per training image{hint}")
    return whole_numbers(array, what)


def _of_archive(raw: bytes, path: Path, key: str | None) -> npt.NDArray[Any]:
    with opened_archive(raw, str(path)) as archive:
        if key not in archive.names:
            raise DataError(f"{path}: {_which(key, sorted(archive.names))}")
        return archive.read(key, MOST_BYTES)


def _which(key: str | None, names: Sequence[str]) -> str:
    shown = visible(", ".join(names[:10]))[:200] or "nothing"
    if key is None:
        return f"say which labels are meant, with `key` in a study, or --labels-key; it has {shown}"
    return f"it has no key '{key}'; it has {shown}"


class _Refused(ValueError):
    """Something that JSON has no number for, or a key that is there twice."""


def _json(raw: bytes, path: Path) -> Any:
    def refused(word: str) -> Any:
        raise _Refused(f"it has {word}, which is not an integer")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise _Refused(f"the key '{twice}' is there twice; give each image one label")
        return found

    try:
        return json.loads(raw.decode("utf-8-sig"), parse_constant=refused, object_pairs_hook=once)
    except _Refused as error:
        raise DataError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        words = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise DataError(f"{path} is no JSON ({words})") from error


def _of_json(found: Any, path: Path, key: str | None) -> GivenLabels:
    if key is not None:
        if not isinstance(found, dict) or key not in found:
            names = list(found) if isinstance(found, dict) else []
            raise DataError(f"{path}: {_which(key, names)}")
        return _of_json(found[key], path, None)
    if isinstance(found, dict):
        if not found or not all(name.isdecimal() and name.isascii() for name in found):
            what = f"its keys are no image's numbers; {_which(None, list(found))}" if found else "it is empty"
            raise DataError(f"{path}: {what}")
        return _changes([[int(name), label] for name, label in found.items()], path)
    if not isinstance(found, list):
        what = "a list of labels, an object {index: label} or a list of [index, label] pairs"
        raise DataError(f"{path} holds {found!r:.40}; write {what}")
    if found and isinstance(found[0], list):
        return _changes(found, path)
    return GivenLabels(_numbers(found, path, "entry"))


def _changes(pairs: Sequence[Any], path: Path) -> GivenLabels:
    for place, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != 2:
            raise DataError(f"{path}: entry {place:,} is {pair!r:.40}, not a pair [index, label]")
    index, labels = ([pair[side] for pair in pairs] for side in (0, 1))
    return GivenLabels(_numbers(labels, path, "label"), _numbers(index, path, "index"))


def _numbers(values: Sequence[Any], path: Path, what: str) -> Labels:
    """Return plain numbers as int64. Raises DataError that names the first that is no whole number."""
    for place, value in enumerate(values):
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not real or not math.isfinite(value) or value != int(value) or abs(value) > 2**62:
            raise DataError(
                f"{path}: {what} {place:,} is {value!r:.40}, not an integer; a label is the number of a class"
            )
    return np.array([int(value) for value in values], dtype=np.int64)


def _of_csv(raw: bytes, path: Path) -> GivenLabels:
    try:
        text = raw.decode("utf-8-sig")
        rows = [(line, row) for line, row in enumerate(csv.reader(io.StringIO(text, newline="")), start=1) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV ({error})") from error
    if rows and not any(map(_is_number, rows[0][1])):
        rows = rows[1:]  # a header
    wide = {len(row) for _, row in rows}
    if wide - {1, 2} or len(wide) > 1:
        line, row = next((line, row) for line, row in rows if len(row) not in (1, 2) or len(row) != len(rows[0][1]))
        raise DataError(f"{path}: line {line} has {len(row)} columns; write one of labels, or two: index, label")
    for line, row in rows:
        for cell in row:
            if not _is_number(cell):
                raise DataError(f"{path}: line {line} has {cell.strip()!r:.40}, not an integer")
    columns = [np.array(list(map(int, cells)), dtype=np.int64) for cells in zip(*(row for _, row in rows), strict=True)]
    if not columns:
        return GivenLabels(np.empty(0, dtype=np.int64))
    return GivenLabels(columns[-1], columns[0] if len(columns) == 2 else None)


def _is_number(cell: str) -> bool:
    digits = cell.strip().removeprefix("-")
    return digits.isdecimal() and digits.isascii() and len(digits) <= 18


# ---- held against the data set


def complete(given: GivenLabels, data: ImageData, path: Path, check_order: bool = True) -> Labels:
    """Return the label (N,) int64 of each training image of a data set: the file's, and its own where the file does not
    name it.

    Raises DataError for a wrong number of labels, for labels or indices out of range, and, with `check_order`, where
    the labels agree with the true ones no more often than shuffled ones would.
    """
    true, have = data.train_labels, len(data.train_labels)
    if given.index is None and len(given.labels) != have:
        what = f"{path} has {len(given.labels):,} labels, but {data.name} has {have:,} training images"
        raise DataError(f"{what}; give each of them one, in the data set's order, or only some as index and label")
    for values, most, what in ((given.labels, data.classes, "label"), (given.index, have, "index")):
        if values is not None and (values.min() < 0 or values.max() >= most):
            place = int(np.flatnonzero((values < 0) | (values >= most))[0])
            what = f"{path}: {what} {place:,} is {values[place]:,}, and {data.name} has 0 … {most - 1:,}"
            raise DataError(f"{what}; count from 0")
    if given.index is None:
        labels = given.labels
    else:
        labels = true.copy()
        labels[given.index] = given.labels
    if check_order:
        _check_order(labels, data, path)
    return labels


def _check_order(labels: Labels, data: ImageData, path: Path) -> None:
    agree, chance, deviation = agreement(labels, data.train_labels, data.classes)
    if agree <= chance + DEVIATIONS * deviation:
        raise DataError(
            f"{path}: {100 * agree:.1f} % of its labels are the true ones of {data.name}, and {100 * chance:.1f} % "
            "would be if they were shuffled: they look shuffled, or are of another data set; if they are meant to say "
            "nothing about the images, write check_order: false"
        )


def agreement(labels: Labels, true: Labels, classes: int) -> tuple[float, float, float]:
    """Return the share of labels that are the true ones, and mean and standard deviation of that share if the labels
    were put into a random order.

    With a_c and b_c images of class c by either, N in all, the number of agreements under a random permutation has mean
    Σ a_c b_c / N and variance [Σ a_c b_c (N − a_c)(N − b_c) + Σ_{c≠d} a_c b_c a_d b_d] / (N² (N − 1)).
    """
    count = len(true)
    a, b = (np.bincount(values, minlength=classes).astype(np.float64) for values in (labels, true))
    both = a * b
    apart = both.sum() ** 2 - (both**2).sum()
    variance = ((both * (count - a) * (count - b)).sum() + apart) / (count**2 * max(1, count - 1))
    return float((labels == true).mean()), float(both.sum()) / count**2, math.sqrt(variance) / count
