"""Plain data that remembers the place of each key and value in its file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from typing import Any

Position = tuple[int, int]  # line and column, from 1


class Mapping(dict[str, Any]):
    """A YAML mapping that knows the places of itself, its keys and its values."""

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
        """Return a copy with `other`'s keys put over it, positions included. Neither mapping changes."""
        merged = self._copy()
        if keys is None:
            merged.update(other)
            merged.key_positions.update(other.key_positions)
            merged.value_positions.update(other.value_positions)
        else:
            for name in keys:
                merged.put(name, other[name], other.key_positions[name], other.value_positions[name])
        return merged

    def _copy(self) -> Mapping:
        copy = Mapping(self.position)
        copy.update(self)
        copy.key_positions.update(self.key_positions)
        copy.value_positions.update(self.value_positions)
        return copy

    def without(self, *names: str) -> Mapping:
        """Return a copy that lacks `names`."""
        copy = self._copy()
        for name in names:
            if name in copy:
                del copy[name], copy.key_positions[name], copy.value_positions[name]
        return copy


def tree_of(data: AnyMapping[str, Any]) -> Mapping:
    """Plain data that came from no file as such a tree, all of it at (0, 0)."""
    tree = Mapping()
    for key, value in data.items():
        tree.put(key, tree_of(value) if isinstance(value, AnyMapping) else value, (0, 0), (0, 0))
    return tree


class Sequence_(list[Any]):
    """A YAML sequence that knows the places of itself and its items."""

    def __init__(self, position: Position = (0, 0)):
        super().__init__()
        self.position = position
        self.item_positions: list[Position] = []

    def add(self, item: Any, position: Position) -> None:
        self.append(item)
        self.item_positions.append(position)


def position_of(tree: Any, path: Sequence[str | int], *, key: bool = False) -> Position:
    """Return where the value (or with `key`, the key) at `path` is; the nearest enclosing place where it is missing."""
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


def block(tree: Any, key: str) -> Mapping:
    """Return the mapping under `key`; an empty one where there is none."""
    found = tree.get(key) if isinstance(tree, Mapping) else None
    return found if isinstance(found, Mapping) else Mapping()


def items(tree: Any, key: str) -> Sequence_:
    """Return the list under `key`; an empty one where there is none."""
    found = tree.get(key) if isinstance(tree, Mapping) else None
    return found if isinstance(found, Sequence_) else Sequence_()
