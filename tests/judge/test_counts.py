"""Of how many things a share is: found in the record, carried to the member, and its step."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lnbench import catalog
from lnbench.judge.counts import counts_of, things
from lnbench.judge.reduce import Reading
from lnbench.loss_curves.readings import detection
from lnbench.spec import Effect
from tests.toys.judged_world import N
from tests.toys.loss_curve_world import arrays_of, world_in

if TYPE_CHECKING:
    from tests.toys.judged_world import World


def outcome_with(metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"content": {"recipe": {"neurons": 50}}, "outcome": {"status": "ok", "metrics": metrics, **more}}


def test_an_accuracy_says_of_how_many_test_images_it_is(world: World) -> None:
    member = world.evidence().members(world.study.spec.effects["accuracy"])[0]
    assert member.counted == (N,) * 5
    assert member.step == 1 / N


@pytest.mark.parametrize("effect", ["loss", "gap", "drops"])
def test_a_loss_a_difference_and_a_drop_are_no_shares(world: World, effect: str) -> None:
    for member in world.evidence().members(world.study.spec.effects[effect]):
        assert member.counted == ()


@pytest.mark.parametrize("metric", ["recall", "precision", "recall_top_double", "low_loss_share", "aul_pair_order"])
def test_the_count_of_a_share_of_examples_is_that_of_the_arrays(tmp_path: Path, metric: str) -> None:
    world = world_in(tmp_path)
    arrays = arrays_of(world.runs["mlp1", 0])
    record = {"content": {}, "outcome": detection(arrays, 12)}
    share, n = record["outcome"]["metrics"][metric], things(metric, record)
    wrong = int(np.count_nonzero(arrays["example_label"] != arrays["example_true"]))
    known = {"recall": wrong, "recall_top_double": wrong, "low_loss_share": 400, "aul_pair_order": 1000}
    assert n == known.get(metric, n)
    assert n > 0
    assert share * n == pytest.approx(round(share * n), abs=1e-6)


def test_a_share_read_from_arrays_moves_by_one_in_its_count(tmp_path: Path) -> None:
    world = world_in(tmp_path)
    (member,) = world.evidence().members(Effect.model_validate({"metric": "recall", "at": {"model": "mlp1"}}))
    wrong = [(a["example_label"] != a["example_true"]).sum() for a in (world.arrays("mlp1", s) for s in range(4))]
    assert member.counted == tuple(wrong)
    assert member.step == 1 / min(wrong)


def test_the_found_are_counted_from_precision_and_recall() -> None:
    outcome = {"recall": 30 / 40, "precision": 30 / 70}
    record = outcome_with(outcome, shown={"examples": 100, "mislabeled": 40})
    assert things("precision", record) == 70
    assert things("recall", record) == 40


def test_where_nothing_right_is_found_the_count_is_not_known() -> None:
    record = outcome_with({"recall": 0.0, "precision": 0.0}, shown={"examples": 100, "mislabeled": 40})
    assert things("precision", record) == 0


def test_an_experiment_counts_its_neurons_and_its_wrong_labels() -> None:
    found = {"aul_error_recall": 0.5, "aul_error_precision": 0.25, "halved_by_bound": 0.9, "half_life_steps": 3.0}
    record = outcome_with(found, noise={"examples": 100, "right_labels": 60})
    counts = {"aul_error_recall": 40, "aul_error_precision": 80, "halved_by_bound": 50, "half_life_steps": 0}
    assert {metric: things(metric, record) for metric in found} == counts


def test_a_record_may_say_the_count_itself() -> None:
    record = outcome_with({"recall": 0.5}, counted={"recall": 12}, shown={"mislabeled": 40})
    assert things("recall", record) == 12


def test_a_seed_without_a_number_counts_nothing_and_one_without_a_count_takes_them_all() -> None:
    known, absent, unknown = Reading(0.5, 0.1, False, counted=10), Reading(math.nan, 0, True), Reading(0.5, 0, False)
    assert counts_of([known, absent]) == (10, 0)
    assert counts_of([known, unknown]) == ()
    assert counts_of([absent]) == ()


def test_every_plain_share_lies_from_0_to_1() -> None:
    for name, entry in catalog.entries()["metric"].items():
        if entry.value.share_of:
            assert (entry.value.low, entry.value.high) == (0, 1), name
