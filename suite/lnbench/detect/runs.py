"""The trainings of a detection: runs over all images, whose curves are read, and folds, whose networks are asked about
images that they did not see."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lnbench import catalog
from lnbench.detect.data import Labelled, Labels
from lnbench.detect.options import Options, fitting_batch, recipe
from lnbench.identity import content_id
from lnbench.randomness import SEED_STREAMS, derived_seed

KIND, KIND_OF_FOLD = "detect", "detect-fold"
PROBABILITIES = "mean_test_probabilities"  # of a fold, averaged over its epochs: see the probe


@dataclass(frozen=True)
class DetectRun:
    """One training: what it depends on, and what it costs. `number` counts from 1. `fold`: which fold it leaves out,
    from 0, and of how many; None: it trains on all images."""

    number: int
    recipe: dict[str, Any]
    seeds: dict[str, int]
    data: str  # sha256 of what it is trained on
    examples: int
    flop: float
    fold: tuple[int, int] | None = None

    @cached_property
    def content(self) -> dict[str, Any]:
        versions = catalog.versions(self.recipe)
        found = {"kind": KIND, "recipe": self.recipe, "seeds": self.seeds, "data": self.data, "versions": versions}
        return found if self.fold is None else {**found, "kind": KIND_OF_FOLD, "fold": list(self.fold)}

    @cached_property
    def id(self) -> str:
        return content_id(self.content)

    @property
    def epochs(self) -> int:
        return int(self.recipe["epochs"])

    def describe(self) -> str:
        what = "run" if self.fold is None else "fold"
        return f"{what} {self.number}: {self.recipe['model']}"


def planned(options: Options, data: Labelled) -> list[DetectRun]:
    """Return the runs over all images. Run r of a seed is the same whatever the number of runs, so that a fourth can be
    added to three."""
    plan, count = recipe(options, data), len(data.labels)
    return [
        _run(number, plan, f"detect {options.seed} {number}", data, count, None)
        for number in range(1, options.runs + 1)
    ]


def planned_folds(options: Options, data: Labelled, fold: Labels) -> list[DetectRun]:
    """Return a training for each fold, `fold` (N,) saying which images it leaves out.

    With k folds each is 1/(k - 1) of the epochs long: together they see as many images as one run over all.
    """
    plan, found = recipe(options, data), []
    epochs = max(1, round(plan["epochs"] / (options.folds - 1)))
    for number in range(options.folds):
        count = int((fold != number).sum())
        own = {
            **plan,
            "dataset": {"clean": count, "validation": 0, "test": 1},  # the probe looks at all that are left out
            "batch_size": fitting_batch(count, plan["batch_size"]),
            "epochs": epochs,
            "probes": [PROBABILITIES],
        }
        seed = f"detect {options.seed} fold {number} of {options.folds}"
        found.append(_run(number + 1, own, seed, data, count, (number, options.folds)))
    return found


def _run(
    number: int, plan: dict[str, Any], seed: str, data: Labelled, count: int, fold: tuple[int, int] | None
) -> DetectRun:
    mmac = catalog.find("model", plan["model"]).mmac
    # forward and backward: three times the forward pass, two operations per multiply-accumulate
    flop = 6e6 * mmac(data.shape, len(data.classes)) * count * plan["epochs"] if mmac else 1.0
    seeds = {stream: derived_seed(f"{seed} {stream}") for stream in SEED_STREAMS}
    return DetectRun(number, plan, seeds, data.checksum, count, flop, fold)
