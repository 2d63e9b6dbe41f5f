"""From records to one number a seed: what a study's effects come to, and from which runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lnbench import catalog
from lnbench.plan import Job, Plan, Run
from lnbench.selection import point_key
from lnbench.spec import Effect, Point, Scalar, Study
from lnbench.stats import accuracy_step, area_step, is_collapsed, slope_step
from lnbench.stats.steps import area_weights, slope_weights
from lnbench.store import Record

Get = Callable[[str], Record | None]


@dataclass(frozen=True)
class Member:
    """One effect (of a family, perhaps) as measured: one number for each seed that has all its runs.

    `values` (n,) in the metric's unit; `collapsed` (n,) whether a run behind the number is at chance or diverged;
    `step` the most that one test example in one run moves a value; `missing` planned seeds that lack a run.
    """

    label: str
    at: Point
    minus: Point | None
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    collapsed: tuple[bool, ...]
    step: float
    planned: int
    failures: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        return self.planned - len(self.values)


@dataclass
class Evidence:
    """All records that a plan asks for, by job; and what is missing."""

    plan: Plan
    records: dict[str, Record] = field(default_factory=dict)  # every record used, choices and their runs included
    by_job: dict[tuple[str, int], tuple[Run, Record]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)  # run id -> message
    failed_jobs: dict[tuple[str, int], str] = field(default_factory=dict)
    missing: int = 0

    @property
    def study(self) -> Study:
        return self.plan.study

    def members(self, effect: Effect) -> list[Member]:
        """The effect's numbers, one Member for each of its family."""
        return [self._member(effect, at, minus) for at, minus in effect.members()]

    def _member(self, effect: Effect, at: Point, minus: Point | None) -> Member:
        seeds = sorted({job.seed for job in self.plan.jobs})
        values, kept, collapsed, failures = [], [], [], []
        step = 0.0
        for seed in seeds:
            numbers = [self._number(effect, point, seed) for point in (at, minus) if point is not None]
            failures += [number for number in numbers if isinstance(number, str) and number]
            whole = [number for number in numbers if isinstance(number, _Number)]
            if len(whole) < len(numbers):
                continue
            values.append(whole[0].value - (whole[1].value if minus is not None else 0.0))
            collapsed.append(any(number.collapsed for number in whole))
            step = max(step, *(number.step for number in whole))
            kept.append(seed)
        return Member(
            _label(effect, at, minus), at, minus, tuple(values), tuple(kept), tuple(collapsed), step, len(seeds),
            tuple(dict.fromkeys(failures)),
        )  # fmt: skip

    def _number(self, effect: Effect, point: Point, seed: int) -> _Number | str | None:
        """The effect at one point for one seed; a message where a run failed, None where one is missing."""
        if effect.axis is None:
            return self._metric(effect.metric, point, seed)
        levels = [float(level) for level in self.study.levels(effect.axis)]  # type: ignore[arg-type]
        column = [self._metric(effect.metric, {**point, effect.axis: level}, seed) for level in levels]
        numbers = [number for number in column if isinstance(number, _Number)]
        if len(numbers) < len(column):
            messages = [number for number in column if isinstance(number, str)]
            return messages[0] if messages else None
        return _along(str(effect.reducer), levels, numbers)

    def _metric(self, metric: str, point: Point, seed: int) -> _Number | str | None:
        key = (point_key(self.study.at(point).point), seed)
        if key not in self.by_job:
            return self.failed_jobs.get(key)
        return _read(metric, self.study.at(point).recipe.selection, self.by_job[key][1]["outcome"])


@dataclass(frozen=True, slots=True)
class _Number:
    value: float
    step: float
    collapsed: bool


def gather(plan: Plan, get: Get, failures: Mapping[str, str] | None = None) -> Evidence:
    """Look up every record that the plan asks for. A choice is made anew from its runs: no record can misstate it."""
    evidence = Evidence(plan, failures=dict(failures or {}))
    outcomes: dict[str, Any] = {}
    for choice in plan.choices:
        runs = [run for _, candidates in choice.candidates for run in candidates]
        found = {run.id: get(run.id) for run in runs}
        evidence.records.update({run_id: record for run_id, record in found.items() if record is not None})
        evidence.missing += sum(record is None for record in found.values())
        if all(record is not None for record in found.values()):
            outcomes[choice.id] = choice.decide({i: r["outcome"] for i, r in found.items() if r is not None})
            stored = get(choice.id)
            if stored is not None:
                evidence.records[choice.id] = stored
    for job, run in plan.resolve(outcomes):
        key = (point_key(job.point), job.seed)
        record = get(run.id) if run is not None else None
        if run is None or record is None:
            evidence.missing += 1
            message = _failure(job, run, evidence.failures)
            if message:
                evidence.failed_jobs[key] = message
            continue
        evidence.by_job[key] = (run, record)
        evidence.records[run.id] = record
    return evidence


def _failure(job: Job, run: Run | None, failures: Mapping[str, str]) -> str:
    if run is not None:
        return failures.get(run.id, "")
    behind = [run.id for _, candidates in job.choice.candidates for run in candidates] if job.choice else []
    return next((failures[run_id] for run_id in behind if run_id in failures), "")


def _read(metric: str, selection: str, outcome: dict[str, Any]) -> _Number:
    """A run's number for a metric, by its selection rule. Diverged: accuracy at chance, loss at ln(classes)."""
    about = catalog.find("metric", metric).value
    chance = 1.0 / outcome["classes"]
    examples = outcome["examples"][about.split]
    step = accuracy_step(examples) if about.counted else 0.0
    if outcome["status"] == "diverged":
        return _Number(chance if about.counted else math.log(outcome["classes"]), step, True)
    curves = outcome["curves"]
    epoch = _epoch(selection, curves)
    accuracy = curves["test_accuracy"][epoch]
    dead = bool(is_collapsed(accuracy, chance, outcome["examples"]["test"]))
    return _Number(curves[metric][epoch], step, dead)


def _epoch(selection: str, curves: dict[str, list[float]]) -> int:
    if selection == "last_epoch":
        return -1
    curve = curves["test_accuracy" if selection == "best_test" else "validation_accuracy"]
    return max(range(len(curve)), key=lambda epoch: (curve[epoch], -epoch))  # the first of equals


def _along(reducer: str, levels: list[float], numbers: list[_Number]) -> _Number:
    """One number of a curve along an axis: `drop` is first minus last level, in order of the levels' size."""
    collapsed = any(number.collapsed for number in numbers)
    ranked = sorted(zip(levels, numbers, strict=True), key=lambda pair: pair[0])
    levels, numbers = [level for level, _ in ranked], [number for _, number in ranked]
    values, step = [number.value for number in numbers], max(number.step for number in numbers)
    if reducer == "drop":
        return _Number(values[0] - values[-1], step, collapsed)
    if reducer == "slope":
        value = float(sum(weight * y for weight, y in zip(slope_weights(levels), values, strict=True)))
        return _Number(value, slope_step(levels, step), collapsed)
    if reducer == "area":
        value = float(sum(weight * y for weight, y in zip(area_weights(levels), values, strict=True)))
        return _Number(value, area_step(levels, step), collapsed)
    best = max(values)
    places = [level for level, value in zip(levels, values, strict=True) if value == best]
    gaps = [b - a for a, b in itertools.pairwise(levels)]
    return _Number(sum(places) / len(places), max(gaps), collapsed)


def _words(point: Point) -> str:
    return ", ".join(str(value) if axis == "model" else f"{axis} {_short(value)}" for axis, value in point.items())


def _short(value: Scalar) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _label(effect: Effect, at: Point, minus: Point | None) -> str:
    """`perceptron − mlp1: drop of test_accuracy along noise.alpha`."""
    left = _words(at) or "all runs"
    if minus is not None:
        changed = {axis: value for axis, value in minus.items() if at.get(axis) != value}
        shown = {axis: at[axis] for axis in changed if axis in at} or at
        left = f"{_words(shown)} − {_words(changed)}"
        shared = {axis: value for axis, value in at.items() if axis not in changed}
        left += f" ({_words(shared)})" if shared else ""
    what = f"{effect.reducer} of {effect.metric} along {effect.axis}" if effect.axis else effect.metric
    return f"{left}: {what}"
