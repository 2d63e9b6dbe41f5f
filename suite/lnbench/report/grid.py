"""The cells of a study's grid, from `trained` in result.json: each one's recipe, and on which axes a value depends."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from lnbench.report.plain import Json


def with_changes(base: Json, changes: Json) -> Json:
    """Return a recipe with the changes of a cell."""
    recipe: Json = {key: dict(value) if isinstance(value, dict) else value for key, value in base.items()}
    for key, value in changes.items():
        block, _, option = key.partition(".")
        if option:
            recipe[block][option] = value
        else:
            recipe[block] = value
    return recipe


def deciding_axes(axes: Sequence[str], points: Sequence[Json], found: Sequence[str]) -> tuple[str, ...]:
    """Return the fewest axes that tell which value a cell has; all where even these do not. `found`: the value of the
    cell at each of the points."""
    for size in range(1, len(axes) + 1):
        for some in itertools.combinations(axes, size):
            seen: dict[Any, str] = {}
            if all(
                seen.setdefault(tuple(point[axis] for axis in some), value) == value
                for value, point in zip(found, points, strict=True)
            ):
                return some
    return tuple(axes)
