"""pydantic's errors as lines a person can act on: `file:line:col: what; hint`."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from lnbench.errors import Problem
from lnbench.specfile import did_you_mean, position_of

Location = tuple[str | int, ...]


def problems_of(error: ValidationError, tree: Any, path: Path, model: type[BaseModel]) -> list[Problem]:
    """Every error of `error` (raised by `model` over `tree`) as a Problem at its place in the file."""
    found = []
    for item in error.errors(include_url=False):
        location = tuple(item["loc"])
        in_tree = _present(tree, location)
        unknown = item["type"] == "extra_forbidden"
        line, column = position_of(tree, in_tree, key=unknown)
        found.append(Problem(path, line, column, _words(item, location, in_tree, model)))
    return found


def _present(tree: Any, location: Location) -> Location:
    """`location` without pydantic's own steps (a union's tag), which the file does not have."""
    steps: list[str | int] = []
    for step in location:
        is_there = isinstance(step, int) if isinstance(tree, list) else isinstance(tree, dict) and step in tree
        if is_there and (not isinstance(step, int) or step < len(tree)):
            steps.append(step)
            tree = tree[step]
    return tuple(steps)


def _words(item: Any, location: Location, in_tree: Location, model: type[BaseModel]) -> str:
    kind, context, given = item["type"], item.get("ctx", {}), item.get("input")
    name = str(location[-1]) if location else "the file"
    if kind == "extra_forbidden":
        return f"unknown key '{name}'; {did_you_mean(name, _fields_at(model, location[:-1]))}"
    if kind == "missing":
        return f"missing key '{name}'"
    if kind in ("literal_error", "enum"):
        options = [part.strip("'") for part in context["expected"].replace(" or ", ", ").split(", ")]
        return f"{name}: {_show(given)} is not known; {did_you_mean(str(given), options)}"
    if kind == "union_tag_invalid":
        options = [part.strip("' ") for part in context["expected_tags"].split(",")]
        return f"{name}: '{context['tag']}' is not known; {did_you_mean(context['tag'], options)}"
    if kind == "union_tag_not_found":
        if isinstance(given, dict):
            return f"{name}: missing key {context['discriminator']}"
        return f"{name}: expected a mapping with the key {context['discriminator']}, not {_show(given)}"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{name}: expected a mapping, not {_show(given)}"
    if kind in ("list_type", "tuple_type"):
        return f"{name}: expected a list, not {_show(given)}"
    if kind == "value_error":
        return str(context["error"])
    message = item["msg"].removeprefix("Input should be ").removeprefix("a ")
    return f"{name}: must be {message}, not {_show(given)}"


def _show(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _fields_at(model: Any, location: Location) -> list[str]:
    """The keys that are known where `location` points to, found by walking the model's annotations."""
    candidates: list[Any] = [model]
    for step in location:
        following: list[Any] = []
        for candidate in candidates:
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                for field_name, info in candidate.model_fields.items():
                    if step in (field_name, info.alias):
                        following += _models_in(info.annotation)
                tag = candidate.model_fields.get("kind")
                if tag is not None and step in typing.get_args(tag.annotation):
                    following.append(candidate)  # the step is a union's tag
            else:
                following += _models_in(candidate)
        candidates = following or candidates
    names = []
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            names += [info.alias or name for name, info in candidate.model_fields.items()]
    return sorted(set(names))


def _models_in(annotation: Any) -> list[Any]:
    """The models that an annotation speaks of (through Optional, Annotated, unions, dicts, tuples)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_origin(annotation):
        return [model for argument in typing.get_args(annotation) for model in _models_in(argument)]
    return []
