"""A CSV that names image files and their labels."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path, PurePosixPath

from lnbench.detect.data import Labelled, Say
from lnbench.detect.folders import of_files
from lnbench.detect.wording import place_named
from lnbench.errors import DataError, NoSuchData, visible
from lnbench.untrusted import Unreadable, bytes_of

FORMS = (".csv", ".tsv")
MOST_BYTES = 256 << 20
PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img", "img_path")
LABELS = ("label", "class", "target", "category", "class_name", "label_name", "y")


def read(path: Path, images: Path | None, size: int | None, say: Say) -> Labelled:
    """Read the images that a CSV names, by paths below `images`, or below its own folder. Raises DataError, also for
    a path that leads out of that folder, with its line."""
    root = path.parent if images is None else images
    if not root.is_dir():
        raise NoSuchData(f"--images {root}: no such folder")
    rows = _rows(path)
    real, pairs, outside = os.path.realpath(root), [], []
    for line, name, label in rows:
        if not name:
            raise DataError(f"{path}: line {line} names no image")
        if not label:
            raise DataError(f"{path}: line {line} gives {visible(name)[:80]} no label")
        file = _below(root, real, name)
        if file is None:
            outside.append((line, name))
        else:
            pairs.append((label, file))
    if outside:
        line, name = outside[0]
        what = f"{path}: line {line}: {visible(name)[:200]} lies outside the folder {place_named(root)}"
        raise DataError(f"{what} ({len(outside):,} of {len(rows):,} do); give the folder of all with --images")
    classes = sorted({label for label, _ in pairs})
    place = {label: number for number, label in enumerate(classes)}
    files = [(place[label], file) for label, file in pairs]
    notes = []
    if (twice := len(files) - len({file for _, file in files})) > 0:
        notes.append(f"{twice:,} line{'s' * (twice > 1)} name a file again that is named before")
    return of_files(root, files, classes, "classes", size, say, notes)


def _below(root: Path, real: str, name: str) -> Path | None:
    """Return the file that a path means, by its place below `root`; None where it leads out of it."""
    given = PurePosixPath(name.replace("\\", "/")) if "\\" in name and "/" not in name else PurePosixPath(name)
    try:
        if given.is_absolute():
            given = (
                given.relative_to(root.absolute()) if given.is_relative_to(root.absolute()) else given.relative_to(real)
            )
    except ValueError:
        return None
    if "\0" in name or not Path(os.path.realpath(root / given)).is_relative_to(real):
        return None
    return root / os.path.normpath(given)


def _rows(path: Path) -> list[tuple[int, str, str]]:
    """Return (line, path, label) of each row."""
    try:
        text = bytes_of(path, MOST_BYTES).decode("utf-8-sig", errors="surrogateescape")
    except Unreadable as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    rows: list[tuple[int, list[str]]] = []
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: no CSV ({error})") from None
    if not rows:
        raise DataError(f"{path}: is empty; expected a line for each image, its path and its label")
    head = [cell.strip().lower() for cell in rows[0][1]]
    columns = _column(head, PATHS), _column(head, LABELS)
    if None not in columns:
        rows = rows[1:]
    elif len(head) == 2:
        columns = 0, 1
        if columns_named(head):
            rows = rows[1:]
    else:
        have = visible(", ".join(rows[0][1]))[:200]
        what = f"{path}: line 1 ({have}) names no column of paths ({', '.join(PATHS[:4])} …) and of labels"
        raise DataError(
            f"{what} ({', '.join(LABELS[:4])} …); name them so in a first line, or write these two columns only"
        )
    one, other = columns
    assert one is not None and other is not None
    found = []
    for line, row in rows:
        if len(row) <= max(one, other):
            raise DataError(
                f"{path}: line {line} has {len(row)} columns; the path is number {one + 1}, the label {other + 1}"
            )
        found.append((line, _plain(row[one]), _plain(row[other])))
    return found


def columns_named(head: list[str]) -> bool:
    """Return whether a first row of two cells is a heading: one of them is a usual name of its column."""
    return head[0] in PATHS or head[1] in LABELS


def _column(head: list[str], names: tuple[str, ...]) -> int | None:
    """Return the place of the first usual name that is there."""
    return next((head.index(name) for name in names if name in head), None)


def _plain(cell: str) -> str:
    """Return a cell's text, without the apostrophe that keeps a spreadsheet from computing it (`spreadsheet.cell`)."""
    cell = cell.strip()
    return cell[1:] if cell[:1] == "'" and cell[1:2] in tuple("=+-@") else cell
