"""`baselines/measured/`: what lnbench itself measured before, so that a later run can be compared with it.

Written by `lnbench measure` only. A file keeps the raw outcomes, not a summary, so that a past verdict can be checked:
of each effect and seed the number as it is, and as it is with noise on the gradients.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lnbench
from lnbench.errors import Problem, SpecError
from lnbench.judge.members import Member
from lnbench.judge.results import StudyResult

SCHEMA = 2
NOISE = 1e-5  # sd of the noise on gradients, relative to each entry
REPEATS = 8  # times that each run is trained with it; why so many: docs/drift.md


def measured_content(result: StudyResult, with_noise: Sequence[StudyResult]) -> dict[str, Any]:
    """Return every effect of a judged study: raw values by seed, those `with_noise`, the runs behind the former, the
    environment and the date. Raises ValueError where a repeat lacks a number that the study has."""
    members, repeats = _members(result), [_members(repeat) for repeat in with_noise]
    effects = []
    for (effect, label), (metric, member) in members.items():
        noisy = [repeat[effect, label][1] for repeat in repeats]
        if any(other.seeds != member.seeds for other in noisy):
            raise ValueError(f"{label}: with noise it has other seeds")
        effects.append({
            "effect": effect,
            "label": label,
            "metric": metric,
            "step": member.step,
            "seeds": list(member.seeds),
            "values": _plain(member.values),
            "with_noise": [_plain(values) for values in zip(*(other.values for other in noisy), strict=True)],
        })  # fmt: skip
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
        "noise": {"on": "gradients", "relative_sd": NOISE, "repeats": len(with_noise)},
        "runs": sorted(record["id"] for record in records),
        "effects": effects,
    }


def _members(result: StudyResult) -> dict[tuple[str, str], tuple[str, Member]]:
    return {
        (part.part.effect, member.label): (part.effect.metric, member)
        for claim in result.claims
        for part in claim.parts.values()
        for member in part.members
    }


def _plain(values: Sequence[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]


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
        if content.get("schema") == 1:
            text = "written by an older `lnbench measure`, which recorded no tolerance"
            raise SpecError([Problem(path, 0, 0, f"{text}; write it again: `lnbench measure STUDY --replace`")])
        sound = content["schema"] == SCHEMA and all(_sound(entry) for entry in content["effects"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise SpecError([Problem(path, 0, 0, "not a file that `lnbench measure` wrote; write it again")])
    return content


def _sound(entry: dict[str, Any]) -> bool:
    seeds, values, noisy = entry["seeds"], entry["values"], entry["with_noise"]
    return (
        isinstance(entry["effect"], str)
        and isinstance(entry["label"], str)
        and isinstance(entry["step"], float | int)
        and entry["step"] >= 0
        and len(seeds) == len(set(seeds)) == len(values) == len(noisy)
        and all(isinstance(seed, float | int) for seed in seeds)
        and all(repeats for repeats in noisy)
        and all(
            value is None or (isinstance(value, float | int) and math.isfinite(value))  # None: the seed has no number
            for value in (*values, *(value for repeats in noisy for value in repeats))
        )
    )
