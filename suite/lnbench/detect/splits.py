"""Which folders are classes: those that are given, or, where these are the parts of a data set, those inside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lnbench.detect.wording import named
from lnbench.errors import DataError

SPLITS = frozenset(  # names of parts of a data set, in small letters
    {
        *("train", "training", "trainset", "test", "testing", "testset", "val", "valid", "validation", "validate"),
        *("dev", "devel", "eval", "evaluation", "holdout", "held_out", "heldout"),
    }
)


@dataclass(frozen=True)
class Classes:
    """folders: by the name of a class, the folders that have its images. loose: how many files lie next to these.
    notes: what a reader should know."""

    folders: dict[str, list[Path]]
    loose: int
    notes: list[str] = field(default_factory=list)


def classes_in(path: Path) -> Classes:
    """Return the class folders of a folder, by name. Raises DataError where it cannot be read, where it has none, and
    where parts of a data set lie among other folders.

    Folders that are all named as parts of a data set are (train, test …), and have folders of the same names, are read
    together: they would be taken for two classes. Hidden folders and files are nothing.
    """
    inside, loose = _inside(path)
    if not inside:
        raise DataError(f"{path}: has no class folders; expected {path}/CLASS/IMAGE, one folder per class")
    parts = {folder: _inside(folder)[0] for folder in inside if folder.name.lower() in SPLITS}
    parts = {folder: own for folder, own in parts.items() if own}
    if not parts:
        return Classes({folder.name: [folder] for folder in inside}, loose)
    base = max(parts.values(), key=len)  # the part with the most classes; of equals the first by name
    names = {one.name for one in base}
    alike = [folder for folder, own in parts.items() if 2 * len({one.name for one in own} & names) >= len(own)]
    others = [folder for folder in inside if folder.name.lower() not in SPLITS]
    if others:
        if len(alike) < 2:
            return Classes({folder.name: [folder] for folder in inside}, loose)
        what = f"{path}: {_named(alike)} have the same class folders, as parts of a data set have, but lie next to"
        raise DataError(f"{what} {_named(others)}; give one of them ({alike[0]}), or move the others away")
    found: dict[str, list[Path]] = {}
    for folder in alike:
        loose += _inside(folder)[1]
        for own in parts[folder]:
            found.setdefault(own.name, []).append(own)
    if len(alike) == 1:
        note = f"the classes are the folders in {_named(alike)}"
    else:
        note = f"{_named(alike)} are parts of one data set and were read together; give one of them to look at it alone"
    left_out = [folder for folder in inside if folder not in alike]
    notes = [note, *([f"left out, as without class folders such as theirs: {_named(left_out)}"] if left_out else [])]
    return Classes(dict(sorted(found.items())), loose, notes)


def _inside(path: Path) -> tuple[list[Path], int]:
    """Return (folders by name, how many files are next to them)."""
    try:
        entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    return [entry for entry in entries if entry.is_dir()], sum(not entry.is_dir() for entry in entries)


def _named(folders: list[Path]) -> str:
    return named([folder.name for folder in folders])
