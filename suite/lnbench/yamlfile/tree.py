"""Plain data that remembers where in its file each key and value stood."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

Position = tuple[int, int]  # line and column, from 1

MOST_LISTED = 12  # names in a hint: a screenful, not the whole of a long file


class Mapping(dict[str, Any]):
    """A YAML mapping that knows where it, its keys and its values stood."""

    def __init__(self, position: Position = (0, 0)):
        super().__init__()
        self.position = position
        self.key_positions: dict[str, Position] = {}
        self.value_positions: dict[str, Position] = {}

    def put(self, key: str, value: Any, key_position: Position, value_position: Position) -> None:
        self[key] = value
        self.key_positions[key] = key_position
        self.value_positions[key] = value_position

    def take(self, other: Mapping, keys: Iterable[str] | None = None) -> Mapping:
        """Self with `other`'s keys put over it, positions included (neither is changed)."""
        merged = Mapping(self.position)
        for source, names in ((self, self.keys()), (other, other.keys() if keys is None else keys)):
            for name in names:
                merged.put(name, source[name], source.key_positions[name], source.value_positions[name])
        return merged

    def without(self, *names: str) -> Mapping:
        """A copy that lacks `names`."""
        return Mapping(self.position).take(self, [name for name in self if name not in names])


class Sequence_(list[Any]):
    """A YAML sequence that knows where it and its items stood."""

    def __init__(self, position: Position = (0, 0)):
        super().__init__()
        self.position = position
        self.item_positions: list[Position] = []

    def add(self, item: Any, position: Position) -> None:
        self.append(item)
        self.item_positions.append(position)


def position_of(tree: Any, path: Sequence[str | int], *, key: bool = False) -> Position:
    """Where the value (or with `key`, the key) at `path` stands; the nearest enclosing place where it is missing."""
    here: Position = getattr(tree, "position", (0, 0))
    for step in path:
        if isinstance(tree, Mapping) and step in tree:
            here = (tree.key_positions if key else tree.value_positions)[str(step)]
            tree = tree[str(step)]
        elif isinstance(tree, Sequence_) and isinstance(step, int) and step < len(tree):
            here = tree.item_positions[step]
            tree = tree[step]
        else:
            break
    return here


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "known") -> str:
    """`did you mean 'seeds'?`, or the list of what is known where nothing is near."""
    names = sorted(known)
    # A word far longer than every name is near none of them, and comparing it would take long.
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6) if len(word) <= 100 else []
    near = near or [name for name in names if len(word) > 1 and name.startswith(word)]
    if near:
        return f"did you mean '{near[0]}'?"
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"{otherwise}: {', '.join(names[:MOST_LISTED])}{more}" if names else "none is defined"
