"""Between which numbers an effect can lie: what a region is held against, so that it can be missed and be met."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lnbench import catalog
from lnbench.spec.baseline import Number
from lnbench.spec.effects import DIFFERENCES, ON_THE_AXIS, PAIRS, Effect
from lnbench.spec.levels import is_number
from lnbench.spec.recipe import Scalar

Vary = Mapping[str, tuple[Scalar, ...]]
ROUNDING = 1e-9  # relative: what binary fractions lose


class Bounds(NamedTuple):
    """Between which numbers an effect can lie, and what it is called."""

    low: float
    high: float
    words: str

    def describe(self) -> str:
        return f"{self.words} ({self.low:g} to {self.high:g})"

    def hold(self, edge: float) -> bool:
        """Return whether an effect can lie on both sides of the edge."""
        return self.low < edge < self.high


@dataclass(frozen=True)
class Ground:
    """What a part is checked against.

    `effect`: None where its form is wrong; `vary`: None where the grid is not known; `numbers`: the printed numbers
    that the part names, by reference, as far as they exist; `words`: of those that print a word that a table knows, the
    sense (`Reference.word`).
    """

    effect: Effect | None
    vary: Vary | None
    numbers: Mapping[str, Number] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def bounds(self) -> Bounds | None:
        """See `bounds_of`; None where the effect has a wrong form, too."""
        return bounds_of(self.effect, self.vary) if self.effect is not None else None

    @property
    def levels(self) -> list[float]:
        """Return the levels of the effect's own axis; none where the grid is not known or the axis is not one of it."""
        return _numbers(self.effect, self.vary) if self.effect is not None else []

    def points(self, otherwise: int) -> int:
        """Return how many points of the grid the effect runs over; an unknown axis counts as `otherwise` levels."""
        assert self.effect is not None, "counted where the effect fits"
        of_grid = {axis: (self.vary or {}).get(axis, (None,) * otherwise) for axis in self.effect.axes}
        return math.prod(len(self.effect.levels_of(axis, levels)) for axis, levels in of_grid.items())

    def margin_covers_all(self, margin: float) -> str:
        """Return why every outcome would lie within the margin; "" where some would not."""
        bounds = self.bounds
        if bounds is None or self.effect is None or margin < _width(self.effect, bounds):
            return ""
        return f"margin {margin:g} covers all of {bounds.describe()}; every outcome would pass"


def finer_than_printed(margin: float, number: Number) -> str:
    """Return that a margin is finer than the number is printed; "" where it is not."""
    if margin >= number.unit / 2 * (1 - ROUNDING):
        return ""
    what = f"margin {margin:g} is below half the last printed digit ({number.unit / 2:g})"
    return f"{what}; the paper does not say it that exactly"


def bounds_of(effect: Effect, vary: Vary | None) -> Bounds | None:
    """Return between which numbers the effect can lie; None where nothing bounds it (a slope), or the grid is not
    known."""
    about = catalog.find("metric", effect.metric).value
    reducers = effect.reducers
    if not reducers or reducers in (("mean",), (PAIRS,)) or (len(reducers) == 1 and effect.reducer in DIFFERENCES):
        low, high, words = about.low, about.high, effect.metric
        apart = effect.reducer in DIFFERENCES
        two = bool(effect.minus or effect.less)
        if two or apart:
            # Two numbers apart, or three and four: a difference of drops reaches twice as far.
            reach = (_reach(effect) if effect.less else high - low) * (2 if two and apart else 1)
            low, high, words = -reach, reach, f"a difference of {effect.metric}"
        return Bounds(low, high, words)
    if effect.reducer == "kendall":
        two = bool(effect.minus or effect.less)
        reach = 2 if two else 1
        return Bounds(-reach, reach, "a difference of Kendall's tau" if two else "Kendall's tau")
    if effect.reducer in ON_THE_AXIS:
        levels = _numbers(effect, vary)
        if levels and effect.minus:
            reach = max(levels) - min(levels)
            return Bounds(-reach, reach, f"a difference of {effect.axis}")
        if levels:
            return Bounds(min(levels), max(levels), f"the axis {effect.axis}")
    return None


def _reach(effect: Effect) -> float:
    """Return how far the two metrics of `less` can lie apart, either way."""
    one, other = (catalog.find("metric", str(name)).value for name in (effect.metric, effect.less))
    return float(max(one.high - other.low, other.high - one.low))


def _numbers(effect: Effect, vary: Vary | None) -> list[float]:
    levels = effect.levels_of(str(effect.axis), (vary or {}).get(str(effect.axis), ()))
    return [float(level) for level in levels if is_number(level)]  # type: ignore[arg-type]


def _width(effect: Effect, bounds: Bounds) -> float:
    """Return how wide a margin may be: less than the metric reaches, also where it is a difference that is judged."""
    if effect.less:
        return bounds.high
    if effect.reducer in (None, "mean", PAIRS, *DIFFERENCES):
        about = catalog.find("metric", effect.metric).value
        return float(about.high - about.low)
    return bounds.high - bounds.low
