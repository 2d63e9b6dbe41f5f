"""From records to one number per seed: what a study's effects come to, and from which runs."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from lnbench import catalog
from lnbench.judge import reduce
from lnbench.judge.counts import counts_of, things
from lnbench.judge.idle_seeds import twins
from lnbench.judge.labels import label
from lnbench.judge.members import Found, Member, Span
from lnbench.judge.readings import Reads, Stored
from lnbench.judge.reduce import Goal, Reading
from lnbench.judge.sound import curve_fault, fault, other_data
from lnbench.plan import Derived, Job, Plan, Run, given, inputs_behind, misbuilt
from lnbench.spec import EPOCH, Effect, ExperimentRecipe, Point, Study, point_key
from lnbench.spec.effects import PAIRS
from lnbench.stats import accuracy_step, argmax_along, is_collapsed
from lnbench.store import Record
from lnbench.training.entries import SMOOTHING

Get = Callable[[str], Record | None]


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
        return self._of(lambda seed: seed < seeds)

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
        if isinstance(recipe, ExperimentRecipe) or metric in outcome.get("metrics", {}):
            return _yielded(metric, record)
        if catalog.find("metric", metric).value.reading:
            return self._of_arrays(metric, [record], epoch or recipe.epochs)
        return _read(metric, recipe.selection, record, epoch)

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
        return fault(metric, value, found) or _share(metric, float(value), found, False)


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


def gather(plan: Plan, get: Get, failures: Mapping[str, str] | None = None, reads: Reads | None = None) -> Evidence:
    """Look up every record that the plan asks for. A run that was given another input than its runs give now counts as
    missing. `reads`: where numbers of arrays come from; without it only those that `get` finds.

    Choices, and inputs whose record says all, are made again from their runs: no record can misstate them. An input
    that was made of arrays is taken from its record, if that was made of the outcomes that its runs have now: the
    arrays may be in another store.
    """
    evidence = Evidence(plan, failures=dict(failures or {}), reads=reads or Stored(get))
    lookup = _Lookup(evidence, get)
    for choice in plan.choices:
        runs = [run for _, candidates in choice.candidates for run in candidates]
        found = {run.id: lookup.sound(run) for run in runs}
        evidence.records.update({run_id: record for run_id, record in found.items() if record is not None})
        evidence.missing += sum(record is None for record in found.values())
        there = {run_id: record for run_id, record in found.items() if record is not None}
        faults = {run_id: what for run_id, record in there.items() if (what := _unscored(choice.by, record))}
        evidence.unsound.update(faults)
        if len(there) == len(found) and not faults:
            lookup.outcomes[choice.id] = choice.decide({run_id: r["outcome"] for run_id, r in there.items()})
            lookup.keep(choice.id)
    asked = []
    for job, run in plan.resolve(lookup.outcomes):
        asked.append(run or job.provisional())
        key = (point_key(job.point), job.seed)
        record = lookup.sound(run) if run is not None else None
        if run is None or record is None:
            evidence.missing += 1
            message = _failure(job, run, evidence.failures)
            if message:
                evidence.failed_jobs[key] = message
            elif what := _failure(job, run, evidence.unsound):
                evidence.unsound_jobs[key] = what
            continue
        evidence.by_job[key] = (run, record)
        evidence.records[run.id] = record
    evidence.inputs = tuple(inputs_behind([*plan.choosing_runs, *asked]))
    for derived in evidence.inputs:
        lookup.settle(derived)  # also of runs whose choice is not made, so that what is missing is known
    evidence.unsound.update(other_data(evidence.records.values()))
    return evidence


def on_the_same_data(evidence: Evidence, tries: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """Return the evidence under each alternative, with nothing to rest on where its runs are on other data than the
    study's own: they show what the data change, and not what the alternative does."""
    checked = {}
    for key, other in tries.items():
        mixed = other_data({**evidence.records, **other.records}.values())
        checked[key] = replace(other, unsound={**other.unsound, **mixed}) if mixed else other
    return checked


class _Lookup:
    """Looks up runs and what they build on. `outcomes`: of inputs and choices, by record id."""

    def __init__(self, evidence: Evidence, get: Get):
        self.evidence, self.get = evidence, get
        self.outcomes: dict[str, Any] = {}
        self._settled: set[str] = set()

    def keep(self, record_id: str) -> Record | None:
        """Return the stored record of an input or a choice, and count it among those used."""
        stored = self.get(record_id)
        if stored is not None:
            self.evidence.records[record_id] = stored
        return stored

    def sound(self, run: Run) -> Record | None:
        """Return the run's record, if it was given the inputs as their runs give them."""
        for derived in run.reads.values():
            self.settle(derived)
        inputs, record = given(run, self.outcomes), self.get(run.id)
        if record is None or not run.inputs:
            return record
        what = None if inputs is None else misbuilt(record["outcome"], inputs)
        if what:
            self.evidence.failures.setdefault(run.id, what)
        return record if what == "" else None

    def settle(self, derived: Derived) -> None:
        """Find the outcome of an input, once, if its runs are there."""
        if derived.id in self._settled:
            return
        self._settled.add(derived.id)
        found = {run.id: self.sound(run) for run in derived.runs}
        there = {run_id: record for run_id, record in found.items() if record is not None}
        self.evidence.records.update(there)
        self.evidence.missing += len(found) - len(there)
        if len(there) < len(found):
            return
        stored, outcomes = self.keep(derived.id), {run_id: record["outcome"] for run_id, record in there.items()}
        if not derived.gives:
            self.outcomes[derived.id] = derived.make(outcomes)
        elif stored is not None:
            what = derived.outdated(stored["outcome"], outcomes)
            if what:
                self.evidence.failures.setdefault(derived.id, what)
            else:
                self.outcomes[derived.id] = stored["outcome"]


def _unscored(by: str, record: Record) -> str:
    """Return why a choice cannot be made by a run's curve; "" where it can, or where the run diverged, which has no
    score."""
    return "" if record["outcome"]["status"] != "ok" else curve_fault(by, by, 1, record)


def _failure(job: Job, run: Run | None, failures: Mapping[str, str]) -> str:
    """Return why a job has no record: what its run failed with, or one that it waits for."""
    waits = [run or job.provisional()]
    if run is None and job.choice:
        waits += [one for _, candidates in job.choice.candidates for one in candidates]
    behind = [record for derived in inputs_behind(waits) for record in (derived.id, *(one.id for one in derived.runs))]
    ids = [*(one.id for one in waits), *behind]
    return next((failures[record] for record in ids if record in failures), "")


def _share(metric: str, value: float, record: Record, collapsed: bool, step: float = 0.0) -> Reading:
    """Return the number with how many things it is a share of, one of which moves it by 1/n; else with `step`."""
    counted = things(metric, record)
    return Reading(value, accuracy_step(counted) if counted else step, collapsed, counted=counted)


def _yielded(metric: str, record: Record) -> Reading | str:
    """Return a number that a run yields, or that its curves give (a metric with a function of its own). One that does
    not exist (the run diverged; a level was never reached) is a collapse; a number about a classifier's test images
    collapses with its accuracy at the end. A message where the number cannot be right."""
    entry, outcome = catalog.find("metric", metric), record["outcome"]
    value, about = entry.load()(outcome) if entry.target else outcome["metrics"].get(metric), entry.value
    if value is None:
        return Reading(math.nan, 0.0, True)
    if what := fault(metric, value, record):
        return what
    if about.split != "test" or "curves" not in outcome:
        return _share(metric, float(value), record, False)
    if outcome["status"] == "ok" and (what := curve_fault("test_accuracy", "test_accuracy", 1, record)):
        return what
    examples = outcome["examples"]["test"]
    step = accuracy_step(examples) if about.counted else 0.0
    return _share(metric, float(value), record, _dead(outcome["curves"]["test_accuracy"][-1], outcome), step)


def _epoch_of(point: Point) -> int | None:
    """Return the epoch that a point names, counted from 1."""
    epoch = point.get(EPOCH)
    return None if epoch is None else int(epoch)


def _read(metric: str, selection: str, record: Record, at: int | None = None) -> Reading | str:
    """Return a run's number for a metric, after the epoch `at` or else by its selection rule. Diverged: accuracy at
    chance, loss at ln(classes). A message where a curve that is read cannot be right."""
    about, outcome = catalog.find("metric", metric).value, record["outcome"]
    chance = 1.0 / outcome["classes"]
    examples = outcome["examples"][about.split]
    step = accuracy_step(examples) if about.counted else 0.0
    if outcome["status"] == "diverged":
        return _share(metric, chance if about.counted else math.log(outcome["classes"]), record, True, step)
    curves = outcome["curves"]
    by = _SELECTING.get(selection) if at is None else None
    for curve in dict.fromkeys((about.curve or metric, "test_accuracy", *([by] if by else []))):
        if what := curve_fault(metric, curve, at or 1, record):
            return what
    epoch = _epoch(selection, curves) if at is None else at - 1
    curve = smoothed(curves[about.curve]) if about.curve else curves[metric]
    return _share(metric, curve[epoch], record, _dead(curves["test_accuracy"][epoch], outcome), step)


def _dead(accuracy: float, outcome: dict[str, Any]) -> bool:
    """Return whether a test accuracy is at chance."""
    return bool(is_collapsed(accuracy, 1.0 / outcome["classes"], outcome["examples"]["test"]))


def smoothed(curve: Sequence[float]) -> list[float]:
    """Return the exponential moving average of a curve, one value per epoch, starting at its first value."""
    return list(itertools.accumulate(curve, lambda before, now: SMOOTHING * before + (1 - SMOOTHING) * now))


_SELECTING = {"best_test": "test_accuracy", "best_validation": "validation_accuracy"}  # selection -> its curve


def _epoch(selection: str, curves: dict[str, list[float]]) -> int:
    if selection not in _SELECTING:
        return -1
    curve = curves[_SELECTING[selection]]
    return max(range(len(curve)), key=lambda epoch: (curve[epoch], -epoch))  # the first of equals
