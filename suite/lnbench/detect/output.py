"""The folder that a detection writes to: whose it is, and how its files come there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lnbench.errors import LnbenchError, StoreError, visible
from lnbench.store import Store, write_atomically
from lnbench.untrusted import Unreadable, json_of

RUNS = ".runs"  # the trainings: a store, as `lnbench verify` keeps one
RESULT = "result.json"
MARK = "made-by-lnbench-detect"
MARK_TEXT = b"Finished trainings of `lnbench detect`, and checkpoints. Without this folder they are done again.\n"


def place(data: Path, wanted: Path | None, images: Path | None = None) -> Path:
    """Return the output folder: `wanted`, or DATA.detect next to the data, or ./DATA-detect where nothing can be
    written there. `images`: where the images are that the data, a CSV, names.

    Raises LnbenchError where it is among the images, or has files that no detection wrote.
    """
    given = data
    data = data.resolve()
    name = data.name or "data"
    folder = wanted or data.parent / f"{name}.detect"
    if wanted is None and not folder.exists() and not _writable(data.parent):
        folder = Path(f"{name}-detect")
    if (among := images_around(folder, given, images)) is not None:
        raise LnbenchError(f"{folder}: is inside the images' folder {among}; name another folder with -o")
    return mine(folder)


def images_around(target: Path, data: Path, images: Path | None = None) -> Path | None:
    """Return the folder of images that a file or folder would lie in; None where it would not.

    A CSV's own folder is its user's desk, whatever images are there too: next to the CSV is not among them.
    """
    folder, real = (data if images is None else images).resolve(), target.resolve()
    if not folder.is_dir() or not real.is_relative_to(folder):
        return None
    return None if images is not None and real.parent == data.resolve().parent else folder


def mine(folder: Path) -> Path:
    """Return the folder. Raises LnbenchError where it is a file, or has files that no detection wrote."""
    real = folder.resolve()
    if real.exists() and not real.is_dir():
        raise LnbenchError(f"{folder}: is a file; name a folder with -o")
    if not _ours(real):
        raise LnbenchError(
            f"{folder}: has files that `lnbench detect` did not write, which it leaves alone; name another folder "
            "with -o"
        )
    return folder


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK)


def _ours(folder: Path) -> bool:
    """Return whether a folder is not there, or empty, or marked by an earlier detection, or by one that was killed
    before the mark had its name. Raises StoreError."""
    try:
        if not folder.exists() or (folder / RUNS / MARK).is_file():
            return True
        if [entry.name for entry in folder.iterdir()] not in ([], [RUNS]):
            return False
        begun = [*(folder / RUNS).iterdir()] if (folder / RUNS).is_dir() else []
        return all(entry.name.startswith(f".{MARK}.") for entry in begun)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be read: {error.strerror}; name another folder with -o") from None


def replaced(folder: Path, result: Mapping[str, Any]) -> str:
    """Return what is written over, in words, where an earlier detection with other options, or of other data, wrote
    into this folder; else nothing."""
    try:
        before = json_of(folder / RESULT)
        old, new = before["options"], result["options"]
        other = [
            f"{name} {old.get(name)}, now {new.get(name)}" for name in {**old, **new} if old.get(name) != new.get(name)
        ]
        if before["data"]["checksum"] != result["data"]["checksum"]:
            other.insert(0, "other images or labels")
    except (Unreadable, KeyError, TypeError, AttributeError):
        return ""  # nothing there, or nothing that a detection wrote whole
    if not other:
        return ""
    return f"page and tables of an earlier run are replaced ({visible('; '.join(other))}); its trainings are kept"


def take(folder: Path, warn: Callable[[str], None]) -> Store:
    """Mark the folder as ours, and open the store in it. `warn` is called for a damaged record, which is set aside.
    Raises StoreError where the folder cannot be written."""
    with explained():
        write_atomically(folder / RUNS / MARK, MARK_TEXT)
    return Store(folder / RUNS, warn)


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write each file whole or leave it as it was before, in this order. Raises StoreError."""
    with explained():
        for name, content in files.items():
            write_atomically(folder / name, content)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Raise the store's errors with the option that helps here."""
    try:
        yield
    except StoreError as error:
        advice = str(error).replace("with --store or LNBENCH_STORE", "with -o")
        raise StoreError(advice) from None
