"""The folder of a site: written beside its place and then renamed, so that a half-written site never stands.

A list of the site's files lies in it. A folder that has a file which is not on the list is somebody else's, and is left
as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lnbench.errors import LnbenchError
from lnbench.untrusted import Missing, Unreadable, json_of, reason

LIST = "lnbench-site.json"
SCHEMA = 1


def write_site(files: Mapping[str, bytes], folder: Path) -> None:
    """Put a site's files into a folder, in place of the site that is there. Raises LnbenchError where the folder holds
    anything else or cannot be written; it is then as it was."""
    place = folder.resolve()
    demand_ours(folder)
    listed = json.dumps({"schema": SCHEMA, "files": sorted(files)}, indent=0, ensure_ascii=False) + "\n"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{place.name[:50]}-", dir=place.parent))
    except OSError as error:
        raise LnbenchError(f"{folder}: cannot be written: {reason(error)}") from None
    try:
        new, old = beside / "new", beside / "old"  # new: with the permissions that any folder has
        for name, content in {**files, LIST: listed.encode()}.items():
            file = new / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        demand_ours(folder)  # somebody may have put a file there since
        _swap(new, old, place)
    except OSError as error:
        raise LnbenchError(f"{folder}: cannot be written: {reason(error)}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _swap(new: Path, old: Path, place: Path) -> None:
    """Rename the new folder to its place; where that fails, what was there is there again."""
    there = place.is_dir()
    if there:
        os.rename(place, old)
    try:
        os.rename(new, place)
    except OSError:
        if there:
            os.rename(old, place)
        raise


def demand_ours(folder: Path) -> None:
    """Raise LnbenchError unless a site may be put into the folder: there is nothing, or a site and nothing else."""
    place = folder.resolve()
    if not place.exists():
        return
    if not place.is_dir():
        raise LnbenchError(f"{folder}: is a file; give a folder for the site")
    if place == Path.cwd().resolve() or place in Path.cwd().resolve().parents:
        raise LnbenchError(f"{folder}: you are in this folder, and a site replaces it whole; give another one")
    try:
        there = sorted(file.relative_to(place).as_posix() for file in place.rglob("*") if not _is_folder(file))
    except OSError as error:
        raise LnbenchError(f"{folder}: cannot be read: {reason(error)}") from None
    if not there:
        if any(place.iterdir()):
            raise LnbenchError(f"{folder}: holds folders that are not of a site; give an empty folder, or a new one")
        return
    known = _known(place)
    foreign = [name for name in there if name not in known]
    if foreign:
        what = "is not a site of lnbench" if not known else "holds what is not of its site"
        raise LnbenchError(f"{folder}: {what}: {foreign[0]}; nothing was written: give an empty folder, or a new one")


def _is_folder(file: Path) -> bool:
    return file.is_dir() and not file.is_symlink()


def _known(place: Path) -> set[str]:
    """Return the files of the site in a folder, the list included; nothing where there is no list."""
    try:
        found = json_of(place / LIST)
    except (Missing, Unreadable):
        return set()
    files = found.get("files") if isinstance(found, dict) and found.get("schema") == SCHEMA else None
    return {LIST, *map(str, files)} if isinstance(files, list) else set()
