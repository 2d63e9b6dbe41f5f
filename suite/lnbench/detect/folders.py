"""Files of images: in a folder of class folders (ImageFolder), whose files are images of that class however deep they
are nested, or wherever else they are named."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from lnbench.detect.data import Images, Labelled, Say, one_channel_if_grey, scaled, usual_size
from lnbench.detect.decode import Header, Unreadable, header, picture, watchful
from lnbench.detect.splits import classes_in
from lnbench.detect.wording import counted, named
from lnbench.errors import DataError, visible
from lnbench.machine import available_cores
from lnbench.untrusted import Unreadable as NotReadable
from lnbench.untrusted import bytes_of

SECONDS_BETWEEN_LINES = 10.0
Of = TypeVar("Of")
Got = TypeVar("Got")


def read(path: Path, size: int | None, say: Say) -> Labelled:
    """Read the images of the class folders. Raises DataError where there is no class folder or no image in it. A file
    that gives no image is skipped and listed."""
    root, found = os.path.realpath(path), classes_in(path)
    files = [
        (label, file)
        for label, folders in enumerate(found.folders.values())
        for folder in folders
        for file in _files(folder, root)
    ]
    notes = [*found.notes]
    if found.loose:
        notes.append(f"{counted(found.loose, 'file')} next to the class folders, left out")
    return of_files(path, files, list(found.folders), "class folders", size, say, notes)


def of_files(
    path: Path,
    files: list[tuple[int, Path]],
    classes: list[str],
    what: str,
    size: int | None,
    say: Say,
    notes: list[str],
) -> Labelled:
    """Read `files` (label, file), all inside the folder `path`: labels are indices into `classes`, of which those
    without an image are left out (`what` calls them in the note). Raises DataError where no file gives an image."""
    root = os.path.realpath(path)
    with watchful():
        headers = _each(lambda one: _header(one[1], root), files, say, "headers")
        fit = [(*one, about) for one, about in zip(files, headers, strict=True) if isinstance(about, Header)]
        if not fit:
            raise DataError(f"{path}: {_nothing(path, files, headers)}")
        side = size or usual_size([about.shorter for _, _, about in fit])
        pictures = _each(lambda one: picture(one[1], side), fit, say, "images")
    whys = {file: about for (_, file), about in zip(files, headers, strict=True) if isinstance(about, str)}
    whys |= {file: got for (_, file, _), got in zip(fit, pictures, strict=True) if isinstance(got, str)}
    good = [(*one, got) for one, got in zip(fit, pictures, strict=True) if not isinstance(got, str)]
    if not good:
        raise DataError(f"{path}: {_nothing(path, files, pictures)}")
    present = sorted({label for label, *_ in good})
    scaling, scaled_down = scaled(((about.height, about.width) for _, _, about, _ in good), side)
    images = np.stack([got for *_, got in good]).transpose(0, 3, 1, 2)
    return Labelled(
        images=one_channel_if_grey(images),
        labels=np.array([present.index(label) for label, *_ in good], dtype=np.int64),
        names=[file.relative_to(path).as_posix() for _, file, _, _ in good],
        classes=[classes[label] for label in present],
        view=_viewer([file for _, file, _, _ in good]),
        skipped=sorted((file.relative_to(path).as_posix(), why) for file, why in whys.items()),
        notes=[*notes, *_notes(classes, present, what, [about for _, _, about, _ in good]), *scaling],
        raw=_bytes_of([file for _, file, _, _ in good]),
        scaled_down=scaled_down,
    )


def _header(file: Path, root: str) -> Header:
    if _leads_out(file, root):
        raise Unreadable("a link that leads out of the images' folder; such links are not followed")
    return header(file)


def _leads_out(path: Path | str, root: str) -> bool:
    """Return whether a link ends outside of `root`, where images are that nobody asked for: a folder of images is often
    somebody else's."""
    return os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(root)


def _files(folder: Path, root: str) -> Iterator[Path]:
    """Yield all files below, in order of their paths; links are followed inside `root`, each folder is entered once. A
    folder that may not be read, or a link to one that is outside, is among them, to be listed with what gives no
    image."""
    seen: set[str] = set()
    found: list[Path] = []

    def refused(error: OSError) -> None:
        found.append(Path(error.filename))

    if _leads_out(folder, root):
        yield folder
        return
    for here, inner, names in os.walk(folder, onerror=refused, followlinks=True):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        if (real := os.path.realpath(here)) in seen:
            inner[:] = []
            continue
        seen.add(real)
        outside = [name for name in inner if _leads_out(os.path.join(here, name), root)]
        inner[:] = [name for name in inner if name not in outside]
        found += [Path(here, name) for name in outside]
        found += [Path(here, name) for name in names if not name.startswith(".")]
    yield from sorted(found)


def _each(work: Callable[[Of], Got], items: list[Of], say: Say, what: str) -> list[Got | str]:
    """Return what `work` gives for each item, in order, by as many threads as there are cores; the reason where it
    gives nothing."""

    def tried(item: Of) -> Got | str:
        try:
            return work(item)
        except Unreadable as error:
            return str(error)

    pool = ThreadPoolExecutor(available_cores())
    try:
        return list(_told(pool.map(tried, items), len(items), say, what))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C does not wait for what is left


def _told(results: Iterable[Of], total: int, say: Say, what: str) -> Iterator[Of]:
    last = time.monotonic()
    for number, result in enumerate(results, start=1):
        yield result
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say(f"reading {what}: {number:,} of {total:,}")


def _nothing(path: Path, files: list[tuple[int, Path]], results: Sequence[object]) -> str:
    """Return why no image could be read, with the first file's reason."""
    if not files:
        return "its class folders are empty"
    reason = next((result for result in results if isinstance(result, str)), "")
    first = visible(str(files[0][1].relative_to(path)))
    return f"none of {counted(len(files), 'file')} could be read as an image ({first}: {reason})"


def _notes(classes: list[str], present: list[int], what: str, headers: list[Header]) -> list[str]:
    notes = []
    empty = [name for label, name in enumerate(classes) if label not in present]
    if empty:
        notes.append(f"{what} without an image are left out: {named(empty)}")
    several = sum(one.several for one in headers)
    if several:
        notes.append(f"{counted(several, 'file')} with several pictures (animations): the first was taken")
    return notes


def _viewer(files: list[Path]) -> Callable[[int, int], Images]:
    def view(index: int, size: int) -> Images:
        with watchful():
            return picture(files[index], max(1, min(size, header(files[index]).shorter)))

    return view


def _bytes_of(files: list[Path]) -> Callable[[int], bytes]:
    def raw(index: int) -> bytes:
        try:
            return bytes_of(files[index])
        except NotReadable:
            return b""

    return raw
