"""A study at a tier as the runs it needs: a DAG of trainings and of choices between trainings.

A *run* is one fully resolved recipe and one set of seeds; its id is the hash of exactly that, of the versions of all
code it names and of the ids of the records it builds on (inputs.py). Where a hyper-parameter is chosen by validation,
the runs that depend on it are *jobs* until the choice is made. Planning trains nothing and imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lnbench import catalog
from lnbench.canonical import canonical_json, content_id
from lnbench.inputs import Derived
from lnbench.randomness import SEED_STREAMS, derived_seed
from lnbench.recipe import AnyRecipe
from lnbench.spec import Cell, Choose, Scalar, Study

EXPERIMENT_FLOP_A_SECOND = 6e10  # a core's, in training (cost.py): so that shares of a plan compare time with time
CHOOSING_SEEDS = 1_000_000  # seed indices from here on are for choices; a verdict's seeds lie below
INPUT_SEEDS = 2_000_000  # and from here on for the runs that inputs are made of
Outcome = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One training, or one run of an experiment: everything that decides its outcome, and nothing else."""

    recipe: dict[str, Any]
    seeds: dict[str, int]
    inputs: dict[str, str] = field(default_factory=dict)

    @cached_property
    def content(self) -> dict[str, Any]:
        """What the id is the hash of, and what the record says the run was."""
        return {
            "kind": "training",
            "recipe": self.recipe,
            "seeds": self.seeds,
            "inputs": self.inputs,
            "versions": catalog.versions(self.recipe),
        }

    @cached_property
    def id(self) -> str:
        return content_id(self.content)

    @property
    def experiment(self) -> str | None:
        """The experiment's name; None for the training of a classifier."""
        name: str | None = self.recipe.get("experiment")
        return name

    @property
    def epochs(self) -> int:
        """Passes over the data; an experiment is one."""
        return 1 if self.experiment else int(self.recipe["epochs"])

    @property
    def held_out(self) -> int:
        """Validation images: only runs between which a choice is made have any."""
        return 0 if self.experiment else int(self.recipe["dataset"]["validation"])

    @property
    def seconds(self) -> float | None:
        """What an experiment's run takes on one core; None for a training, which is priced by its operations."""
        if self.experiment is None:
            return None
        seconds = catalog.find("experiment", self.experiment).seconds
        return seconds(self.recipe) if seconds else 1.0

    @property
    def examples(self) -> int:
        """Examples in one epoch, noisy copies included; of an experiment, those that all its steps read."""
        recipe = self.recipe
        if self.experiment:
            if "clean" in recipe:
                return int(recipe["clean"]) * int(recipe["epochs"]) * (2 if recipe.get("folds") else 1)
            each = recipe.get("images") or (1 if recipe.get("batch") == "one" else recipe.get("samples", 1))
            return int(recipe.get("steps", 1)) * int(each)
        classes = catalog.find("dataset", recipe["dataset"]["name"]).value.classes
        noise = catalog.find("noise", recipe["noise"]["kind"]).load()
        size: int = noise(recipe["dataset"]["clean"], classes, 0, recipe["noise"]).size
        return size

    @property
    def flop(self) -> float:
        """Floating-point operations of the training: 6 · MACs · examples · epochs (forward 2, backward 4).

        Of an experiment, its seconds in the operations that training does in that time on one core.
        """
        if self.seconds is not None:
            return self.seconds * EXPERIMENT_FLOP_A_SECOND
        source = catalog.find("dataset", self.recipe["dataset"]["name"]).value
        mmac = catalog.find("model", self.recipe["model"]).mmac
        macs = 1e6 * mmac(source.shape, source.classes) if mmac else 0.0
        # a second look at every training image is one more forward pass
        per_example = (8 if "example_loss_eval" in self.recipe.get("probes", ()) else 6) * macs
        return per_example * self.examples * float(self.recipe["epochs"])

    def describe(self) -> str:
        """A short line for progress and messages."""
        if self.experiment:
            told = {key: value for key, value in self.recipe.items() if isinstance(value, float) and value}
            words = " ".join(f"{key}={value:g}" for key, value in told.items())
            size = f"steps={self.recipe['steps']} " if "steps" in self.recipe else ""
            return f"{self.experiment} {words} {size}seed={self.seeds['init']}".replace("  ", " ")
        noise = {key: value for key, value in self.recipe["noise"].items() if isinstance(value, float)}
        words = " ".join(f"{key}={value:g}" for key, value in noise.items())
        rate = self.recipe["optimizer"]["lr"]
        again = f"repeat={self.recipe['repeat']} " if "repeat" in self.recipe else ""
        return f"{self.recipe['model']} {words} lr={rate:g} {again}seed={self.seeds['init']}".replace("  ", " ")


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
        """The outcome of the choice: scores (mean of the last epoch's `by`; null where a run diverged), the value
        with the highest score (the first of equals), and its margin over the next best."""
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
    choices = _choices(study.cells, runs.choose, inputs) if runs.choose else {}
    jobs = []
    for seed in range(seeds or runs.seeds.n):
        for cell in study.cells:
            choice = choices.get(_group(cell, runs.choose)) if runs.choose else None
            recipe = cell.recipe.identity()
            jobs.append(Job(cell.point, seed, recipe, runs.seeds.pair, choice, _read(cell.recipe, inputs)))
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


def _read(recipe: AnyRecipe, inputs: Mapping[str, Derived]) -> dict[str, str]:
    """name -> id of the inputs that a recipe needs."""
    return {name: inputs[name].id for name in recipe.needs}


def stream_seeds(index: int, recipe: dict[str, Any], paired: tuple[str, ...]) -> dict[str, int]:
    """A seed for each stream: the index itself where arms are paired, else one that this recipe shares with none."""
    seeds = {}
    for stream in SEED_STREAMS:
        own = f"{stream}:{index}:{canonical_json(recipe)}"
        seeds[stream] = index if stream in paired else derived_seed(own)
    return seeds


def put(tree: dict[str, Any], dotted: str, value: Any) -> dict[str, Any]:
    """Nested dicts with `value` at a dotted path; as it is where there is no such place (a loss of strength 0 is
    the cross-entropy, and has no options)."""
    head, _, rest = dotted.partition(".")
    if head not in tree or (rest and not isinstance(tree[head], dict)):
        return tree
    return {**tree, head: put(tree[head], rest, value) if rest else value}


def _group(cell: Cell, choose: Choose | None) -> str:
    return canonical_json([cell.point[axis] for axis in choose.per]) if choose else ""


def _choices(cells: tuple[Cell, ...], choose: Choose, inputs: Mapping[str, Derived]) -> dict[str, Choice]:
    """One choice for each combination of the `per` axes; its candidates are scored over all cells of the group."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(_group(cell, choose), []).append(cell)
    choices = {}
    for name, group in groups.items():
        candidates = tuple(
            (value, tuple(run for cell in group for run in _choosing_runs(cell.recipe, choose, value, inputs)))
            for value in choose.from_
        )
        point = {axis: group[0].point[axis] for axis in choose.per}
        choices[name] = Choice(choose.key, choose.by, point, candidates)
    return choices


def _choosing_runs(recipe: AnyRecipe, choose: Choose, value: Scalar, inputs: Mapping[str, Derived]) -> Iterator[Run]:
    """The candidate's trainings: on seeds of the choice's own, on fewer clean images where the validation images come
    out of these, and for fewer epochs where the choice says so."""
    tried = put(recipe.identity(), choose.key, value)
    dataset = tried["dataset"]
    clean = dataset["clean"] - choose.out_of_clean(dataset["name"], dataset["clean"])
    tried = {**tried, "dataset": {**dataset, "clean": clean, "validation": choose.validation}}
    if choose.epochs is not None:
        tried["epochs"] = choose.epochs.of(tried["epochs"])
    for number in range(choose.seeds):
        yield Run(tried, stream_seeds(CHOOSING_SEEDS + number, tried, SEED_STREAMS), _read(recipe, inputs))
