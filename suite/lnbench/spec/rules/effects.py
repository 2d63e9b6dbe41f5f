"""What must be true of an effect: its points are visited, and its axes can be reduced as it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from lnbench import catalog
from lnbench.errors import did_you_mean
from lnbench.spec.effects import AS_WRITTEN, COEFFICIENTS, EPOCH, PAIRS, Effect
from lnbench.spec.levels import is_number, listed, not_visited, repeated, same_point, word
from lnbench.spec.recipe import Scalar
from lnbench.yamlfile.tree import Position

MOST_MEMBERS = 1_000  # of one effect's family
FEWEST_WITHIN_A_SEED = 3  # of a correlation within a seed: two always lie on a line

Vary = Mapping[str, tuple[Scalar, ...]]
Place = Callable[..., Position]
Report = Callable[[Position, str], None]


def check_effect(
    name: str, effect: Effect, vary: Vary, at: Place, error: Report, *, cells_say: bool, epochs: int | None = None
) -> None:
    """Check one effect. `cells_say`: the effect is a table's, whose cells name the values of the axes that `at` leaves
    out. `epochs`: how many epochs the shortest of the runs has that it reads; None where none of them has any."""
    place, head = partial(at, "effects", name), f"effect {name}"
    for where, point in (("at", effect.at), ("minus", effect.minus or {}), ("over", effect.over or {})):
        for axis, value in point.items():
            values = value if isinstance(value, tuple) else (value,)
            twice = set(repeated(values))
            for index, one in enumerate(values):
                spot = place(where, axis, index) if isinstance(value, tuple) else place(where, axis)
                unvisited = not_visited(axis, one, vary)
                if unvisited:
                    error(spot, f"{head}: {unvisited}")
                elif axis in effect.axes:
                    error(place(where, axis), f"{head}: {axis} is the axis it runs along; leave it out here")
                if index in twice:
                    error(spot, f"{head}: {axis} = {word(one)} is given twice")
    _epochs(head, effect, epochs, place, error)
    whole = _axes(head, effect, vary, place, error)
    for axis, levels in vary.items() if whole and not cells_say else ():
        if axis not in (*effect.at, *effect.axes) and len(levels) > 1:
            error(place(), f"{head}: say in `at` at which {axis}; it takes {listed(levels)}")
    _pairs(head, effect, place, error)
    _family(head, effect, vary, place, error)
    _numbers(head, effect, place, error)


def _axes(head: str, effect: Effect, vary: Vary, place: Place, error: Report) -> bool:
    """Return whether every axis is one of the grid; report what is wrong with their levels."""
    whole, points = True, 1
    for axis, reducer in zip(effect.axes, effect.reducers, strict=True):
        spot = place("along", axis)
        if axis == EPOCH and axis not in effect.levels:
            error(spot, f"{head}: along which epochs? name them, as in levels: {{epoch: [1, 10, 30]}}")
            whole = False
            continue
        if axis not in vary and axis != EPOCH:
            error(spot, f"{head}: no axis '{axis}' in vary; {did_you_mean(axis, vary)}")
            whole = False
            continue
        levels = effect.levels_of(axis, vary.get(axis, ()))
        points *= len(levels)
        twice = set(repeated(levels))
        for index, level in enumerate(effect.levels.get(axis, ())):
            unvisited = not_visited(axis, level, vary)
            if unvisited:
                error(place("levels", axis, index), f"{head}: {unvisited}")
            elif index in twice:
                error(place("levels", axis, index), f"{head}: {axis} = {word(level)} is given twice")
        if reducer in COEFFICIENTS:
            continue
        if len(levels) < 2:
            what = "there are no pairs" if reducer == PAIRS else "nothing runs along it"
            error(spot, f"{head}: {axis} has one value; {what}")
        elif reducer == PAIRS or reducer in AS_WRITTEN:
            continue
        elif not all(map(is_number, levels)):
            error(spot, f"{head}: {axis} is not numeric; nothing runs along it")
        else:
            why = _needs_logs(effect, reducer, axis == effect.axis)
            bad = [level for level in levels if is_number(level) and float(level) <= 0]  # type: ignore[arg-type]
            if why and bad:
                error(spot, f"{head}: {why}, but {axis} takes {word(bad[0])}; give it values above 0 only")
    if effect.with_ is not None and whole and points < FEWEST_WITHIN_A_SEED:
        error(
            place("along"), f"{head}: a correlation of {points} points; at least {FEWEST_WITHIN_A_SEED} must be visited"
        )
    return whole


def _epochs(head: str, effect: Effect, epochs: int | None, place: Place, error: Report) -> None:
    """Check that every epoch named is one of the runs, and that the metric has one value per epoch."""
    sides = (("at", effect.at), ("minus", effect.minus or {}), ("over", effect.over or {}), ("levels", effect.levels))
    named = [(key, side[EPOCH]) for key, side in sides if EPOCH in side]
    for key, value in named:
        for epoch in value if isinstance(value, tuple) else (value,):
            if epochs is not None and type(epoch) is int and epoch > epochs:
                error(place(key, EPOCH), f"{head}: epoch {epoch}, but a run that it reads has {epochs}")
    for key, metric in (("metric", effect.metric), ("less", effect.less), ("per", effect.per)) if named else ():
        about = catalog.find("metric", metric).value if metric else None
        if about is not None and (about.experiments or (about.probe and not about.reading)):
            error(place(key), f"{head}: {metric} is one number per run, not one per epoch; leave `epoch` out")


def _pairs(head: str, effect: Effect, place: Place, error: Report) -> None:
    """Check that a number of two runs is read from pairs, and no other number is."""
    for key, metric in (("metric", effect.metric), ("less", effect.less), ("per", effect.per)):
        if metric is None:
            continue
        of_two = catalog.find("metric", metric).value.of_two
        if of_two and effect.reducers != (PAIRS,):
            error(
                place(key), f"{head}: {metric} is a number of two runs; write along: {{AXIS: pairs}}, and no other axis"
            )
        elif not of_two and PAIRS in effect.reducers:
            error(place(key), f"{head}: {metric} is a number of one run; pairs are for those of two")


def _needs_logs(effect: Effect, reducer: str, last: bool) -> str:
    """Return why the logarithm of an axis is taken; "" where it is not."""
    if reducer == "exponent":
        return "an exponent is a slope over log values"
    if reducer == "argmax" and last and effect.is_shift:
        return "an optimum's shift is in octaves (log2)"
    return "interpolate: log" if reducer == "crossing" and effect.interpolate == "log" else ""


def _family(head: str, effect: Effect, vary: Vary, place: Place, error: Report) -> None:
    levels = effect.levels_of(str(effect.axis), vary.get(str(effect.axis), ()))
    size = effect.size * (len(levels) - 1 if effect.reducer == "steps" else 1)
    if size > MOST_MEMBERS:
        error(place(), f"{head}: a family of {size} numbers; at most {MOST_MEMBERS}")
    elif any(other is not None and same_point(at, other) for at, other in effect.members()):
        what = "divides a point by itself" if effect.over else "subtracts a point from itself"
        error(place("over" if effect.over else "minus"), f"{head}: {what}")


def _numbers(head: str, effect: Effect, place: Place, error: Report) -> None:
    """Check that a level can be crossed, and that a logarithm of the metric can be taken."""
    about = catalog.find("metric", effect.metric).value
    span = f"{effect.metric} ({about.low:g} to {about.high:g})"
    if effect.goal and effect.reducers[0] == "crossing" and not about.low < effect.goal[0] < about.high:
        key = "rises_to" if effect.goal[1] else "falls_to"
        error(place(key), f"{head}: {effect.goal[0]:g} is on or past the bounds of {span}; no curve crosses it")
    of_metric = effect.is_ratio if not effect.along else effect.reducers[0] == "exponent"
    if of_metric and about.low < 0:
        why = "a ratio" if effect.is_ratio else "an exponent"
        error(place("metric"), f"{head}: {why} needs numbers above 0, and {span} can lie below")
    other = catalog.find("metric", effect.per).value if effect.per else None
    if other is not None and other.low < 0:
        what = f"a ratio needs numbers above 0, and {effect.per} ({other.low:g} to {other.high:g}) can lie below"
        error(place("per"), f"{head}: {what}")
