"""A user's images, wherever they are."""

from __future__ import annotations

from pathlib import Path

from lnbench.detect import archive, folders
from lnbench.detect.data import FEW_OF_A_CLASS, FEWEST, Labelled, Say
from lnbench.errors import DataError, NoSuchData, visible


def read(path: Path, size: int | None, say: Say) -> Labelled:
    """Read the images at `path`: a folder of class folders, or an .npz archive. Raises DataError.

    size: pixels a side; None: as large as nine tenths of the images are at their shorter side, but no more than
    USUAL_SIZE, and a multiple of SIZE_STEP. `say` hears how far the reading is.
    """
    if path.is_dir():
        found = folders.read(path, size, say)
    elif path.is_file():
        found = archive.read(path, size)
    else:
        raise NoSuchData(f"{path}: no such folder or file; give a folder of class folders, or an .npz")
    if len(found.labels) < FEWEST:
        raise DataError(f"{path}: {len(found.labels)} images are too few; at least {FEWEST} are needed")
    if len(found.classes) < 2:
        only = visible(found.classes[0])
        raise DataError(f"{path}: all images are of one class ('{only}'), so no label can be wrong")
    small = [name for name, count in zip(found.classes, found.counts(), strict=True) if count < FEW_OF_A_CLASS]
    if small:
        words = f"classes of fewer than {FEW_OF_A_CLASS} images, which rank high whatever their labels"
        found.notes.append(f"{words}: {', '.join(small)}")
    return found
