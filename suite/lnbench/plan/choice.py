"""A hyper-parameter chosen by validation accuracy, and the runs it is chosen by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lnbench.data.sources import source_of
from lnbench.identity import canonical_json, content_id
from lnbench.plan.inputs import Inputs, Reader
from lnbench.plan.run import Outcome, Run, stream_seeds
from lnbench.randomness import SEED_STREAMS
from lnbench.spec import Cell, Choose, Scalar
from lnbench.spec.dotted import put

CHOOSING_SEEDS = 1_000_000  # seed indices from here on are for choices; a verdict's seeds are below


@dataclass(frozen=True)
class Choice:
    """A value chosen among candidates, each scored by the mean over its runs. Itself a stored record."""

    key: str
    by: str
    point: dict[str, Scalar]
    candidates: tuple[tuple[Scalar, tuple[Run, ...]], ...]

    @cached_property
    def content(self) -> dict[str, Any]:
        return {
            "kind": "choice",
            "key": self.key,
            "by": self.by,
            "candidates": [[value, [run.id for run in runs]] for value, runs in self.candidates],
            "versions": {"choice": 1},
        }

    @cached_property
    def id(self) -> str:
        return content_id(self.content)

    def decide(self, outcomes: Mapping[str, Outcome]) -> Outcome:
        """Return the outcome of the choice: scores (mean of the last epoch's `by`; null where a run diverged), the
        value with the highest score (the first of equals), and its margin over the next best."""
        scores: list[float | None] = []
        for _, runs in self.candidates:
            results = [outcomes[run.id] for run in runs]
            if any(result["status"] != "ok" for result in results):
                scores.append(None)
            else:
                scores.append(sum(result["curves"][self.by][-1] for result in results) / len(results))
        ranked = sorted((score for score in scores if score is not None), reverse=True)
        best = scores.index(ranked[0]) if ranked else 0
        return {
            "status": "ok",
            "chosen": self.candidates[best][0],
            "scores": scores,
            "margin": ranked[0] - ranked[1] if len(ranked) > 1 else None,
        }


def group_of(cell: Cell, choose: Choose | None) -> str:
    return canonical_json([cell.point[axis] for axis in choose.per]) if choose else ""


def choices_of(cells: tuple[Cell, ...], choose: Choose, inputs: Inputs, first: int = 0) -> dict[str, Choice]:
    """Return one choice for each combination of the `per` axes, its candidates scored over all cells of the group.
    `first`: the study's first seed; a choice's own are as far from those of another set."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(group_of(cell, choose), []).append(cell)
    choices = {}
    for name, group in groups.items():
        candidates = tuple(
            (value, tuple(run for cell in group for run in choosing_runs_of(cell, choose, value, inputs, first)))
            for value in choose.from_
        )
        point = {axis: group[0].point[axis] for axis in choose.per}
        choices[name] = Choice(choose.key, choose.by, point, candidates)
    return choices


def choosing_runs_of(cell: Cell, choose: Choose, value: Scalar, inputs: Inputs, first: int = 0) -> Iterator[Run]:
    """Yield the candidate's training runs: on seeds of the choice's own, on fewer clean images where the validation
    images come out of these, and for fewer epochs where the choice says so. An input `per: seed` that they read is made
    of a training on these seeds and images, too."""
    tried = put(cell.recipe.identity(), choose.key, value)
    dataset = tried["dataset"]
    clean = dataset["clean"] - choose.out_of_clean(source_of(dataset).train, dataset["clean"])
    tried = {**tried, "dataset": {**dataset, "clean": clean, "validation": choose.validation}}
    if choose.epochs is not None:
        tried["epochs"] = choose.epochs.of(tried["epochs"], cell.point)
    for number in range(choose.seeds):
        seed = CHOOSING_SEEDS + first + number
        yield inputs.run(cell.recipe.needs, tried, stream_seeds(seed, tried, SEED_STREAMS), Reader(cell.point, seed))
