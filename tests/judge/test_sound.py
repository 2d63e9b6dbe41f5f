"""Records that cannot be what they say: numbers out of bounds, no numbers, one seed or arm on other data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lnbench.judge import Evidence, gather, judge
from lnbench.judge.reduce import Reading
from lnbench.judge.run_numbers import yielded
from lnbench.judge.sound import fault, other_data
from lnbench.plan import Run, plan_study
from lnbench.spec import variant
from tests.toys.judged_world import World

Edit = Callable[[Run, dict[str, Any]], None]  # (run, its record's outcome): changed in place


def edited(world: World, edit: Edit) -> Evidence:
    make, records = world.get(world.accuracy), {}
    for job in plan_study(world.study).jobs:
        run = job.run()
        records[run.id] = make(run)
        edit(run, records[run.id]["outcome"])
    return gather(plan_study(world.study), records.get)


def claims(evidence: Evidence) -> dict[str, Any]:
    return {result.claim.id: result for result in judge(evidence).claims}


def is_noisy_mlp(run: Run, seed: int) -> bool:
    noise = run.recipe["noise"].get("alpha", 0)
    return run.recipe["model"] == "mlp1" and noise == 2 and run.seeds["init"] == seed


def put_accuracy(value: Any, epoch: int = -1, curve: str = "test_accuracy", seed: int = 3) -> Edit:
    def edit(run: Run, outcome: dict[str, Any]) -> None:
        if is_noisy_mlp(run, seed):
            outcome["curves"][curve] = list(outcome["curves"][curve])
            outcome["curves"][curve][epoch] = value

    return edit


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (92.3, "test_accuracy after epoch 3 is 92.3, and lies from 0 to 1 (in percent? a share is written as a"),
        (-0.1, "test_accuracy after epoch 3 is -0.1, and lies from 0 to 1"),
        (1.0001, "is 1.0001, and lies from 0 to 1"),
        (float("nan"), "is nan, though the run's status is ok"),
        (float("inf"), "is inf, though the run's status is ok"),
        (None, "is None, and not a number"),
        (True, "is True, and not a number"),
        ("0.9", "is '0.9', and not a number"),
    ],
)
def test_a_number_that_cannot_be_right_is_an_error_with_its_run_metric_and_remedy(
    world: World, value: Any, words: str
) -> None:
    evidence = edited(world, put_accuracy(value))
    run = next(run for run, _ in evidence.by_job.values() if is_noisy_mlp(run, 3))
    claim = claims(evidence)["T-01"]
    assert claim.verdict == "error"
    assert claim.why.startswith(f"above: run {run.id}: ")
    assert words in claim.why
    assert f"records/{run.id[:2]}/{run.id}.json" in claim.why


def test_only_parts_that_rest_on_it_are_errors(world: World) -> None:
    result = claims(edited(world, put_accuracy(5.0, curve="test_loss")))["T-01"]
    assert result.parts["loss"].verdict != "error"  # a loss of 5 may be
    assert result.parts["above"].verdict == "reproduced"
    result = claims(edited(world, put_accuracy(-0.5, curve="test_loss")))["T-01"]
    assert result.parts["loss"].verdict == "error"
    assert result.parts["above"].verdict == "reproduced"


def test_an_epoch_that_is_not_read_counts_too_for_its_curve_is_one_measurement(world: World) -> None:
    assert claims(edited(world, put_accuracy(12.0, epoch=0)))["T-01"].verdict == "error"


def test_a_curve_that_is_too_short_or_not_there_is_an_error(world: World) -> None:
    def edit(run: Run, outcome: dict[str, Any]) -> None:
        if is_noisy_mlp(run, 2):
            del outcome["curves"]["test_loss"]

    result = claims(edited(world, edit))["T-01"]
    assert "has test_loss of 0 epochs, and epoch 1 is read" in result.parts["loss"].why


@pytest.mark.parametrize("metric", ["effective_batch_trend_end", "noise_isotropy_p_end", "test_accuracy_averaged"])
def test_a_record_of_a_version_that_did_not_measure_it_is_an_error_and_null_a_collapse(
    world: World, metric: str
) -> None:
    run = plan_study(world.study).jobs[0].run()
    record = world.get(world.accuracy)(run)
    record["outcome"]["metrics"] = {}
    found = yielded(metric, record)
    assert isinstance(found, str) and f"run {run.id}: it has no {metric}: it was made by a version" in found
    record["outcome"]["metrics"][metric] = None
    reading = yielded(metric, record)
    assert isinstance(reading, Reading) and reading.collapsed


def on_other_data(run: Run, outcome: dict[str, Any]) -> None:
    if is_noisy_mlp(run, 3):
        outcome["data_sha256"] = "f" * 64


def test_one_seed_on_other_data_is_an_error_that_names_it(world: World) -> None:
    evidence = edited(world, on_other_data)
    run = next(run for run, _ in evidence.by_job.values() if is_noisy_mlp(run, 3))
    for claim in claims(evidence).values():
        assert claim.verdict == "error"
        assert "the runs are not on the same" in claim.why
        assert f"ffffffffffff… in 1 run ({run.id})" in claim.why
        assert "lnbench data check" in claim.why


def test_one_arm_on_other_data_is_an_error(world: World) -> None:
    def edit(run: Run, outcome: dict[str, Any]) -> None:
        if run.recipe["model"] == "perceptron":
            outcome["data_sha256"] = "f" * 64

    assert claims(edited(world, edit))["T-02"].verdict == "error"


def test_an_alternative_on_other_data_decides_nothing(world: World) -> None:
    """Its runs show what the data change, and not what the alternative does."""
    low, key = World(world.study, lambda recipe, seed: 0.2 + 0.001 * seed), "epochs"
    other = low.evidence(variant(world.study, key))
    assert judge(world.evidence(), {key: other}).claims[0].verdict == "depends-on"
    for _, record in other.by_job.values():
        record["outcome"]["data_sha256"] = "f" * 64
    claim = judge(world.evidence(), {key: other}).claims[0]
    assert (claim.verdict, claim.tried[key]) == ("reproduced", "error")


def test_records_without_a_checksum_are_not_compared(world: World) -> None:
    def edit(run: Run, outcome: dict[str, Any]) -> None:
        if is_noisy_mlp(run, 3):
            del outcome["data_sha256"]

    assert claims(edited(world, edit))["T-01"].verdict == "reproduced"


def test_two_data_sets_have_two_checksums_and_that_is_no_fault() -> None:
    def run(number: int, name: Any, checksum: str) -> dict[str, Any]:
        content = {"kind": "training", "recipe": {"dataset": name}, "versions": {"dataset": 1}}
        return {"id": f"{number:032}", "kind": "training", "content": content, "outcome": {"data_sha256": checksum}}

    assert other_data([run(1, "mnist", "a"), run(2, {"name": "cifar10", "clean": 9}, "b")]) == {}
    mixed = other_data([run(1, "mnist", "a"), run(2, {"name": "mnist", "clean": 9}, "b"), run(3, "cifar10", "c")])
    assert mixed.keys() == {f"{1:032}", f"{2:032}"}
    assert all("`lnbench data check mnist` which is the published one" in words for words in mixed.values())
    own = other_data([run(1, {"name": "image_folder"}, "a"), run(2, {"name": "image_folder"}, "b")])
    assert all("put those back that you mean" in words and "published" not in words for words in own.values()) and own


def test_a_number_on_its_bound_is_right_and_rounding_is_forgiven() -> None:
    record = {"id": "0" * 32, "kind": "training", "content": {}, "outcome": {"status": "ok"}}
    for metric, value in (("test_accuracy", 1), ("test_accuracy", 0.0), ("aul_pearson", 1 + 2e-16), ("test_loss", 9e9)):
        assert fault(metric, value, record) == ""
    assert fault("aul_pearson", 1.01, record) != ""
