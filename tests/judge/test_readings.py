"""How numbers are read off a record that stand on no curve as they are: smoothed curves, numbers of probes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lnbench.judge import Evidence
from lnbench.judge import reduce as along
from lnbench.judge.reduce import Reading
from lnbench.judge.run_numbers import smoothed
from lnbench.spec import Effect

if TYPE_CHECKING:
    from tests.toys.judged_world import World


def test_a_smoothed_curve_is_the_moving_average_of_decay_09() -> None:
    curve = [0.2, 0.4, 0.3, 0.9]
    by_hand = [0.2]
    for value in curve[1:]:
        by_hand.append(0.9 * by_hand[-1] + 0.1 * value)
    assert smoothed(curve) == pytest.approx(by_hand)
    assert smoothed([0.5] * 9) == pytest.approx([0.5] * 9)


def read(world: World, metric: str, change: Any) -> Reading:
    """The first number of a metric, of records whose outcomes `change` has gone over."""
    evidence: Evidence = world.evidence()
    for run, record in evidence.by_job.values():
        change(record["outcome"])
        assert run.recipe
    effect = Effect(metric=metric, at={"model": "mlp1", "noise.alpha": 2.0})
    member = evidence.members(effect)[0]
    return Reading(member.values[0], member.step, member.collapsed[0])


def test_the_smoothed_test_accuracy_is_read_off_the_curve(world: World) -> None:
    curve = [0.5, 0.8, 0.9]
    found = read(world, "test_accuracy_ema", lambda outcome: outcome["curves"].update(test_accuracy=curve))
    assert found.value == pytest.approx(0.81 * 0.5 + 0.09 * 0.8 + 0.1 * 0.9)
    assert found.step == 1e-3 and not found.collapsed


@pytest.mark.parametrize(("last", "dead"), [(0.9, False), (0.11, True)])
def test_a_pruned_number_collapses_with_its_network(world: World, last: float, dead: bool) -> None:
    def change(outcome: dict[str, Any]) -> None:
        outcome["metrics"] = {"pruned_area": 0.6}
        outcome["curves"]["test_accuracy"][-1] = last

    assert read(world, "pruned_area", change) == Reading(0.6, 1e-3, dead)


def test_a_pruned_number_of_a_diverged_run_is_a_collapse(world: World) -> None:
    found = read(world, "pruned_area", lambda outcome: outcome.update(metrics={"pruned_area": None}))
    assert math.isnan(found.value) and found.collapsed


def test_gain_is_the_mean_of_the_later_levels_less_the_first() -> None:
    readings = [Reading(value, 0.01, value == 0.4) for value in (0.5, 0.6, 0.9, 0.4)]
    found = along.reduce("gain", [0, 1, 2, 3], readings)
    assert found == replace(found, value=pytest.approx((0.6 + 0.9 + 0.4) / 3 - 0.5), step=0.01, collapsed=True)


def test_the_error_is_one_less_the_accuracy(world: World) -> None:
    found = read(world, "test_error", lambda outcome: outcome["curves"].update(test_accuracy=[0.5, 0.875]))
    assert found == Reading(0.125, 1e-3, False)


def test_a_diverged_run_errs_as_a_guess_does(world: World) -> None:
    found = read(world, "test_error", lambda outcome: outcome.update(status="diverged"))
    assert found.collapsed and found.value == pytest.approx(0.9)
