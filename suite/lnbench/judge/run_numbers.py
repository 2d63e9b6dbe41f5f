"""What number a run's record gives for a metric: one that it yields, or one off a curve at an epoch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from lnbench import catalog
from lnbench.judge.counts import things
from lnbench.judge.reduce import Reading
from lnbench.judge.sound import curve_fault, fault, lacking
from lnbench.stats import accuracy_step, is_collapsed
from lnbench.store import Record
from lnbench.training.entries import SMOOTHING


def share(metric: str, value: float, record: Record, collapsed: bool, step: float = 0.0) -> Reading:
    """Return the number with how many things it is a share of, one of which moves it by 1/n; else with `step`."""
    counted = things(metric, record)
    return Reading(value, accuracy_step(counted) if counted else step, collapsed, counted=counted)


def yielded(metric: str, record: Record) -> Reading | str:
    """Return a number that a run yields, or that its curves give (a metric with a function of its own). One that does
    not exist (the run diverged; a level was never reached) is a collapse; a number about a classifier's test images
    collapses with its accuracy at the end. A message where the number cannot be right."""
    entry, outcome = catalog.find("metric", metric), record["outcome"]
    if not entry.target and metric not in outcome.get("metrics", {}):
        return lacking(metric, record)
    value, about = entry.load()(outcome) if entry.target else outcome["metrics"].get(metric), entry.value
    if value is None:
        return Reading(math.nan, 0.0, True)
    if what := fault(metric, value, record):
        return what
    if about.split != "test" or "curves" not in outcome:
        return share(metric, float(value), record, False)
    if outcome["status"] == "ok" and (what := curve_fault("test_accuracy", "test_accuracy", 1, record)):
        return what
    examples = outcome["examples"]["test"]
    step = accuracy_step(examples) if about.counted else 0.0
    return share(metric, float(value), record, _dead(outcome["curves"]["test_accuracy"][-1], outcome), step)


def read_off(metric: str, selection: str, record: Record, at: int | None = None) -> Reading | str:
    """Return a run's number for a metric, after the epoch `at` or else by its selection rule. Diverged: accuracy and
    error at chance, loss at ln(classes). A message where a curve that is read cannot be right."""
    about, outcome = catalog.find("metric", metric).value, record["outcome"]
    chance = 1.0 / outcome["classes"]
    examples = outcome["examples"][about.split]
    step = accuracy_step(examples) if about.counted else 0.0
    if outcome["status"] == "diverged":
        at_chance = 1 - chance if about.rest_of else chance
        return share(metric, at_chance if about.counted else math.log(outcome["classes"]), record, True, step)
    curves = outcome["curves"]
    by = _SELECTING.get(selection) if at is None else None
    source = about.curve or about.rest_of or metric
    for curve in dict.fromkeys((source, "test_accuracy", *([by] if by else []))):
        if what := curve_fault(metric, curve, at or 1, record):
            return what
    epoch = _epoch(selection, curves) if at is None else at - 1
    value = (smoothed(curves[source]) if about.curve else curves[source])[epoch]
    dead = _dead(curves["test_accuracy"][epoch], outcome)
    return share(metric, 1 - value if about.rest_of else value, record, dead, step)


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
