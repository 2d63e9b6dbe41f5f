"""What runs must have in common to be trained together. No torch: the planner asks too."""

from __future__ import annotations

from typing import Any

from lnbench import catalog
from lnbench.catalog import Entry
from lnbench.training.probes.entries import asked

MAY_DIFFER = {"lr", "weight_decay"}  # of an optimiser: one value a replica


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
        classes = catalog.find("dataset", recipe["dataset"]["name"]).value.classes
    noise = catalog.find("noise", recipe["noise"]["kind"]).load()
    size: int = noise(recipe["dataset"]["clean"], classes, 0, recipe["noise"]).size
    return size


def added(recipe: dict[str, Any]) -> list[tuple[Entry, dict[str, Any]]]:
    """Return what a recipe asks for beside the training itself, its probes and its average, each with its options."""
    found = [(entry, options or {}) for entry, options in asked(recipe)]
    if "average" in recipe:
        found.append((catalog.find("average", recipe["average"]["kind"]), recipe["average"]))
    return found


def added_passes(recipe: dict[str, Any]) -> float:
    """Return what that adds to an epoch, in forward passes over the training examples."""
    return sum(entry.passes(options, recipe) for entry, options in added(recipe) if entry.passes is not None)


def can_be_stacked(recipe: dict[str, Any]) -> bool:
    """Return whether a stack of networks can compute all that the recipe asks for."""
    return all(entry.stacks for entry, _ in added(recipe))
