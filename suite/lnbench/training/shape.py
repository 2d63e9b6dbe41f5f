"""What runs must have in common to be trained together. No torch: the planner asks too."""

from __future__ import annotations

import math
from typing import Any

from lnbench import catalog
from lnbench.catalog import Entry
from lnbench.data.sources import FolderSource, source_of
from lnbench.training.probes.entries import asked

MAY_DIFFER = {"lr", "weight_decay"}  # of an optimiser: one value a replica
EVALUATED_AT_ONCE = 1000  # images that no step sees, and of images in files fewer where they are large:
EVALUATED_NUMBERS = 1 << 24  # their numbers at most, 64 MiB in float32


def group_shape(recipe: dict[str, Any], classes: int | None = None) -> dict[str, Any]:
    """Return all of a recipe that two runs of one group must share: equal shapes, equal arithmetic, equally many steps.
    `classes` as in `examples_an_epoch`."""
    optimizer = {key: value for key, value in recipe["optimizer"].items() if key not in MAY_DIFFER}
    free = {"noise", "optimizer", "schedule", "repeat"}
    return {
        **{key: value for key, value in recipe.items() if key not in free},
        "optimizer": optimizer,
        "examples an epoch": examples_an_epoch(recipe, classes),
        "schedule with momentum": recipe["schedule"].get("momentum") is not None,
    }


def examples_an_epoch(recipe: dict[str, Any], classes: int | None = None) -> int:
    """Return the number of training examples in one epoch, noisy copies included. `classes`: of the data at hand; None
    for those of the data set that the recipe names."""
    if classes is None:
        classes = source_of(recipe["dataset"]).classes
    noise = catalog.find("noise", recipe["noise"]["kind"]).load()
    size: int = noise(recipe["dataset"]["clean"], classes, 0, recipe["noise"]).size
    return size


def added(recipe: dict[str, Any]) -> list[tuple[Entry, dict[str, Any]]]:
    """Return what a recipe asks for beside the training itself, its probes and its average, each with its options."""
    found = [(entry, options or {}) for entry, options in asked(recipe)]
    if "average" in recipe:
        found.append((catalog.find("average", recipe["average"]["kind"]), recipe["average"]))
    return found


def method_entry(recipe: dict[str, Any]) -> tuple[Entry, dict[str, Any]]:
    """Return a recipe's method with its options."""
    name, options = catalog.name_and_options(recipe["method"])
    return catalog.find("method", name), options or {}


def optimizer_entry(recipe: dict[str, Any]) -> tuple[Entry, dict[str, Any]]:
    """Return a recipe's optimiser with its options."""
    return catalog.find("optimizer", recipe["optimizer"]["kind"]), recipe["optimizer"]


def passes(recipe: dict[str, Any]) -> float:
    """Return how often a step goes forward and backward over each of its examples, all networks together."""
    own = (entry.passes(options, recipe) for entry, options in _stepping(recipe) if entry.passes is not None)
    return math.prod(own)


def added_passes(recipe: dict[str, Any]) -> float:
    """Return what probes and average add to an epoch, in forward passes over the training examples."""
    once = sum(entry.passes(options, recipe) for entry, options in added(recipe) if entry.passes is not None)
    method, options = method_entry(recipe)
    return once * method.passes(options, recipe) if method.passes else once


def not_stacked(recipe: dict[str, Any]) -> list[str]:
    """Return what a stack of networks cannot compute of all that the recipe asks for, each as `kind 'name'`.

    Runs on the examples that an input keeps have as many as it keeps: steps of different lengths cannot be stacked.
    """
    every = [*_stepping(recipe), *added(recipe)]
    only = ["dataset 'only'"] if "only" in recipe["dataset"] else []
    only += [f"dataset '{recipe['dataset']['name']}'"] if in_files(recipe) else []
    return only + [f"{entry.kind} '{entry.name}'" for entry, _ in every if not entry.stacks]


def alone(recipe: dict[str, Any]) -> list[str]:
    """Return what makes a run train by itself although its backend trains networks of any kind side by side: an
    average of the weights, examples that an input keeps, and probes that look at one network."""
    average = ["average"] if "average" in recipe else []
    only = ["dataset 'only'"] if "only" in recipe["dataset"] else []
    return average + only + [f"probe '{entry.name}'" for entry, _ in asked(recipe) if not entry.stacks]


def files_at_once(size: int) -> int:
    """Return how many image files of `size`×`size` pixels pass through a network at once where it is evaluated."""
    return max(1, min(EVALUATED_AT_ONCE, EVALUATED_NUMBERS // (3 * size * size)))


def evaluated_at_once(recipe: dict[str, Any]) -> int:
    """Return how many images pass through a network at once where it is evaluated."""
    return files_at_once(source_of(recipe["dataset"]).shape[1]) if in_files(recipe) else EVALUATED_AT_ONCE


def in_files(recipe: dict[str, Any]) -> bool:
    """Return whether a run's images are files that are decoded while it trains: only the loop backend takes them."""
    name = recipe["dataset"].get("name")  # left out where a program hands over its own images
    return name is not None and isinstance(source_of(recipe["dataset"]), FolderSource)


def _stepping(recipe: dict[str, Any]) -> list[tuple[Entry, dict[str, Any]]]:
    """Return what a step is made of."""
    return [method_entry(recipe), optimizer_entry(recipe)]
