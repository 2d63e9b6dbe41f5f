"""A study with one of its open choices made otherwise: what a contradiction must survive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lnbench.spec.dotted import put, value_at
from lnbench.spec.points import points_of
from lnbench.spec.recipe import AnyRecipe, Recipe, Scalar, recipe_of
from lnbench.spec.study import Cell, Claim, ShareOfEpochs, Study

ARM = "arm"  # the axis whose values stand for places of the grid, so that one can stand in for another


def variant(study: Study, key: str) -> Study:
    """Return the study under the alternative that its choices give for `key`.

    A value replaces the recipe's at every cell; `{times: 2}` multiplies the value there; `choose.from` replaces the
    candidates of the choice, `choose.epochs` how long they train; `arm` lets some arms be trained as others are. Rows
    of a user's own are left out: no claim depends on them. Raises KeyError where no choice tries `key`.
    """
    study = study.without_own
    value = next(choice.try_[key] for choice in study.spec.choices if choice.try_ and key in choice.try_)
    if key in ("choose.from", "choose.epochs"):
        choose = study.spec.runs.choose
        if choose is None:
            raise KeyError(key)
        if key == "choose.from":
            candidates = tuple(typed(study.spec.runs.base, choose.key, one) for one in value)
            changed = choose.model_copy(update={"from_": candidates})
        else:
            changed = choose.model_copy(update={"epochs": ShareOfEpochs.model_validate(value)})
        runs = study.spec.runs.model_copy(update={"choose": changed})
        return replace(study, spec=study.spec.model_copy(update={"runs": runs}))
    if key == ARM:
        return replace(study, cells=tuple(Cell(cell.point, _other_arm(study, cell, value)) for cell in study.cells))
    cells = tuple(Cell(cell.point, _changed(cell.recipe, key, value)) for cell in study.cells)
    return replace(study, cells=cells)


def alternatives(study: Study) -> list[str]:
    """Return the keys of choices whose `try` can change this tier's runs."""
    choose = study.spec.runs.choose
    keys = [key for choice in study.spec.choices for key in choice.try_ or {}]
    idle = {"choose.from"} if choose is None else set()
    if choose is None or choose.epochs is None:
        idle.add("choose.epochs")
    return [key for key in keys if key not in idle]


def is_idle(study: Study, key: str) -> bool:
    """Return whether the alternative for `key` changes no run of the study, so that whatever is claimed would survive
    it."""
    other = variant(study, key)
    choose, changed = study.spec.runs.choose, other.spec.runs.choose
    if key == "choose.from":
        assert choose is not None and changed is not None, "a study without `choose` has no such alternative"
        return set(map(repr, choose.from_)) == set(map(repr, changed.from_))
    if key == "choose.epochs":
        assert choose is not None and changed is not None, "a study without `choose` has no such alternative"
        assert choose.epochs is not None and changed.epochs is not None, "nor has one that does not shorten them"
        trained = [(cell.point, cell.recipe.epochs) for cell in study.cells if isinstance(cell.recipe, Recipe)]
        return all(choose.epochs.of(epochs, at) == changed.epochs.of(epochs, at) for at, epochs in trained)
    return all(
        one.recipe == two.recipe or one.recipe.identity() == two.recipe.identity()
        for one, two in zip(study.planned_cells, other.cells, strict=True)
    )


def touches(study: Study, key: str, claim: Claim) -> bool:
    """Return whether the alternative for `key` changes any run that decides a claim, its regime included. One that does
    not says nothing about it."""
    if key in ("choose.from", "choose.epochs"):
        return True
    other = variant(study, key)
    decisive = [claim.parts[name] for name in (*claim.verdict.of, *claim.requires)]
    effects = [effect for part in decisive for effect in part.effects(study.spec.effects[part.effect])]
    points = (point for effect in effects for point in points_of(study, effect))
    return any(study.at(point).recipe != other.at(point).recipe for point in points)


def _other_arm(study: Study, cell: Cell, arms: Mapping[str, str]) -> AnyRecipe:
    """Return the recipe of the arm that stands in for a cell's own; its own where none does."""
    return study.at({**cell.point, ARM: arms.get(str(cell.point[ARM]), cell.point[ARM])}).recipe


def _changed(recipe: AnyRecipe, key: str, value: Any) -> AnyRecipe:
    tree = recipe.model_dump(mode="python")
    try:
        before: Scalar = value_at(tree, key)
    except KeyError:
        return recipe  # a cell without that key, as one whose optimiser is another, stays as it is
    return recipe_of(put(tree, key, alternative(before, value)))


def typed(base: AnyRecipe, key: str, value: Scalar) -> Scalar:
    """Return a candidate of a choice as the recipe types it: a rate of 1 is 1.0, one run and not two."""
    recipe = recipe_of(put(base.model_dump(mode="python"), key, value))
    found: Scalar = value_at(recipe.model_dump(), key)
    return found


def alternative(before: Scalar, value: Any) -> Scalar:
    """Return what an alternative makes of a value: another one, or `{times: 2}` of it."""
    if not isinstance(value, dict):
        found: Scalar = value
        return found
    assert isinstance(before, int | float), "a spec multiplies numbers only"
    times: float = value["times"]
    return round(before * times) if isinstance(before, int) else before * times
