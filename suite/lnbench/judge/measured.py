"""`baselines/measured/`: what lnbench itself measured before, so that a later run can be compared with it.

Written by `lnbench measure` only. A file keeps the raw outcomes, not a summary, so that a past verdict can be checked:
of each effect and seed the number as it is, and as it is with noise on the gradients.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import lnbench
from lnbench.errors import Problem, SpecError
from lnbench.judge.members import Member
from lnbench.judge.results import StudyResult
from lnbench.untrusted import Missing, Unreadable, json_of

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

    def problem(what: str) -> SpecError:
        return SpecError([Problem(path, 0, 0, f"{what}; write it again")])

    try:
        content: dict[str, Any] = json_of(path)
    except Missing:
        return None
    except Unreadable as error:
        raise problem(f"not a file that `lnbench measure` wrote: {error}") from None
    if isinstance(content, dict) and content.get("schema") == 1:
        text = "written by an older `lnbench measure`, which recorded no tolerance"
        raise SpecError([Problem(path, 0, 0, f"{text}; write it again: `lnbench measure STUDY --replace`")])
    try:
        measured = _Measured.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise problem(f"not a file that `lnbench measure` wrote: {where[:120]}: {first['msg']}") from None
    for effect in measured.effects:
        if not len(effect.seeds) == len(set(effect.seeds)) == len(effect.values) == len(effect.with_noise):
            raise problem(
                f"not a file that `lnbench measure` wrote: {effect.label[:80]!r} has not one value for each seed"
            )
    return content


class _Effect(BaseModel):
    """The numbers of one effect, seed by seed: null where a seed has none."""

    model_config = ConfigDict(strict=True)

    effect: str
    label: str
    step: Annotated[float, Field(ge=0, le=1e300)]
    seeds: list[int]
    values: list[Annotated[float, Field(ge=-1e300, le=1e300)] | None]
    with_noise: list[Annotated[list[Annotated[float, Field(ge=-1e300, le=1e300)] | None], Field(min_length=1)]]


class _Measured(BaseModel):
    """What a file of `baselines/measured/` must hold; other keys say where the numbers come from."""

    model_config = ConfigDict(strict=True)

    schema_: Literal[2] = Field(alias="schema")
    effects: list[_Effect]
