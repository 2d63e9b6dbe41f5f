"""Pruned networks: the weights that go, the accuracy that is left, and that the network is restored."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from lnbench.data.images import load
from lnbench.training.backends.stacked import Stacked
from lnbench.training.batches import DeviceData
from lnbench.training.engine import Group, train, train_group
from lnbench.training.probes.entries import PRUNED_KEPT
from lnbench.training.probes.pruning import pruned_accuracies, pruned_metrics
from tests.toys.small_runs import recipe, seeds


@cache
def digits() -> DeviceData:
    return DeviceData(load("digits"), torch.device("cpu"))


def probed(model: str, **changes: Any) -> dict[str, Any]:
    options = {"noise": {"kind": "none"}, "epochs": 1, "probes": ["pruned_accuracy"], **changes}
    return recipe(model=model, **options)


def textbook(network: nn.Module) -> list[float]:
    """Each share from the whole network anew, by torch's own pruning."""
    images = digits().test_images.float().div(digits().scale).movedim(-1, -3)
    found = []
    for percent in PRUNED_KEPT:
        pruned = copy.deepcopy(network).eval()
        layers = [module for module in pruned.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        for layer in layers:
            layer.weight.data = layer.weight.data.contiguous()
        if percent < 100:
            weights = [(layer, "weight") for layer in layers]
            prune.global_unstructured(weights, pruning_method=prune.L1Unstructured, amount=(100 - percent) / 100)
        with torch.no_grad():
            right = pruned(images).argmax(1) == digits().test_labels
        found.append(right.float().mean().item())
    return found


@pytest.mark.parametrize("model", ["mlp1_w32", "convnet2", "resnet8_w8"])
def test_the_curve_is_that_of_torchs_global_pruning(model: str) -> None:
    group = Group([probed(model)], [seeds()], digits())
    (outcome,) = group.finish()
    assert outcome["pruned"]["kept_percent"] == list(PRUNED_KEPT)
    wanted = textbook(group.backend.model)  # type: ignore[attr-defined]
    assert outcome["pruned"]["test_accuracy"] == pytest.approx(wanted, abs=1e-6)
    assert len(set(wanted)) > 3
    assert wanted[0] == pytest.approx(outcome["curves"]["test_accuracy"][-1])


def test_stacked_networks_are_pruned_each_by_itself() -> None:
    options = probed("mlp1_w32")
    alone = [train(options, seeds(seed), digits()) for seed in (0, 1, 2)]
    together = train_group([options] * 3, [seeds(seed) for seed in (0, 1, 2)], digits(), backend="stacked")
    for one, other in zip(alone, together, strict=True):
        assert other["pruned"]["test_accuracy"] == pytest.approx(one["pruned"]["test_accuracy"], abs=0.004)
    assert together[0]["pruned"] != together[1]["pruned"]


@pytest.mark.parametrize(("model", "backend"), [("resnet8_w8", "loop"), ("mlp1_w32", "stacked")])
def test_the_network_is_restored_and_a_probed_run_is_one_that_is_not(model: str, backend: str) -> None:
    make = {"make_backend": Stacked} if backend == "stacked" else {}
    group = Group([probed(model)], [seeds()], digits(), **make)
    outcomes = group.finish()
    before = {name: tensor.clone() for name, tensor in group.backend.tensors().items()}
    again = pruned_accuracies(group.backend, group.sets)
    assert again == [outcome["pruned"]["test_accuracy"] for outcome in outcomes]
    for name, tensor in group.backend.tensors().items():
        assert torch.equal(tensor, before[name]), name
    plain = train(recipe(model=model, noise={"kind": "none"}), seeds(), digits(), backend=backend)
    assert plain["curves"] == group.state.curves[0]
    assert "pruned" not in plain and "metrics" not in plain


def test_the_areas_of_a_curve_by_hand() -> None:
    curve = [0.8, 0.8, 0.7, 0.6, 0.6, 0.5, 0.4, 0.4, 0.2, 0.1]  # at 100, 80, 60, 50, 40, 30, 20, 15, 10, 5 per cent
    metrics = pruned_metrics(curve)
    area = 10 * (0.65 + 0.6 + 0.55 + 0.45) + 5 * (0.4 + 0.3 + 0.15)
    assert metrics["pruned_area"] == pytest.approx(area / 55)
    assert metrics["pruned_relative"] == pytest.approx(area / 55 / 0.8)
    assert [metrics[f"pruned_accuracy_{share}"] for share in (80, 60, 50)] == [0.8, 0.7, 0.6]
    assert pruned_metrics([0.3] * 10)["pruned_area"] == pytest.approx(0.3)


def test_a_run_that_diverges_has_no_curve() -> None:
    wild = {"kind": "sgd", "lr": 1e20, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    outcome = train(probed("mlp1_w32", optimizer=wild), seeds(), digits())
    assert outcome["status"] == "diverged" and "pruned" not in outcome
    assert set(outcome["metrics"].values()) == {None}
    assert set(outcome["metrics"]) == set(pruned_metrics([0.5] * 10))


def test_the_cosines_stand_beside_it() -> None:
    both = train(probed("mlp1_w32", probes=["gradient_cosine", "pruned_accuracy"]), seeds(), digits())["metrics"]
    assert np.isfinite(list(both.values())).all() and len(both) == 9
