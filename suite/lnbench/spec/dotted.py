"""Dotted keys, such as `optimizer.lr`, in nested mappings."""

from __future__ import annotations

from typing import Any

from lnbench.yamlfile.tree import Mapping, Position


def put_at(tree: Mapping, dotted: str, value: Any, key_place: Position, place: Position) -> Mapping:
    """Return a copy of `tree` with `value` at a dotted path such as `optimizer.lr`; missing mappings are made."""
    head, _, rest = dotted.partition(".")
    changed = tree.without()
    if rest:
        inner = tree.get(head)
        inner = inner if isinstance(inner, Mapping) else Mapping(key_place)
        value = put_at(inner, rest, value, key_place, place)
    if rest and head in tree:
        key_place, place = tree.key_positions[head], tree.value_positions[head]
    changed.put(head, value, key_place, place)
    return changed


def value_at(tree: Any, dotted: str) -> Any:
    """Return the value at a dotted path of nested mappings. Raises KeyError where there is none."""
    for step in dotted.split("."):
        if not isinstance(tree, dict):
            raise KeyError(dotted)
        tree = tree[step]
    return tree


def overlap(one: str, other: str) -> bool:
    """Return whether one dotted key is the other or contains it."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def leaves(tree: Mapping, prefix: str = "") -> list[str]:
    """Return the dotted keys of a recipe that hold a value."""
    found: list[str] = []
    for key, value in tree.items():
        found += leaves(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [f"{prefix}{key}"]
    return found


def put(tree: dict[str, Any], dotted: str, value: Any) -> dict[str, Any]:
    """Return nested dicts with `value` at a dotted path; unchanged where there is no such place (a loss of strength 0
    is the cross-entropy, and has no options)."""
    head, _, rest = dotted.partition(".")
    if head not in tree or (rest and not isinstance(tree[head], dict)):
        return tree
    return {**tree, head: put(tree[head], rest, value) if rest else value}
