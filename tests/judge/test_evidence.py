"""One number a seed: metrics, differences, families, selection rules, collapses, what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lnbench.judge import Evidence, judge
from lnbench.judge.idle_seeds import fingerprints
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


def with_outcomes(world: World, change: Callable[[dict[str, Any], int], None]) -> Evidence:
    """The evidence of the world, each outcome changed: `change(outcome, seed)`."""
    evidence = world.evidence()
    for (_, seed), (_, record) in evidence.by_job.items():
        change(record["outcome"], seed)
    return evidence


def learned(losses: Callable[[int], list[float]]) -> Callable[[dict[str, Any], int], None]:
    return lambda outcome, seed: outcome["curves"].update(train_loss=losses(seed))


def test_seeds_that_did_nothing_are_an_error_for_every_part(world: World) -> None:
    """Accuracies above the threshold in five runs that are one run prove nothing, whatever the kind of check."""
    result = judge(with_outcomes(world, learned(lambda seed: [1.0, 0.5, 0.25])))
    claim = result.claims[0]
    assert {part.verdict for part in claim.parts.values()} == {"error"}
    assert claim.verdict == "error"
    why = "seeds 0 and 1 have the same training loss after every epoch, to the last digit: the seed did nothing"
    assert claim.parts["above"].why == claim.parts["every"].why == why


def test_seeds_that_differ_in_the_last_digit_of_one_loss_are_draws(world: World) -> None:
    result = judge(with_outcomes(world, learned(lambda seed: [1.0, 0.5, 0.25 + 1e-15 * seed])))
    assert result.claims[0].verdict == "reproduced"


def test_two_seeds_with_the_same_wrong_labels_are_an_error_and_without_noise_are_not(world: World) -> None:
    def wrong(share: float) -> Callable[[dict[str, Any], int], None]:
        return lambda outcome, seed: outcome["noise"].update(realised_wrong=share, labels_sha256="ab"[seed // 4])

    claim = judge(with_outcomes(world, wrong(0.4))).claims[0]
    assert claim.parts["above"].why.startswith("seeds 0 and 1 have the same wrong labels")
    assert judge(with_outcomes(world, wrong(0.0))).claims[0].verdict == "reproduced"


def test_runs_that_learned_nothing_may_be_alike(world: World) -> None:
    world.accuracy = lambda recipe, seed: 0.1
    evidence = with_outcomes(world, learned(lambda seed: [2.3, 2.3, 2.3]))
    assert all(part.verdict != "error" for part in judge(evidence).claims[0].parts.values() if part.name != "loss")


def test_an_experiment_has_curves_of_its_own_form(world: World) -> None:
    def experiment(outcome: dict[str, Any], seed: int) -> None:
        outcome["curves"]["train_loss"] = [1.0]
        del outcome["noise"]

    evidence = with_outcomes(world, experiment)
    for _, record in evidence.by_job.values():
        assert [*fingerprints({**record, "outcome": {**record["outcome"], "examples": {"test": 10}}})]
        del record["outcome"]["examples"]
        assert [*fingerprints(record)] == []


@pytest.mark.parametrize("noise", [{"kind": "pair_flip", "rate": 1.0}, {"kind": "human", "labels": "worse"}])
def test_wrong_labels_that_are_given_or_certain_may_be_the_same(world: World, noise: dict[str, Any]) -> None:
    evidence = with_outcomes(world, lambda outcome, seed: outcome["noise"].update(realised_wrong=0.4))
    for _, record in evidence.by_job.values():
        assert [*fingerprints(record)] or record["content"]["recipe"]["noise"]["alpha"] == 0
        recipe = {**record["content"]["recipe"], "noise": noise}
        assert not [*fingerprints({**record, "content": {**record["content"], "recipe": recipe}})]
