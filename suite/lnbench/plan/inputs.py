"""Records that runs build on: made of the outcomes of other runs, stored, and part of the id of who reads them.

A recipe names the inputs it reads: a noise that sorts classes by how often they are confused needs `confusion`,
`dataset.only` names one that keeps examples, `start` one that gives first weights. The study says under `runs.inputs`
how each is made: by a kind of the catalog (kind "input"), of one training or several. A shared input is one record for
the whole study, its runs on seeds of their own. One with `per: seed` is a record of each run that reads it; its run has
the reader's recipe with some changes, and the reader's seeds for split, noise and augmentation, so that an example's
number means the same image and label to both. Its order and its first weights are its own. An input that is `at` a
place of the grid is made of the run there, of the reader's seed: one training serves all who read it, and the claims
about it.

Such a `Derived` is a node of the plan, as a choice is: its runs are planned with the study's and may read inputs
themselves, it is made as soon as they are done, and the runs that read it begin after that. What a run was given stands
in its outcome, as a checksum, so that no verdict rests on a run that built on something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from lnbench import catalog
from lnbench.identity import canonical_json, content_id, sha256
from lnbench.plan.run import Outcome, Run, stream_seeds
from lnbench.randomness import SEED_STREAMS, derived_seed
from lnbench.spec import Cell, Recipe, Scalar, Source

INPUT_SEEDS = 2_000_000  # seed indices from here on are for the runs of shared inputs
READERS_STREAMS = ("split", "noise", "augment")  # that the run behind an input `per: seed` has from its reader


@dataclass(frozen=True)
class Derived:
    """An input, made of the outcomes of `runs`. Itself a stored record.

    `name`: what the runs that read it call it. `kind`: the catalog's, where that is another name.
    """

    name: str
    runs: tuple[Run, ...]
    kind: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def _entry(self) -> catalog.Entry:
        return catalog.find("input", self.kind or self.name)

    @property
    def gives(self) -> str:
        """Return the name of the array beside its record; "" for a kind whose record says all."""
        given: str = self._entry.value.gives
        return given

    @cached_property
    def content(self) -> dict[str, Any]:
        return {
            "kind": "derived",
            "input": self.kind or self.name,
            "of": [run.id for run in self.runs],
            **({"options": dict(self.options)} if self.options else {}),
            "versions": {"input": self._entry.version},
        }

    @cached_property
    def id(self) -> str:
        return content_id(self.content)

    def make(
        self, outcomes: Mapping[str, Outcome], arrays: Callable[[str], Mapping[str, Any]] | None = None
    ) -> Outcome:
        """Return the outcome: a function of the runs' outcomes, in the plan's order.

        `status` is "ok" or "failed", then with a `message`: nothing can be built on it. `arrays` reads the arrays of a
        record, by its id; a kind that `gives` an array needs it, returns its own under `arrays`, and under `of` the
        checksums of the outcomes that it was made of. Those outcomes name what their runs were given by checksum, so
        they also cover what a kind that builds on it (`catalog.Input.builds_on_given`) is shown of that.
        """
        found = [outcomes[run.id] for run in self.runs]
        if self.gives:
            assert arrays is not None, "an input with an array is made of arrays"
            found = [{**outcome, "arrays": arrays(run.id)} for run, outcome in zip(self.runs, found, strict=True)]
            if self._entry.value.builds_on_given:
                for run, outcome in zip(self.runs, found, strict=True):
                    before = run.inputs.items()
                    outcome["given"] = {name: {**outcomes[one], "arrays": arrays(one)} for name, one in before}
        function = self._entry.load()
        made: Outcome = function(found, dict(self.options)) if self.options else function(found)
        return {**made, "of": self._made_of(outcomes)} if self.gives else made

    def outdated(self, made: Outcome, outcomes: Mapping[str, Outcome]) -> str:
        """Return what is wrong with a stored outcome that was made of arrays (which may be elsewhere by now); "" where
        it was made of the outcomes that its runs have."""
        if made.get("of") == self._made_of(outcomes):
            return ""
        return (
            f"{self.describe()} was made of other outcomes than its runs have now; remove its record "
            "(`lnbench store remove`) to make it again"
        )

    def _made_of(self, outcomes: Mapping[str, Outcome]) -> list[str]:
        return [sha256(outcomes[run.id]) for run in self.runs]

    def describe(self) -> str:
        """Return its name and id, for messages."""
        return f"the input {self.name} ({self.id})"


@dataclass(frozen=True)
class Reader:
    """Which run reads an input: its point of the grid, and the index of its seed."""

    point: Mapping[str, Scalar]
    seed: int


class Inputs:
    """The inputs of a study: `sources` says how each is made. What is asked for twice is one object.

    `at`: the study's cell at a point; `paired`: the streams that its arms share, seed by seed; `files`: sha256 -> path
    of the label files that its recipes name; `first`: its first seed.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        at: Callable[[Mapping[str, Scalar]], Cell] | None = None,
        paired: tuple[str, ...] = (),
        files: Mapping[str, str] | None = None,
        first: int = 0,
    ):
        self.sources, self._at, self._paired, self._first = sources, at, paired, first
        self._files = files or {}
        self._recipes: dict[str, list[tuple[tuple[str, ...], dict[str, Any]]]] = {}
        self._made: dict[str, Derived] = {}

    def run(self, needs: Iterable[str], recipe: dict[str, Any], seeds: dict[str, int], reader: Reader) -> Run:
        """Return the run of a recipe that reads the inputs `needs`, by name; `reader`: the run of the grid that it is,
        or is for."""
        reads = {name: self._derived(name, recipe, seeds, reader) for name in needs}
        return Run(recipe, seeds, {name: derived.id for name, derived in reads.items()}, reads, self._files_of(recipe))

    def _files_of(self, recipe: dict[str, Any]) -> dict[str, str]:
        """Return sha256 -> path of the label file that a recipe's noise reads, where the study says where it lies."""
        noise = recipe.get("noise")
        name = str(noise.get("sha256")) if isinstance(noise, dict) else ""
        return {name: self._files[name]} if name in self._files else {}

    def _derived(self, name: str, recipe: dict[str, Any], seeds: dict[str, int], reader: Reader) -> Derived:
        source = self.sources[name]
        if source.at is not None:
            assert self._at is not None, "an input at a place of the grid is of a study with one"
            reader = replace(reader, point={**reader.point, **source.at})
            behind = self._at(reader.point).recipe
            assert isinstance(behind, Recipe), "a spec has inputs of trainings only"
            recipes = [(behind.needs, behind.identity())]
        else:
            recipes = self._recipes_behind(name, source, recipe)
        planned = [
            (needs, own, own_seeds)
            for needs, own in recipes
            for own_seeds in self._seeds_behind(source, own, seeds, reader)
        ]
        key = canonical_json([name, [[own, own_seeds] for _, own, own_seeds in planned], dict(reader.point)])
        if key not in self._made:
            kind = "" if source.kind == name else source.kind
            runs = tuple(self.run(needs, own, own_seeds, reader) for needs, own, own_seeds in planned)
            self._made[key] = Derived(name, runs, kind, source.options)
        return self._made[key]

    def _seeds_behind(
        self, source: Source, recipe: dict[str, Any], seeds: dict[str, int], reader: Reader
    ) -> list[dict[str, int]]:
        """Return the seeds of the runs with a recipe that an input is made of."""
        if source.at is not None:
            return [stream_seeds(reader.seed, recipe, self._paired)]
        if source.seeds is None:
            return [_beside(seeds, recipe)]
        first = INPUT_SEEDS + self._first
        return [stream_seeds(first + number, recipe, SEED_STREAMS) for number in range(source.seeds)]

    def _recipes_behind(
        self, name: str, source: Source, reader: dict[str, Any]
    ) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
        """Return (names of the inputs they read, recipe) of an input's runs, for each recipe that they have."""
        key = name if source.seeds is not None else canonical_json([name, reader])
        if key not in self._recipes:
            self._recipes[key] = [(recipe.needs, recipe.identity()) for recipe in source.recipes(reader)]
        return self._recipes[key]


def _beside(reader: dict[str, int], recipe: dict[str, Any]) -> dict[str, int]:
    """Return the seeds of the run behind an input `per: seed`."""
    shared = {stream: reader[stream] for stream in READERS_STREAMS}
    about = canonical_json([shared, recipe])
    return {stream: shared.get(stream, derived_seed(f"input {stream}:{about}")) for stream in SEED_STREAMS}


def given(run: Run, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome] | None:
    """Return name -> outcome of all that a run builds on; None while some of it is not there."""
    if not all(record in outcomes for record in run.inputs.values()):
        return None
    return {name: outcomes[record] for name, record in run.inputs.items()}


def misbuilt(outcome: Outcome, inputs: Mapping[str, Outcome]) -> str:
    """Return which input a stored run was given otherwise than it is now; "" where all is as it should be."""
    known: dict[str, str] = outcome.get("inputs", {})
    for name, now in inputs.items():
        if known.get(name) != sha256(now):
            return (
                f"it was trained with another {name} than its runs give; remove its record "
                "(`lnbench store remove`) to train it again"
            )
    return ""
