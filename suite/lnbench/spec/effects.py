"""Effects: one number per seed. A metric at a point of the grid, along an axis, against another point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from lnbench.spec.recipe import Scalar, Scalars, known, name_of
from lnbench.yamlfile.model import Strict
from lnbench.yamlfile.problems import Misfit

Reducer = Literal[
    "drop", "gain", "lead", "mean", "slope", "kendall", "area", "argmax", "crossing", "exponent", "steps", "pearson",
    "spearman", "pairs",
]  # fmt: skip
COEFFICIENTS = ("pearson", "spearman")  # over points: the axes need not be numeric, and there may be several
DIFFERENCES = ("drop", "gain", "lead", "steps")  # two of the metric's numbers apart
AS_WRITTEN = ("gain", "lead")  # may run over names: then the levels are in the order in which the file has them
ON_THE_AXIS = ("argmax", "crossing")  # in the axis's own unit
LOGARITHMIC = ("exponent",)  # needs a positive axis
PAIRS = "pairs"  # the median of a number that two runs have together, over all pairs of the axis's levels
NOT_LINEAR = (*ON_THE_AXIS, *LOGARITHMIC, *COEFFICIENTS)  # after which two metrics are not of one unit any more
EPOCH = "epoch"  # where along a run a number is read: an axis of every effect, and none of the grid


class Effect(Strict):
    """One number per seed. A list in `at`, `minus` or `over` makes a family: one number for each value.

    `along` makes one number out of an axis; of two axes, the one written first is reduced first (where a curve crosses
    a level, then the exponent of that place along the other axis). `levels`: for an axis of `along`, these levels only.

    `epoch` is an axis of every effect of a training that no `vary` names: the number is read after that epoch, in place
    of where the recipe's selection says. `less`: the other metric, of the same runs, that is subtracted; `per`: the one
    that it is divided by.
    """

    metric: Annotated[str, name_of("metric")]
    at: dict[str, Scalar | Scalars] = Field(default={})
    along: Annotated[dict[str, Reducer], Field(min_length=1)] | None = None
    levels: dict[str, Scalars] = Field(default={})
    minus: Annotated[dict[str, Scalar | Scalars], Field(min_length=1)] | None = None
    over: Annotated[dict[str, Scalar | Scalars], Field(min_length=1)] | None = None  # the log ratio to that point
    rises_to: float | None = None  # the level whose crossing is sought, from below
    falls_to: float | None = None  # or from above
    interpolate: Literal["linear", "log"] = "linear"  # between the two levels of the axis around a crossing
    with_: Annotated[str, name_of("metric")] | None = Field(default=None, alias="with")  # for a correlation
    less: Annotated[str, name_of("metric")] | None = None
    per: Annotated[str, name_of("metric")] | None = None  # the log ratio to that metric

    _metric = field_validator("metric")(known("metric"))

    @field_validator("with_", "less", "per")
    @classmethod
    def _other(cls, value: str | None) -> str | None:
        return value if value is None else str(known("metric").__func__(cls, value))

    @model_validator(mode="after")
    def _fits(self) -> Effect:
        reducers = self.reducers
        correlates = any(reducer in COEFFICIENTS for reducer in reducers)
        if self.minus and self.over:
            raise Misfit("over", "over: a ratio, and `minus` a difference; keep one of them")
        if correlates != (self.with_ is not None):
            if correlates:
                raise Misfit(
                    "along", f"along: {reducers[0]} of {self.metric} and what? name the other metric in `with`"
                )
            raise Misfit("with", "with: two metrics are correlated along an axis; write along: {AXIS: pearson}")
        if correlates:
            self._correlates(reducers)
        elif len(reducers) > 2:
            raise Misfit("along", f"along: {len(reducers)} axes; at most two are reduced, the first of them first")
        elif "steps" in reducers[:-1]:
            raise Misfit("along", "along: steps is a family of numbers, so nothing can follow it; write it last")
        if self.over and self.reducer == "argmax":
            raise Misfit("over", "over: an optimum is compared by `minus`, which gives the shift in octaves")
        self._compares_metrics(reducers)
        self._crosses("crossing" in reducers)
        for axis in self.levels:
            if axis not in self.axes:
                raise Misfit("levels", f"levels: the effect does not run along {axis}")
        return self

    def _compares_metrics(self, reducers: tuple[str, ...]) -> None:
        if self.second is None:
            return
        if self.less and self.per:
            raise Misfit("per", "per: a ratio, and `less` a difference; keep one of them")
        key, does = ("less", "subtracts") if self.less else ("per", "divides")
        if self.second == self.metric:
            what = "minus itself is 0" if self.less else "over itself is 1"
            raise Misfit(key, f"{key}: {self.metric} {what}")
        if self.minus or self.over:
            raise Misfit("minus" if self.minus else "over", f"`{key}` {does} already; keep one of them")
        odd = next((reducer for reducer in reducers if reducer in NOT_LINEAR), None)
        if odd:
            raise Misfit(key, f"{key}: a {odd} is not in the unit of {self.metric}; compare two points by `minus`")

    def levels_of(self, axis: str, levels: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
        """Return those of an axis's `levels` that the effect runs along."""
        return tuple(self.levels.get(axis, levels))

    def _crosses(self, crossing: bool) -> None:
        given = [key for key in ("rises_to", "falls_to") if getattr(self, key) is not None]
        if len(given) > 1:
            raise Misfit("falls_to", "falls_to: a crossing is from one side; keep this or `rises_to`")
        if crossing and not given:
            raise Misfit("along", "along: crossing of which level? give it as `rises_to` or `falls_to`")
        if given and not crossing:
            raise Misfit(given[0], f"{given[0]}: no axis is reduced by crossing; write along: {{AXIS: crossing}}")
        if self.interpolate == "log" and not crossing:
            raise Misfit("interpolate", "interpolate: is for a crossing; nothing else is between the levels")

    def _correlates(self, reducers: tuple[str, ...]) -> None:
        if len(set(reducers)) > 1:
            raise Misfit(
                "along", f"along: the points of a correlation are those of all its axes; write {reducers[0]} for each"
            )
        if self.minus or self.over:
            raise Misfit("minus" if self.minus else "over", "a correlation is not compared with another one")
        if self.with_ == self.metric:
            raise Misfit("with", f"with: {self.metric} is correlated with itself")

    @property
    def axes(self) -> tuple[str, ...]:
        """Return the axes that `along` runs over, in the order in which they are reduced."""
        return tuple(self.along or ())

    @property
    def reducers(self) -> tuple[str, ...]:
        """Return what `along` makes of each axis."""
        return tuple(self.along.values()) if self.along else ()

    @property
    def axis(self) -> str | None:
        """Return the axis that is reduced last: the effect's own."""
        return self.axes[-1] if self.along else None

    @property
    def reducer(self) -> str | None:
        """Return what `along` makes of the last axis."""
        return self.reducers[-1] if self.along else None

    @property
    def goal(self) -> tuple[float, bool] | None:
        """Return (level, whether the curve rises to it) of a crossing."""
        if self.rises_to is not None:
            return self.rises_to, True
        return None if self.falls_to is None else (self.falls_to, False)

    @property
    def is_shift(self) -> bool:
        """Return whether the number is how far an optimum moves, in octaves of its axis."""
        return self.reducer == "argmax" and self.minus is not None

    @property
    def second(self) -> str | None:
        """Return the other metric of the same runs, that is subtracted or divided by."""
        return self.less or self.per

    @property
    def is_ratio(self) -> bool:
        """Return whether the number is the log of a ratio."""
        return self.over is not None or self.per is not None

    @property
    def against(self) -> Mapping[str, Scalar | Scalars] | None:
        """Return what changes at the other point, for a difference or a ratio."""
        return self.minus or self.over

    @property
    def size(self) -> int:
        """Return how many members the family has."""
        families = (*self.at.values(), *(self.against or {}).values())
        return math.prod(len(value) for value in families if isinstance(value, tuple))

    def members(self) -> list[tuple[dict[str, Scalar], dict[str, Scalar] | None]]:
        """Return (at, at of what is subtracted or divided by) for each member of the family; one where no list is
        given."""
        found = []
        for at in _expand(self.at):
            for other in _expand(self.against) if self.against else [None]:
                found.append((at, None if other is None else {**at, **other}))
        return found

    def at_point(self, point: Mapping[str, Scalar]) -> Effect:
        """Return the same effect with `point` added to `at`."""
        return self.model_copy(update={"at": {**self.at, **point}})


def _expand(point: Mapping[str, Scalar | tuple[Scalar, ...]]) -> list[dict[str, Scalar]]:
    choices = [value if isinstance(value, tuple) else (value,) for value in point.values()]
    return [dict(zip(point, values, strict=True)) for values in product(*choices)]
