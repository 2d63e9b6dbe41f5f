"""The hyper-parameters that were chosen for the runs behind a claim: its verdict is about them as they were chosen."""

from __future__ import annotations

from lnbench.judge import ChoiceResult, ClaimResult, StudyResult
from lnbench.report.names import is_number
from lnbench.report.plain import Json, plain
from lnbench.spec import point_key, points_of


def chosen_to_json(claim: ClaimResult, result: StudyResult) -> Json | None:
    """Return how the choices behind the claim's deciding and required parts were made, one entry per choice; None where
    nothing is chosen for it, or no choice is made yet."""
    choose = result.study.spec.runs.choose
    if choose is None:
        return None
    points = {point_key(point) for point in _points(claim, result, choose.per)}
    made = [choice for choice in result.choices if point_key(choice.choice.point) in points]
    if not made:
        return None
    return {
        "key": choose.key,
        "by": choose.by,
        "seeds": choose.seeds,
        "planned": sum(point_key(choice.point) in points for choice in result.evidence.plan.choices),
        "candidates": plain(tuple(value for value, _ in made[0].choice.candidates)),
        "cells": [
            {
                "point": plain(choice.choice.point),
                "chosen": plain(choice.chosen),
                "margin": plain(choice.margin),
                "at_end": at_an_end(choice),
            }
            for choice in made
        ],
    }


def _points(claim: ClaimResult, result: StudyResult, per: tuple[str, ...]) -> list[Json]:
    """Return the places, by the axes that a choice is made for, that the claim's verdict reads."""
    study, spec = result.study, claim.claim
    parts = [spec.parts[name] for name in (*spec.verdict.of, *spec.requires)]
    effects = [effect for part in parts for effect in part.effects(study.spec.effects[part.effect])]
    cells = [study.at(point).point for effect in effects for point in points_of(study, effect)]
    return [{axis: cell[axis] for axis in per} for cell in cells]


def at_an_end(choice: ChoiceResult) -> bool:
    """Return whether the smallest or the largest candidate was chosen: a better one may lie beyond it."""
    values = [value for value, _ in choice.choice.candidates]
    numbers = [float(value) for value in values if is_number(value)]  # type: ignore[arg-type]
    return len(numbers) == len(values) > 1 and choice.chosen in (min(numbers), max(numbers))
