"""The one registry: every name that a spec may use, what options it takes, what it costs, and where its code is.

No torch here: names and options are validated and runs are priced without it. `target` ("module:object") is imported
only when a run needs it. A plug-in package adds its own through the entry point group `lnbench`, each entry a function
that returns `Entry` objects; a spec itself never names Python code.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from functools import cache
from typing import Any

from lnbench.catalog.entry import Entry
from lnbench.errors import LnbenchError

BUILT_IN = (  # the rooms that add names, each by a function `entries`, as a plug-in package does
    "lnbench.data.entries",
    "lnbench.noise.entries",
    "lnbench.models.entries",
    "lnbench.methods.entries",
    "lnbench.training.entries",
    "lnbench.loss_curves.entries",
    "lnbench.experiments.entries",
    "lnbench.catalog.checks",
)


@cache
def entries() -> dict[str, dict[str, Entry]]:
    """Return kind -> name -> entry, plug-ins included. Raises LnbenchError where a plug-in adds a name that is
    taken."""
    found: dict[str, dict[str, Entry]] = {}
    for entry in [*_built_in(), *_plugged_in()]:
        names = found.setdefault(entry.kind, {})
        if entry.name in names:
            raise LnbenchError(f"a plug-in adds the {entry.kind} '{entry.name}', a name that is taken; rename it there")
        names[entry.name] = entry
    return found


def _built_in() -> list[Entry]:
    return [entry for room in BUILT_IN for entry in importlib.import_module(room).entries()]


def _plugged_in() -> list[Entry]:
    """Return what installed plug-in packages add. Raises LnbenchError that names the one that fails."""
    entries: list[Entry] = []
    for plugin in importlib.metadata.entry_points(group="lnbench"):
        try:
            entries += plugin.load()()
        except Exception as error:  # a plug-in may fail in any way; without this it would look like our own bug
            what = f"the plug-in '{plugin.name}' ({plugin.value}) cannot be loaded: {type(error).__name__}: {error}"
            raise LnbenchError(what) from error
    return entries


def find(kind: str, name: str) -> Entry:
    """Return the entry. Raises KeyError where there is none (specs are checked before anything asks)."""
    return entries()[kind][name]


def name_and_options(named: str | dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """Split what a recipe says in one word, or as a mapping with its `kind`, into the name and the options."""
    return (named, None) if isinstance(named, str) else (named["kind"], named)


def names(kind: str) -> list[str]:
    """Return all names of one kind, in the order in which they are registered."""
    return list(entries().get(kind, {}))


ENGINE_VERSION = 1  # of training/engine.py: raised when a run of the same recipe and seed would end elsewhere


def versions(recipe: dict[str, Any]) -> dict[str, int]:
    """Return the integer version of everything that a run's outcome depends on; part of the run's identity."""
    if "experiment" in recipe:
        data = {"dataset": find("dataset", recipe["dataset"]).version} if "dataset" in recipe else {}
        trained = _training_versions(recipe) if "model" in recipe else {}
        return {"experiment": find("experiment", recipe["experiment"]).version, **data, **trained}
    return {"dataset": find("dataset", recipe["dataset"]["name"]).version, **_training_versions(recipe)}


def _training_versions(recipe: dict[str, Any]) -> dict[str, int]:
    """Return the versions of what a training of networks depends on, be it the run or a part of an experiment."""
    return {
        "engine": ENGINE_VERSION,
        "noise": find("noise", recipe["noise"]["kind"]).version,
        "model": find("model", recipe["model"]).version,
        "method": find("method", name_and_options(recipe["method"])[0]).version,
        "optimizer": find("optimizer", recipe["optimizer"]["kind"]).version,
        "schedule": find("schedule", recipe["schedule"]["kind"]).version,
        **_later_versions(recipe),
    }


def _later_versions(recipe: dict[str, Any]) -> dict[str, int]:
    """Return the versions of what a recipe may leave out. Records were made with probes before these had versions, so a
    probe's first version is no part of a run's identity."""
    probes = {name: find("probe", name).version for name, _ in map(name_and_options, recipe.get("probes", ()))}
    found = {f"probe {name}": version for name, version in probes.items() if version > 1}
    if "average" in recipe:
        found["average"] = find("average", recipe["average"]["kind"]).version
    return found
