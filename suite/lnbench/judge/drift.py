"""Smoke's second question: does lnbench still measure what it measured before?"""

from __future__ import annotations

import math
from pathlib import Path

from lnbench import stats
from lnbench.judge.evidence import Evidence
from lnbench.judge.measured import load_measured
from lnbench.judge.results import ClaimResult, DriftResult
from lnbench.stats import Check

DRIFT_ALPHA = 0.001


def mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def drift_of(claim: ClaimResult, evidence: Evidence, notes: list[str]) -> list[DriftResult]:
    path = evidence.study.measured_path
    if path is None:
        return []
    before = read_measured(path)
    if not before:
        missing = f"baselines/measured/{evidence.study.spec.measured}.json is missing"
        note = f"drift was not checked: {missing}; write it with `lnbench measure`"
        if note not in notes:
            notes.append(note)
        return []
    results = []
    for part in claim.parts.values():
        for member in part.members:
            values = before.get(f"{part.part.effect}|{member.label}")
            if values is None:
                notes.append(f"drift was not checked for {member.label}: not in the measured baseline")
                continue
            if all(_same(values.get(seed), now) for seed, now in zip(member.seeds, member.values, strict=True)):
                same = Check(kind="drift", effect=0.0, n=len(member.values), alpha=DRIFT_ALPHA)
                check = same.with_notes("the same numbers as before, seed by seed")
            else:
                earlier = list(values.values())
                check = stats.drift(list(member.values), earlier, step=member.step, alpha=DRIFT_ALPHA)
            moved = check.error is not None or check.p_contradicted <= DRIFT_ALPHA
            results.append(DriftResult(part.part.effect, member, tuple(values.values()), check, moved))
    return results


def _same(before: float | None, now: float) -> bool:
    """Return whether it is the same number; or there was none then (a curve that does not get to its level) and is none
    now."""
    return before == now or (before is not None and math.isnan(before) and math.isnan(now))


def read_measured(path: Path) -> dict[str, dict[int, float]]:
    """Return effect|label -> seed -> value, of a file in baselines/measured; empty where there is none. Raises
    SpecError."""
    content = load_measured(path)
    return {
        f"{entry['effect']}|{entry['label']}": {
            seed: math.nan if value is None else value
            for seed, value in zip(entry["seeds"], entry["values"], strict=True)
        }
        for entry in (content["effects"] if content else [])
    }
