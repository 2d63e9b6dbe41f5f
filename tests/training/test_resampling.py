"""Label noise that is drawn anew in every epoch, in training: batches carry it, and rate 0 is no noise."""

from __future__ import annotations

import pytest
import torch

from lnbench.data.images import load
from lnbench.spec import recipe_of
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.engine import train
from lnbench.training.hooks import Hooks, State, Stopped
from tests.toys.small_runs import recipe, seeds

NOISE = {"kind": "resample_uniform", "rate": 0.5, "include_true_class": True}


def test_batches_carry_the_labels_of_their_epoch() -> None:
    data = TrainingSet(DeviceData(load("digits"), torch.device("cpu")), recipe(noise=NOISE), seeds(3))
    found = []
    for epoch in range(3):
        labels = torch.empty(data.examples, dtype=torch.int64)
        for first in (0, 4):  # an epoch that is gone on with has the labels that it began with
            for batch in data.batches(epoch, 32, first):
                labels[batch.example] = batch.label
        true, example = data.labels, torch.arange(data.examples)
        assert torch.equal(labels, data.noise.at(epoch).labels(example, true, data.identity))
        assert torch.equal(labels != true, data.wrong(epoch))
        found.append(labels)
    assert 0.3 < (found[0] != found[1]).float().mean() < 0.9
    assert not torch.equal(found[1], found[2])


def test_at_rate_0_it_shares_the_runs_without_noise() -> None:
    def identity(noise: dict[str, object]) -> dict[str, object]:
        return recipe_of({**recipe(noise=noise), "selection": "last_epoch"}).identity()

    assert identity({**NOISE, "rate": 0.0}) == identity({"kind": "none"})
    assert identity(NOISE)["noise"] == NOISE


def test_a_training_that_was_stopped_goes_on_with_the_labels_of_its_epoch() -> None:
    options, data = recipe(noise=NOISE, epochs=3), DeviceData(load("digits"), torch.device("cpu"))
    whole = train(options, seeds(), data)
    assert whole["noise"]["labels_redrawn"] == "every epoch"
    kept: list[State] = []
    steps = 0

    def stop() -> bool:
        nonlocal steps
        steps += 1
        return steps == 15  # of 30: within the second epoch

    with pytest.raises(Stopped):
        train(options, seeds(), data, hooks=Hooks(should_stop=stop, save=kept.append))
    assert train(options, seeds(), data, state=kept[-1]) == whole
