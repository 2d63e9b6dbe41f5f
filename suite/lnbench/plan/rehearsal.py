"""All that a study's plan is made of, built once and thrown away: what cannot be is an error before any training.

What a study may say is checked key by key (`spec/rules/`), where an error has its exact place. This is what stands
behind those checks: whatever they let through and the plan cannot be made of is one line at the key it belongs to, and
no traceback in the middle of the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from lnbench.errors import LnbenchError, Problem, SpecError
from lnbench.plan.cost import plan_runs, seconds_of
from lnbench.plan.plan import Plan, plan_study
from lnbench.spec import LoadedStudy, Study, alternatives, variant
from lnbench.yamlfile import reader
from lnbench.yamlfile.tree import position_of

Keys = list[str | int]


def rehearse(studies: Iterable[LoadedStudy]) -> list[Problem]:
    """Return what keeps a plan of these studies from being made, of all their tiers."""
    return [problem for loaded in studies for study in loaded.tiers.values() for problem in rehearse_tier(study)]


def rehearse_tier(study: Study) -> list[Problem]:
    """Return what keeps the plan of a study at one tier from being made: its runs on one seed with their ids and
    prices, the candidates of its choices, its inputs, and the same under each of its alternatives."""
    found = [_tried(study, ["runs"], lambda: _priced(plan_study(study, 1)))]
    for index, choice in enumerate(study.spec.choices):
        for key in choice.try_ or {}:
            if key in alternatives(study):
                where: Keys = ["choices", index, "try", key]
                found.append(_tried(study, where, lambda key=key: _priced(plan_study(variant(study, key), 1))))  # type: ignore[misc]
    return [problem for problem in found if problem is not None]


def check_plans(studies: Iterable[Study]) -> None:
    """Raise SpecError where the plan of one of the studies cannot be made."""
    problems = [problem for study in studies for problem in rehearse_tier(study)]
    if problems:
        raise SpecError(problems)


def _priced(plan: Plan) -> None:
    """Ask for all that a plan has. Raises whatever that raises."""
    for run in plan_runs(plan):
        if not run.id or not math.isfinite(seconds_of(run, "cpu")):
            raise LnbenchError(f"the run {run.describe()} has no price")


def _tried(study: Study, keys: Keys, make: Callable[[], Any]) -> Problem | None:
    """Return what is wrong where something cannot be made, at its key of the study's file."""
    try:
        make()
    except Exception as error:  # whatever it is, it would end the work
        tree = reader.load(study.path)
        at_tier = position_of(tree, ["tiers", study.tier, *keys])
        own = at_tier != position_of(tree, ["tiers", study.tier])
        line, column = at_tier if own else position_of(tree, keys)
        words = str(error) if isinstance(error, LnbenchError) else f"{type(error).__name__}: {error}"
        name = ".".join(map(str, keys))
        what = f"{name}: no plan can be made of it at tier {study.tier} ({' '.join(words.split())[:300]})"
        return Problem(study.path, line, column, what)
    return None
