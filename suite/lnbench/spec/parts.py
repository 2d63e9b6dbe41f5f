"""The parts of a claim: every kind of check that a study file may ask of an effect (`docs/claims.md`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from lnbench.spec.effects import Effect
from lnbench.spec.recipe import Scalar
from lnbench.yamlfile.model import Strict
from lnbench.yamlfile.problems import Misfit

Edges = tuple[float | None, float | None]  # null: no edge on that side


class PartBase(Strict):
    """One check of one effect."""

    effect: str
    ours: bool = False  # our reading or a digitised value, not the paper's own sentence: shown, never the claim
    because: str | None = None

    def effects(self, effect: Effect) -> list[Effect]:
        """The effects that are checked: the one that is named, or that one at each cell of a table."""
        return [effect]


class OneNumber(PartBase):
    """A check against one number: a reference's, or the one written here."""

    kind: str
    reference: str | None = None
    threshold: float | None = None

    @model_validator(mode="after")
    def _one_number(self) -> OneNumber:
        if self.reference is None and self.threshold is None:
            raise ValueError(f"{self.kind}: name a `reference`, or write a `threshold`")
        return self


class Threshold(OneNumber):
    """The typical run's metric lies above (below) a threshold: a reference's, or the one written here."""

    kind: Literal["above", "below"]


class EveryRun(OneNumber):
    """Runs do: every run (or a share `pi`) lies above (below) the threshold."""

    kind: Literal["every_run_above", "every_run_below"]
    pi: Annotated[float, Field(gt=0, lt=1)]


class CanReach(OneNumber):
    """A run can get there: at least one lies above (below) what was printed as the best of `best_of` runs."""

    kind: Literal["can_reach"]
    best_of: Annotated[int, Field(ge=1)]
    side: Literal["above", "below"] = "above"


class Agrees(PartBase):
    """The mean lies within `margin` of a printed number."""

    kind: Literal["agrees"]
    reference: str
    margin: Annotated[float, Field(gt=0)]
    because: str


class Table(PartBase):
    """At least `at_least` of the cells (default: all) each lie within `margin` of their own printed number.

    `cells`: reference -> the point of its cell, beside what the effect says in `at`. `columns`: the axis whose values
    are the table's columns; within each, the order of our cells is shown against the printed one.
    """

    kind: Literal["table"]
    cells: Annotated[dict[str, dict[str, Scalar]], Field(min_length=1)]
    margin: Annotated[float, Field(gt=0)]
    because: str
    at_least: Annotated[int, Field(ge=1)] | None = None
    columns: str | None = None

    @model_validator(mode="after")
    def _quota(self) -> Table:
        if self.at_least is not None and self.at_least > len(self.cells):
            raise Misfit("at_least", f"at_least: {self.at_least} of {len(self.cells)} cells cannot agree")
        return self

    def effects(self, effect: Effect) -> list[Effect]:
        return [effect.at_point(point) for point in self.cells.values()]


class Ordered(PartBase):
    """The difference is above `delta`."""

    kind: Literal["ordered"]
    delta: float = 0.0


class Equivalent(PartBase):
    """The difference lies within ±`margin`."""

    kind: Literal["equivalent"]
    margin: Annotated[float, Field(gt=0)]
    because: str


class Trend(PartBase):
    """The metric tends up (down) along an axis: a seed's slope or Kendall's tau lies above (below) 0."""

    kind: Literal["trend"]
    direction: Literal["up", "down"]


class Monotone(PartBase):
    """The metric goes up (down) at every step of an axis."""

    kind: Literal["monotone"]
    direction: Literal["up", "down"]


class Shift(PartBase):
    """An optimum moves up (down) its axis, by at least `delta` octaves."""

    kind: Literal["shift"]
    direction: Literal["up", "down"]
    delta: Annotated[float, Field(ge=0)] = 0.0


class Within(PartBase):
    """The effect lies between the two edges of `region`: as it is, an exponent, or a ratio."""

    kind: Literal["within", "scaling", "ratio"]
    region: Annotated[Edges, Field(strict=False)]

    _edges = field_validator("region")(lambda edges: _rising(edges))

    @model_validator(mode="after")
    def _ratio_is_positive(self) -> Within:
        if self.kind == "ratio" and any(edge is not None and edge <= 0 for edge in self.region):
            raise Misfit("region", "region: a ratio is above 0; write null for no edge")
        return self


class Correlation(PartBase):
    """A correlation lies in `region`. `unit`: what the sample is made of.

    seed: each seed gives one r (over the points of the grid, or a number that its run yields). point: the points are
    the sample, each the mean of its seeds; they must be independent, and at least 6.
    """

    kind: Literal["correlation"]
    region: Annotated[Edges, Field(strict=False)]
    unit: Literal["seed", "point"]

    _edges = field_validator("region")(lambda edges: _within_one(_rising(edges)))


def _rising(edges: Edges) -> Edges:
    low, high = edges
    if low is None and high is None:
        raise ValueError("region: has no edge, so every outcome would pass")
    if low is not None and high is not None and low >= high:
        raise ValueError(f"region: [{low:g}, {high:g}] holds nothing that an interval could lie in")
    return edges


def _within_one(edges: Edges) -> Edges:
    """[0.5, 1] is [0.5, null]: no correlation lies beyond."""
    low = None if edges[0] == -1 else edges[0]
    high = None if edges[1] == 1 else edges[1]
    if any(edge is not None and not -1 < edge < 1 for edge in (low, high)):
        raise ValueError("region: a correlation lies between -1 and 1; write null for no edge")
    return _rising((low, high))


Part = Annotated[
    Threshold | EveryRun | CanReach | Agrees | Table | Ordered | Equivalent | Trend | Monotone | Shift | Within
    | Correlation,
    Field(discriminator="kind"),
]  # fmt: skip
