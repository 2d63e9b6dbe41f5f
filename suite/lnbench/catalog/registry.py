"""The one registry: every name that a spec may use, what options it takes, what it costs, and where its code is.

No torch here: names and options are validated and runs are priced without it. `target` ("module:object") is imported
only when a run needs it. A plug-in package adds its own through the entry point group `lnbench`, each entry a function
that returns `Entry` objects; a spec itself never names Python code.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from lnbench.catalog.entry import Entry
from lnbench.errors import LnbenchError, did_you_mean

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
    built_in = _built_in()
    for entry in [*built_in, *_plugged_in({entry.kind for entry in built_in})]:
        names = found.setdefault(entry.kind, {})
        if entry.name in names:
            raise LnbenchError(_taken(names[entry.name], entry))
        names[entry.name] = entry
    return found


def _taken(first: Entry, second: Entry) -> str:
    """Return what is wrong where two entries have one name; of two plug-ins both are named, in order of name."""
    packages = sorted(entry.package[0] for entry in (first, second) if entry.package)
    if len(packages) == 2:
        return f"the {second.kind} '{second.name}' is added by {' and by '.join(packages)}; rename it in one of them"
    who = f"the plug-in {packages[0]}" if packages else "lnbench itself"
    return f"{who} adds the {second.kind} '{second.name}', a name that is taken; rename it there"


def _built_in() -> list[Entry]:
    return [entry for room in BUILT_IN for entry in importlib.import_module(room).entries()]


def _plugged_in(kinds: set[str]) -> list[Entry]:
    """Return what installed plug-in packages add. Raises LnbenchError that names the one that fails, or that adds a
    name of a kind which is none of `kinds`."""
    entries: list[Entry] = []
    for plugin in importlib.metadata.entry_points(group="lnbench"):
        package = (plugin.dist.name, plugin.dist.version) if plugin.dist else (plugin.value, "")
        try:
            added = [replace(entry, package=package) for entry in plugin.load()()]
        except Exception as error:  # a plug-in may fail in any way; without this it would look like our own bug
            what = f"the plug-in '{plugin.name}' ({plugin.value}) cannot be loaded: {type(error).__name__}: {error}"
            raise LnbenchError(what) from error
        for entry in added:
            if entry.kind not in kinds:
                what = f"the plug-in '{plugin.name}' adds '{entry.name}' of the kind '{entry.kind}', which is not known"
                raise LnbenchError(f"{what}; {did_you_mean(entry.kind, kinds)}")
        entries += added
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


def used(recipe: dict[str, Any]) -> dict[str, Entry]:
    """Return the entry of every name of a recipe that its outcome depends on, by the part that it plays: `noise`,
    `base` (the optimiser that another one wraps), `rho_schedule` (how that other one's neighbourhood moves), `probe
    NAME` … A data set is left out where the recipe names none, because the images are given with it."""
    found: dict[str, Entry] = {}
    if "experiment" in recipe:
        found["experiment"] = find("experiment", recipe["experiment"])
    dataset = recipe.get("dataset")
    name = dataset.get("name") if isinstance(dataset, dict) else dataset
    if name is not None:
        found["dataset"] = find("dataset", name)
    if "model" not in recipe:  # an experiment that trains no network of the catalog
        return found
    found["model"] = find("model", recipe["model"])
    if "optimizer" not in recipe:  # one that times several of them
        return found
    found |= {kind: find(kind, recipe[kind]["kind"]) for kind in ("noise", "optimizer", "schedule")}
    found["method"] = find("method", name_and_options(recipe["method"])[0])
    if "base" in recipe["optimizer"]:
        found["base"] = find("optimizer", recipe["optimizer"]["base"]["kind"])
    if "rho_schedule" in recipe["optimizer"]:
        found["rho_schedule"] = find("schedule", recipe["optimizer"]["rho_schedule"]["kind"])
    for probe, _ in map(name_and_options, recipe.get("probes", ())):
        found[f"probe {probe}"] = find("probe", probe)
    if "average" in recipe:
        found["average"] = find("average", recipe["average"]["kind"])
    return found


def versions(recipe: dict[str, Any]) -> dict[str, int]:
    """Return the integer version of everything that a run's outcome depends on; part of the run's identity.

    Records were made with probes before these had versions, so a probe's first version is left out.
    """
    found = {"engine": ENGINE_VERSION} if "model" in recipe else {}
    for part, entry in used(recipe).items():
        if entry.kind != "probe" or entry.version > 1:
            found[part] = entry.version
    return found


def packages(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the plug-in packages that provide some of these entries: package -> version. Part of a record's
    provenance, but not of a run's identity: what changes a run's outcome is an entry's own `version`."""
    return dict(sorted(entry.package for entry in entries if entry.package))
