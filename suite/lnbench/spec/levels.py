"""The values of an axis: compared as a file means them, and put into words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lnbench.errors import MOST_LISTED, did_you_mean
from lnbench.spec.effects import EPOCH
from lnbench.spec.recipe import Scalar


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, where true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def same_point(one: Mapping[str, Scalar], other: Mapping[str, Scalar]) -> bool:
    return set(one) == set(other) and all(same(value, other[axis]) for axis, value in one.items())


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def repeated(values: Sequence[Any]) -> Iterator[int]:
    """Yield the index of each value that is the same as an earlier one."""
    seen: set[tuple[bool, Any]] = set()
    for index, value in enumerate(values):
        key = (isinstance(value, bool), value)
        if key in seen:
            yield index
        seen.add(key)


def visited(value: Any, levels: tuple[Any, ...]) -> bool:
    """Return whether one of the levels is the same as a value; `in` alone would take true for 1."""
    if value not in levels:  # in C: there may be thousands of values and of levels
        return False
    return same(value, levels[levels.index(value)]) or any(same(value, level) for level in levels)


def word(value: Scalar) -> str:
    """Return a level as a file writes it, short enough for a line."""
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def not_visited(axis: str, value: Any, vary: Mapping[str, tuple[Scalar, ...]]) -> str | None:
    """Return why no run is at this value of the axis; None where one is. `epoch` is in no `vary`: it counts from 1."""
    if axis == EPOCH:
        whole = type(value) is int and value >= 1
        return None if whole else f"epoch {word(value)} is not an epoch; they count 1, 2, 3, …"
    if axis not in vary:
        return f"no axis '{axis}' in vary; {did_you_mean(axis, vary)}"
    if not visited(value, vary[axis]):
        return f"no run visits {axis} = {word(value)}; it takes {listed(vary[axis])}"
    return None


def listed(levels: Sequence[Scalar]) -> str:
    """Return the levels of an axis in a line, the first of them where there are many."""
    more = f" and {len(levels) - MOST_LISTED} more" if len(levels) > MOST_LISTED else ""
    return ", ".join(map(word, levels[:MOST_LISTED])) + more
