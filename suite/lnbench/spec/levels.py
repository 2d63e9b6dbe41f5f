"""The values of an axis: compared as a file means them, and put into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lnbench.errors import did_you_mean
from lnbench.spec.effects import EPOCH
from lnbench.spec.recipe import Scalar


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, where true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def same_point(one: Mapping[str, Scalar], other: Mapping[str, Scalar]) -> bool:
    return set(one) == set(other) and all(same(value, other[axis]) for axis, value in one.items())


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
    if not any(same(value, level) for level in vary[axis]):
        return f"no run visits {axis} = {word(value)}; it takes {', '.join(map(word, vary[axis]))}"
    return None
