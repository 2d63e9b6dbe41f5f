"""Noise on gradients, by which drift's tolerances are measured: of its size, each run's own, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lnbench.data.images import load
from lnbench.experiments import label_law, linear_network, ntk
from lnbench.training import Hooks, train
from lnbench.training.batches import DeviceData
from lnbench.training.engine import Group
from lnbench.training.gradient_noise import PLACES, GradientNoise
from tests.toys.experiment_cases import NOTHING, linear
from tests.toys.experiment_cases import ntk as ntk_options
from tests.toys.small_runs import recipe, seeds

SAM = {
    "kind": "sam",
    "lr": 0.05,
    "weight_decay": 0.0,
    "rho": 0.05,
    "base": {"kind": "sgd", "momentum": 0.9, "nesterov": False},
}


def noisy(size: float, seed: int = 1) -> Hooks:
    return Hooks(gradient_noise=GradientNoise(size, seed))


def test_the_row_has_mean_one_and_the_spread_that_is_asked_for() -> None:
    row = GradientNoise(1e-5, 3).row(np.arange(100_000, dtype=np.int64))
    assert abs(row.mean() - 1) < 1e-7
    assert np.std(row) == pytest.approx(1e-5, rel=0.01)
    same = GradientNoise(1e-5, 3).row(torch.arange(1000))  # torch divides in float32
    assert np.abs(same.double().numpy() - row[:1000]).max() < 1e-7


def test_runs_and_repeats_and_gradients_have_draws_of_their_own() -> None:
    one, entries = GradientNoise(1e-5, 1), np.arange(1000, dtype=np.int64)
    others = [one.of(0), one.of(1), GradientNoise(1e-5, 2).of(0)]
    assert len({other.seed for other in others}) == 3
    assert abs(np.corrcoef(others[0].row(entries), others[1].row(entries))[0, 1]) < 0.15
    places = {one.place(number) for number in range(1000)}
    assert len(places) > 950 and max(places) < PLACES


@pytest.mark.parametrize("optimizer", [{}, {"optimizer": SAM}], ids=["one gradient", "two a step"])
def test_noise_moves_the_weights_by_its_size(optimizer: dict[str, Any]) -> None:
    """One step: each weight's move is off by a share of `size`, and so are all moves together."""
    spec, data = recipe(model="mlp1_w32", batch_size=300, noise={"kind": "none"}, **optimizer), load("digits")

    def after(hooks: Hooks) -> tuple[torch.Tensor, torch.Tensor]:
        group = Group([spec], [seeds()], DeviceData(data, torch.device("cpu")), hooks=hooks)
        before = group.backend.weights()[0].clone()
        group.epoch()
        return before, group.backend.weights()[0] - before

    (start, plain), (same, moved) = after(Hooks()), after(noisy(1e-2))
    assert torch.equal(start, same)
    off = ((moved - plain)[plain != 0] / plain[plain != 0]).std()
    assert off == pytest.approx(1e-2, rel=0.2)


def test_without_noise_a_training_has_the_bits_that_it_always_had() -> None:
    spec, data = recipe(model="mlp1_w32"), load("digits")
    curves = [train(spec, seeds(), data, hooks=hooks)["curves"] for hooks in (Hooks(), Hooks(), noisy(1e-3))]
    assert curves[0] == curves[1] != curves[2]


def test_only_the_reference_backend_takes_it() -> None:
    with pytest.raises(ValueError, match="gradient noise is for the loop backend"):
        train(recipe(), seeds(), load("digits"), backend="stacked", hooks=noisy(1e-5))


@pytest.mark.parametrize(
    ("experiment", "options"),
    [
        (linear_network, linear(steps=300, sigma=1.0, rho=0.1)),
        (ntk, ntk_options(label_noise=0.2, rho=0.1, steps=50)),
    ],
    ids=["linear", "ntk"],
)
def test_experiments_take_it_too(experiment: Any, options: dict[str, Any]) -> None:
    """Ten times the noise moves a loss ten times as far; the same noise moves it alike."""

    def loss(hooks: Hooks) -> float:
        return float(experiment.run(options, seeds(), None, state=None, hooks=hooks)["metrics"]["train_loss_end"])

    plain = loss(NOTHING)
    little, again, more = loss(noisy(1e-6)), loss(noisy(1e-6)), loss(noisy(1e-5))
    assert little == again != plain
    assert (more - plain) / (little - plain) == pytest.approx(10, rel=0.2)


def test_what_counts_labels_has_no_gradients() -> None:
    options = {
        "images": 500, "classes": 10, "noise": {"kind": "replace_uniform", "rate": 0.2, "include_true_class": False},
        "method": "standard",
    }  # fmt: skip
    plain, moved = (label_law.run(options, seeds(), None, state=None, hooks=hooks) for hooks in (NOTHING, noisy(1e-1)))
    assert plain["metrics"] == moved["metrics"]
