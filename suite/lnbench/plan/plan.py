"""A study at a tier as the runs it needs: a DAG of trainings, of choices between them and of inputs made of them.

A *run* is one fully resolved recipe and one set of seeds; its id is the hash of exactly that, of the versions of all
code it names and of the ids of the records it builds on (inputs.py). Where a hyper-parameter is chosen by validation,
the runs that depend on it, and the inputs that are made for these, are known when the choice is made; until then they
are *jobs*. Planning trains nothing and imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lnbench.errors import LnbenchError
from lnbench.plan.choice import Choice, choices_of, group_of
from lnbench.plan.inputs import Derived, Inputs, Reader
from lnbench.plan.run import Outcome, Run, inputs_behind, stream_seeds
from lnbench.spec import Scalar, Study
from lnbench.spec.dotted import put


@dataclass(frozen=True)
class Job:
    """One training that a verdict needs: at a point of the grid, with one seed; its recipe may await a choice."""

    point: dict[str, Scalar]
    seed: int
    recipe: dict[str, Any]
    paired: tuple[str, ...]
    choice: Choice | None
    needs: tuple[str, ...] = ()  # names of the inputs that the run reads
    inputs: Inputs = field(default_factory=lambda: Inputs({}), compare=False, repr=False)
    _runs: dict[tuple[type, Scalar], Run] = field(init=False, default_factory=dict, compare=False, repr=False)

    def run(self, chosen: Scalar = None) -> Run:
        """Return the run, once the choice (if there is one) is made: one object, however often it is asked for."""
        key = (type(chosen), chosen)  # 1 and 1.0 are two recipes
        if key not in self._runs:
            recipe = self.recipe if self.choice is None else put(self.recipe, self.choice.key, chosen)
            seeds = stream_seeds(self.seed, recipe, self.paired)
            self._runs[key] = self.inputs.run(self.needs, recipe, seeds, Reader(self.point, self.seed))
        return self._runs[key]

    def provisional(self) -> Run:
        """Return the run as if the first candidate were chosen."""
        return self.run(self.choice.candidates[0][0] if self.choice else None)

    def resolve(self, outcomes: Mapping[str, Outcome]) -> Run | None:
        """Return the run; None where the choice that it depends on is not made yet. `outcomes`: by record id."""
        if self.choice is None:
            return self.run()
        made = outcomes.get(self.choice.id)
        return None if made is None else self.run(made["chosen"])


@dataclass(frozen=True)
class Plan:
    """All that a study at a tier needs."""

    study: Study
    choices: tuple[Choice, ...]
    jobs: tuple[Job, ...]

    @cached_property
    def inputs(self) -> tuple[Derived, ...]:
        """Return the inputs that the plan's runs build on, each once, after those it needs itself; where a choice
        is not made, those of its first candidate."""
        return tuple(inputs_behind([*self.choosing_runs, *self.provisional_runs()]))

    @property
    def input_runs(self) -> list[Run]:
        """Return the training runs that inputs are made of, each once."""
        return list({run.id: run for derived in self.inputs for run in derived.runs}.values())

    @cached_property
    def choosing_runs(self) -> list[Run]:
        """Return the training runs behind the choices, each once."""
        runs = {run.id: run for choice in self.choices for _, runs in choice.candidates for run in runs}
        return list(runs.values())

    def part(self, only: Callable[[Mapping[str, Scalar]], bool]) -> Plan:
        """Return the plan of the points that are asked for, and the choices that these wait for."""
        jobs = tuple(job for job in self.jobs if only(job.point))
        waited_for = {job.choice.id for job in jobs if job.choice is not None}
        return Plan(self.study, tuple(choice for choice in self.choices if choice.id in waited_for), jobs)

    def resolve(self, outcomes: Mapping[str, Outcome]) -> Iterator[tuple[Job, Run | None]]:
        """Yield every job with its run; None where its choice is not made yet. `outcomes`: by record id."""
        return ((job, job.resolve(outcomes)) for job in self.jobs)

    def provisional_runs(self) -> list[Run]:
        """Return every job's run as if the first candidate were chosen: for counting and pricing before training."""
        return list(self._provisional)

    @cached_property
    def _provisional(self) -> list[Run]:
        return [job.provisional() for job in self.jobs]


MOST_RUNS = 100_000  # of one plan; a spec's own seeds are held to it when it is read


def plan_study(study: Study, seeds: int | None = None) -> Plan:
    """Return the plan of a study; `seeds` overrides how many seeds the verdict's runs have. Raises LnbenchError where
    that makes too many runs."""
    runs = study.spec.runs
    if seeds is not None and (count := seeds * len(study.cells)) > MOST_RUNS:
        raise LnbenchError(f"{study.key}: {seeds} seeds are {count} runs; at most {MOST_RUNS} in one plan")
    first = runs.seeds.first
    inputs = Inputs(study.sources, study.at, runs.seeds.pair, study.label_files, first)
    choices = choices_of(study.cells, runs.choose, inputs, first) if runs.choose else {}
    planned = [
        (cell, cell.recipe.identity(), choices.get(group_of(cell, runs.choose)) if runs.choose else None)
        for cell in study.cells
    ]
    jobs = [
        Job(cell.point, seed, recipe, runs.seeds.pair, choice, cell.recipe.needs, inputs)
        for seed in range(first, first + (seeds or runs.seeds.n))
        for cell, recipe, choice in planned
    ]
    return Plan(study, tuple(choices.values()), tuple(jobs))
