"""What a curve along an axis comes to: one number, how far one test example moves it, and whether it collapsed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lnbench import stats
from lnbench.stats.correlation import spearman_cap
from lnbench.stats.steps import area_weights, slope_weights


@dataclass(frozen=True, slots=True)
class Reading:
    """A number of one seed. `step`: the most that one test example in one run moves it. `collapsed`: whether a run
    behind it is at chance or diverged, or the number does not exist (NaN). `counted`: of how many things the number is
    a plain share, k of n; 0 where it is no such share.

    A censored number is only known to lie below (value -inf) or above (value inf) its `limit`: a place that lies before
    the first level that was run, or after the last. NaN: the number itself is known.
    """

    value: float
    step: float
    collapsed: bool
    limit: float = math.nan
    counted: int = 0

    @property
    def nearest(self) -> float:
        """Return the number, or what it is known to lie beyond."""
        return self.value if math.isnan(self.limit) else self.limit


@dataclass(frozen=True, slots=True)
class Goal:
    """The level that a curve rises (or falls) to, and how it is read between two levels of the axis."""

    level: float
    rising: bool
    log_axis: bool = False


def reduce(reducer: str, levels: Sequence[float], readings: Sequence[Reading], goal: Goal | None = None) -> Reading:
    """Return one number of a curve: `levels` (L,) rise, `readings` (L,) are the curve's values there.

    drop: first minus last. gain: the mean of all but the first, minus the first. lead: the lowest of all but the last,
    minus the last. mean: of all, with equal weights.
    steps: last minus first (of two levels). slope, kendall, area, exponent (of log y on log x): as `lnbench.stats` has
    them. argmax: where the curve is highest, tied maxima at the mean of their levels. crossing: see `crossing`. Raises
    ValueError for another name.
    """
    if reducer == "crossing":
        assert goal is not None, "a spec gives the level that is crossed"
        return crossing(levels, readings, goal)
    values = [reading.value for reading in readings]
    step = max(reading.step for reading in readings)
    collapsed = any(reading.collapsed for reading in readings)
    if not all(map(math.isfinite, values)):  # of a censored number nothing can be made along an axis
        return Reading(math.nan, step, collapsed or any(map(math.isinf, values)))
    if reducer == "drop":
        return Reading(values[0] - values[-1], step, collapsed)
    if reducer == "gain":
        return Reading(sum(values[1:]) / len(values[1:]) - values[0], step, collapsed)
    if reducer == "lead":
        return Reading(min(values[:-1]) - values[-1], step, collapsed)
    if reducer == "mean":
        return Reading(sum(values) / len(values), step / len(values), collapsed)
    if reducer == "steps":
        return Reading(values[-1] - values[0], step, collapsed)
    if reducer == "slope":
        return Reading(_weighted(slope_weights(levels), values), stats.slope_step(levels, step), collapsed)
    if reducer == "area":
        return Reading(_weighted(area_weights(levels), values), stats.area_step(levels, step), collapsed)
    if reducer == "kendall":
        return Reading(stats.kendall_taus(levels, [values])[0], stats.kendall_step(len(levels)), collapsed)
    if reducer == "exponent":
        return _exponent(levels, values, step, collapsed)
    if reducer == "argmax":
        best = max(values)
        places = [level for level, value in zip(levels, values, strict=True) if value == best]
        return Reading(sum(places) / len(places), stats.argmax_step(levels, log2=False), collapsed)
    raise ValueError(f"no way to reduce an axis is named {reducer!r}")


def _weighted(weights: Iterable[float], values: Sequence[float]) -> float:
    return float(sum(weight * y for weight, y in zip(weights, values, strict=True)))


def _exponent(levels: Sequence[float], values: Sequence[float], step: float, collapsed: bool) -> Reading:
    """Return the least-squares slope of log y on log x; NaN where a y is not above 0."""
    if min(values) <= 0:
        return Reading(math.nan, step, collapsed)
    weights = slope_weights([math.log(level) for level in levels])
    moved = [abs(weight) * math.log1p(step / y) for weight, y in zip(weights, values, strict=True)]
    return Reading(_weighted(weights, [math.log(y) for y in values]), float(max(moved)), collapsed)


def crossing(levels: Sequence[float], readings: Sequence[Reading], goal: Goal) -> Reading:
    """Return the first place along the axis at which the curve reaches the goal from its other side, in the axis's
    unit.

    Between the two levels around it the curve is a straight line (with `log_axis`, over the log of the axis). A curve
    that is past the goal at the first level already crosses it before that level, and one that never gets there after
    the last: the number is censored, and keeps its side. What is read next to a collapsed run is a collapse, and so is
    a curve with one that never gets there. Runs further along the axis do not enter, so neither do their collapses. Its
    step is that of the line, at most the gap between the two levels.
    """
    short = [(goal.level - reading.value) * (1 if goal.rising else -1) for reading in readings]  # of the goal, by this
    if short[0] < 0:
        dead = readings[0].collapsed
        return Reading(math.nan, 0.0, True) if dead else Reading(-math.inf, 0.0, False, float(levels[0]))
    for index, (left, right) in enumerate(pairwise(short)):
        if not (math.isfinite(left) and math.isfinite(right)):
            break
        if right > 0 and left > 0:
            continue
        a, b = levels[index], levels[index + 1]
        runs = readings[index : index + 2]
        share = left / (left - right) if left else 0.0
        place = a * (b / a) ** share if goal.log_axis else a + (b - a) * share
        step, rise = max(run.step for run in runs), abs(runs[1].value - runs[0].value)
        steepest = b * math.log(b / a) if goal.log_axis else b - a
        moved = 0.0 if step == 0 else min(b - a, steepest * step / rise) if rise else b - a
        return Reading(place, moved, any(run.collapsed for run in runs))
    if any(run.collapsed or not math.isfinite(run.value) for run in readings):
        return Reading(math.nan, 0.0, True)
    return Reading(math.inf, 0.0, False, float(levels[-1]))


def optimum_shift(levels: Sequence[float], at: Sequence[Reading], base: Sequence[Reading]) -> Reading:
    """Return by how many octaves of the (positive) axis the optimum moves from the curve `base` to the curve `at`."""
    places = [stats.argmax_along(levels, [reading.value for reading in curve]) for curve in (at, base)]
    value = math.log2(places[0]) - math.log2(places[1]) if all(map(math.isfinite, places)) else math.nan
    return Reading(value, stats.argmax_step(levels), any(reading.collapsed for reading in (*at, *base)))


def correlate(coefficient: str, x: Sequence[Reading], y: Sequence[Reading]) -> Reading:
    """Return Pearson's or Spearman's r of two metrics over the points of the grid; NaN where one of them does not vary.

    A Spearman r is kept below 1 as `stats.correlation` does, so that atanh is finite; one swap of ranks is its step.
    """
    r = stats.coefficient_of([reading.value for reading in x], [reading.value for reading in y], coefficient)
    collapsed = any(reading.collapsed for reading in (*x, *y))
    step = 0.0
    if coefficient == "spearman" and math.isfinite(r):
        cap = spearman_cap(len(x))
        r, step = math.copysign(min(abs(r), cap), r), 2 * (1 - cap)
    return Reading(r, step, collapsed)
