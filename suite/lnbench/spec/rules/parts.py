"""What must hold of the parts of a claim: they fit their effect, the numbers they name exist, and their regions can be
missed and be met."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from lnbench import catalog
from lnbench.errors import did_you_mean
from lnbench.spec.baseline import Baseline, Number
from lnbench.spec.effects import DIFFERENCES, ON_THE_AXIS, PAIRS, Effect
from lnbench.spec.levels import is_number, not_visited, same_point, word
from lnbench.spec.parts import (
    Agrees,
    CanReach,
    Correlation,
    Equivalent,
    EveryRun,
    Monotone,
    Ordered,
    Part,
    Shift,
    Table,
    Threshold,
    Trend,
    Within,
)
from lnbench.spec.recipe import Scalar
from lnbench.spec.study import Claim
from lnbench.yamlfile.tree import Position

ROUNDING = 1e-9  # relative: what binary fractions lose
FEWEST_POINTS = 6  # of a correlation whose sample they are: stats.correlation.FEWEST_POINTS

Vary = Mapping[str, tuple[Scalar, ...]]
Place = Callable[..., Position]
Report = Callable[[Position, str], None]


class Bounds(NamedTuple):
    """Between which numbers an effect can lie, and what it is called."""

    low: float
    high: float
    words: str

    def describe(self) -> str:
        return f"{self.words} ({self.low:g} to {self.high:g})"


def check_parts(
    index: int,
    claim: Claim,
    effects: Mapping[str, Effect | None],
    vary: Vary | None,
    baseline: Baseline | None,
    at: Place,
    error: Report,
) -> None:
    """Check each part of the claim at `index`. An effect of None has a wrong form, so has a grid of None; without a
    baseline no reference is checked. All three are reported elsewhere."""
    for name, part in claim.parts.items():
        place = partial(at, "claims", index, "parts", name)
        if part.effect not in effects:
            error(place("effect"), f"no effect '{part.effect}'; {did_you_mean(part.effect, effects)}")
            continue
        effect = effects[part.effect]
        number = None
        reference = getattr(part, "reference", None)
        if reference is not None and baseline is not None:
            number = _number(reference, part, effect, baseline, place("reference"), error)
        if isinstance(part, Table):
            _table(part, effect, vary, baseline, place, error)
        if effect is not None and _fits(part, effect, vary, place, error):
            _region(part, effect, vary, number, place, error)


def _number(
    reference: str, part: Part, effect: Effect | None, baseline: Baseline, where: Position, error: Report
) -> Number | None:
    """The number of the reference that a part names; None where it cannot be used."""
    known = baseline.references
    if reference not in known:
        what = f"no reference '{reference}' in baselines/{baseline.paper}.yaml; {did_you_mean(reference, known)}"
        error(where, what)
        return None
    found = known[reference]
    number = found.number()
    if number is None:
        error(where, f"reference '{reference}' prints '{found.printed}', not a number in digits")
        return None
    if effect is not None and found.metric != effect.metric:
        what = f"reference '{reference}' is a {found.metric}, the effect {part.effect} a {effect.metric}"
        error(where, what)
        return None
    if found.source == "digitised" and not part.ours:
        what = f"reference '{reference}' is read off a figure, not printed; say `ours: true`"
        error(where, what)
    return number


def _table(
    part: Table, effect: Effect | None, vary: Vary | None, baseline: Baseline | None, place: Place, error: Report
) -> None:
    """That each cell is one place of the grid, named once, and that its printed number is as coarse as the margin."""
    seen: dict[str, dict[str, Scalar]] = {}
    for reference, cell in part.cells.items():
        where = place("cells", reference, key=True)
        if baseline is not None:
            number = _number(reference, part, effect, baseline, where, error)
            if number is not None:
                _no_finer_than_printed(part.margin, number, place("margin"), error)
        twin = next((other for other, point in seen.items() if same_point(cell, point)), None)
        if twin is not None:
            error(where, f"table: the cell of '{reference}' is that of '{twin}' too")
        seen[reference] = cell
        for axis, value in cell.items():
            spot = place("cells", reference, axis)
            unvisited = not_visited(axis, value, vary) if vary is not None else None
            if unvisited:
                error(spot, f"table: {unvisited}")
            elif effect is not None and axis in (*effect.at, *effect.axes):
                error(spot, f"table: the effect {part.effect} says {axis} for all cells; leave it out here")
        for axis, levels in (vary or {}).items():
            said = (*cell, *effect.at, *effect.axes) if effect is not None else vary or {}
            if axis not in said and len(levels) > 1:
                error(where, f"table: say at which {axis} the cell is; it takes {', '.join(map(word, levels))}")
        if part.columns is not None and part.columns not in cell:
            error(place("columns"), f"columns: the cell of '{reference}' names no {part.columns}")
            break
    if effect is not None and any(
        isinstance(value, tuple) for value in (*effect.at.values(), *(effect.minus or {}).values())
    ):
        error(place("effect"), f"table: the effect {part.effect} is a family; a table's cells name its points")


def _fits(part: Part, effect: Effect, vary: Vary | None, place: Place, error: Report) -> bool:
    """That the kind of check is made for this kind of effect."""
    what = _misfit(part, effect)
    if what:
        error(place("effect"), f"{part.kind}: the effect {part.effect} {what}")
        return False
    if isinstance(part, Correlation) and part.unit == "point":
        if effect.with_ is None:
            error(place("unit"), f"correlation: {effect.metric} is one r a seed; points are there to correlate `with`")
            return False
        of_grid = {axis: (vary or {}).get(axis, (None,) * FEWEST_POINTS) for axis in effect.axes}
        points = math.prod(len(effect.levels_of(axis, levels)) for axis, levels in of_grid.items())
        if points < FEWEST_POINTS:
            error(place("unit"), f"correlation: {points} points; a sample of points needs at least {FEWEST_POINTS}")
            return False
    return True


def _misfit(part: Part, effect: Effect) -> str:
    """What the effect lacks for the part's kind, and what to write; empty where they fit."""
    if part.kind != "ratio" and effect.over:
        return "is the log of a ratio (`over`); judge it by kind: ratio"
    if not isinstance(part, Shift) and effect.is_shift:
        return "is the shift of an optimum, in octaves; judge it by kind: shift"
    if not isinstance(part, Correlation) and effect.with_ is not None:
        return "is a correlation; judge it by kind: correlation"
    if part.kind == "ratio" and not effect.over:
        return "is no ratio; write `over` in place of `minus`"
    if isinstance(part, Trend) and effect.reducer not in ("slope", "kendall"):
        return "has no tendency along an axis; write along: {AXIS: slope} or {AXIS: kendall}"
    if isinstance(part, Monotone) and effect.reducer != "steps":
        return "has no steps along an axis; write along: {AXIS: steps}"
    if isinstance(part, Shift) and not effect.is_shift:
        return "is no shift of an optimum; write along: {AXIS: argmax} and `minus`"
    if part.kind == "scaling" and (effect.reducer != "exponent" or effect.minus):
        return "is no exponent; write along: {AXIS: exponent}, without `minus`"
    if isinstance(part, Correlation) and effect.with_ is None:
        about = catalog.find("metric", effect.metric).value
        along = effect.reducers not in ((), (PAIRS,))
        if (about.low, about.high) != (-1, 1) or along or effect.minus or effect.less:
            return "is no correlation; write `with` and along: {AXIS: pearson}, or take a metric that is an r"
    return ""


def bounds_of(effect: Effect, vary: Vary | None) -> Bounds | None:
    """Between which numbers the effect can lie; None where nothing bounds it (a slope), or the grid is not known."""
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
    """How far the two metrics of `less` can lie apart, either way."""
    one, other = (catalog.find("metric", str(name)).value for name in (effect.metric, effect.less))
    return float(max(one.high - other.low, other.high - one.low))


def _numbers(effect: Effect, vary: Vary | None) -> list[float]:
    """The levels of the effect's own axis; none where the grid is not known or the axis is not one of it."""
    levels = effect.levels_of(str(effect.axis), (vary or {}).get(str(effect.axis), ()))
    return [float(level) for level in levels if is_number(level)]  # type: ignore[arg-type]


def _region(part: Part, effect: Effect, vary: Vary | None, number: Number | None, place: Place, error: Report) -> None:
    """That the effect can lie on both sides of the region's edges."""
    if isinstance(part, Agrees) and number:
        _no_finer_than_printed(part.margin, number, place("margin"), error)
    if isinstance(part, Shift):
        _octaves(part, effect, vary, place, error)
    bounds = bounds_of(effect, vary)
    if bounds is None or part.kind in ("ratio", "scaling"):
        return  # in the axis's unit, or per unit of it
    if isinstance(part, Threshold | EveryRun | CanReach):
        edge = part.threshold if part.threshold is not None else number.value if number else None
        if edge is not None and not bounds.low < edge < bounds.high:
            where = place("threshold" if part.threshold is not None else "reference")
            error(
                where,
                f"threshold {edge:g} is on or past the bounds of {bounds.describe()}; no run could miss or meet it",
            )
    elif isinstance(part, Ordered) and not bounds.low < part.delta < bounds.high:
        error(place("delta"), f"delta {part.delta:g} is on or past the bounds of {bounds.describe()}")
    elif isinstance(part, Equivalent | Agrees | Table) and part.margin >= _width(effect, bounds):
        error(place("margin"), f"margin {part.margin:g} covers all of {bounds.describe()}; every outcome would pass")
    elif isinstance(part, Within):
        for index, edge in enumerate(part.region):
            if edge is not None and not bounds.low < edge < bounds.high:
                what = f"region: {edge:g} is on or past the bounds of {bounds.describe()}"
                error(place("region", index), f"{what}; no run could miss or meet it, so write null for no edge")


def _width(effect: Effect, bounds: Bounds) -> float:
    """How wide a margin may be: less than the metric reaches, also where it is a difference that is judged."""
    if effect.less:
        return bounds.high
    if effect.reducer in (None, "mean", PAIRS, *DIFFERENCES):
        about = catalog.find("metric", effect.metric).value
        return float(about.high - about.low)
    return bounds.high - bounds.low


def _octaves(part: Shift, effect: Effect, vary: Vary | None, place: Place, error: Report) -> None:
    levels = _numbers(effect, vary)
    if levels and min(levels) > 0:
        octaves = math.log2(max(levels) / min(levels))
        if part.delta >= octaves > 0:
            what = f"delta {part.delta:g} is as far as {effect.axis} reaches ({octaves:.3g} octaves) or further"
            error(place("delta"), f"{what}; no optimum could move by more")


def _no_finer_than_printed(margin: float, number: Number, where: Position, error: Report) -> None:
    if margin < number.unit / 2 * (1 - ROUNDING):
        what = f"margin {margin:g} is below half the last printed digit ({number.unit / 2:g})"
        error(where, f"{what}; the paper does not say it that exactly")
