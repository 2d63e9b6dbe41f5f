"""pydantic's errors as lines a person can act on: `file:line:col: what; hint`."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from lnbench.errors import MOST_SHOWN, Problem, did_you_mean
from lnbench.yamlfile.tree import position_of

Location = tuple[str | int, ...]


class Fault(NamedTuple):
    """What is wrong with a mapping, and at which of its keys; `at_key`: point at the key, not at its value."""

    keys: Location
    what: str
    at_key: bool = False


class Misfit(ValueError):
    """What a validator of a whole mapping raises to point at one (dotted) key of it."""

    def __init__(self, key: str, what: str):
        super().__init__(what)
        self.key = key


def problems_of(error: ValidationError, tree: Any, path: Path, model: Any) -> list[Problem]:
    """Return every error of `error` (raised by `model`, a class or a union of some, over `tree`) as a Problem at its
    place."""
    by_place: dict[Location, list[Any]] = {}
    for item in error.errors(include_url=False):
        by_place.setdefault(_place(tree, item), []).append(item)
    around = {place[:length] for place in by_place for length in range(len(place))}  # places with one further inside
    at_key = {place: any(map(_is_of_key, items)) for place, items in by_place.items()}
    ordered = sorted(
        (position_of(tree, place, key=at_key[place]), number, place) for number, place in enumerate(by_place)
    )
    found: list[Problem] = []
    for (line, column), number, place in ordered:
        items = by_place[place]
        if place in around:  # pydantic counts a list without the items that are wrong
            items = [item for item in items if item["type"] != "too_short"]
        alternatives = [item for item in items if item["type"] in _EXPECTED or item["type"] == "literal_error"]
        certain = [item for item in items if item not in alternatives]
        if len(items) > 1 and not certain and place in around:
            continue  # a list of what may also stand alone: what is wrong is inside it
        if len(found) > MOST_SHOWN:  # counted and never shown, so no words are looked for
            found.append(Problem(path, line, column, f"{_name(place)}: is not valid ({number})"))
        elif len(alternatives) > 1 and not certain:
            found.append(Problem(path, line, column, _either(alternatives, place)))
        else:
            found += [Problem(path, line, column, _words(item, place, model)) for item in certain or items]
    return found


def _is_of_key(item: Any) -> bool:
    return bool(item["type"] == "extra_forbidden" or item["loc"][-1:] == ("[key]",))


def _place(tree: Any, item: Any) -> Location:
    """Return where in the file the error belongs: pydantic's location without steps that the file does not have."""
    steps: list[str | int] = []
    for step in item["loc"]:
        is_there = isinstance(step, int) if isinstance(tree, list) else isinstance(tree, dict) and step in tree
        if is_there and (not isinstance(step, int) or step < len(tree)):
            steps.append(step)
            tree = tree[step]
    error = item.get("ctx", {}).get("error")
    if isinstance(error, Misfit):
        steps += error.key.split(".")
    elif item["type"] == "union_tag_invalid":
        steps.append(item["ctx"]["discriminator"].strip("'"))
    return tuple(steps)


# what an error's type says was expected here, and how to say it
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "none_required": "null",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _words(item: Any, place: Location, model: Any) -> str:
    kind, context, given = item["type"], item.get("ctx", {}), item.get("input")
    location = tuple(item["loc"])
    last = str(location[-1]) if location else ""
    name = _name(place)
    if kind == "extra_forbidden":
        return f"unknown key '{last}'; {did_you_mean(last, _fields_at(model, location[:-1]))}"
    if kind == "missing":
        return f"missing key '{last}'" + (f" in {name}" if place else "")
    if kind == "literal_error":
        options = context["expected"].replace(" or ", ", ").split(", ")
        hint = did_you_mean(str(given), [option.strip("'") for option in options])
        if last == "[key]":
            return f"unknown key {_show(given)}; {hint}"
        return f"{name}: {_show(given)} is not known; {hint}"
    if kind == "union_tag_invalid":
        options = [part.strip("' ") for part in context["expected_tags"].split(",")]
        return f"{name}: {_show(context['tag'])} is not known; {did_you_mean(str(context['tag']), options)}"
    if kind == "union_tag_not_found":
        key = context["discriminator"].strip("'")
        if isinstance(given, dict):
            return f"missing key '{key}' in {name}"
        return f"{name}: expected a mapping with the key '{key}', not {_show(given)}{_as_mapping(key, given)}"
    if kind in _EXPECTED:
        hint = _hint(kind, given)
        if _EXPECTED[kind] == "a mapping":
            known = _fields_at(model, location)
            hint = next((_as_mapping(key, given) for key in ("kind", "name") if key in known), "")
        return f"{name}: expected {_EXPECTED[kind]}, not {_show(given)}{hint}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "too_short":
        return f"{name}: is empty; at least {context['min_length']} must be given here"
    if kind == "string_too_short":
        return f"{name}: is empty; at least {context['min_length']} character must be given here"
    if kind == "string_pattern_mismatch":
        return f"{name}: {_show(given)} is not a name; use letters, digits, '.', '_' and '-', a letter or digit first"
    message = item["msg"].removeprefix("Input should be ").removeprefix("a ")
    return f"{name}: must be {message}, not {_show(given)}"


def _either(items: list[Any], place: Location) -> str:
    """Return one line for a value that may be any of several things and is none of them."""
    wanted = [item["ctx"]["expected"] if item["type"] == "literal_error" else _EXPECTED[item["type"]] for item in items]
    if "a number" in wanted:
        wanted = [words for words in wanted if words != "a whole number"]
    wanted = list(dict.fromkeys(wanted))
    either = " or ".join([", ".join(wanted[:-1]), wanted[-1]] if len(wanted) > 1 else wanted)
    return f"{_name(place)}: expected {either}, not {_show(items[0].get('input'))}"


def _hint(kind: str, given: Any) -> str:
    if kind == "string_type" and isinstance(given, bool | int | float):
        return "; quote it"
    if kind in ("int_type", "float_type", "bool_type") and isinstance(given, str):
        return "; write it without quotes" if _looks_like(kind, given) else ""
    if kind in ("list_type", "tuple_type") and isinstance(given, str | int | float):
        return f"; write [{given}]" if len(str(given)) <= 30 else ""
    return ""


def _as_mapping(key: str, given: Any) -> str:
    """Return how a lone word is written where a mapping with this key is wanted."""
    return f"; write {{{key}: {given}}}" if isinstance(given, str) and given.isidentifier() else ""


def _looks_like(kind: str, text: str) -> bool:
    if kind == "bool_type":
        return text in ("true", "false")
    try:
        float(text)
    except ValueError:
        return False
    return True


def _name(place: Location) -> str:
    """Return what the value at a place is called in a message."""
    if not place:
        return "the file"
    last = place[-1]
    if isinstance(last, str):
        return last
    return f"{place[-2]}[{last}]" if len(place) > 1 else f"item {last}"


def _show(value: Any) -> str:
    """Return a value in the words of YAML, cut to a length that fits a line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _fields_at(model: Any, location: Location) -> list[str]:
    """Return the keys that are known where `location` points to, found by walking the model's annotations."""
    candidates = _members(model)
    for step in location:
        candidates = [member for one in candidates for member in _step(one, step)] or candidates
    models = [one for one in candidates if _is_model(one)]
    return sorted({info.alias or name for one in models for name, info in one.model_fields.items()})


def _step(annotation: Any, step: str | int) -> list[Any]:
    """Return what is one step further: a model's field, a mapping's or list's item, or one model of a tagged union."""
    if not _is_model(annotation):
        return _members(typing.get_args(annotation)[-1 if typing.get_origin(annotation) is dict else 0])
    if step in [parent.__name__ for parent in annotation.__mro__]:
        return [annotation]
    for name, info in annotation.model_fields.items():
        if step in (name, info.alias):
            return _members(info.annotation)
    tag = annotation.model_fields.get("kind") or annotation.model_fields.get("experiment")
    return [annotation] if tag is not None and step in typing.get_args(tag.annotation) else []


def _members(annotation: Any) -> list[Any]:
    """Return the models and containers that an annotation names (through Optional, Annotated and unions)."""
    if _is_model(annotation) or typing.get_origin(annotation) in (dict, list, tuple):
        return [annotation]
    if typing.get_origin(annotation) is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [member for argument in typing.get_args(annotation) for member in _members(argument)]
    return []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
