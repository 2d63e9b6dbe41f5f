"""How messages and notes say names and counts: short lists, one thing or several."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from lnbench.digits import counted as counted
from lnbench.errors import DataError, visible

MOST_NAMED = 5  # of a list of names; who wants them all finds them in the tables


def named(names: Sequence[str]) -> str:
    """Return `a, b and c`, or the first five and how many more."""
    first = [visible(name) for name in names[:MOST_NAMED]]
    more = len(names) - MOST_NAMED
    if more > 0:
        return f"{', '.join(first)} and {more:,} more"
    return " and ".join(filter(None, (", ".join(first[:-1]), *first[-1:])))


def place_named(path: Path) -> Path:
    """Return the path as it was given, or the whole of it where what was given is no name, as `.` is none."""
    return path if path.name not in ("", "..") else path.resolve()


def demand_distinct(names: Sequence[str], what: str) -> None:
    """Raise DataError where two classes have one name: nobody could tell their rows apart."""
    numbers: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        numbers.setdefault(name, []).append(number)
    for name, places in numbers.items():
        if len(places) > 1:
            which = named([str(place) for place in places])
            raise DataError(
                f"{what}: `classes` has the name '{visible(name)}' {len(places)} times, as number {which}; "
                "give each class its own name"
            )


def look_alikes(classes: Sequence[str]) -> list[str]:
    """Return a note where names of classes are one name to the eye, spelled in two ways (an accent as part of its
    letter, or as a sign of its own): they are two classes here, and mostly meant as one."""
    spellings: dict[str, list[str]] = {}
    for name in classes:
        spellings.setdefault(unicodedata.normalize("NFC", name), []).append(name)
    twice = [f"{name} ({len(same)} classes)" for name, same in spellings.items() if len(same) > 1]
    if not twice:
        return []
    words = "names of classes that look the same and are spelled with other characters (Unicode NFC and NFD)"
    return [f"{words}: {named(twice)}; if they are one class, give them one name"]
