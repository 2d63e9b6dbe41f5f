"""Smoke's second question: does lnbench still measure what it measured before?

Asked seed by seed: the same seed is the same run, so its number should be the same number, but for what another
processor or library does to the last digits. How much that can come to was measured when the reference was made
(`lnbench measure`, docs/drift.md): each run was trained again with every entry of its gradients off by one part in
100,000. A number that has moved further than FURTHEST times the furthest that noise moved that effect has drifted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lnbench.judge.evidence import Evidence
from lnbench.judge.measured import load_measured
from lnbench.judge.results import ClaimResult, DriftResult

FURTHEST = 3.0
SAME = 1e-8  # numbers nearer than this are the same: curves of experiments are kept to 9 digits
SLACK = 1 + 1e-9  # one image is one step, whatever the subtraction of two accuracies makes of it
SAME_SHARE = 1e-6  # and those that differ by this share of their size: losses are added up in float32


def drift_of(claim: ClaimResult, evidence: Evidence, notes: list[str]) -> list[DriftResult]:
    """Compare a claim's effects, seed by seed, with what lnbench measured before. What cannot be compared is told in
    `notes`. Raises SpecError where the reference cannot be read."""
    path = evidence.study.measured_path
    if path is None:
        return []
    reference = read_measured(path)
    if not reference:
        missing = f"baselines/measured/{evidence.study.spec.measured}.json is missing"
        _note(notes, f"drift was not checked: {missing}; write it with `lnbench measure`")
        return []
    results = []
    for part in claim.parts.values():
        for member in part.members:
            before = reference.get((part.part.effect, member.label))
            if before is None:
                _note(notes, f"drift was not checked for {member.label}: not in the measured baseline")
                continue
            now = dict(zip(member.seeds, member.values, strict=True))
            seeds = tuple(seed for seed in now if seed in before)
            left = [str(seed) for seed in now if seed not in before]
            if left:
                _note(notes, f"drift was not checked for seeds {', '.join(left)}: not in the measured baseline")
            if seeds:
                numbers, tolerances = zip(*(before[seed] for seed in seeds), strict=True)
                values = tuple(now[seed] for seed in seeds)
                results.append(DriftResult(part.part.effect, member, seeds, numbers, values, tolerances))
    return results


def _note(notes: list[str], note: str) -> None:
    if note not in notes:
        notes.append(note)


def read_measured(path: Path) -> dict[tuple[str, str], dict[int, tuple[float, float]]]:
    """Return (effect, label) -> seed -> (number, tolerance), of a file in baselines/measured; empty where there is
    none. A number that did not exist (a curve that does not get to its level) is NaN. Raises SpecError."""
    content = load_measured(path)
    return {(entry["effect"], entry["label"]): _seeds(entry) for entry in (content["effects"] if content else [])}


def _seeds(entry: dict[str, Any]) -> dict[int, tuple[float, float]]:
    """Return seed -> (number, tolerance). The furthest move of any seed counts for all: what noise does to a number is
    little in most runs and much in a few, and which these are, another processor decides again."""
    numbers = [_number(value) for value in entry["values"]]
    noisy = [[_number(value) for value in repeats] for repeats in entry["with_noise"]]
    moved = [_furthest(number, repeats) for number, repeats in zip(numbers, noisy, strict=True)]
    furthest = max((own for own in moved if math.isfinite(own)), default=0.0)
    return {
        seed: (
            number,
            math.inf if math.isinf(own) else max(FURTHEST * furthest, SLACK * entry["step"], _rounding(number)),
        )
        for seed, number, own in zip(entry["seeds"], numbers, moved, strict=True)
    }


def _rounding(number: float) -> float:
    return max(SAME, SAME_SHARE * abs(number)) if math.isfinite(number) else SAME


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _furthest(number: float, others: Iterable[float]) -> float:
    """Return how far noise moved a number; inf where it comes or goes with noise: then nothing is asked of it."""
    there = [math.isfinite(value) for value in (number, *others)]
    if not any(there):
        return 0.0
    return max(abs(value - number) for value in others) if all(there) else math.inf
