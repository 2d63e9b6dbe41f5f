"""A run: one fully resolved recipe and one set of seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from lnbench import catalog
from lnbench.catalog.entry import Shape
from lnbench.data.sources import source_of
from lnbench.identity import canonical_json, content_id
from lnbench.randomness import SEED_STREAMS, derived_seed
from lnbench.training.shape import added_passes, examples_an_epoch, method_entry, passes

if TYPE_CHECKING:
    from lnbench.plan.inputs import Derived

EXPERIMENT_FLOP_A_SECOND = 6e10  # one core's, in training (cost.py): so that shares of a plan compare time with time


Outcome = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One training, or one run of an experiment: everything that decides its outcome, and nothing else.

    `inputs`: name -> id of the records that it builds on. `reads`: the same inputs with the runs that they are made of;
    empty for a run that is known from its record alone. `files`: sha256 -> path on this machine of the label file that
    its noise reads; its recipe, and so its id, has the checksum only.
    """

    recipe: dict[str, Any]
    seeds: dict[str, int]
    inputs: dict[str, str] = field(default_factory=dict)
    reads: Mapping[str, Derived] = field(default_factory=dict, compare=False, repr=False)
    files: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def content(self) -> dict[str, Any]:
        """Return what the id is the hash of, and what the record says the run was."""
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
        """Return the experiment's name; None for the training of a classifier."""
        name: str | None = self.recipe.get("experiment")
        return name

    @property
    def datasets(self) -> tuple[str, ...]:
        """Return the names of the data sets that it reads: its own, none for an experiment without images; and, of
        foreign noise, the one that it shows images of."""
        found = self.recipe.get("dataset")
        if found is None:
            return ()
        if isinstance(found, str):
            return (found,)
        noise = self.recipe["noise"]
        options = catalog.find("noise", noise["kind"]).options
        shown = options.model_validate(noise).datasets if hasattr(options, "datasets") else ()  # type: ignore[union-attr]
        return (found["name"], *shown)

    @property
    def epochs(self) -> int:
        """Return the number of passes over the data; an experiment is one."""
        return 1 if self.experiment else int(self.recipe["epochs"])

    @property
    def held_out(self) -> int:
        """Return the number of validation images: only runs between which a choice is made have any."""
        return 0 if self.experiment else int(self.recipe["dataset"]["validation"])

    @property
    def seconds(self) -> float | None:
        """Return what an experiment's run takes on one core; None for a training, which is priced by its operations."""
        if self.experiment is None:
            return None
        seconds = catalog.find("experiment", self.experiment).seconds
        return seconds(self.recipe) if seconds else 1.0

    @property
    def examples(self) -> int:
        """Return the examples in one epoch, noisy copies included; for an experiment, those that all its steps read.

        A run on the examples that an input keeps (`dataset.only`) is counted with all of them, so that its cost is an
        upper bound: how many are kept is known when the input is made.
        """
        recipe = self.recipe
        if self.experiment:
            if "turns" in recipe:  # of SGD, SAM, ASAM and weight averaging each
                return 4 * int(recipe["clean"]) * int(recipe["turns"])
            if "clean" in recipe:
                return int(recipe["clean"]) * int(recipe["epochs"]) * (2 if recipe.get("folds") else 1)
            each = recipe.get("images") or (1 if recipe.get("batch") == "one" else recipe.get("samples", 1))
            return int(recipe.get("steps", 1)) * int(each)
        return examples_an_epoch(recipe)

    @cached_property
    def flop(self) -> float:
        """Return the floating-point operations of the run: those of its steps, and 2 · MACs of each network for each
        test and validation image after each epoch.

        For an experiment, its seconds in the operations that training does in that time on one core.
        """
        if self.seconds is not None:
            return self.seconds * EXPERIMENT_FLOP_A_SECOND
        dataset = self.recipe["dataset"]
        tested = dataset.get("test") or source_of(dataset).test
        images = float(tested + dataset["validation"]) * float(self.recipe["epochs"])
        return self.steps_flop + 2 * self._macs * images * method_entry(self.recipe)[0].networks

    @property
    def steps_flop(self) -> float:
        """Return those of a training's steps: 6 · MACs · examples · epochs (forward 2, backward 4) for each pass of a
        step, and those that its probes and its average add."""
        per_example = (6 * passes(self.recipe) + 2 * added_passes(self.recipe)) * self._macs
        return per_example * self.examples * float(self.recipe["epochs"])

    @property
    def _macs(self) -> float:
        source = source_of(self.recipe["dataset"])
        return _macs_of(self.recipe["model"], source.shape, source.classes)

    def describe(self) -> str:
        """Return a short line for progress and messages."""
        if self.experiment:
            told = {key: value for key, value in self.recipe.items() if isinstance(value, float) and value}
            words = " ".join(f"{key}={value:g}" for key, value in told.items())
            size = f"steps={self.recipe['steps']} " if "steps" in self.recipe else ""
            return f"{self.experiment} {words} {size}seed={self.seeds['init']}".replace("  ", " ")
        noise = {key: value for key, value in self.recipe["noise"].items() if isinstance(value, float)}
        words = " ".join(f"{key}={value:g}" for key, value in noise.items())
        rate = self.recipe["optimizer"]["lr"]
        again = f"repeat={self.recipe['repeat']} " if "repeat" in self.recipe else ""
        only, start = self.recipe["dataset"].get("only"), self.recipe.get("start")
        again += (f"only={only} " if only else "") + (f"start={start} " if start else "")
        return f"{self.recipe['model']} {words} lr={rate:g} {again}seed={self.seeds['init']}".replace("  ", " ")


@lru_cache(maxsize=256)
def _macs_of(model: str, shape: Shape, classes: int) -> float:
    """Return the multiply-accumulates of a network for one image: a plan asks for each of its runs, several times."""
    mmac = catalog.find("model", model).mmac
    return 1e6 * float(mmac(shape, classes)) if mmac else 0.0


def inputs_behind(runs: Iterable[Run]) -> list[Derived]:
    """Return the inputs that runs build on, and those that these are made with, each once and after what it needs."""
    found: dict[str, Derived] = {}
    for run in runs:
        for derived in run.reads.values():
            if derived.id not in found:
                found |= {one.id: one for one in inputs_behind(derived.runs) if one.id not in found}
                found[derived.id] = derived
    return list(found.values())


def runs_behind(runs: Iterable[Run]) -> Iterator[Run]:
    """Yield the runs that the inputs of `runs` are made of, each once, those first that others wait for."""
    found = {run.id: run for derived in inputs_behind(runs) for run in derived.runs}
    yield from found.values()


def stream_seeds(index: int, recipe: dict[str, Any], paired: tuple[str, ...]) -> dict[str, int]:
    """Return a seed for each stream: the index itself where arms are paired, else one that this recipe shares with
    none."""
    own = [stream for stream in SEED_STREAMS if stream not in paired]
    about = canonical_json(recipe) if own else ""
    derived = {stream: derived_seed(f"{stream}:{index}:{about}") for stream in own}
    return {stream: derived.get(stream, index) for stream in SEED_STREAMS}
