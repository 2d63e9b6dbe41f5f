"""What a study file may say, as frozen objects. `load_study` reads one; nothing here trains or judges.

A study names the runs it needs (`runs`), the numbers it makes of them (`effects`) and the claims about these
(`claims`). A tier is the same study at another scale: `runs.base` is replaced key by key, every other block of `runs`
whole; effects, claims and parts are changed key by key and can be omitted, never added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lnbench import catalog
from lnbench.randomness import SEED_STREAMS
from lnbench.references import Baseline, Place, Strict, short_quote
from lnbench.specfile import did_you_mean

TIERS = ("smoke", "cpu", "lite", "full")
Scalar = str | int | float | bool | None
Point = Mapping[str, Scalar]  # axis -> value


def items(kind: Any) -> Any:
    """A tuple in the object, a list in the file."""
    return Annotated[tuple[kind, ...], Field(strict=False, min_length=1)]


def known(kind: str) -> Any:
    """A validator: the text is a name of the catalog."""

    def check(cls: type, value: str) -> str:
        if value not in catalog.names(kind):
            raise ValueError(f"{kind}: '{value}' is not known; {did_you_mean(value, catalog.names(kind))}")
        return value

    return classmethod(check)


def _union(kind: str) -> Any:
    options = tuple(entry.options for entry in catalog.entries()[kind].values() if entry.options)
    return Annotated[Union[options], Field(discriminator="kind")] if len(options) > 1 else options[0]  # noqa: UP007


if TYPE_CHECKING:
    NoiseOptions = OptimizerOptions = ScheduleOptions = catalog.Options
    Texts = tuple[str, ...]
    Scalars = tuple[Scalar, ...]
else:
    NoiseOptions, OptimizerOptions, ScheduleOptions = map(_union, ("noise", "optimizer", "schedule"))
    Texts, Scalars = items(str), items(Scalar)


class Dataset(Strict):
    """The data: `clean` training images of it, and `validation` more that no training sees."""

    name: str
    clean: Annotated[int, Field(gt=0)]
    validation: Annotated[int, Field(ge=0)] = 0

    _name = field_validator("name")(known("dataset"))

    @model_validator(mode="after")
    def _enough_images(self) -> Dataset:
        have = catalog.find("dataset", self.name).value.train
        if self.clean + self.validation > have:
            wanted = f"{self.clean} clean" + (f" + {self.validation} validation" if self.validation else "")
            raise ValueError(f"dataset: {wanted} images, but {self.name} has {have} for training")
        return self


class Recipe(Strict):
    """Everything that decides a training but its seeds. Every default is spelled out in the file."""

    dataset: Dataset
    noise: NoiseOptions
    model: str
    method: str
    optimizer: OptimizerOptions
    schedule: ScheduleOptions
    batch_size: Annotated[int, Field(ge=1)]
    epochs: Annotated[int, Field(ge=1)]
    augment: Literal["none"]
    precision: Literal["fp32", "fast"]
    selection: Literal["last_epoch", "best_test", "best_validation"]

    _model = field_validator("model")(known("model"))
    _method = field_validator("method")(known("method"))

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if self.batch_size > self.dataset.clean:
            raise ValueError(f"batch_size: {self.batch_size}, but there are {self.dataset.clean} clean images")
        if self.selection == "best_validation" and not self.dataset.validation:
            raise ValueError("selection: best_validation needs dataset.validation, a number of held-out images")
        source = catalog.find("dataset", self.dataset.name).value
        mmac = catalog.find("model", self.model).mmac
        if mmac is not None:
            mmac(source.shape, source.classes)  # raises where the images are too small
        return self

    def identity(self) -> dict[str, Any]:
        """The recipe as plain data, without `selection`: how a curve is read changes no training."""
        return self.model_dump(mode="json", exclude={"selection"})


class SetRule(Strict):
    """Values for a part of the grid: where all of `at` holds, every other key is put into the recipe."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    at: dict[str, Scalar]


class Choose(Strict):
    """A hyper-parameter chosen by validation accuracy, on seeds that no verdict uses."""

    key: str
    from_: Scalars = Field(alias="from")
    per: Texts
    by: Literal["validation_accuracy"]
    validation: Annotated[int, Field(ge=1)]
    seeds: Annotated[int, Field(ge=1)]


class Seeds(Strict):
    """How many seeds, and which streams of randomness the arms share, seed by seed."""

    n: Annotated[int, Field(ge=1, le=1000)]
    pair: Annotated[tuple[Literal[SEED_STREAMS], ...], Field(strict=False)]  # type: ignore[valid-type]


class Runs(Strict):
    """The grid of trainings."""

    base: Recipe
    vary: dict[str, Scalars] = {}
    set: Annotated[tuple[SetRule, ...], Field(strict=False)] = ()
    choose: Choose | None = None
    seeds: Seeds


Along = Literal["drop", "area", "slope", "argmax"]


class Effect(Strict):
    """One number a seed. A list in `at` or `minus` makes a family: one number for each value."""

    metric: str
    at: dict[str, Scalar | Scalars] = {}
    along: Annotated[dict[str, Along], Field(min_length=1, max_length=1)] | None = None
    minus: Annotated[dict[str, Scalar | Scalars], Field(min_length=1)] | None = None

    _metric = field_validator("metric")(known("metric"))

    @property
    def axis(self) -> str | None:
        """The axis that `along` runs over."""
        return next(iter(self.along)) if self.along else None

    @property
    def reducer(self) -> str | None:
        """What `along` makes of the axis: drop, area, slope or argmax."""
        return next(iter(self.along.values())) if self.along else None

    def members(self) -> list[tuple[dict[str, Scalar], dict[str, Scalar] | None]]:
        """(at, at of the subtrahend) of each member of the family; one where no list is given."""
        found = []
        for at in _expand(self.at):
            for minus in _expand(self.minus) if self.minus else [None]:
                found.append((at, None if minus is None else {**at, **minus}))
        return found


def _expand(point: Mapping[str, Scalar | tuple[Scalar, ...]]) -> list[dict[str, Scalar]]:
    choices = [value if isinstance(value, tuple) else (value,) for value in point.values()]
    return [dict(zip(point, values, strict=True)) for values in product(*choices)]


class PartBase(Strict):
    """One check of one effect."""

    effect: str
    ours: bool = False  # our reading or a digitised value, not the paper's own sentence: shown, never the claim
    because: str | None = None


class Threshold(PartBase):
    """The typical run's metric lies above (below) a threshold: a reference's, or the one written here."""

    kind: Literal["above", "below"]
    reference: str | None = None
    threshold: float | None = None

    @model_validator(mode="after")
    def _one_number(self) -> Threshold:
        if self.reference is None and self.threshold is None:
            raise ValueError(f"{self.kind}: name a `reference`, or write a `threshold`")
        return self


class EveryRun(PartBase):
    """Runs do: every run (or a share `pi`) lies above (below) the threshold."""

    kind: Literal["every_run_above", "every_run_below"]
    reference: str | None = None
    threshold: float | None = None
    pi: Annotated[float, Field(gt=0, lt=1)]


class Agrees(PartBase):
    """The mean lies within `margin` of a printed number."""

    kind: Literal["agrees"]
    reference: str
    margin: Annotated[float, Field(gt=0)]
    because: str


class Ordered(PartBase):
    """The difference is above `delta`."""

    kind: Literal["ordered"]
    delta: float = 0.0


class Equivalent(PartBase):
    """The difference lies within ±`margin`."""

    kind: Literal["equivalent"]
    margin: Annotated[float, Field(gt=0)]
    because: str


Part = Annotated[Threshold | EveryRun | Agrees | Ordered | Equivalent, Field(discriminator="kind")]


class VerdictRule(Strict):
    """Which parts are the claim: at least `at_least` of the parts `of`."""

    at_least: int
    of: tuple[str, ...]


class Claim(Strict):
    """A sentence of the paper, and the parts by which it is judged."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    says: str
    quote: str
    where: Place
    question: str | None = None
    verdict: VerdictRule
    collapse: Literal["counts"] | None = None
    parts: Annotated[dict[str, Part], Field(min_length=1)]

    _quote = field_validator("quote")(short_quote)

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
    """What the paper leaves open, what we took, and what else to `try` before a contradiction stands."""

    key: str
    ours: Scalar
    try_: dict[str, Any] | None = Field(default=None, alias="try")


class StudySpec(Strict):
    """A study file, or the same at one tier."""

    schema_: Literal[1] = Field(alias="schema")
    paper: str
    title: str
    choices: Annotated[tuple[Alternative, ...], Field(strict=False)] = ()
    runs: Runs
    effects: Annotated[dict[str, Effect], Field(min_length=1)]
    claims: Annotated[tuple[Claim, ...], Field(strict=False, min_length=1)]
    deviations: Annotated[tuple[str, ...], Field(strict=False)] = ()
    measured: str | None = None


class TierRuns(Strict):
    """What a tier changes of `runs`: `base` key by key, every other block whole."""

    base: dict[str, Any] = {}
    vary: Any = None
    set: Any = None
    choose: Any = None
    seeds: Any = None


class TierClaim(Strict):
    """What a tier changes of a claim."""

    says: str | None = None
    omit: Annotated[tuple[str, ...], Field(strict=False)] = ()
    parts: dict[str, dict[str, Any]] = {}
    verdict: Any = None


class Tier(Strict):
    """One tier: the same study at another scale."""

    runs: TierRuns = TierRuns()
    choices: Any = None
    effects: dict[str, dict[str, Any]] = {}
    claims: dict[str, TierClaim] = {}
    deviations: Annotated[tuple[str, ...], Field(strict=False)]
    measured: str | None = None


class StudyFile(StudySpec):
    """A study file with its tiers, as JSON Schema and editors see it."""

    tiers: dict[Literal[TIERS], Tier]  # type: ignore[valid-type]


@dataclass(frozen=True)
class Cell:
    """One place of the grid: its point, and the recipe there (before any choice)."""

    point: dict[str, Scalar]
    recipe: Recipe


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

    @property
    def key(self) -> str:
        """`rolnick_mnist-cpu`: the name of its report."""
        return f"{self.name}-{self.tier}"

    def at(self, point: Mapping[str, Scalar]) -> Cell:
        """The cell at a point; axes with a single value may be left out. KeyError where no run goes."""
        for cell in self.cells:
            if all(cell.point.get(axis) == value for axis, value in point.items()):
                return cell
        raise KeyError(str(dict(point)))

    def levels(self, axis: str) -> tuple[Scalar, ...]:
        """The values of an axis, in the file's order."""
        return self.spec.runs.vary[axis]


def study_schema() -> dict[str, Any]:
    """The JSON Schema of a study file."""
    return StudyFile.model_json_schema(by_alias=True)


__all__ = [
    "TIERS", "Agrees", "Alternative", "BaseModel", "Cell", "Choose", "Claim", "Effect", "Equivalent", "EveryRun",
    "Ordered", "Part", "Point", "Recipe", "Runs", "Scalar", "Seeds", "Study", "StudyFile", "StudySpec", "Threshold",
    "Tier", "ValidationError", "VerdictRule", "study_schema",
]  # fmt: skip
