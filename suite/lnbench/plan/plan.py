"""A study at a tier as the runs it needs: a DAG of trainings and of choices between trainings.

A *run* is one fully resolved recipe and one set of seeds; its id is the hash of exactly that, of the versions of all
code it names and of the ids of the records it builds on (inputs.py). Where a hyper-parameter is chosen by validation,
the runs that depend on it are *jobs* until the choice is made. Planning trains nothing and imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lnbench.plan.choice import Choice, choices_of, group_of, inputs_read
from lnbench.plan.inputs import Derived
from lnbench.plan.run import Outcome, Run, stream_seeds
from lnbench.randomness import SEED_STREAMS
from lnbench.spec import Scalar, Study
from lnbench.spec.dotted import put

INPUT_SEEDS = 2_000_000  # and from here on for the runs that inputs are made of


@dataclass(frozen=True)
class Job:
    """One training that a verdict needs: at a point of the grid, with one seed; its recipe may await a choice."""

    point: dict[str, Scalar]
    seed: int
    recipe: dict[str, Any]
    paired: tuple[str, ...]
    choice: Choice | None
    inputs: dict[str, str] = field(default_factory=dict)  # name -> id of the record that the run builds on

    def run(self, chosen: Scalar = None) -> Run:
        """The run, once the choice (if there is one) is made."""
        recipe = self.recipe if self.choice is None else put(self.recipe, self.choice.key, chosen)
        return Run(recipe, stream_seeds(self.seed, recipe, self.paired), self.inputs)


@dataclass(frozen=True)
class Plan:
    """All that a study at a tier needs."""

    study: Study
    choices: tuple[Choice, ...]
    jobs: tuple[Job, ...]
    inputs: tuple[Derived, ...] = ()

    @property
    def input_runs(self) -> list[Run]:
        """The trainings that inputs are made of, each once."""
        return list({run.id: run for derived in self.inputs for run in derived.runs}.values())

    @property
    def choosing_runs(self) -> list[Run]:
        """The trainings behind the choices, each once."""
        runs = {run.id: run for choice in self.choices for _, runs in choice.candidates for run in runs}
        return list(runs.values())

    def resolve(self, outcomes: Mapping[str, Outcome]) -> Iterator[tuple[Job, Run | None]]:
        """Every job with its run; None where the choice it hangs on is not made yet. `outcomes`: by record id."""
        for job in self.jobs:
            if job.choice is None:
                yield job, job.run()
            else:
                made = outcomes.get(job.choice.id)
                yield job, None if made is None else job.run(made["chosen"])

    def provisional_runs(self) -> list[Run]:
        """Every job as if the first candidate were chosen: for counting and pricing before anything is trained."""
        return [job.run(job.choice.candidates[0][0] if job.choice else None) for job in self.jobs]


def plan_study(study: Study, seeds: int | None = None) -> Plan:
    """The plan of a study; `seeds` overrides how many seeds the verdict's runs have."""
    runs = study.spec.runs
    inputs = _inputs(study)
    choices = choices_of(study.cells, runs.choose, inputs) if runs.choose else {}
    jobs = []
    for seed in range(seeds or runs.seeds.n):
        for cell in study.cells:
            choice = choices.get(group_of(cell, runs.choose)) if runs.choose else None
            recipe = cell.recipe.identity()
            jobs.append(Job(cell.point, seed, recipe, runs.seeds.pair, choice, inputs_read(cell.recipe, inputs)))
    return Plan(study, tuple(choices.values()), tuple(jobs), tuple(inputs.values()))


def _inputs(study: Study) -> dict[str, Derived]:
    """The inputs that some cell needs. Their runs have seeds of their own, in all streams."""
    needed = {name for cell in study.cells for name in cell.recipe.needs}
    found = {}
    for name, source in study.sources.items():
        if name in needed:
            recipe = source.recipe.identity()
            seeds = (stream_seeds(INPUT_SEEDS + number, recipe, SEED_STREAMS) for number in range(source.seeds))
            found[name] = Derived(name, tuple(Run(recipe, own) for own in seeds))
    return found
