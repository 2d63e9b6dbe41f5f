"""A user's images, wherever they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lnbench.detect import archive, folders, known, listing
from lnbench.detect.data import FEW_OF_A_CLASS, FEWEST, Labelled, Say
from lnbench.detect.wording import counted, look_alikes, named
from lnbench.errors import DataError, LnbenchError, NoSuchData, visible
from lnbench.untrusted import Unreadable, kind_of, shown


@dataclass(frozen=True)
class From:
    """Where else to look. images: the folder of the files that a CSV names; labels_file, labels_key: labels in place of
    the data's own; data_dir: the data root of a data set that is named."""

    images: Path | None = None
    labels_file: Path | None = None
    labels_key: str | None = None
    data_dir: Path | None = None


def read(path: Path, size: int | None, say: Say, where: From | None = None) -> Labelled:
    """Read the images at `path`: a folder of class folders, an .npz archive, a CSV of paths and labels, or, where there
    is nothing, the data set of that name. Raises DataError.

    size: pixels a side; None: as large as nine tenths of the images are at their shorter side, but no more than
    USUAL_SIZE, and a multiple of SIZE_STEP. `say` hears how far the reading is.
    """
    where = where or From()
    try:
        kind = kind_of(path)
    except Unreadable as error:
        raise NoSuchData(f"{shown(path)}: cannot be read: {error}") from None
    if where.images is not None and (kind != "file" or path.suffix.lower() not in listing.FORMS):
        raise LnbenchError(f"--images {where.images}: is for a CSV of paths and labels, which {path} is not")
    if kind == "folder":
        found = folders.read(path, size, say)
    elif kind == "file" and path.suffix.lower() in listing.FORMS:
        found = listing.read(path, where.images, size, say)
    elif kind == "nothing" and known.is_name(str(path)):
        found = known.read(str(path), size, where.data_dir)
    elif kind == "file":
        found = archive.read(path, size)
    else:
        what = "give a folder of class folders, an .npz, a CSV of paths and labels, or the name of a data set"
        raise NoSuchData(f"{path}: no such folder or file; {what}")
    if where.labels_file is not None:
        found = known.with_labels(found, where.labels_file, where.labels_key, str(path))
    elif where.labels_key is not None:
        raise LnbenchError(f"--labels-key {where.labels_key}: is an array of --labels-file, which is not given")
    return checked(found, str(path))


def checked(found: Labelled, what: str) -> Labelled:
    """Return the images, without the classes that have none. Raises DataError where there are too few of them, or of
    one class; notes small classes."""
    present = np.unique(found.labels)
    if 0 < len(present) < len(found.classes):
        labels = np.searchsorted(present, found.labels)
        found = replace(found, labels=labels, classes=[found.classes[number] for number in present])
    if (count := len(found.labels)) < FEWEST:
        raise DataError(
            f"{what}: {counted(count, 'image')} {'is' if count == 1 else 'are'} too few; at least {FEWEST} are needed"
        )
    if len(found.classes) < 2:
        only = visible(found.classes[0])
        raise DataError(f"{what}: all images are of one class ('{only}'), so no label can be wrong")
    small = [name for name, count in zip(found.classes, found.counts(), strict=True) if count < FEW_OF_A_CLASS]
    if small:
        words = f"classes of fewer than {FEW_OF_A_CLASS} images, which rank high whatever their labels"
        found.notes.append(f"{words}: {named(small)}")
    found.notes.extend(look_alikes(found.classes))
    return found
