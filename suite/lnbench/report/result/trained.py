"""What was trained at this tier, from the resolved study alone: every option of the recipe, and how each cell differs.

`trained` in result.json: `files` (name and sha256 of the study's file and of its paper's), `base` (the recipe with
every option), `vary` (axis -> its levels among the cells), `cells` (each point, with what it changes of `base`: a
dotted key and its value, or a whole block where its kind differs), `choose` (the hyper-parameter that is chosen, or
null), `inputs` (what runs build on) and `words` (what the names in it stand for).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lnbench import catalog
from lnbench.data.sources import source_of
from lnbench.report.plain import Json, plain
from lnbench.spec import Cell, Source, Study, data_of

NAMED = (
    "model",
    "noise",
    "method",
    "optimizer",
    "schedule",
    "average",
    "experiment",
)  # in a recipe, and a catalog kind


def trained_to_json(study: Study) -> Json:
    """Return what the study trains at its tier; see the module's first lines."""
    runs, cells = study.spec.runs, study.cells
    base = _recipe(runs.base)
    recipes = [base, *(_recipe(cell.recipe) for cell in cells)]
    choose = runs.choose
    return {
        "files": {
            "study": {"name": study.path.name, "sha256": study.files.get("study", "")},
            "baseline": {"name": f"{study.baseline.paper}.yaml", "sha256": study.files.get("baseline", "")},
        },
        "base": base,
        "vary": {axis: list(dict.fromkeys(cell.point[axis] for cell in cells)) for axis in runs.vary if cells},
        "cells": [_cell(cell, base) for cell in cells],
        "choose": None if choose is None else plain(choose.model_dump(mode="json", by_alias=True)),
        "inputs": [
            {"name": name, "kind": source.kind, **plain(source.options), **_made_of(source), "seeds": source.seeds}
            for name, source in study.sources.items()
        ],
        "words": _words(recipes),
        "data": {one["name"]: _data(one) for cell in cells for one in data_of(cell.recipe)},
    }


def _made_of(source: Source) -> Json:
    """Return where an input's runs come from."""
    return {"of": plain(source.of)} if source.at is None else {"at": plain(source.at)}


def _recipe(recipe: Any) -> Json:
    """Return a recipe with all its options, without the name of its arm, which is a place of the grid."""
    found: Json = plain(recipe.model_dump(mode="json", exclude={"arm"}))
    return found


def _cell(cell: Cell, base: Json) -> Json:
    return {"point": plain(cell.point), "changes": dict(_changes(base, _recipe(cell.recipe)))}


def _changes(base: Json, recipe: Json) -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) of what a recipe has otherwise than the base."""
    for key, value in recipe.items():
        before = base.get(key)
        if value == before:
            continue
        if isinstance(value, Mapping) and isinstance(before, Mapping) and _alike(value, before):
            yield from ((f"{key}.{option}", v) for option, v in value.items() if v != before[option])
        else:
            yield key, value


def _alike(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Return whether two blocks have the same options, of the same kind."""
    return a.keys() == b.keys() and a.get("kind") == b.get("kind")


def _words(recipes: list[Json]) -> Json:
    """Return kind -> name -> what the catalog says of it, for the names that some recipe has."""
    found: dict[str, dict[str, str]] = {}
    for recipe in recipes:
        for kind in NAMED:
            value = recipe.get(kind)
            name = value.get("kind") if isinstance(value, dict) else value
            if isinstance(name, str) and name in catalog.names(kind) and (words := catalog.find(kind, name).words):
                found.setdefault(kind, {})[name] = words
    return found


def _data(dataset: Json) -> Json:
    source = source_of(dataset)
    return {"train": source.train, "test": source.test, "classes": source.classes, "shape": list(source.shape)}
