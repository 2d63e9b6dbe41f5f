"""A study with one of its open choices made otherwise: what a contradiction must survive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lnbench.spec.dotted import put, value_at
from lnbench.spec.points import points_of
from lnbench.spec.recipe import AnyRecipe, Scalar, recipe_of
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
        update = {"from_": tuple(value)} if key == "choose.from" else {"epochs": ShareOfEpochs.model_validate(value)}
        changed = choose.model_copy(update=update)
        runs = study.spec.runs.model_copy(update={"choose": changed})
        return replace(study, spec=study.spec.model_copy(update={"runs": runs}))
    if key == ARM:
        return replace(study, cells=tuple(Cell(cell.point, _other_arm(study, cell, value)) for cell in study.cells))
    cells = tuple(Cell(cell.point, _changed(cell.recipe, key, value)) for cell in study.cells)
    return replace(study, cells=cells)


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
    before: Scalar = value_at(tree, key)
    if isinstance(value, dict):
        assert isinstance(before, int | float), "a spec multiplies numbers only"
        product = before * value["times"]
        value = round(product) if isinstance(before, int) else product
    return recipe_of(put(tree, key, value))
