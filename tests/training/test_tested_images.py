"""A run may be tested on some of the test images: the same in every run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from lnbench.data import load
from lnbench.spec import Recipe
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.engine import train
from tests.toys.small_runs import recipe, seeds

SOME = {"name": "digits", "clean": 300, "validation": 0, "test": 100}


def digits() -> DeviceData:
    return DeviceData(load("digits"), torch.device("cpu"))


def test_some_images_are_the_same_in_every_run_and_the_others_are_not_looked_at() -> None:
    data = digits()
    sets = [TrainingSet(data, recipe(dataset=SOME), seeds(seed)).test for seed in (1, 2)]
    assert len(sets[0]) == 100 and torch.equal(sets[0].index, sets[1].index)
    assert torch.equal(sets[0].labels, data.test_labels[sets[0].index])
    assert set(sets[0].labels.tolist()) == set(range(10)), "of all classes, however the data set lies"
    outcome = train(recipe(dataset=SOME), seeds(), data)
    assert outcome["examples"]["test"] == 100
    whole = train(recipe(), seeds(), data)
    assert outcome["curves"]["train_loss"] == whole["curves"]["train_loss"], "testing changes no training"
    assert outcome["curves"]["test_accuracy"][0] * 100 == pytest.approx(
        round(outcome["curves"]["test_accuracy"][0] * 100)
    )


def test_without_it_all_are_and_the_identity_stays_what_it_was() -> None:
    written: dict[str, Any] = {"selection": "last_epoch", **recipe()}
    assert "test" not in Recipe.model_validate(written).identity()["dataset"]
    assert Recipe.model_validate({**written, "dataset": SOME}).identity()["dataset"] == SOME
    made = TrainingSet(digits(), recipe(), seeds())
    assert np.array_equal(made.test.index.numpy(), np.arange(497))


@pytest.mark.parametrize("count, told", [(498, "498 images, but digits has 497 for testing"), (0, "greater than 0")])
def test_more_than_there_are_is_refused(count: int, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Recipe.model_validate({"selection": "last_epoch", **recipe(dataset={**SOME, "test": count})})
