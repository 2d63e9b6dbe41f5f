"""What a training measures beside its curves, and the loss that stands for an infinite batch of noisy labels."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lnbench.data.images import load
from lnbench.methods.noisy_loss import NoisyLoss
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.engine import Group, train, train_group
from lnbench.training.hooks import Hooks, State, Stopped
from lnbench.training.probes.probe import StepView
from tests.toys.small_runs import recipe, seeds

COSINES = [f"gradient_cosine_{when}" for when in ("start", "tenth", "half", "end")]


@cache
def digits() -> DeviceData:
    return DeviceData(load("digits"), torch.device("cpu"))


def noisy_loss(alpha: float, form: str = "definition") -> dict[str, Any]:
    return {"kind": "noisy_loss", "alpha": alpha, "form": form}


# ---- H_alpha


@pytest.mark.parametrize("alpha", [0.0, 1.0, 20.0, 100.0])
def test_the_noisy_loss_is_equation_3(alpha: float) -> None:
    logits, labels = torch.randn(64, 10, generator=torch.Generator().manual_seed(0)).double(), torch.arange(64) % 10
    p = torch.softmax(logits, dim=1)
    own, every = -torch.log(p[torch.arange(64), labels]), -torch.log(p).sum(dim=1)
    wanted = own / (1 + alpha) + alpha / (10 * (1 + alpha)) * every
    torch.testing.assert_close(NoisyLoss(noisy_loss(alpha)).loss(logits, labels), wanted)
    second_line = NoisyLoss(noisy_loss(alpha, "proportional")).loss(logits, labels)
    torch.testing.assert_close(second_line, wanted * (1 + alpha))


def test_at_alpha_0_it_is_the_cross_entropy() -> None:
    logits, labels = torch.randn(32, 10, generator=torch.Generator().manual_seed(1)), torch.arange(32) % 10
    wanted = F.cross_entropy(logits, labels, reduction="none")
    torch.testing.assert_close(NoisyLoss(noisy_loss(0.0)).loss(logits, labels), wanted)


@pytest.mark.parametrize("alpha", [10, 100])
def test_it_is_the_mean_loss_over_the_labels_that_dilution_draws(alpha: int) -> None:
    """One image's labels: the true one, and alpha uniform ones, each class a tenth of them."""
    logits = torch.randn(1, 10, generator=torch.Generator().manual_seed(2)).double()
    labels = torch.tensor([3] * 10 + list(range(10)) * alpha)  # ten times as many of each
    mean = F.cross_entropy(logits.expand(len(labels), 10), labels)
    torch.testing.assert_close(NoisyLoss(noisy_loss(alpha)).loss(logits, torch.tensor([3]))[0], mean)


@pytest.mark.parametrize("model", ["mlp1_w32", "convnet2"])
def test_a_network_learns_by_it(model: str) -> None:
    sgd = {"kind": "sgd", "lr": 0.5, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
    options = recipe(
        model=model, method=noisy_loss(10.0), optimizer=sgd, epochs=4, noise={"kind": "none"},
        dataset={"name": "digits", "clean": 1000, "validation": 0},
    )  # fmt: skip
    outcome = train(options, seeds(), digits())
    assert outcome["curves"]["test_accuracy"][-1] > 0.8
    assert outcome["curves"]["train_loss"][-1] > 1.5  # its least value is near ln 10 at this alpha


def test_stacked_networks_step_along_it_as_single_ones() -> None:
    options = recipe(model="mlp1_w32", method=noisy_loss(5.0), epochs=2)
    alone = [train(options, seeds(seed), digits()) for seed in (0, 1)]
    together = train_group([options, options], [seeds(0), seeds(1)], digits(), backend="stacked")
    for one, other in zip(alone, together, strict=True):
        assert one["curves"]["train_loss"] == pytest.approx(other["curves"]["train_loss"], abs=1e-5)


# ---- the gradient's direction


def cosines(**changes: Any) -> list[float | None]:
    options = recipe(probes=["gradient_cosine"], noise={"kind": "none"}, epochs=2, **changes)
    metrics = train(options, seeds(), digits())["metrics"]
    return [metrics[name] for name in COSINES]


def test_the_cross_entropys_gradient_has_its_own_direction() -> None:
    assert cosines(model="mlp1_w32") == pytest.approx([1.0] * 4, abs=1e-6)


def test_in_a_softmax_regression_the_cosine_is_what_the_formula_gives() -> None:
    """∇H = (∇CE + alpha ∇U)/(1 + alpha), U the cross-entropy against the uniform law; by hand for a linear model."""
    alpha = 10.0
    options = recipe(probes=["gradient_cosine"], noise={"kind": "none"}, method=noisy_loss(alpha))
    group = Group([options], [seeds()], digits())
    images = group.sets[0].clean_images(4096)
    x = digits().images[images.index].flatten(1).double() / digits().scale
    weights = group.backend.tensors()["weights"].double()
    matrix, bias = weights[:-10].view(10, -1), weights[-10:]
    p = torch.softmax(x @ matrix.T + bias, dim=1)

    def gradient(target: torch.Tensor) -> torch.Tensor:
        off = (p - target) / len(x)
        return torch.cat(((off.T @ x).flatten(), off.sum(dim=0)))

    own, uniform = gradient(F.one_hot(images.labels, 10).double()), gradient(torch.full_like(p, 0.1))
    whole = own + alpha * uniform
    wanted = (whole @ own / (whole.norm() * own.norm())).item()
    (probe,) = group.probes
    probe.before(StepView(group.training, 0, []))
    assert probe.outcome(0, 0, False)["metrics"]["gradient_cosine_start"] == pytest.approx(wanted, abs=1e-5)
    assert wanted < 0.99


def test_it_is_looked_at_four_times_and_leaves_no_trace() -> None:
    plain = recipe(model="convnet2", method=noisy_loss(10.0), epochs=3)
    probed = {**plain, "probes": ["gradient_cosine"]}
    without, with_ = train(plain, seeds(), digits()), train(probed, seeds(), digits())
    assert with_["curves"] == without["curves"]
    assert list(with_["metrics"]) == COSINES
    assert len(set(with_["metrics"].values())) == 4
    assert "metrics" not in without


def test_a_training_that_was_stopped_goes_on_with_its_cosines() -> None:
    options = recipe(model="mlp1_w32", method=noisy_loss(10.0), epochs=4, probes=["gradient_cosine"])
    whole = train(options, seeds(), digits())
    kept: list[State] = []
    steps = 0

    def stop() -> bool:
        nonlocal steps
        steps += 1
        return steps == 30  # of 76: behind the first two looks

    with pytest.raises(Stopped):
        train(options, seeds(), digits(), hooks=Hooks(should_stop=stop, save=kept.append))
    assert train(options, seeds(), digits(), state=kept[-1]) == whole


def test_a_run_that_diverges_has_no_cosines() -> None:
    wild = {"kind": "sgd", "lr": 1e20, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    options = recipe(model="mlp1_w32", optimizer=wild, probes=["gradient_cosine"])
    outcome = train(options, seeds(), digits())
    assert outcome["status"] == "diverged"
    assert set(outcome["metrics"].values()) == {None}


# ---- the confusion matrix


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_the_test_confusion_counts_every_test_image(backend: str) -> None:
    options = recipe(model="mlp1_w32", epochs=3, probes=["test_confusion"])
    group = [train(options, seeds(), digits())] if backend == "loop" else []
    group = group or train_group([options] * 2, [seeds(0), seeds(1)], digits(), backend=backend)
    for outcome in group:
        counts = np.array(outcome["confusion"])
        labels = digits().data.test_labels
        assert counts.sum(axis=1).tolist() == np.bincount(labels, minlength=10).tolist()
        assert counts.trace() / len(labels) == pytest.approx(outcome["curves"]["test_accuracy"][-1])


# ---- images that only noise shows


def novel(clean: int = 100, validation: int = 50, alpha: float = 3.0) -> dict[str, Any]:
    return recipe(
        dataset={"name": "digits", "clean": clean, "validation": validation},
        noise={"kind": "dilute_novel", "alpha": alpha, "include_true_class": True},
    )


def test_novel_images_are_neither_clean_nor_held_out_and_come_once() -> None:
    data = TrainingSet(digits(), novel(), seeds(4))
    assert len(data.identity) == 400 and data.examples == 400
    assert len(set(data.identity.tolist()) | set(data.validation.index.tolist())) == 450
    seen = torch.cat([batch.image for batch in data.batches(0, 32)])
    assert sorted(seen.tolist()) == sorted(data.identity.tolist())
    assert data.identity[:100].tolist() == sorted(data.identity[:100].tolist())
    same = TrainingSet(digits(), recipe(dataset={"name": "digits", "clean": 100, "validation": 50}), seeds(4))
    assert torch.equal(same.identity, data.identity[:100])  # arms that share the split share their clean images
    assert torch.equal(data.clean_images(4096).labels, same.labels)


def test_their_labels_are_the_noises_and_the_clean_images_keep_theirs() -> None:
    data = TrainingSet(digits(), novel(), seeds())
    truth = digits().labels
    for batch in data.batches(0, 32):
        clean = torch.isin(batch.image, data.identity[:100])
        assert torch.equal(batch.label[clean], truth[batch.image[clean]])
    assert data.noise_facts["novel_images"] == 300
    assert 0.8 < data.noise_facts["realised_wrong"] * 400 / 300 < 1


def test_more_novel_images_than_there_are_is_said() -> None:
    with pytest.raises(ValueError, match="1300 novel images beside 150, but digits has 1300"):
        train(novel(alpha=13.0), seeds(), digits())
