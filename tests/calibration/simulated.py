"""Simulated seeds, judged by the functions that verdicts run: `judge.kinds` for a part, `judge.judge` for a study."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lnbench.judge import Evidence, Member, StudyResult, judge
from lnbench.judge.kinds import check_member, kind_of
from lnbench.judge.readings import Stored
from lnbench.judge.reduce import Reading, reduce
from lnbench.plan import Plan, plan_study
from lnbench.spec import Effect, Number, Part, Study
from lnbench.stats import Check
from tests.toys.claims_page import load_in_frame

Numbers = Sequence[float] | np.ndarray

ACCURACY = Effect(metric="test_accuracy")


def member(values: Numbers, *, step: float = 0.0, collapsed: Numbers | None = None, **more: Any) -> Member:
    """Return the numbers of an effect (n,) as evidence hands them to a check: one seed each, none missing."""
    n = len(values)
    dead = [False] * n if collapsed is None else [bool(flag) for flag in collapsed]
    numbers = tuple(float(value) for value in values)
    return Member("simulated", {}, None, numbers, tuple(range(n)), tuple(dead), step, n, **more)


def reduced(reducer: str, levels: Sequence[float], curves: np.ndarray, step: float) -> Member:
    """Return the member that evidence makes of curves (n, L) along an axis; `step`: of one point of a curve."""
    found = [reduce(reducer, levels, [Reading(float(y), step, False) for y in curve]) for curve in curves]
    return member([one.value for one in found], step=max(one.step for one in found))


def judged(
    part: Part, *members: Member, effect: Effect = ACCURACY, numbers: Sequence[Number | None] | None = None
) -> Check:
    """Return the check of a part, as `judge.verdicts` makes it of its members. `numbers`: printed, one per member."""
    printed = numbers or [None] * len(members)
    checks = [
        check_member(part, effect, one, number, counts=False, looks=1)
        for one, number in zip(members, printed, strict=True)
    ]
    return kind_of(part).whole(part, checks)


@dataclass
class Simulated(Evidence):
    """Evidence whose numbers are drawn and not read from records: effect, by its name -> its member."""

    drawn: Mapping[str, Member] = field(default_factory=dict)

    def members(self, effect: Effect) -> list[Member]:
        name = next(name for name, other in self.study.spec.effects.items() if other is effect)
        one, there = self.drawn[name], self.seeds  # fewer at an earlier look, or with one left out
        values, dead = (tuple(column[seed] for seed in there) for column in (one.values, one.collapsed))
        return [replace(one, values=values, seeds=tuple(there), collapsed=dead, planned=len(there))]


@cache
def study_of(parts: int, claims: int = 1, seeds: tuple[int, ...] = (10,)) -> Study:
    """Return a study of claims that each ask for `parts` differences above 0, all of them. `seeds`: its looks, or how
    many are planned."""
    with tempfile.TemporaryDirectory() as folder:
        example: dict[str, Any] = {
            "vary": {"noise.alpha": [0, 10]},
            "effects": {"e": {"metric": "test_accuracy", "at": {"noise.alpha": 0}, "minus": {"noise.alpha": 10}}},
            "parts": {"claim": {"kind": "ordered", "effect": "e"}},
        }
        looks = {"looks": list(seeds)} if len(seeds) > 1 else {}
        example["seeds"] = {"n": seeds[-1], **looks, "pair": ["noise"]}
        study = load_in_frame(Path(folder), example)
    effect, claim = study.spec.effects["e"], study.spec.claims[0]
    effects, made = {}, []
    for c in range(claims):
        names = [f"e{c}-{p}" for p in range(parts)]
        effects |= {name: effect.model_copy() for name in names}
        asked = {name: claim.parts["claim"].model_copy(update={"effect": name}) for name in names}
        rule = claim.verdict.model_copy(update={"at_least": parts, "of": tuple(names)})
        made.append(claim.model_copy(update={"id": f"C-{c}", "parts": asked, "verdict": rule}))
    return replace(study, spec=study.spec.model_copy(update={"effects": effects, "claims": tuple(made)}))


@cache
def plan_of(parts: int, claims: int, seeds: tuple[int, ...], n: int) -> Plan:
    return plan_study(study_of(parts, claims, seeds), n)


def judged_study(
    differences: Sequence[Sequence[Numbers]], looks: tuple[int, ...] | None = None, *, step: float = 0.0
) -> StudyResult:
    """Judge a study: its claims' parts' paired differences, [claim][part] (n,), each asked to lie above 0."""
    n = len(differences[0][0])
    plan = plan_of(len(differences[0]), len(differences), looks or (n,), n)
    drawn = {f"e{c}-{p}": member(x, step=step) for c, claim in enumerate(differences) for p, x in enumerate(claim)}
    return judge(Simulated(plan, reads=Stored({}.get), drawn=drawn), one_out=False)
