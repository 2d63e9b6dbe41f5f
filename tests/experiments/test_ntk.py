"""The 64-image network: against autograd on all its weights, its linearisation, and what runs say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from lnbench import experiments
from lnbench.data.images import load
from lnbench.experiments import ntk as module
from lnbench.experiments.draws import gaussian
from lnbench.randomness import Stream
from lnbench.training.hooks import Stopped
from tests.toys.experiment_cases import NOTHING, Interrupting, ntk, seeds


def run(own: dict[str, int] | None = None, hooks: Any = NOTHING, state: Any = None, **changes: Any) -> dict[str, Any]:
    return experiments.run(ntk(**changes), own or seeds(), None, state=state, hooks=hooks)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def network(own: dict[str, int], **changes: Any) -> Any:
    return module._Network(ntk(**changes), own, load("synthetic_cifar10"), None)


def images(options: dict[str, Any], own: dict[str, int]) -> tuple[torch.Tensor, Any]:
    data = load("synthetic_cifar10")
    X, labels = module.images_of(data.train_images, data.train_labels, options, own["split"], 0)
    return torch.from_numpy(X), labels


def first_parameters(options: dict[str, Any], own: dict[str, int]) -> list[torch.Tensor]:
    """(W1, b1, W2, b2), drawn as the experiment does."""
    inputs, hidden, init = 192, options["hidden"], own["init"]
    arrays = [
        gaussian(init, Stream.INIT, 0, (inputs, hidden)) / np.sqrt(inputs),
        gaussian(init, Stream.INIT, 1, (hidden,)),
        gaussian(init, Stream.INIT, 2, (hidden, 10)) / np.sqrt(hidden),
        gaussian(init, Stream.INIT, 3, (10,)),
    ]
    return [torch.from_numpy(array).requires_grad_() for array in arrays]


def outputs(parameters: Any, X: torch.Tensor) -> torch.Tensor:
    W1, b1, W2, b2 = parameters
    return torch.erf(X @ W1 + b1) @ W2 + b2


@pytest.mark.parametrize("changes", [{}, {"label_noise": 0.5}, {"rho": 0.3}, {"rho": 0.3, "label_noise": 0.5}], ids=str)
def test_fifty_steps_are_those_of_autograd_on_all_weights(changes: dict[str, Any]) -> None:
    options, own = ntk(steps=50, **changes), seeds(2, noise=5)
    X, labels = images(options, own)
    parameters = first_parameters(options, own)
    for step in range(50):
        drawn = module.drawn_labels(own["noise"], step, labels, options["label_noise"])
        targets = torch.eye(10, dtype=torch.float64)[torch.from_numpy(drawn)]

        def gradients(at: list[torch.Tensor], targets: torch.Tensor = targets) -> tuple[torch.Tensor, ...]:
            return torch.autograd.grad(0.5 * ((outputs(at, X) - targets) ** 2).mean(), at)

        found = gradients(parameters)
        if options["rho"]:
            norm = torch.sqrt(sum((g**2).sum() for g in found))
            up = [
                (p + options["rho"] * g / norm).detach().requires_grad_()
                for p, g in zip(parameters, found, strict=True)
            ]
            found = gradients(up)
        parameters = [(p - options["lr"] * g).detach().requires_grad_() for p, g in zip(parameters, found, strict=True)]
    ours = network(own, steps=50, **changes)
    ours.finish(NOTHING)
    W1, _, W2, _ = (parameter.detach().numpy() for parameter in parameters)
    assert np.allclose(ours.W2, W2, rtol=0, atol=1e-12)
    row = dict(zip(module.CURVES, ours.curves[-1], strict=True))
    assert row["norm_mean"] == pytest.approx(np.linalg.norm(W1, axis=0).mean(), rel=1e-12)
    assert row["norm_sd"] == pytest.approx(np.linalg.norm(W1, axis=0).std(), rel=1e-9)
    assert row["frobenius"] == pytest.approx(np.linalg.norm(W1), rel=1e-12)


@pytest.mark.parametrize("kernel", ["full", "trace"])
def test_the_linearisation_is_gradient_descent_on_the_taylor_model(kernel: str) -> None:
    options, own = ntk(kernel=kernel), seeds(1)
    ours = network(own, kernel=kernel)
    X, labels = images(options, own)
    parameters = tuple(first_parameters(options, own))
    jacobian = torch.autograd.functional.jacobian(lambda *p: outputs(p, X), parameters)
    J = torch.cat([block.reshape(160, -1) for block in jacobian], dim=1).numpy()
    theta = J @ J.T
    if kernel == "trace":
        mean = theta.reshape(16, 10, 16, 10).diagonal(axis1=1, axis2=3).mean(axis=2)
        theta = np.kron(mean, np.eye(10))
    f = outputs(parameters, X).detach().numpy().reshape(-1)
    target = np.eye(10)[labels].reshape(-1)
    for _ in range(30):
        f = f - options["lr"] / 160 * theta @ (f - target)
    train, test = ours.linear.at(30)
    assert np.allclose(train.reshape(-1), f, rtol=0, atol=1e-12)
    assert test.shape == (16, 10)


def test_the_linearisation_of_the_training_images_as_test_images_is_theirs() -> None:
    """So that the kernel across the two sets is right: were they one set, both predictions would be one."""
    ours = network(seeds(1))
    ours.Z0_test, ours.K_test = ours.Z0, ours.K
    train, test = module.Linearisation(ours, "full").at(77)
    assert np.allclose(train, test, rtol=0, atol=1e-10)


def test_wider_networks_stay_nearer_to_their_linearisation() -> None:
    departures = [
        np.mean([run(seeds(s), hidden=hidden, steps=100)["metrics"]["departure_train"] for s in range(3)])
        for hidden in (8, 512)
    ]
    assert departures[1] < 0.2 * departures[0]


def test_images_are_scaled_all_pixels_together_and_drawn_by_the_split_seed() -> None:
    data = load("synthetic_cifar10")
    X, labels = module.images_of(data.train_images, data.train_labels, ntk(draw="first", downsample=1), 0, 0)
    assert X.shape == (16, 3072)
    assert (X.mean(), X.std()) == pytest.approx((0, 1), abs=1e-12)
    assert np.array_equal(labels, data.train_labels[:16])
    raw = data.train_images[:16].transpose(0, 2, 3, 1).reshape(16, -1).astype(float)
    assert np.allclose(X, (raw - raw.mean()) / raw.std())
    drawn = [module.images_of(data.train_images, data.train_labels, ntk(), seed, 0)[0] for seed in (0, 0, 1)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_labels_are_redrawn_at_their_rate_from_all_classes_anew_each_step() -> None:
    labels = np.zeros(5000, dtype=np.int64)
    drawn = module.drawn_labels(1, 0, labels, 0.5)
    assert abs((drawn != 0).mean() - 0.45) < 4 * np.sqrt(
        0.45 * 0.55 / 5000
    )  # a tenth of the draws are the class itself
    assert set(drawn) == set(range(10))
    assert not np.array_equal(drawn, module.drawn_labels(1, 1, labels, 0.5))
    assert np.array_equal(module.drawn_labels(1, 0, labels, 0.0), labels)


@pytest.mark.parametrize("questions", [1, 7])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(questions: int) -> None:
    hooks = Interrupting(questions)
    with pytest.raises(Stopped):
        run(hooks=hooks, label_noise=0.5)
    assert 0 < hooks.saved.step < 200
    assert run(state=hooks.saved, label_noise=0.5) == run(label_noise=0.5)


def test_a_state_of_another_run_is_not_used() -> None:
    hooks = Interrupting(3)
    with pytest.raises(Stopped):
        run(hooks=hooks, hidden=8)
    assert run(state=hooks.saved) == run()


def test_too_large_a_step_ends_as_diverged_with_its_step() -> None:
    outcome = run(lr=1e6, steps=5000)
    assert outcome["status"] == "diverged"
    assert outcome["diverged_at"] % 50 == 0
    assert set(outcome["metrics"].values()) == {None}
    json.dumps(outcome, allow_nan=False)


def test_without_label_noise_the_noise_seed_changes_nothing_and_with_it_does() -> None:
    assert run(seeds(0, noise=1)) == run()
    assert run(seeds(0, noise=1), label_noise=0.5)["curves"] != run(label_noise=0.5)["curves"]


def test_readings_evenly_in_log_steps_read_the_same_run() -> None:
    even, log = run(read_every=1), run(read_every=10, readings="log")
    assert log["steps"][:4] == [0, 1, 2, 3] and log["steps"][-1] == 200
    assert np.diff(np.log(log["steps"][-5:])).std() < 0.01
    for name, curve in log["curves"].items():
        assert curve == [even["curves"][name][step] for step in log["steps"]], name


def test_even_readings_are_no_part_of_a_run_and_others_are() -> None:
    assert ntk(readings="even") == ntk()
    assert ntk(readings="log") == {**ntk(), "readings": "log"}


def test_a_run_with_log_readings_that_was_stopped_ends_as_one_that_was_not() -> None:
    hooks = Interrupting(4)
    with pytest.raises(Stopped):
        run(hooks=hooks, readings="log")
    assert run(state=hooks.saved, readings="log") == run(readings="log")


def test_the_trend_and_the_change_of_the_frobenius_norm_are_those_of_its_curve() -> None:
    outcome = {"status": "ok", "curves": {"frobenius": [4.0, 3.0, 2.0, 2.5]}}
    assert module.frobenius_trend(outcome) == pytest.approx((1 - 5) / 6)
    assert module.frobenius_relative_change(outcome) == pytest.approx(-1.5 / 4)
    assert module.frobenius_trend({**outcome, "status": "diverged"}) is None
    assert module.frobenius_relative_change({**outcome, "status": "diverged"}) is None
    found = run(label_noise=0.5)
    change = found["metrics"]["frobenius_change"]
    assert module.frobenius_relative_change(found) == pytest.approx(change / found["curves"]["frobenius"][0], rel=1e-4)


def test_curves_are_read_from_the_first_step_to_the_last() -> None:
    outcome = run()
    assert outcome["steps"] == [0, 50, 100, 150, 200]
    assert {len(curve) for curve in outcome["curves"].values()} == {5}
    assert outcome["curves"]["train_loss"][0] == outcome["curves"]["linear_train_loss"][0]
    assert outcome["metrics"]["first_norm_change"] == pytest.approx(
        outcome["metrics"]["first_norm_end"] - outcome["metrics"]["first_norm_start"], abs=1e-15
    )
