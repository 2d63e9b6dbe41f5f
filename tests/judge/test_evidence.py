"""One number a seed: metrics, differences, families, selection rules, collapses, what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lnbench.spec import Cell, Effect

if TYPE_CHECKING:
    from tests.toys.judged_world import World


def values(world: World, name: str) -> list[tuple[float, ...]]:
    return [member.values for member in world.evidence().members(world.study.spec.effects[name])]


def test_a_difference_is_taken_seed_by_seed(world: World) -> None:
    assert values(world, "gap")[0] == pytest.approx((0.20, 0.23, 0.18, 0.21, 0.18))


def test_a_list_makes_a_family_with_one_member_a_value(world: World) -> None:
    members = world.evidence().members(world.study.spec.effects["drops"])
    assert [member.minus["model"] for member in members if member.minus] == ["mlp1", "mlp2"]
    assert members[0].values == pytest.approx((0.15, 0.18, 0.14, 0.15, 0.13))
    assert members[0].label == "perceptron − mlp1: drop of test_accuracy along noise.alpha"


def test_the_step_is_one_test_example(world: World) -> None:
    for name, step in (("accuracy", 1e-3), ("gap", 1e-3), ("drops", 1e-3), ("loss", 0.0)):
        assert world.evidence().members(world.study.spec.effects[name])[0].step == step


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [("drop", 0.07), ("gain", -0.07), ("slope", -0.035), ("area", 1.87), ("argmax", 0.0)],
)
def test_what_an_axis_is_reduced_to(world: World, reducer: str, expected: float) -> None:
    effect = Effect.model_validate(
        {"metric": "test_accuracy", "along": {"noise.alpha": reducer}, "at": {"model": "mlp1"}}
    )
    assert world.evidence().members(effect)[0].values[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("selection", "expected"), [("last_epoch", 0.90), ("best_test", 0.93), ("best_validation", 0.93)]
)
def test_the_selection_rule_says_which_epoch_is_read(world: World, selection: str, expected: float) -> None:
    def read_by(cell: Cell) -> Cell:
        return Cell(cell.point, cell.recipe.model_copy(update={"selection": selection}))

    study = replace(world.study, cells=tuple(map(read_by, world.study.cells)))
    member = world.evidence(study).members(study.spec.effects["accuracy"])[0]
    assert member.values[0] == pytest.approx(expected)


def test_a_diverged_run_counts_as_chance_and_as_collapsed(world: World) -> None:
    def one_diverges(recipe: dict[str, Any], seed: int) -> float | None:
        return None if (recipe["model"], recipe["noise"]["alpha"], seed) == ("mlp1", 2.0, 3) else 0.9

    world.accuracy = one_diverges
    accuracy = world.evidence().members(world.study.spec.effects["accuracy"])[0]
    assert accuracy.values[3] == 0.1
    assert accuracy.collapsed == (False, False, False, True, False)
    loss = world.evidence().members(world.study.spec.effects["loss"])[0]
    assert loss.values[3] == pytest.approx(2.302585)  # ln 10
    assert world.evidence().members(world.study.spec.effects["gap"])[0].collapsed[3]  # a pair with one dead arm


@pytest.mark.parametrize(("accuracy", "dead"), [(0.128, True), (0.129, False)])
def test_at_chance_means_within_three_standard_errors_of_it(world: World, accuracy: float, dead: bool) -> None:
    world.accuracy = lambda recipe, seed: accuracy  # .1 + 3·√(.09/1000) = .1285
    assert world.evidence().members(world.study.spec.effects["accuracy"])[0].collapsed[0] is dead


def test_a_missing_run_leaves_its_seed_out_and_is_counted(world: World) -> None:
    run = next(job.run() for job in world.evidence().plan.jobs if job.seed == 2 and job.point["model"] == "mlp1")
    world.missing = {run.id}
    member = world.evidence().members(world.study.spec.effects["drops"])[0]
    assert member.seeds == (0, 1, 3, 4)
    assert member.missing == 1
