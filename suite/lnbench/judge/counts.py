"""Of how many things a share is: the n of a metric that is k of n, as the run's record has it.

Which metrics are plain shares, and of what, is said in the catalog (`Metric.share_of`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lnbench import catalog
from lnbench.judge.reduce import Reading
from lnbench.loss_curves.entries import PAIRS
from lnbench.store import Record

CLOSE = 1e-6  # of a count that is recomputed from two shares: what rounding may leave


def counts_of(readings: Sequence[Reading]) -> tuple[int, ...]:
    """Return (n,) of how many things each seed's number is a share, 0 for a seed that has no number; () where a number
    is no plain share, or the count of one is not known."""
    counts = tuple(reading.counted for reading in readings)
    whole = all(count or math.isnan(reading.value) for count, reading in zip(counts, readings, strict=True))
    return counts if whole and any(counts) else ()


def things(metric: str, record: Record) -> int:
    """Return of how many things the metric of a record is a share; 0 where it is no share, or that is not known.

    `record`: of a run, or of a reading. What a record says of a metric under `counted` comes first (a plug-in's way).
    """
    about = catalog.find("metric", metric).value
    outcome: dict[str, Any] = record["outcome"]
    if not about.share_of:
        return 0
    said = outcome.get("counted", {}).get(metric)
    if said is not None:
        return int(said)
    shown, examples = outcome.get("shown", {}), outcome.get("examples", {})
    match about.share_of:
        case "mislabeled examples":
            return _wrong(outcome)
        case "examples found":
            return _found(metric, outcome)
        case "training examples":
            return int(shown.get("examples") or examples.get("train", 0))
        case "validation images" | "test images":
            return int(examples.get(about.split, 0))
        case "training images shown":
            return len(shown.get("examples", ()))
        case "pairs":
            return PAIRS
        case "neurons":
            return int(record["content"]["recipe"]["neurons"])
    return 0


def _wrong(outcome: dict[str, Any]) -> int:
    """Return the number of mislabeled examples, of a reading or of an experiment's draw."""
    noise = outcome.get("noise", {})
    return int(outcome.get("shown", {}).get("mislabeled", noise.get("examples", 0) - noise.get("right_labels", 0)))


def _found(metric: str, outcome: dict[str, Any]) -> int:
    """Return how many examples were found, hits and false alarms: a precision h/f and a recall h/w give f = w·recall /
    precision. 0 where there is no hit: then it is not known."""
    precision, recall = (outcome["metrics"].get(name) for name in (metric, metric.replace("precision", "recall")))
    if not precision or not recall:
        return 0
    found = _wrong(outcome) * recall / precision
    return round(found) if abs(found - round(found)) < CLOSE * max(found, 1.0) else 0
