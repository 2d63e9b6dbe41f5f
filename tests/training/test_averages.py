"""Averages of the weights: against torch's own, over a resume, beside an unchanged training, and in a spec."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from lnbench.data.images import load
from lnbench.execute.groups import Grouping
from lnbench.plan import Run
from lnbench.randomness import permutation_at
from lnbench.spec import Recipe
from lnbench.training.averages import Ema, Swa
from lnbench.training.backends.stacked import Stacked
from lnbench.training.batches import DeviceData
from lnbench.training.engine import Group, train, train_group
from lnbench.training.hooks import Hooks, State
from tests.toys.small_runs import SGD, recipe, seeds
from tests.training import plain_loop

SWA = {"kind": "swa", "start": 1, "every": 1, "unit": "epochs"}
SWA_STEPS = {"kind": "swa", "start": 5, "every": 3, "unit": "steps"}
EMA = {"kind": "ema", "decay": 0.9}
AVERAGES = [SWA, SWA_STEPS, EMA]
KINDS = ["swa-epochs", "swa-steps", "ema"]


@cache
def digits() -> DeviceData:
    return DeviceData(load("digits"), torch.device("cpu"))


def averaged(average: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """150 digits with a noisy copy each, 10 steps an epoch, a rate at which the weights jump about."""
    plain = {"dataset": {"name": "digits", "clean": 150, "validation": 0}, "model": "mlp1_w32"}
    return recipe(**{**plain, "optimizer": {**SGD, "lr": 0.1}, "epochs": 3, "average": average, **changes})


def enters(average: dict[str, Any], step: int) -> bool:
    """Whether the weights enter once so many steps are finished, of 10 an epoch, by the words of the options."""
    if average["kind"] == "ema":
        return True
    each = 10 if average["unit"] == "epochs" else 1
    return step in range(average["start"] * each, 1000, average["every"] * each)


def torchs(average: dict[str, Any], net: nn.Module) -> AveragedModel:
    if average["kind"] == "ema":
        return AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(average["decay"]))
    return AveragedModel(net)


def on_test_images(net: nn.Module) -> tuple[float, float]:
    """(accuracy, loss) on the test images."""
    images = torch.tensor(digits().data.test_images / digits().scale).float()
    truth = torch.tensor(digits().data.test_labels).long()
    net.eval()
    with torch.no_grad():
        logits = net(images)
    return (logits.argmax(1) == truth).float().mean().item(), F.cross_entropy(logits, truth).item()


@pytest.mark.parametrize("backend", ["loop", "stacked"])
@pytest.mark.parametrize("average", AVERAGES, ids=KINDS)
def test_the_average_is_that_of_a_plain_loop_with_torchs_own(average: dict[str, Any], backend: str) -> None:
    spec, streams, data = averaged(average, model="mlp1"), seeds(2), digits().data
    examples = plain_loop.NoisyCopies(data, spec, streams)
    net = plain_loop.network("mlp1", data.shape, data.classes)
    plain_loop.draw_weights(net, streams["init"])
    optimiser, twin, steps = plain_loop.optimiser(spec["optimizer"], net), torchs(average, net), 0
    wanted: list[tuple[float, float]] = []
    for epoch in range(spec["epochs"]):
        order = permutation_at(streams["order"], plain_loop.ORDER, epoch, 300, torch.arange(300))
        for batch in order.split(32):
            optimiser.zero_grad()
            F.cross_entropy(net(torch.stack([examples[e][0] for e in batch])), examples.labels[batch]).backward()
            optimiser.step()
            steps += 1
            if enters(average, steps):
                twin.update_parameters(net)
        wanted.append(on_test_images(twin if twin.n_averaged else net))
    (outcome,) = train_group([spec], [streams], digits(), backend=backend)
    accuracy, loss = zip(*wanted, strict=True)
    curves = outcome["curves"]
    assert curves["test_accuracy_averaged"] == pytest.approx(accuracy, abs=0.003)
    assert curves["test_loss_averaged"] == pytest.approx(loss, rel=1e-4)
    assert abs(curves["test_loss_averaged"][-1] - curves["test_loss"][-1]) > 0.01  # or the test shows nothing


@pytest.mark.parametrize("average", AVERAGES, ids=KINDS)
def test_batch_normalisations_are_estimated_for_the_averaged_weights_as_torch_does(
    average: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's `update_bn` over the last epoch's own batches, crops and all."""
    group = Group([averaged(average, model="resnet8_w8", augment="crop_flip")], [seeds(1)], digits())
    net, step, loader, steps = group.backend.model, group.backend.step, [], 0
    twin = torchs(average, net)

    def watched(batches: list[Any], number: int) -> Any:
        nonlocal steps
        passes = step(batches, number)
        steps += 1
        if number == 0:
            loader.clear()
        (batch,) = batches
        loader.append(group.backend.pixels(group.sets[0].pictures(batch.image, batch.shift)))
        if enters(average, steps):
            twin.update_parameters(net)
        return passes

    monkeypatch.setattr(group.backend, "step", watched)
    (outcome,) = group.finish()
    unestimated = on_test_images(twin)
    update_bn(loader, twin)
    accuracy, loss = on_test_images(twin)
    assert outcome["curves"]["test_loss_averaged"][-1] == pytest.approx(loss, rel=1e-4)
    assert outcome["curves"]["test_accuracy_averaged"][-1] == pytest.approx(accuracy, abs=0.003)
    assert abs(unestimated[1] - loss) > 0.01


def test_before_the_start_the_average_is_the_network_itself() -> None:
    curves = train(averaged({**SWA, "start": 3}, epochs=4), seeds(), digits())["curves"]
    assert curves["test_loss_averaged"][:2] == curves["test_loss"][:2]
    assert curves["test_loss_averaged"][2] == curves["test_loss"][2]  # the mean of one
    assert curves["test_loss_averaged"][3] != curves["test_loss"][3]


@pytest.mark.parametrize(("model", "backend"), [("resnet8_w8", "loop"), ("mlp1_w32", "loop"), ("mlp1_w32", "stacked")])
def test_a_training_is_the_same_bits_with_its_average_and_without(model: str, backend: str) -> None:
    with_ = averaged(EMA, model=model, precision="fast" if backend == "stacked" else "fp32")
    plain = {key: value for key, value in with_.items() if key != "average"}
    make: dict[str, Callable[..., Any]] = {"make_backend": Stacked} if backend == "stacked" else {}
    one, other = (Group([spec], [seeds()], digits(), **make) for spec in (with_, plain))
    (first,), (second,) = one.finish(), other.finish()
    averaged_curves = {name: first["curves"].pop(name) for name in [*first["curves"]] if name.endswith("_averaged")}
    assert set(averaged_curves) == {"test_accuracy_averaged", "test_loss_averaged"} and first == second
    tensors = one.backend.tensors()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in other.backend.tensors().items())


@pytest.mark.parametrize("average", AVERAGES, ids=KINDS)
@pytest.mark.parametrize(("model", "backend"), [("resnet8_w8", "loop"), ("mlp1_w32", "stacked")])
def test_an_average_survives_a_resume_at_any_step(average: dict[str, Any], model: str, backend: str) -> None:
    specs = [averaged(average, model=model, epochs=2)] * (1 if backend == "loop" else 2)
    streams, states = [seeds(number) for number in range(len(specs))], list[State]()
    hooks = Hooks(tick=lambda progress: True, save=states.append)
    whole = train_group(specs, streams, digits(), backend=backend, hooks=hooks)
    assert len(states) == 20
    for state in states[1::4]:
        seen: list[int] = []
        hooks = Hooks(tick=lambda progress, seen=seen: bool(seen.append(progress.examples_done)))
        assert train_group(specs, streams, digits(), backend=backend, state=state, hooks=hooks) == whole
        assert len(seen) == 20 - (10 * state.epoch + state.step)  # it went on from there


def test_a_replica_does_not_see_its_neighbours() -> None:
    specs = [averaged(EMA, optimizer={**SGD, "lr": lr}) for lr in (0.05, 0.1, 0.2)]
    together = train_group(specs, [seeds(number) for number in range(3)], digits(), backend="stacked")
    (alone,) = train_group(specs[1:2], [seeds(1)], digits(), backend="stacked")
    assert together[1] == alone
    assert Grouping(backend="stacked").way(Run(specs[0], seeds()))[0] == "stacked"


def test_validation_images_are_looked_at_too() -> None:
    split = {"name": "digits", "clean": 150, "validation": 50}
    curves = train(averaged(SWA, dataset=split), seeds(), digits())["curves"]
    assert len(curves["validation_accuracy_averaged"]) == 3


@pytest.mark.parametrize(
    ("average", "counts"),
    [
        (Swa({"kind": "swa", "start": 2, "every": 3, "unit": "steps"}, [], 10), {0: 0, 1: 0, 2: 1, 4: 1, 5: 2, 8: 3}),
        (Swa({"kind": "swa", "start": 1, "every": 2, "unit": "epochs"}, [], 10), {9: 0, 10: 1, 29: 1, 30: 2, 50: 3}),
        (Ema(EMA, [], 10), {0: 0, 1: 1, 7: 7}),
    ],
)
def test_when_weights_enter(average: Any, counts: dict[int, int]) -> None:
    assert {step: average.count(step) for step in counts} == counts


# ---- the recipe


def test_a_recipe_without_an_average_is_the_run_that_it_was() -> None:
    plain = recipe()
    without = Recipe.model_validate({"selection": "last_epoch", **plain})
    with_ = Recipe.model_validate({"selection": "last_epoch", **plain, "average": EMA})
    assert without.identity() == plain and with_.identity() == {**plain, "average": EMA}
    assert Run(with_.identity(), seeds()).id != Run(plain, seeds()).id
    assert Run(with_.identity(), seeds()).content["versions"]["average"] == 1
    assert "average" not in Run(plain, seeds()).content["versions"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "swa", "start": 1, "every": 1},
        {"kind": "swa", "start": 0, "every": 1, "unit": "steps"},
        {"kind": "ema", "decay": 1.0},
        {"kind": "ema"},
        {"kind": "ewma", "decay": 0.9},
    ],
)
def test_an_average_that_is_not_whole_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Recipe.model_validate({"selection": "last_epoch", **recipe(), "average": wrong})


def test_a_pass_over_the_data_is_priced_where_a_network_has_batch_normalisation() -> None:
    for model, share in (("mlp1_w32", 1.0), ("resnet8_w8", 8 / 6)):
        plain, with_ = (Run(recipe(model=model, **more), seeds()).steps_flop for more in ({}, {"average": EMA}))
        assert with_ == pytest.approx(plain * share)


# ---- SWA as the paper has it: a constant rate, then a cyclic one, and the mean of the weights at its least rates


def test_swa_over_a_cyclic_rate_is_a_plain_loops() -> None:
    """Two epochs at 0.1, then cycles of one epoch from 0.05 to 0.01; the weights behind each cycle are averaged."""
    cyclic = {"kind": "cyclic", "start": 2, "length": 1, "unit": "epochs", "per": "step", "high": 0.5, "low": 0.1}
    spec, streams, data = (
        averaged({**SWA, "start": 3}, schedule=cyclic, epochs=5, model="mlp1"),
        seeds(2),
        digits().data,
    )
    examples = plain_loop.NoisyCopies(data, spec, streams)
    net = plain_loop.network("mlp1", data.shape, data.classes)
    plain_loop.draw_weights(net, streams["init"])
    optimiser, taken = plain_loop.optimiser(spec["optimizer"], net), list[list[torch.Tensor]]()
    for epoch in range(5):
        order = permutation_at(streams["order"], plain_loop.ORDER, epoch, 300, torch.arange(300))
        for number, batch in enumerate(order.split(32)):
            rate = 0.1 if epoch < 2 else 0.05 + (number + 1) / 10 * (0.01 - 0.05)
            optimiser.param_groups[0]["lr"] = rate
            optimiser.zero_grad()
            F.cross_entropy(net(torch.stack([examples[e][0] for e in batch])), examples.labels[batch]).backward()
            optimiser.step()
        if epoch >= 2:
            assert rate == pytest.approx(0.01)
            taken.append([parameter.detach().clone() for parameter in net.parameters()])
    with torch.no_grad():
        for parameter, *each in zip(net.parameters(), *taken, strict=True):
            parameter.copy_(torch.stack(each).mean(0))
    accuracy, loss = on_test_images(net)
    curves = train(spec, streams, digits())["curves"]
    assert curves["test_loss_averaged"][-1] == pytest.approx(loss, rel=1e-4)
    assert curves["test_accuracy_averaged"][-1] == pytest.approx(accuracy, abs=0.003)
    assert abs(curves["test_loss"][-1] - loss) > 0.002  # or the test shows nothing


@pytest.mark.parametrize("average", AVERAGES, ids=KINDS)
def test_an_average_holds_one_copy_of_the_weights(average: dict[str, Any]) -> None:
    group = Group([averaged(average)], [seeds()], digits())
    group.finish()
    assert group.average is not None
    held = {part.untyped_storage().data_ptr(): part.untyped_storage().nbytes() for part in group.average.weights}
    assert sum(held.values()) == 4 * group.backend.parameters
    assert {name for name in vars(group.average) if name not in ("options", "steps_an_epoch")} == {"weights"}
