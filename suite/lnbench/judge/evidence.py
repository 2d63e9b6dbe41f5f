"""From records to one number per seed: what a study's effects come to, and from which runs."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from lnbench import catalog
from lnbench.judge import reduce
from lnbench.judge.counts import counts_of
from lnbench.judge.idle_seeds import twins
from lnbench.judge.labels import label
from lnbench.judge.members import Found, Member, Span
from lnbench.judge.readings import Reads, Stored
from lnbench.judge.reduce import Goal, Reading
from lnbench.judge.run_numbers import read_off, share, yielded
from lnbench.judge.sound import fault
from lnbench.plan import Derived, Plan, Run
from lnbench.spec import EPOCH, Effect, ExperimentRecipe, Point, Study, point_key
from lnbench.spec.effects import PAIRS
from lnbench.stats import argmax_along
from lnbench.store import Record

T = TypeVar("T")


@dataclass
class Evidence:
    """All records that a plan asks for, by job; and what is missing."""

    plan: Plan
    records: dict[str, Record] = field(default_factory=dict)  # every record used, choices and their runs included
    by_job: dict[tuple[str, int], tuple[Run, Record]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)  # run id -> message
    failed_jobs: dict[tuple[str, int], str] = field(default_factory=dict)
    unsound: dict[str, str] = field(default_factory=dict)  # run id -> why nothing is judged that rests on its record
    unsound_jobs: dict[tuple[str, int], str] = field(default_factory=dict)  # whose choice rests on such a record
    missing: int = 0
    inputs: tuple[Derived, ...] = ()  # that the runs build on; where a choice is not made, those of its first candidate
    reads: Reads = field(default=Stored({}.get))
    read: set[tuple[str, int]] = field(default_factory=set, repr=False, compare=False)  # jobs behind the last member

    @property
    def study(self) -> Study:
        return self.plan.study

    @property
    def input_runs(self) -> list[Run]:
        """Return the runs that its inputs are made of, each once."""
        return list({run.id: run for derived in self.inputs for run in derived.runs}.values())

    def lacks(self, only: Callable[[Point], bool]) -> bool:
        """Return whether a run is missing at one of the points asked for."""
        return any((point_key(job.point), job.seed) not in self.by_job for job in self.plan.jobs if only(job.point))

    def members(self, effect: Effect) -> list[Member]:
        """Return the effect's numbers, one Member for each of its family."""
        return [
            self._member(effect, at, other, path)
            for at, other in effect.members()
            for path in self._paths(effect)
        ]  # fmt: skip

    @property
    def seeds(self) -> list[int]:
        """Return the seeds that the plan asks for, in order."""
        return sorted({job.seed for job in self.plan.jobs})

    def first(self, seeds: int) -> Evidence:
        """Return the evidence that was there after the first `seeds` seeds: what an earlier look saw."""
        return self._of(set(self.seeds[:seeds]).__contains__)

    def without(self, seed: int) -> Evidence:
        """Return the evidence as if a seed had not been planned."""
        return self._of(lambda other: other != seed)

    def _of(self, kept: Callable[[int], bool]) -> Evidence:
        plan = replace(self.plan, jobs=tuple(job for job in self.plan.jobs if kept(job.seed)))
        by_job = {key: found for key, found in self.by_job.items() if kept(key[1])}
        failed = {key: message for key, message in self.failed_jobs.items() if kept(key[1])}
        unsound = {key: what for key, what in self.unsound_jobs.items() if kept(key[1])}
        return replace(self, plan=plan, by_job=by_job, failed_jobs=failed, unsound_jobs=unsound)

    def _paths(self, effect: Effect) -> list[tuple[Span, ...]]:
        """Return how the axes are walked: once over all of each, or once for every step of the last."""
        spans = []
        for axis, reducer in zip(effect.axes, effect.reducers, strict=True):
            levels = effect.levels_of(axis, self.study.levels(axis))
            # the points of a correlation, and the members of a pair, need not be numbers
            numeric = all(isinstance(level, int | float) for level in levels)
            spans.append(Span(axis, reducer, tuple(sorted(levels)) if numeric else levels))  # type: ignore[type-var]
        if not spans or spans[-1].reducer != "steps":
            return [tuple(spans)]
        *before, last = spans
        return [(*before, replace(last, levels=pair)) for pair in itertools.pairwise(last.levels)]

    def _member(self, effect: Effect, at: Point, other: Point | None, path: tuple[Span, ...]) -> Member:
        seeds = self.seeds
        found: dict[int, Found] = {}
        failures: list[str] = []
        self.read.clear()
        for seed in seeds:
            number = self._number(effect, at, other, path, seed)
            if isinstance(number, Found):
                found[seed] = number
            elif number:
                failures.append(number)
        readings = [one.reading for one in found.values()]
        walked = path[-1] if path and effect.with_ is None and effect.reducer != PAIRS else None
        return Member(
            label(effect, at, other, walked.levels if walked and walked.reducer == "steps" else ()),
            at,
            other,
            values=tuple(reading.value for reading in readings),
            limits=tuple(reading.limit for reading in readings),
            seeds=tuple(found),
            collapsed=tuple(reading.collapsed for reading in readings),
            step=max((reading.step for reading in readings), default=0.0),
            planned=len(seeds),
            counted=counts_of(readings),
            failures=tuple(dict.fromkeys(failures)),
            same="" if failures else twins((*key, self.by_job[key][1]) for key in self.read & self.by_job.keys()),
            arms=(
                tuple(one.arms[0] for one in found.values() if one.arms),
                tuple(one.arms[1] for one in found.values() if one.arms),
            ),
            levels=tuple(walked.numbers) if walked else (),
            curves=tuple(one.curve for one in found.values() if one.curve),
            others=tuple(one.other for one in found.values() if one.other),
            curve_step=max((one.curve_step for one in found.values()), default=0.0),
        )

    def _number(
        self, effect: Effect, at: Point, other: Point | None, path: tuple[Span, ...], seed: int
    ) -> Found | str | None:
        """Return the effect for one seed; a message where a run failed or its record cannot be right, None where one is
        missing."""
        if effect.with_ is not None:
            return self._correlation(effect, at, path, seed)
        sides = _whole(
            [self._side(effect, effect.metric, path, point, seed) for point in (at, other) if point is not None]
            + [self._side(effect, metric, path, at, seed) for metric in (effect.second,) if metric is not None]
        )
        if not isinstance(sides, list):
            return sides
        if effect.is_shift:
            reading = reduce.optimum_shift(path[-1].numbers, sides[0][1], sides[1][1])
            arms = tuple(argmax_along(path[-1].numbers, _values(curve)) for _, curve in sides)
        else:
            reading = sides[0][0] if len(sides) == 1 else _compared(effect, sides[0][0], sides[1][0])
            arms = tuple(side.value for side, _ in sides) if len(sides) > 1 else ()
        curves = [curve for _, curve in sides]
        step = max((point.step for curve in curves for point in curve), default=0.0)
        return Found(reading, arms, _values(curves[0]), _values(curves[1]) if len(curves) > 1 else (), step)

    def _side(
        self, effect: Effect, metric: str, path: Sequence[Span], point: Point, seed: int
    ) -> tuple[Reading, list[Reading]] | str | None:
        """Return the number at one point, and the curve along the last axis that it was made of."""
        if effect.reducer == PAIRS:
            reading = self._pairs(metric, path[-1], point, seed)
            return (reading, []) if isinstance(reading, Reading) else reading
        if not path:
            reading = self._metric(metric, point, seed)
            return (reading, []) if isinstance(reading, Reading) else reading
        *inner, last = path
        sides = _whole([self._side(effect, metric, inner, {**point, last.axis: level}, seed) for level in last.levels])
        if not isinstance(sides, list):
            return sides
        curve = [reading for reading, _ in sides]
        goal = Goal(*effect.goal, effect.interpolate == "log") if effect.goal else None
        return reduce.reduce(last.reducer, last.numbers, curve, goal), curve

    def _correlation(self, effect: Effect, at: Point, path: tuple[Span, ...], seed: int) -> Found | str | None:
        axes = [span.axis for span in path]
        points = [dict(zip(axes, levels, strict=True)) for levels in itertools.product(*(span.levels for span in path))]
        columns = []
        for metric in (effect.metric, str(effect.with_)):
            column = _whole([self._metric(metric, {**at, **point}, seed) for point in points])
            if not isinstance(column, list):
                return column
            columns.append(column)
        reading = reduce.correlate(path[0].reducer, *columns)
        return Found(reading, (), _values(columns[0]), _values(columns[1]))

    def _metric(self, metric: str, point: Point, seed: int) -> Reading | str | None:
        record = self._record(point, seed)
        if record is None or isinstance(record, str):
            return record
        recipe, outcome, epoch = self.study.at(point).recipe, record["outcome"], _epoch_of(point)
        about = catalog.find("metric", metric).value
        if isinstance(recipe, ExperimentRecipe):
            return yielded(metric, record)
        if about.reading:
            return self._of_arrays(metric, [record], epoch or recipe.epochs)
        if about.probe or metric in outcome.get("metrics", {}):
            return yielded(metric, record)
        return read_off(metric, recipe.selection, record, epoch)

    def _record(self, point: Point, seed: int) -> Record | str | None:
        """Return the run's record; a message where it failed or nothing may rest on it, None where it is missing."""
        key = (point_key(self.study.at(point).point), seed)
        self.read.add(key)
        if key in self.by_job:
            record = self.by_job[key][1]
            return self.unsound.get(record["id"]) or record
        failed = self.failed_jobs.get(key)
        return self.unsound_jobs.get(key) or (f"a run failed: {failed}" if failed else None)

    def _pairs(self, metric: str, span: Span, point: Point, seed: int) -> Reading | str | None:
        """Return the median over all pairs of an axis's levels of a number that two runs have together."""
        places: list[Point] = [{**point, span.axis: level} for level in span.levels]
        records = _whole([self._record(place, seed) for place in places])
        if not isinstance(records, list):
            return records
        epoch = _epoch_of(point) or min(int(record["content"]["recipe"]["epochs"]) for record in records)
        pairs = _whole([self._of_arrays(metric, pair, epoch) for pair in itertools.combinations(records, 2)])
        if not isinstance(pairs, list):
            return pairs
        return Reading(statistics.median(_values(pairs)), 0.0, any(pair.collapsed for pair in pairs))

    def _of_arrays(self, metric: str, runs: Sequence[Record], epoch: int) -> Reading | str:
        """Return a number that is read from the arrays of one run or of two, up to an epoch; one that does not exist
        (the run diverged before it; no label is wrong) is a collapse."""
        found = self.reads(catalog.find("metric", metric).value.reading, runs, epoch)
        if isinstance(found, str):
            return found
        self.records[found["id"]] = found
        value = found["outcome"].get("metrics", {}).get(metric)
        if value is None:
            return Reading(math.nan, 0.0, True)
        return fault(metric, value, found) or share(metric, float(value), found, False)


def _whole(found: list[T | str | None]) -> list[T] | str | None:
    """Return all of them, if they are there; else the first message, else None."""
    there = [one for one in found if one is not None and not isinstance(one, str)]
    if len(there) == len(found):
        return there
    return next((one for one in found if isinstance(one, str)), None)


def _values(curve: Sequence[Reading]) -> tuple[float, ...]:
    return tuple(reading.value for reading in curve)


def _compared(effect: Effect, at: Reading, other: Reading) -> Reading:
    """Return a difference, or the log of a ratio (NaN where a number is not above 0, as for two collapsed curves)."""
    collapsed = at.collapsed or other.collapsed
    if not effect.is_ratio:
        value = at.value - other.value
        if math.isnan(value):  # two numbers that are censored on the same side, or one that does not exist
            return Reading(math.nan, 0.0, True)
        limit = at.nearest - other.nearest if math.isinf(value) else math.nan
        return Reading(value, max(at.step, other.step), collapsed, limit)
    if not (at.value > 0 and other.value > 0) or math.isinf(at.value) or math.isinf(other.value):
        return Reading(math.nan, 0.0, collapsed or math.isinf(at.value) or math.isinf(other.value))
    moved = max(math.log1p(side.step / side.value) for side in (at, other))
    return Reading(math.log(at.value) - math.log(other.value), moved, collapsed)


def _epoch_of(point: Point) -> int | None:
    """Return the epoch that a point names, counted from 1."""
    epoch = point.get(EPOCH)
    return None if epoch is None else int(epoch)
