"""The arrays of a training: what each example and each held-out image cost, epoch by epoch, against plain torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from lnbench.data.images import load
from lnbench.plan import Run
from lnbench.plan.run import stream_seeds
from lnbench.spec import Recipe
from lnbench.store import write_atomically
from lnbench.training.backends.stacked import Stacked
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.checkpoints import load_state, save_state
from lnbench.training.engine import Group, train, train_group
from lnbench.training.hooks import Hooks, State, Stopped
from lnbench.training.probes.history import SHEET, margins, suspects
from lnbench.training.shape import group_shape
from tests.toys.small_runs import SGD, dilution, recipe, seeds
from tests.training import plain_loop

EVERY = ["example_loss", "example_margin", "example_loss_eval", "held_loss", "suspects"]
WRONG = {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
Arrays = dict[str, np.ndarray]


@cache
def digits() -> DeviceData:
    return DeviceData(load("digits"), torch.device("cpu"))


def probed(**changes: Any) -> dict[str, Any]:
    """200 digits, 40 % of the labels wrong, 50 more for validation; every array is asked for."""
    plain = {"dataset": {"name": "digits", "clean": 200, "validation": 50}, "noise": WRONG, "model": "mlp1_w32"}
    return recipe(**{**plain, "epochs": 3, "probes": EVERY, **changes})


def outcomes_of(backend: str, *pairs: tuple[dict[str, Any], dict[str, int]], **options: Any) -> list[dict[str, Any]]:
    """The pairs' outcomes: by the loop one by one, by the stack together."""
    if backend == "loop":
        return [train(one, own, digits(), **options) for one, own in pairs]
    recipes, own = zip(*pairs, strict=True)
    return train_group(recipes, own, digits(), backend=backend, **options)


def same(one: Arrays, other: Arrays) -> bool:
    """To the bit, types and all."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].tobytes() == other[name].tobytes()
        for name in one
    )


# ---- against plain torch


def by_hand(spec: dict[str, Any], streams: dict[str, int], arrays: Arrays) -> dict[str, list[torch.Tensor]]:
    """A training in steps of the whole set, as anybody would write it: what it sees before and after each step."""
    data = digits().data
    net = plain_loop.network(spec["model"], data.shape, data.classes)
    plain_loop.draw_weights(net, streams["init"])
    optimiser = plain_loop.optimiser(spec["optimizer"], net)
    inputs = torch.tensor(data.train_images[arrays["example_image"]] / data.scale).float()
    labels = torch.tensor(arrays["example_label"]).long()
    held = torch.tensor(data.test_images / data.scale).float()
    truth = torch.tensor(data.test_labels).long()
    seen: dict[str, list[torch.Tensor]] = {}
    for _ in range(spec["epochs"]):
        logits = net(inputs)
        losses = -torch.log_softmax(logits, 1)[torch.arange(len(labels)), labels]
        margin = [
            row[label] - max(value for place, value in enumerate(row) if place != label)
            for row, label in zip(logits.tolist(), labels.tolist(), strict=True)
        ]
        seen.setdefault("example_loss", []).append(losses.detach())
        seen.setdefault("example_margin", []).append(torch.tensor(margin))
        optimiser.zero_grad()
        losses.mean().backward()
        optimiser.step()
        with torch.no_grad():
            after = F.cross_entropy(net(inputs), labels, reduction="none")
            seen.setdefault("example_loss_eval", []).append(after)
            seen.setdefault("test_example_loss", []).append(F.cross_entropy(net(held), truth, reduction="none"))
    return seen


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_every_array_is_what_a_plain_training_sees(backend: str) -> None:
    """One batch an epoch, so that a second forward before each step sees what the step saw; twice, differently."""
    specs = [
        probed(dataset={"name": "digits", "clean": 150, "validation": 0}, batch_size=150, epochs=4, model="mlp1",
               optimizer={**SGD, "lr": lr})
        for lr in (0.05, 0.2)
    ]  # fmt: skip
    pairs = [(spec, seeds(number)) for number, spec in enumerate(specs)]
    for (spec, streams), outcome in zip(pairs, outcomes_of(backend, *pairs), strict=True):
        arrays = outcome["arrays"]
        wanted = by_hand(spec, streams, arrays)
        assert len(wanted) == 4
        for name, rows in wanted.items():
            assert arrays[name].dtype == np.float32
            np.testing.assert_allclose(arrays[name], torch.stack(rows).numpy(), rtol=1e-4, atol=2e-5, err_msg=name)
        assert np.abs(np.diff(arrays["example_margin"], axis=0)).max() > 0.1  # something was learnt in between


@pytest.mark.parametrize("model", ["resnet8_w8", "convnet4"])
def test_after_the_last_epoch_losses_are_those_of_the_network_as_it_is_evaluated(model: str) -> None:
    """Whole images although the steps see crops, more than are evaluated at once; a batch normalisation by what it has
    learnt."""
    split = {"name": "digits", "clean": 200, "validation": 1100}
    spec = probed(model=model, dataset=split, epochs=2, augment="crop_flip", precision="fast")
    group = Group([spec], [seeds()], digits())
    (outcome,) = group.finish()
    arrays, data, net = outcome["arrays"], digits().data, group.backend.model.eval()

    def losses(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            logits = net(torch.tensor(images / data.scale).float())
        return F.cross_entropy(logits, torch.tensor(labels).long(), reduction="none").numpy()

    validation = group.sets[0].validation.index.numpy()
    wanted = {
        "example_loss_eval": losses(data.train_images[arrays["example_image"]], arrays["example_label"]),
        "test_example_loss": losses(data.test_images, data.test_labels),
        "validation_example_loss": losses(data.train_images[validation], data.train_labels[validation]),
    }
    for name, values in wanted.items():
        assert arrays[name].shape == (2, len(values)) and arrays[name].dtype == np.float32
        np.testing.assert_allclose(arrays[name][-1], values, rtol=1e-3, atol=1e-4, err_msg=name)
    assert np.abs(arrays["example_loss_eval"] - arrays["example_loss"])[-1].max() > 0.1


def test_answers_are_those_of_evaluation_whatever_the_network_did_last() -> None:
    group = Group([probed(model="resnet8_w8", epochs=1)], [seeds()], digits())
    group.finish()
    images, before = [group.sets[0].test], {name: tensor.clone() for name, tensor in group.backend.tensors().items()}
    (evaluated,) = group.backend.logits(images)
    group.backend.model.train()
    (trained,) = group.backend.logits(images)
    assert torch.equal(evaluated, trained)
    assert all(torch.equal(tensor, before[name]) for name, tensor in group.backend.tensors().items())


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_the_held_out_losses_come_to_the_curves(backend: str) -> None:
    spec = probed(dataset={"name": "digits", "clean": 200, "validation": 1100})
    (outcome,) = outcomes_of(backend, (spec, seeds()))
    for split in ("test", "validation"):
        means = outcome["arrays"][f"{split}_example_loss"].mean(1, dtype=np.float64)
        assert outcome["curves"][f"{split}_loss"] == pytest.approx(means, rel=1e-6)


def test_a_stacks_margins_are_the_loops() -> None:
    pairs = [(probed(noise={**WRONG, "rate": rate}), seeds(number)) for number, rate in enumerate((0.1, 0.4, 0.8))]
    for one, other in zip(outcomes_of("loop", *pairs), outcomes_of("stacked", *pairs), strict=True):
        for name in ("example_loss", "example_margin", "example_loss_eval", "test_example_loss"):
            np.testing.assert_allclose(one["arrays"][name], other["arrays"][name], rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.long
def test_a_compiled_step_sees_the_margins_that_the_eager_one_sees() -> None:
    pairs = [(probed(), seeds(number)) for number in (0, 1)]
    eager, compiled = (outcomes_of("stacked", *pairs, compile=compile) for compile in (False, True))
    for one, other in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(
            one["arrays"]["example_margin"], other["arrays"]["example_margin"], rtol=1e-3, atol=1e-4
        )


def test_a_margin_is_the_given_logit_less_the_largest_other() -> None:
    logits = torch.tensor([[1.0, 4.0, 2.0], [1.0, 4.0, 2.0], [3.0, 3.0, -5.0], [-1.0, -2.0, -3.0]])
    labels = torch.tensor([1, 2, 0, 2])
    assert margins(logits, labels).tolist() == [2.0, -2.0, 0.0, -2.0]
    stacked = margins(torch.stack((logits, 2 * logits)), torch.stack((labels, labels)))
    assert stacked.tolist() == [[2.0, -2.0, 0.0, -2.0], [4.0, -4.0, 0.0, -4.0]]
    logits[0, 2] = torch.nan
    assert margins(logits, labels)[0].isnan()


def test_a_mean_margin_is_the_aum_of_its_authors_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package `aum` of Pleiss et al. is fed the logits of the very steps."""
    aum = pytest.importorskip("aum", reason="needs the package aum (pip install aum)")
    calculator = aum.AUMCalculator(str(tmp_path), compressed=True)
    group = Group([probed(model="convnet2", augment="crop_flip", epochs=4)], [seeds()], digits())
    kept, network, step = [], group.backend.networks[0], group.backend.step
    forward = network.forward

    def watched(inputs: torch.Tensor) -> torch.Tensor:
        kept.append(forward(inputs))
        return kept[-1]

    def told(batches: list[Any], number: int) -> Any:
        passes = step(batches, number)
        (batch,) = batches
        calculator.update(kept.pop().detach(), batch.label, batch.example.tolist())
        return passes

    monkeypatch.setattr(network, "forward", watched)
    monkeypatch.setattr(group.backend, "step", told)
    (outcome,) = group.finish()
    theirs = np.array([calculator.sums[number] / calculator.counts[number] for number in range(200)])
    ours = outcome["arrays"]["example_margin"].mean(0, dtype=np.float64)
    assert set(calculator.counts.values()) == {4}
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


# ---- what the examples are


NOVEL = {"kind": "dilute_novel", "alpha": 1.5, "include_true_class": True}


@pytest.mark.parametrize("noise", [WRONG, dilution(2.0), NOVEL], ids=["replace", "dilute", "novel"])
def test_the_examples_are_described(noise: dict[str, Any]) -> None:
    spec, streams = probed(noise=noise, epochs=1, probes=["example_loss"]), seeds(4)
    arrays = train(spec, streams, digits())["arrays"]
    assert {name: array.dtype for name, array in arrays.items()} == {
        "example_loss": np.float32, "example_label": np.int16, "example_true": np.int16, "example_image": np.int32,
    }  # fmt: skip
    wrong = TrainingSet(digits(), spec, streams).wrong().numpy()
    assert np.array_equal(arrays["example_label"] != arrays["example_true"], wrong) and wrong.any()
    assert np.array_equal(digits().data.train_labels[arrays["example_image"]], arrays["example_true"])
    seen = {
        (example, image, label)
        for batch in TrainingSet(digits(), spec, streams).batches(0, 32)
        for example, image, label in zip(
            batch.example.tolist(), batch.image.tolist(), batch.label.tolist(), strict=True
        )
    }
    described = zip(arrays["example_image"].tolist(), arrays["example_label"].tolist(), strict=True)
    assert seen == {(number, *pair) for number, pair in enumerate(described)}


def test_labels_drawn_anew_are_those_of_epoch_0_and_the_evaluated_loss_is_under_the_epochs_own() -> None:
    spec = probed(noise={"kind": "resample_uniform", "rate": 0.5, "include_true_class": False}, epochs=2)
    group = Group([spec], [seeds()], digits())
    (outcome,) = group.finish()
    arrays, data = outcome["arrays"], group.sets[0]
    labels = [data.given(epoch)[1] for epoch in (0, 1)]
    assert not torch.equal(*labels)
    assert np.array_equal(arrays["example_label"], labels[0].numpy())
    inputs = torch.tensor(digits().data.train_images[arrays["example_image"]] / digits().scale).float()
    with torch.no_grad():
        losses = F.cross_entropy(group.backend.model.eval()(inputs), labels[1], reduction="none")
    np.testing.assert_allclose(arrays["example_loss_eval"][1], losses.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_suspects_are_the_examples_of_highest_summed_loss_with_their_whole_images(backend: str) -> None:
    augment = "crop_flip" if backend == "loop" else "none"
    (outcome,) = outcomes_of(backend, (probed(noise=dilution(1.0), augment=augment), seeds()))
    arrays = outcome["arrays"]
    sums = arrays["example_loss"].astype(np.float64).sum(0)
    chosen = arrays["suspect_examples"]
    assert chosen.dtype == np.int32 and chosen.shape == (SHEET,)
    assert np.array_equal(sums[chosen], np.sort(sums)[::-1][:SHEET])
    pictures = digits().data.train_images[arrays["example_image"][chosen]]
    assert arrays["suspect_images"].dtype == np.uint8
    assert np.array_equal(arrays["suspect_images"], pictures.reshape(SHEET, *digits().shape))


def test_suspects_may_be_few_and_equals_come_by_their_number() -> None:
    spec = probed(dataset={"name": "digits", "clean": 40, "validation": 0})
    data = TrainingSet(digits(), spec, seeds())
    losses = np.zeros((2, 40), np.float32)
    losses[0, 30], losses[1, 7] = 1.0, 2.0
    found = suspects(data, losses)
    assert found["suspect_examples"].tolist() == [7, 30, *(n for n in range(40) if n not in (7, 30))]
    assert found["suspect_images"].shape == (40, *digits().shape)
    none = suspects(data, losses[:0])
    assert none["suspect_examples"].shape == (0,) and none["suspect_images"].shape == (0, *digits().shape)


# ---- nothing else changes, and nothing is kept that nobody asked for


@pytest.mark.parametrize(
    ("backend", "changes"),
    [
        ("loop", {"model": "resnet8_w8", "augment": "crop_flip", "epochs": 2}),
        ("loop", {"precision": "fast"}),
        ("stacked", {}),
        ("stacked", {"precision": "fast"}),
    ],
)
def test_a_training_is_the_same_bits_with_its_arrays_and_without(backend: str, changes: dict[str, Any]) -> None:
    asked = probed(**changes)
    plain = {key: value for key, value in asked.items() if key != "probes"}
    with_, without = (
        Group([spec], [seeds()], digits(), Stacked) if backend == "stacked" else Group([spec], [seeds()], digits())
        for spec in (asked, plain)
    )
    (one,), (other,) = with_.finish(), without.finish()
    assert one.pop("arrays") and one == other
    tensors = with_.backend.tensors()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in without.backend.tensors().items())


ARRAYS = {
    "example_loss": {"example_loss", "example_label", "example_true", "example_image"},
    "example_margin": {"example_margin"},
    "example_loss_eval": {"example_loss_eval"},
    "held_loss": {"test_example_loss", "validation_example_loss"},
}


@pytest.mark.parametrize("probe", ARRAYS)
def test_a_probe_gives_its_own_arrays_and_no_others(probe: str) -> None:
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=states.append)
    spec, every = probed(probes=[probe], epochs=2), probed(epochs=2)
    arrays = train(spec, seeds(), digits(), hooks=hooks)["arrays"]
    assert set(arrays) == ARRAYS[probe]
    whole = train(every, seeds(), digits())["arrays"]
    assert set(whole) == set().union(*ARRAYS.values(), {"suspect_images", "suspect_examples"})
    assert same(arrays, {name: whole[name] for name in arrays})
    kept = {name for name in states[0].tensors if "example" in name}
    assert kept == {name for name in ARRAYS[probe] if "loss" in name or "margin" in name}


def test_without_validation_images_there_is_no_such_array() -> None:
    spec = probed(dataset={"name": "digits", "clean": 200, "validation": 0}, epochs=1, probes=["held_loss"])
    assert set(train(spec, seeds(), digits())["arrays"]) == {"test_example_loss"}


# ---- stopped, killed, diverged


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_arrays_survive_a_resume_at_any_step(backend: str) -> None:
    pairs = [(probed(batch_size=64), seeds(number)) for number in ((0,) if backend == "loop" else (0, 1, 2))]
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=states.append)
    whole = outcomes_of(backend, *pairs, hooks=hooks)
    assert [(state.epoch, state.step) for state in states] == [(e, s) for e in range(3) for s in range(1, 5)]
    for state in states:
        again = outcomes_of(backend, *pairs, state=state)
        for one, other in zip(again, whole, strict=True):
            assert same(one["arrays"], other["arrays"]), (state.epoch, state.step)
            assert one["curves"] == other["curves"]


def test_a_run_of_a_group_that_was_killed_goes_on_alone_with_its_arrays(tmp_path: Path) -> None:
    """Through the file: every array's first axis is the replicas'."""
    pairs = [(probed(batch_size=64), seeds(number)) for number in (0, 1, 2)]
    whole = outcomes_of("stacked", *pairs)
    names, file, steps = ["a", "b", "c"], tmp_path / "group.npz", iter(range(100))
    hooks = Hooks(
        should_stop=lambda: next(steps) == 9,  # in the third epoch
        save=lambda state: save_state(state, names, file, write_atomically),
    )
    with pytest.raises(Stopped):
        outcomes_of("stacked", *pairs, hooks=hooks)
    state = load_state(["c", "a"], file)
    assert state is not None and (state.epoch, state.step) == (2, 2)
    third, first = outcomes_of("stacked", pairs[2], pairs[0], state=state)
    assert same(third["arrays"], whole[2]["arrays"]) and same(first["arrays"], whole[0]["arrays"])


def test_a_checkpoint_without_the_arrays_is_not_gone_on_from() -> None:
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=states.append)
    train(probed(probes=["example_loss"]), seeds(), digits(), hooks=hooks)
    whole, seen = train(probed(), seeds(), digits()), []
    hooks = Hooks(tick=lambda progress: bool(seen.append(progress.epoch)))
    again = train(probed(), seeds(), digits(), state=states[-1], hooks=hooks)
    assert seen[0] == 0 and same(again["arrays"], whole["arrays"])


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_a_diverged_run_has_the_arrays_of_its_finished_epochs(backend: str) -> None:
    """At a rate of 0.1 in the first epoch, of 1e30 from the second on."""
    rising = {"kind": "step", "milestones": [1], "gamma": 1e31, "unit": "epochs"}
    pairs = [(probed(schedule=rising, optimizer={**SGD, "lr": 0.1}, epochs=4), seeds()), (probed(epochs=4), seeds(1))]
    first, second = outcomes_of(backend, *pairs)
    assert (first["status"], second["status"]) == ("diverged", "ok")
    assert len(first["curves"]["train_loss"]) == 1
    for outcome, epochs in ((first, 1), (second, 4)):
        for name, array in outcome["arrays"].items():
            if "_loss" in name or "_margin" in name:
                assert len(array) == epochs and np.isfinite(array).all(), name
    assert len(first["arrays"]["suspect_examples"]) == SHEET
    assert first["arrays"]["example_loss"][0].mean() == pytest.approx(first["curves"]["train_loss"][0], rel=1e-6)


# ---- the recipe


def test_suspects_need_the_losses_that_rank_them() -> None:
    told = r"probes: suspects needs the probe example_loss; write \[example_loss, suspects\]"
    wrong = {"selection": "last_epoch", **probed(probes=["suspects"])}
    with pytest.raises(ValidationError, match=told) as refused:
        Recipe.model_validate(wrong)
    assert refused.value.errors()[0]["ctx"]["error"].key == "probes"
    assert Recipe.model_validate({**wrong, "probes": ["suspects", "example_loss"]}).identity()["probes"]
    with pytest.raises(ValueError, match=told):
        train(probed(probes=["suspects"]), seeds(), digits())
    with pytest.raises(ValueError, match="probes: 'example_los' is not known; did you mean 'example_loss'"):
        train(probed(probes=["example_los"]), seeds(), digits())


def test_a_repeat_has_an_init_and_an_order_of_its_own_and_the_same_data_and_noise() -> None:
    written = {"selection": "last_epoch", **probed(noise=WRONG, probes=["example_loss"])}
    plain, zero, once, twice = (
        Recipe.model_validate({**written, **extra}).identity() for extra in ({}, *({"repeat": n} for n in (0, 1, 2)))
    )
    assert zero == plain == probed(probes=["example_loss"]) and "repeat" not in plain
    assert Run(zero, seeds()).id == Run(plain, seeds()).id != Run(once, seeds()).id
    first, second, third = (stream_seeds(3, spec, ("split", "noise")) for spec in (plain, once, twice))
    for other in (second, third):
        assert {name for name in first if first[name] == other[name]} == {"split", "noise"}
    assert second["init"] != third["init"] and second["order"] != third["order"]
    one, other = (train(spec, own, digits())["arrays"] for spec, own in ((plain, first), (once, second)))
    for name in ("example_label", "example_true", "example_image"):
        assert np.array_equal(one[name], other[name])
    assert not np.array_equal(one["example_loss"], other["example_loss"])
    with pytest.raises(ValidationError):
        Recipe.model_validate({**written, "repeat": -1})


def test_repeats_train_together() -> None:
    spec = probed(probes=["example_margin"])
    again = {**spec, "repeat": 1}
    assert group_shape(spec) == group_shape(again)
    pair = [(spec, seeds(0)), (again, seeds(0, init=1, order=1))]
    together, alone = outcomes_of("stacked", *pair), [outcomes_of("stacked", one)[0] for one in pair]
    for one, other in zip(together, alone, strict=True):
        assert same(one["arrays"], other["arrays"])
