"""Epochs timed in turns: what is made of the seconds, in which order they are taken, and what a record says. No time is
judged here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from lnbench import catalog, experiments
from lnbench.audit.choose import Untrainable, run_of
from lnbench.experiments import Stopped, epoch_times
from lnbench.experiments.epoch_times import METRICS, PARTS, ratios
from lnbench.experiments.options import EpochTimes, timed_network
from lnbench.plan import Run
from lnbench.spec import recipe_of
from tests.toys.experiment_cases import Interrupting, seeds

ASKED: dict[str, Any] = {
    "experiment": "epoch_times", "dataset": "digits", "clean": 64, "test": 20, "model": "resnet8_w8", "batch_size": 32,
    "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0005, "sam_rho": 0.1, "asam_rho": 0.5, "asam_eta": 0.01,
    "asam_scaled": "weights", "epochs": 200, "turns": 3, "augment": "none", "pixels": None,
}  # fmt: skip


def options(**changes: Any) -> dict[str, Any]:
    return EpochTimes.model_validate({**ASKED, **changes}).identity()


def test_the_numbers_are_medians_of_ratios_within_a_turn() -> None:
    """A machine that is half as fast in the second turn changes no ratio."""
    turn = np.array([10.0, 20.0, 21.0, 10.5, 3.0, 4.0])  # sgd, sam, asam, swa, predictions, norms
    found = ratios(np.vstack((turn, 2 * turn, [10.0, 90.0, 1.0, 99.0, 50.0, 4.0])), epochs=200)
    assert found == pytest.approx(
        {
            "time_ratio_sam": 2.0,
            "time_ratio_asam": 2.1,
            "time_ratio_asam_sam": 1.05,
            "time_ratio_swa": 1.052,  # 10.5 s and a 200th of 4 s
            "time_ratio_bootstrapped": 2.3,
            "time_ratio_bootstrapped_once": 2.0015,
            "time_ratio_sam_bootstrapped": 4.3,
            "seconds_an_epoch": 10.0,
        }
    )
    assert set(found) == set(METRICS)


def test_a_run_times_every_part_in_every_turn() -> None:
    outcome = experiments.run(options(), seeds(), None)
    assert outcome["status"] == "ok" and outcome["steps"] == [1, 2, 3]
    assert list(outcome["curves"]) == [f"seconds_{name}" for name in PARTS]
    assert all(len(values) == 3 and min(values) > 0 for values in outcome["curves"].values())
    seconds = np.array(list(outcome["curves"].values())).T
    assert outcome["metrics"] == ratios(seconds, 200)
    assert len(outcome["load"]) == 2 and len(outcome["data_sha256"]) == 64
    json.dumps(outcome, allow_nan=False)


def test_each_turn_begins_with_another_part(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    work = epoch_times._Clocks._work
    monkeypatch.setattr(epoch_times._Clocks, "_work", lambda self, name: taken.append(name) or work(self, name))
    experiments.run(options(), seeds(), None)
    turns = [taken[place : place + len(PARTS)] for place in range(0, len(taken), len(PARTS))]
    assert [set(turn) for turn in turns] == [set(PARTS)] * 4  # the first one counts for nothing
    assert [turn[0] for turn in turns] == [PARTS[-1], *PARTS[:3]]


def test_it_goes_on_where_it_was_stopped() -> None:
    hooks = Interrupting(3)  # the turn that does not count, and two that do
    with pytest.raises(Stopped):
        experiments.run(options(), seeds(), None, hooks=hooks)
    kept = hooks.saved.tensors["seconds"]
    assert kept.shape == (2, len(PARTS))
    outcome = experiments.run(options(), seeds(), None, state=hooks.saved)
    rows = np.array(list(outcome["curves"].values())).T
    assert rows.shape == (3, len(PARTS)) and np.array_equal(rows[:2], kept)  # the first turn after a stop is not kept
    other = experiments.run(options(turns=4), seeds(), None, state=type(hooks.saved)(0, 9, [], [], {}))
    assert other["steps"] == [1, 2, 3, 4]


def test_what_is_trained_is_what_a_study_would_train() -> None:
    """The four recipes are ones that a study may have, and differ in nothing but the optimizer and the average."""
    recipes = {name: timed_network(options(), name, 4) for name in ("sgd", "sam", "asam", "swa")}
    for recipe in recipes.values():
        recipe_of({**recipe, "selection": "last_epoch"})
    assert [recipe["optimizer"]["kind"] for recipe in recipes.values()] == ["sgd", "sam", "asam", "sgd"]
    plain = {key: value for key, value in recipes["sgd"].items() if key != "optimizer"}
    for recipe in recipes.values():
        assert {key: value for key, value in recipe.items() if key not in ("optimizer", "average")} == plain
    assert "average" in recipes["swa"] and "average" not in recipes["sgd"]


def test_an_audit_does_not_train_it_again() -> None:
    run = Run(options(), seeds())
    with pytest.raises(Untrainable, match="its numbers are times of the machine that made it"):
        run_of({"id": run.id, "content": run.content}, {})
    timed = [name for name in catalog.names("experiment") if catalog.find("experiment", name).timed]
    assert timed == ["epoch_times"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"batch_size": 65}, "batch_size: 65 is larger than the data, 64 images"),
        ({"asam_scaled": "all"}, "asam_eta: where all are scaled by their size alone there is none"),
        ({"turns": 2}, "greater than or equal to 3"),
        ({"sam_rho": 0.0}, "greater than 0"),
        ({"model": "resnet9"}, "resnet9"),
    ],
)
def test_what_cannot_be_timed_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as error:
        options(**changes)
    assert told in str(error.value)


def test_more_turns_cost_more() -> None:
    price = catalog.find("experiment", "epoch_times").seconds
    assert price is not None and price(options(turns=9)) == pytest.approx(2.5 * price(options()))
    assert Path(epoch_times.__file__).name == "epoch_times.py"
