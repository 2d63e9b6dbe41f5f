"""The parts of a claim: the form of every kind of check (`docs/claims.md`), and which effects and numbers it fits.

How a kind judges stands in `judge/kinds/`; both are found through the catalog, where a plug-in adds its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Union

from pydantic import Field, field_validator, model_validator

from lnbench import catalog
from lnbench.catalog import Part as Part
from lnbench.spec.baseline import Number
from lnbench.spec.bounds import Ground, finer_than_printed
from lnbench.spec.cells import Table as Table
from lnbench.spec.cells import TableSides as TableSides
from lnbench.spec.effects import PAIRS, Effect
from lnbench.yamlfile.problems import Fault, Misfit

Edges = tuple[float | None, float | None]  # null: no edge on that side

FEWEST_POINTS = 6  # stats.correlation.FEWEST_POINTS, written again so that reading a study imports no scipy


class OneNumber(Part):
    """A check against one number: a reference's, or the one written here."""

    kind: str
    reference: str | None = None
    threshold: float | None = None

    @model_validator(mode="after")
    def _one_number(self) -> OneNumber:
        if self.reference is None and self.threshold is None:
            raise ValueError(f"{self.kind}: name a `reference`, or write a `threshold`")
        return self

    def edge(self, number: Number | None) -> float:
        """Return the one number; `number`: what the reference prints."""
        if self.threshold is not None:
            return self.threshold
        assert number is not None, "a spec names a reference or a threshold"
        return number.value

    def problems(self, ground: Ground) -> Iterator[Fault]:
        number = next(iter(ground.numbers.values()), None)
        bounds = ground.bounds
        if bounds is None or (self.threshold is None and number is None):
            return
        edge = self.edge(number)
        if not bounds.hold(edge):
            what = f"threshold {edge:g} is on or past the bounds of {bounds.describe()}; no run could miss or meet it"
            yield Fault(("threshold" if self.threshold is not None else "reference",), what)


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


class Agrees(Part):
    """The mean lies within `margin` of a printed number."""

    kind: Literal["agrees"]
    reference: str
    margin: Annotated[float, Field(gt=0)]
    because: str

    def problems(self, ground: Ground) -> Iterator[Fault]:
        for number in ground.numbers.values():
            if what := finer_than_printed(self.margin, number):
                yield Fault(("margin",), what)
        if what := ground.margin_covers_all(self.margin):
            yield Fault(("margin",), what)


class Ordered(Part):
    """The difference is above `delta`."""

    kind: Literal["ordered"]
    delta: float = 0.0

    def problems(self, ground: Ground) -> Iterator[Fault]:
        bounds = ground.bounds
        if bounds is not None and not bounds.hold(self.delta):
            yield Fault(("delta",), f"delta {self.delta:g} is on or past the bounds of {bounds.describe()}")


class Equivalent(Part):
    """The difference lies within ±`margin`."""

    kind: Literal["equivalent"]
    margin: Annotated[float, Field(gt=0)]
    because: str

    def problems(self, ground: Ground) -> Iterator[Fault]:
        if what := ground.margin_covers_all(self.margin):
            yield Fault(("margin",), what)


class Trend(Part):
    """The metric tends up (down) along an axis: a seed's slope or Kendall's tau lies above (below) 0."""

    kind: Literal["trend"]
    direction: Literal["up", "down"]

    def misfit(self, effect: Effect) -> str:
        if effect.reducer in ("slope", "kendall"):
            return ""
        return "has no tendency along an axis; write along: {AXIS: slope} or {AXIS: kendall}"


class Monotone(Part):
    """The metric goes up (down) at every step of an axis."""

    kind: Literal["monotone"]
    direction: Literal["up", "down"]

    def misfit(self, effect: Effect) -> str:
        return "" if effect.reducer == "steps" else "has no steps along an axis; write along: {AXIS: steps}"


class Shift(Part):
    """An optimum moves up (down) its axis, by at least `delta` octaves."""

    judges: ClassVar[str] = "shift"

    kind: Literal["shift"]
    direction: Literal["up", "down"]
    delta: Annotated[float, Field(ge=0)] = 0.0

    def misfit(self, effect: Effect) -> str:
        return "" if effect.is_shift else "is no shift of an optimum; write along: {AXIS: argmax} and `minus`"

    def problems(self, ground: Ground) -> Iterator[Fault]:
        levels = ground.levels
        if ground.effect is None or not levels or min(levels) <= 0:
            return
        octaves = math.log2(max(levels) / min(levels))
        if self.delta >= octaves > 0:
            reach = f"as far as {ground.effect.axis} reaches ({octaves:.3g} octaves) or further"
            yield Fault(("delta",), f"delta {self.delta:g} is {reach}; no optimum could move by more")


class Within(Part):
    """The effect lies between the two edges of `region`."""

    kind: Literal["within"]
    region: Annotated[Edges, Field(strict=False)]

    _edges = field_validator("region")(lambda edges: _rising(edges))

    def problems(self, ground: Ground) -> Iterator[Fault]:
        yield from _edges_inside(self.region, ground)


class Scaling(Part):
    """An exponent, log y on log x, lies between the two edges of `region`."""

    kind: Literal["scaling"]
    region: Annotated[Edges, Field(strict=False)]

    _edges = field_validator("region")(lambda edges: _rising(edges))

    def misfit(self, effect: Effect) -> str:
        if effect.reducer == "exponent" and not effect.minus:
            return ""
        return "is no exponent; write along: {AXIS: exponent}, without `minus`"


class Ratio(Part):
    """The ratio of two numbers lies between the two edges of `region`."""

    judges: ClassVar[str] = "ratio"

    kind: Literal["ratio"]
    region: Annotated[Edges, Field(strict=False)]

    _edges = field_validator("region")(lambda edges: _rising(edges))

    @model_validator(mode="after")
    def _is_positive(self) -> Ratio:
        if any(edge is not None and edge <= 0 for edge in self.region):
            raise Misfit("region", "region: a ratio is above 0; write null for no edge")
        return self

    def misfit(self, effect: Effect) -> str:
        return "" if effect.is_ratio else "is no ratio; write `over` in place of `minus`, or `per` in place of `less`"


class Correlation(Part):
    """A correlation lies in `region`. `unit`: what the sample is made of.

    seed: each seed gives one r (over the points of the grid, or a number that its run yields). point: the points are
    the sample, each the mean of its seeds; they must be independent, and at least 6.
    """

    judges: ClassVar[str] = "correlation"

    kind: Literal["correlation"]
    region: Annotated[Edges, Field(strict=False)]
    unit: Literal["seed", "point"]

    _edges = field_validator("region")(lambda edges: _within_one(_rising(edges)))

    def misfit(self, effect: Effect) -> str:
        if effect.with_ is not None:
            return ""
        about = catalog.find("metric", effect.metric).value
        along = effect.reducers not in ((), (PAIRS,))
        if (about.low, about.high) != (-1, 1) or along or effect.minus or effect.second:
            return "is no correlation; write `with` and along: {AXIS: pearson}, or take a metric that is an r"
        return ""

    def problems(self, ground: Ground) -> Iterator[Fault]:
        effect = ground.effect
        if self.unit == "seed" or effect is None:
            return
        if effect.with_ is None:
            what = f"correlation: {effect.metric} is one r a seed; points are there to correlate `with`"
            yield Fault(("unit",), what)
        elif (points := ground.points(FEWEST_POINTS)) < FEWEST_POINTS:
            what = f"correlation: {points} points; a sample of points needs at least {FEWEST_POINTS}"
            yield Fault(("unit",), what)


def _edges_inside(region: Edges, ground: Ground) -> Iterator[Fault]:
    bounds = ground.bounds
    for index, edge in enumerate(region):
        if bounds is not None and edge is not None and not bounds.hold(edge):
            what = f"region: {edge:g} is on or past the bounds of {bounds.describe()}"
            yield Fault(("region", index), f"{what}; no run could miss or meet it, so write null for no edge")


def _rising(edges: Edges) -> Edges:
    low, high = edges
    if low is None and high is None:
        raise ValueError("region: has no edge, so every outcome would pass")
    if low is not None and high is not None and low >= high:
        raise ValueError(f"region: [{low:g}, {high:g}] holds nothing that an interval could lie in")
    return edges


def _within_one(edges: Edges) -> Edges:
    """Return the edges with null for 1 and -1: no correlation lies beyond."""
    low = None if edges[0] == -1 else edges[0]
    high = None if edges[1] == 1 else edges[1]
    if any(edge is not None and not -1 < edge < 1 for edge in (low, high)):
        raise ValueError("region: a correlation lies between -1 and 1; write null for no edge")
    return _rising((low, high))


if TYPE_CHECKING:
    AnyPart = Part
else:  # loaded here, below the built-in classes: the catalog names them, and a plug-in's, as strings
    AnyPart = Annotated[
        Union[tuple(dict.fromkeys(entry.load_part() for entry in catalog.entries()["check"].values()))],  # noqa: UP007
        Field(discriminator="kind"),
    ]
