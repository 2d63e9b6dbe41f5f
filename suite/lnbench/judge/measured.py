"""`baselines/measured/`: what lnbench itself measured before, so that a later run can be compared with it.

Written by `lnbench measure` only. A file keeps the raw outcomes, not a summary, so that a past verdict can be checked.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import lnbench
from lnbench.errors import Problem, SpecError
from lnbench.judge.results import StudyResult

SCHEMA = 1


def measured_content(result: StudyResult) -> dict[str, Any]:
    """Return every effect of a judged study: raw values by seed, the runs behind them, the environment and the date."""
    effects: dict[tuple[str, str], dict[str, Any]] = {}
    for claim in result.claims:
        for part in claim.parts.values():
            for member in part.members:
                effects[(part.part.effect, member.label)] = {
                    "effect": part.part.effect,
                    "label": member.label,
                    "metric": part.effect.metric,
                    "seeds": list(member.seeds),
                    "values": [value if math.isfinite(value) else None for value in member.values],
                }
    records = [record for record in result.evidence.records.values() if record["kind"] == "training"]
    environments = {json.dumps(record["provenance"]["environment"], sort_keys=True) for record in records}
    return {
        "schema": SCHEMA,
        "study": result.study.name,
        "tier": result.study.tier,
        "lnbench": lnbench.__version__,
        "date": max(record["provenance"]["finished"] for record in records)[:10],
        "environment": [json.loads(text) for text in sorted(environments)],
        "devices": sorted({record["provenance"]["device"] for record in records}),
        "runs": sorted(record["id"] for record in records),
        "effects": list(effects.values()),
    }


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return what a new measurement would change in an old one, one line for each effect."""
    before = {(entry["effect"], entry["label"]): entry["values"] for entry in old["effects"]}
    after = {(entry["effect"], entry["label"]): entry["values"] for entry in new["effects"]}
    lines = []
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            lines.append(f"{key[1]}: {_show(before.get(key))} -> {_show(after.get(key))}")
    return lines


def _show(values: list[float | None] | None) -> str:
    if values is None:
        return "nothing"
    return "[" + ", ".join("none" if value is None else f"{value:.4f}" for value in values) + "]"


def load_measured(path: Path) -> dict[str, Any] | None:
    """Read a file of `baselines/measured/`, as `lnbench measure` wrote it; None where there is none. Raises
    SpecError."""
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sound = all(
            isinstance(entry["effect"], str)
            and isinstance(entry["label"], str)
            and len(entry["seeds"]) == len(set(entry["seeds"])) == len(entry["values"])
            and all(isinstance(seed, float | int) for seed in entry["seeds"])
            and all(isinstance(value, float | int | None) for value in entry["values"])  # None: the seed has no number
            for entry in content["effects"]
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise SpecError([Problem(path, 0, 0, "not a file that `lnbench measure` wrote; write it again")])
    return content
