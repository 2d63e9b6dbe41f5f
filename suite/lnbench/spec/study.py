"""What a study file may say, as frozen objects. `load_study` reads one; nothing here trains or judges.

A study names the runs it needs (`runs`), the numbers it makes of them (`effects`) and the claims about these
(`claims`). A tier is the same study at another scale: `runs.base` is replaced key by key, every other block of `runs`
whole; effects, claims and parts are changed key by key and can be omitted, never added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from lnbench import catalog
from lnbench.randomness import SEED_STREAMS
from lnbench.spec.baseline import Baseline, Place, short_quote
from lnbench.spec.dotted import put_at
from lnbench.spec.effects import EPOCH, Effect
from lnbench.spec.parts import AnyPart
from lnbench.spec.recipe import AnyRecipe, Recipe, Scalar, Scalars, Texts, recipe_of
from lnbench.tiers import TIERS
from lnbench.verdict import Standing
from lnbench.yamlfile.model import LONGEST_NAME, SCHEMA_DIALECT, FileName, SchemaVersion, Strict
from lnbench.yamlfile.problems import Misfit
from lnbench.yamlfile.tree import Mapping as Tree
from lnbench.yamlfile.tree import tree_of

MOST_SEEDS = 1000
MOST_FRESH = 9  # sets of seeds after the first; each halves the level, and the tenth would ask for p below 5e-5
FEWEST_TO_DECIDE = 4  # stats.FEWEST_TO_DECIDE, written again so that reading a study imports no scipy
Point = Mapping[str, Scalar]  # axis -> value
# Like FileName, with folders: it cannot lead out of baselines/measured.
Words = Annotated[str, Field(min_length=1)]  # for a reader: an empty sentence says nothing
MeasuredName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$", max_length=LONGEST_NAME)
]


class SetRule(Strict):
    """Values for a part of the grid: where all of `at` holds, every other key is put into the recipe."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    at: dict[str, Scalar]


class ShareOfEpochs(Strict):
    """Train for a share of the recipe's epochs: at the cells where all of `at` holds; at all cells without it."""

    times: Annotated[float, Field(gt=0, le=1)]
    at: dict[str, Scalar] = Field(default={})

    def of(self, epochs: int, point: Point) -> int:
        """Return how many of the epochs to train for at a point of the grid: a whole number, at least one."""
        here = all(point.get(axis) == value for axis, value in self.at.items())
        return max(1, round(self.times * epochs)) if here else epochs


class Choose(Strict):
    """A hyper-parameter chosen by validation accuracy, on seeds that no verdict uses.

    `epochs`: how much shorter the choosing runs train; without it they train for all of the recipe's epochs.
    `out_of`: where the validation images come from. clean: out of the clean images, of which the choosing runs then
    have fewer. rest: out of the data set's other images, and out of the clean ones only what these lack.
    """

    key: str
    from_: Scalars = Field(alias="from")
    per: Texts
    by: Literal["validation_accuracy"]
    validation: Annotated[int, Field(ge=1)]
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)]
    out_of: Literal["clean", "rest"] = "clean"
    epochs: ShareOfEpochs | None = None

    def out_of_clean(self, have: int, clean: int) -> int:
        """Return how many of the validation images come out of `clean` clean ones: all, or what the rest of the data
        set's `have` training images lacks."""
        rest = 0 if self.out_of == "clean" else have - clean
        return max(0, self.validation - rest)


def _with_options(schema: dict[str, Any]) -> None:
    """Let an editor know the kinds of input and their options."""
    entries = catalog.entries()["input"]
    schema["properties"]["kind"]["enum"] = [*entries]
    for entry in entries.values():
        options = entry.options.model_json_schema()["properties"] if entry.options else {}
        schema["properties"] |= {name: about for name, about in options.items() if name != "kind"}
    schema["additionalProperties"] = False


class InputRuns(Strict):
    """The runs that an input is computed from, and how.

    `kind`: what is computed, a name of the catalog (left out, the input's own name), with the kind's options beside it.
    `of`: what its runs change in a recipe. Give either `seeds`, for one record that the whole study shares: its runs
    are `base` with the changes, on so many seeds of their own. Or `per: seed`, for a record of each run that reads it:
    its run is the reader's own recipe with the changes, on the reader's split, noise and augmentation. `at`, in place
    of `of`: its run is that of the grid, of the same seed, at the reader's point with these values; it is trained once,
    whoever reads it or judges it.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, json_schema_extra=_with_options)
    kind: str = ""
    of: dict[str, Any] | None = None
    at: Annotated[dict[str, Scalar], Field(min_length=1)] | None = None
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] | None = None
    per: Literal["seed"] | None = None

    @model_validator(mode="after")
    def _shared_or_not(self) -> InputRuns:
        if (self.seeds is None) == (self.per is None):
            what = "give `seeds` (one record for the whole study) or `per: seed` (one for each run that reads it)"
            raise Misfit("per" if self.per else "of" if self.of is not None else "at", what)
        if (self.of is None) == (self.at is None):
            what = "give `of` (what its runs change in a recipe) or `at` (where in the grid its run is)"
            raise Misfit("at" if self.at else "per" if self.per else "seeds", what)
        if self.at is not None and self.per is None:
            raise Misfit("at", "at: a run of the grid belongs to a seed; write `per: seed`")
        return self

    @property
    def options(self) -> dict[str, Any]:
        """Return the options of its kind."""
        return dict(self.model_extra or {})


class Seeds(Strict):
    """How many seeds, and which streams of randomness the arms share, seed by seed.

    `looks`: the numbers of seeds at which the study is judged; it ends at the first that decides, at `n` at the latest.
    `fresh`: how many sets of seeds were looked at before; this one has none of their seeds, neither for its runs nor
    for those that a choice or an input is made of, and each of its tests has a level 2 ** fresh times smaller. Whoever
    takes new seeds until a claim is decided is then wrong no more often than with one set (docs/statistics.md).
    """

    n: Annotated[int, Field(ge=1, le=MOST_SEEDS)]
    looks: Annotated[tuple[int, ...], Field(strict=False, min_length=2)] | None = None
    fresh: Annotated[int, Field(ge=0, le=MOST_FRESH)] = 0
    pair: Annotated[tuple[Literal[SEED_STREAMS], ...], Field(strict=False)]  # type: ignore[valid-type]

    @property
    def first(self) -> int:
        """Return the number of its first seed: sets have no seed in common."""
        return self.fresh * MOST_SEEDS

    @property
    def sets(self) -> int:
        """Return what each p is multiplied by for the sets of seeds that came before."""
        return int(2**self.fresh)

    @model_validator(mode="after")
    def _looks_rise_to_n(self) -> Seeds:
        looks = self.looks
        if looks is None:
            return self
        if looks[0] < FEWEST_TO_DECIDE or any(later <= earlier for earlier, later in pairwise(looks)):
            raise Misfit("looks", f"looks: must rise, from {FEWEST_TO_DECIDE} seeds or more")
        if looks[-1] != self.n:
            raise Misfit("looks", f"looks: end at {looks[-1]} seeds, but n is {self.n}")
        return self


class Runs(Strict):
    """The grid of trainings."""

    base: AnyRecipe
    vary: dict[str, Scalars] = Field(default={})
    set: Annotated[tuple[SetRule, ...], Field(strict=False)] = ()
    choose: Choose | None = None
    inputs: dict[str, InputRuns] = Field(default={})
    seeds: Seeds


class VerdictRule(Strict):
    """Which parts are the claim: at least `at_least` of the parts `of`."""

    at_least: int
    of: tuple[str, ...]


_VERDICT_FORMS = {  # as a file writes it; VerdictRule is what it comes to
    "anyOf": [
        {"type": "string", "description": "the part that is the claim"},
        {
            "type": "object",
            "properties": {"all": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}},
            "required": ["all"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {
                "at_least": {"type": "integer", "minimum": 1},
                "of": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
            },
            "required": ["at_least", "of"],
            "additionalProperties": False,
        },
    ],
    "title": "Verdict",
}


class Claim(Strict):
    """A sentence of the paper, and the parts by which it is judged. Without a `quote` it is what a figure shows, in our
    words.

    `standing`: who says it (`lnbench.verdict.Standing`). `requires`: its regime, part -> what would bring a run there.
    Where one of these parts does not hold, the claim is not judged. `not_testable`: why no run can decide it; what its
    parts measure is shown all the same.
    """

    id: FileName
    says: Words
    standing: Literal[tuple(standing.value for standing in Standing)] = "paper"  # type: ignore[valid-type]
    quote: Words | None = None
    where: Place = Place()
    question: str | None = None
    not_testable: Words | None = None
    requires: dict[str, Words] = Field(default={})
    verdict: Annotated[VerdictRule, WithJsonSchema(_VERDICT_FORMS)]
    collapse: Literal["counts"] | None = None
    parts: Annotated[dict[str, AnyPart], Field(min_length=1)]

    _quote = field_validator("quote")(short_quote)

    @model_validator(mode="after")
    def _says_where(self) -> Claim:
        if self.standing == "hypothesis" and self.quote is not None:
            raise Misfit("quote", "quote: a hypothesis is lnbench's own sentence; there is no paper to quote")
        if self.standing != "hypothesis":
            if "where" not in self.model_fields_set:
                raise Misfit(
                    "says", 'where: say where the paper says it: {section: "3.1"}, {figure: 2, caption: true}, …'
                )
            if self.quote is None and not str(self.where):
                raise Misfit("where", "where: without a `quote` name the place that shows it, such as {figure: 2}")
        return self

    @field_validator("verdict", mode="before")
    @classmethod
    def _verdict(cls, value: Any) -> Any:
        form = "verdict: names a part, {all: [parts]} or {at_least: q, of: [parts]}"
        names = [value] if isinstance(value, str) else None
        quota = 1
        if isinstance(value, dict) and set(value) == {"all"}:
            names = value["all"]
            quota = len(names) if isinstance(names, list) else 0
        elif isinstance(value, dict) and set(value) == {"at_least", "of"}:
            names, quota = value["of"], value["at_least"]
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise ValueError(form)
        if type(quota) is not int or not 1 <= quota <= len(names) or len(set(names)) != len(names):
            raise ValueError(f"{form}, with 1 <= q <= the number of parts, each named once")
        return {"at_least": quota, "of": tuple(names)}


class Alternative(Strict):
    """What the paper leaves open, what we took, and what else to `try` before a contradiction stands. `void`: an
    alternative that was planned and is not run, at this tier or any more -> why."""

    key: str
    ours: Scalar
    try_: dict[str, Any] | None = Field(default=None, alias="try")
    void: dict[str, Words] = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _says_what_to_try(cls, data: Any) -> Any:
        if isinstance(data, dict) and "try" in data and data["try"] is None:
            raise Misfit("try", "try: is empty, so nothing would be tried; give {key: value}, or leave it out")
        return data


class StudySpec(Strict):
    """A study file, or the same at one tier."""

    schema_: SchemaVersion = Field(alias="schema")
    paper: FileName
    title: str
    choices: Annotated[tuple[Alternative, ...], Field(strict=False)] = ()
    runs: Runs
    effects: Annotated[dict[str, Effect], Field(min_length=1)]
    claims: Annotated[tuple[Claim, ...], Field(strict=False, min_length=1)]
    deviations: Annotated[tuple[str, ...], Field(strict=False)] = ()
    measured: MeasuredName | None = None


class TierRuns(Strict):
    """What a tier changes of `runs`: `base` key by key, every other block whole."""

    base: dict[str, Any] = Field(default={})
    vary: Any = None
    set: Any = None
    choose: Any = None
    inputs: Any = None
    seeds: Any = None


class TierClaim(Strict):
    """What a tier changes of a claim."""

    says: str | None = None
    omit: Annotated[tuple[str, ...], Field(strict=False)] = ()
    parts: dict[str, dict[str, Any]] = Field(default={})
    requires: Any = None
    not_testable: Words | None = None
    verdict: Any = None


class Tier(Strict):
    """One tier: the same study at another scale."""

    runs: TierRuns = TierRuns()
    choices: Any = None
    effects: dict[str, dict[str, Any]] = Field(default={})
    claims: dict[str, TierClaim] = Field(default={})
    deviations: Annotated[tuple[str, ...], Field(strict=False)]
    measured: MeasuredName | None = None


class StudyFile(StudySpec):
    """A study file with its tiers, as JSON Schema and editors see it."""

    tiers: Annotated[dict[Literal[TIERS], Tier], Field(min_length=1)]  # type: ignore[valid-type]


@dataclass(frozen=True)
class Cell:
    """One place of the grid: its point, and the recipe there (before any choice)."""

    point: dict[str, Scalar]
    recipe: AnyRecipe


@dataclass(frozen=True)
class OwnRow:
    """A row of a user's own (`spec/own_rows.py`): as it was `asked` for, its value of the axis `method`, and the method
    as a recipe has it."""

    asked: str
    label: str
    method: str | dict[str, Any]


@dataclass(frozen=True)
class Source:
    """How an input is made: by a kind of the catalog, with its options, from runs with the changes `of`, or from the
    run of the grid that is `at` these values of the reader's axes.

    `seeds`: how many runs a shared input is made of; None where each run that reads the input has one of its own.
    """

    kind: str
    options: Mapping[str, Any]
    of: Tree
    base: Tree
    seeds: int | None
    at: Mapping[str, Scalar] | None = None

    def recipes(self, reader: Mapping[str, Any]) -> list[Recipe]:
        """Return the recipes of the input's runs, as many as its kind has of them, where a run of the recipe `reader`
        (its identity) reads it. Raises pydantic's ValidationError where the changes do not fit the reader."""
        before = self.base if self.seeds is not None else tree_of({"selection": "last_epoch", **reader})
        return [self.measured(recipe_of(tree)) for tree in self.trees(before)]

    def trees(self, reader: Tree) -> list[Tree]:
        """Return the recipes of its runs as a file has them, with the changes `of` to the recipe of `reader`."""
        tree, place = changed(reader, self.of), self.of.position
        found = []
        for each in catalog.find("input", self.kind).value.each:
            own = tree
            for key, value in each.items():
                own = put_at(own, key, value, place, place)
            found.append(own)
        return found

    def measured(self, recipe: AnyRecipe) -> Recipe:
        """Return the recipe with the probes that this kind of input is computed from."""
        assert isinstance(recipe, Recipe), "a spec has inputs of trainings only"
        return recipe.model_copy(update={"probes": (*recipe.probes, *self.unmeasured(recipe))})

    def unmeasured(self, recipe: Recipe) -> list[str]:
        """Return the probes that this kind of input is computed from and that the recipe does not ask for."""
        needed = catalog.find("input", self.kind).value.probes
        return [probe for probe in needed if probe not in recipe.probe_names]


def changed(reader: Tree, of: Tree) -> Tree:
    """Return a recipe with the changes `of`. It reads no input, unless `of` says which."""
    tree = reader.without("start")
    if isinstance(tree.get("dataset"), Tree):
        place = tree.key_positions["dataset"], tree.value_positions["dataset"]
        tree.put("dataset", tree["dataset"].without("only"), *place)
    for key in of:
        tree = put_at(tree, key, of[key], of.key_positions[key], of.value_positions[key])
    return tree


@dataclass(frozen=True)
class Study:
    """A study at one tier, checked: what plan, judge and report work on."""

    name: str
    tier: str
    path: Path
    spec: StudySpec
    cells: tuple[Cell, ...]
    baseline: Baseline
    measured_path: Path | None
    sources: Mapping[str, Source] = field(default_factory=dict)  # by the name of the input
    files: Mapping[str, str] = field(default_factory=dict)  # "study", "baseline" -> sha256 of the file
    label_files: Mapping[str, str] = field(default_factory=dict)  # sha256 -> path, of those that its recipes name
    own: tuple[OwnRow, ...] = ()  # rows that are not the study's: their cells are the last of `cells`

    @property
    def planned_cells(self) -> tuple[Cell, ...]:
        """Return the cells of the study itself, without those of a user's own rows."""
        return tuple(cell for cell in self.cells if not self.is_own(cell.point)) if self.own else self.cells

    def is_own(self, point: Point) -> bool:
        """Return whether a point lies in a row of a user's own."""
        return any(point.get("method") == row.label for row in self.own)

    @property
    def without_own(self) -> Study:
        """Return the study as its file has it."""
        return replace(self, cells=self.planned_cells, own=()) if self.own else self

    @property
    def key(self) -> str:
        """Return the name of its report: `rolnick_mnist-cpu`."""
        return f"{self.name}-{self.tier}"

    def at(self, point: Mapping[str, Scalar]) -> Cell:
        """Return the cell at a point; axes with one value may be left out, and `epoch` is ignored. Raises KeyError
        where no run goes, or several do."""
        axes, cells = self._by_point
        point = {axis: value for axis, value in point.items() if axis != EPOCH}
        levels = {axis: {cell.point[axis] for cell in self.planned_cells} for axis in axes if axis not in point}
        if set(point) <= set(axes) and all(len(values) == 1 for values in levels.values()):
            place = tuple(point[axis] if axis in point else next(iter(levels[axis])) for axis in axes)
            if place in cells:
                return cells[place]
        raise KeyError(f"{dict(point)} is not one cell of {self.key}")

    @cached_property
    def _by_point(self) -> tuple[tuple[str, ...], dict[tuple[Scalar, ...], Cell]]:
        axes = tuple(self.cells[0].point) if self.cells else ()
        return axes, {tuple(cell.point[axis] for axis in axes): cell for cell in self.cells}

    def levels(self, axis: str) -> tuple[Scalar, ...]:
        """Return the values of an axis, in the file's order; none for `epoch`, which each effect names for itself."""
        return () if axis == EPOCH else self.spec.runs.vary[axis]


def study_schema() -> dict[str, Any]:
    """Return the JSON Schema of a study file, for editors: what a file may hold, without the rules between its
    blocks."""
    return {"$schema": SCHEMA_DIALECT, **StudyFile.model_json_schema(by_alias=True)}
