"""The labels with the suspects' replaced by what networks prefer that did not see them."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import numpy as np

from lnbench.detect.data import Labelled, Labels
from lnbench.detect.output import images_around
from lnbench.detect.scoring import Scores
from lnbench.errors import LnbenchError, StoreError
from lnbench.spreadsheet import cell
from lnbench.untrusted import Unreadable, kind_of, shown

FORMS = (".csv", ".npz")
HEAD = ("image", "label", "given_label", "changed")


def check(file: Path, data: Path | None = None, images: Path | None = None) -> None:
    """Raise LnbenchError where cleaned labels cannot be written to a file, or would lie among the images of `data`:
    before anything is trained."""
    if file.suffix.lower() not in FORMS:
        raise LnbenchError(f"--write-cleaned {file}: write a .csv or a .npz file")
    try:
        there = kind_of(file) != "nothing" or file.is_symlink()
    except Unreadable as error:
        raise LnbenchError(f"--write-cleaned {shown(file)}: cannot be written: {error}") from None
    if there:
        raise LnbenchError(f"--write-cleaned {file}: is already there, and nothing is overwritten; name another file")
    if not file.absolute().parent.is_dir():
        raise LnbenchError(f"--write-cleaned {file}: there is no folder {file.parent}; make it first")
    if data is not None and (among := images_around(file, data, images)) is not None:
        raise LnbenchError(f"--write-cleaned {file}: is inside the images' folder {among}; name another place")


def cleaned(data: Labelled, scores: Scores) -> Labels:
    """Return (N,) int64 labels: of a suspect the class that networks prefer that did not see it; else the given one.
    None changes where nothing is suspect, or nothing was asked out of fold."""
    if scores.preferred is None:
        return data.labels.copy()
    return np.where(scores.suspects(), scores.preferred.label, data.labels)


def written(file: Path, data: Labelled, scores: Scores) -> int:
    """Write the cleaned labels to a new file. Return how many labels changed. Raises LnbenchError where something is
    there by now, StoreError where it cannot be written."""
    labels = cleaned(data, scores)
    content = _csv(data, labels) if file.suffix.lower() == ".csv" else _npz(data, labels)
    try:
        # a new file or none: another program may have put something there meanwhile
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        check(file)
        raise
    except OSError as error:
        raise StoreError(f"--write-cleaned {file}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        file.unlink(missing_ok=True)  # half a file of labels is none
        raise StoreError(f"--write-cleaned {file}: cannot be written: {error.strerror}") from None
    return int((labels != data.labels).sum())


def _csv(data: Labelled, labels: Labels) -> bytes:
    out = io.StringIO()
    torn = any("\r" in name for name in (*data.names, *data.classes))
    table = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL if torn else csv.QUOTE_MINIMAL)
    table.writerow(HEAD)
    for name, label, given in zip(data.names, labels.tolist(), data.labels.tolist(), strict=True):
        now, before = cell(data.classes[label]), cell(data.classes[given])
        table.writerow([cell(name), now, before, "yes" if label != given else "no"])
    return out.getvalue().encode(errors="surrogateescape")


def _npz(data: Labelled, labels: Labels) -> bytes:
    """Return labels (N,) int64, given_labels (N,) int64, changed (N,) bool, classes and names as text."""
    buffer = io.BytesIO()
    classes, names = np.array(data.classes, dtype=str), np.array(data.names, dtype=str)
    changed = labels != data.labels
    np.savez_compressed(buffer, labels=labels, given_labels=data.labels, changed=changed, classes=classes, names=names)
    return buffer.getvalue()
