"""The engine against a plain loop, its repeatability, its ends, and what it trains and tests on."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from lnbench.data.images import ImageData, load
from lnbench.identity import canonical_json
from lnbench.randomness import SEED_STREAMS
from lnbench.training.backends.loop import Loop
from lnbench.training.batches import DeviceData, Pixels, TrainingSet
from lnbench.training.engine import Group, prepare, train
from lnbench.training.hooks import Hooks, Progress, State, Stopped
from tests.toys.small_runs import ADADELTA, dilution, recipe, seeds
from tests.training.plain_loop import train_plainly

CPU = torch.device("cpu")
NONE = {"kind": "none"}


@pytest.fixture(scope="module")
def digits() -> ImageData:
    prepare(CPU)
    torch.set_num_threads(1)
    return load("digits")


def outcome(data: ImageData, seed: int = 0, **changes: Any) -> dict[str, Any]:
    return train(recipe(**changes), seeds(seed), data, CPU)


def trained(
    data: ImageData, spec: dict[str, Any], streams: dict[str, int]
) -> tuple[list[torch.Tensor], dict[str, Any]]:
    running = Group([spec], [streams], DeviceData(data, CPU))
    (result,) = running.finish()
    assert isinstance(running.backend, Loop)
    return [parameter.detach() for parameter in running.backend.model.parameters()], result


# ---- parity


@pytest.mark.parametrize("optimizer", ["sgd", "adadelta"])
@pytest.mark.parametrize("model", ["perceptron", "mlp1", "convnet4"])
def test_a_training_ends_where_a_plain_torch_loop_ends(digits: ImageData, model: str, optimizer: str) -> None:
    """2 epochs of 30 batches, the last of 14: weights to 1e-6 of their size, curves alike.

    The ConvNet trains for one epoch, to 1e-5: on some processors the layouts of images round differently, and that
    grows from 1e-6 after 30 steps to 1e-2 after 60.
    """
    clean = 471 if model != "convnet4" else 231
    batch = 32 if model != "convnet4" else 16
    chosen = {"kind": "sgd", "lr": 0.02, "momentum": 0.9, "nesterov": False, "weight_decay": 1e-4}
    if optimizer == "adadelta":
        chosen = {**ADADELTA, "eps": 1e-6}
    spec = recipe(
        model=model,
        dataset={"name": "digits", "clean": clean, "validation": 0},
        noise=dilution(1.0),
        optimizer=chosen,
        batch_size=batch,
        epochs=2 if model != "convnet4" else 1,
    )
    near = 1e-6 if model != "convnet4" else 1e-5
    streams = {name: number for number, name in enumerate(SEED_STREAMS, start=11)}
    mine, result = trained(digits, spec, streams)
    theirs, curves = train_plainly(digits, spec, streams)
    for a, b in zip(mine, theirs, strict=True):
        assert (a - b).norm() <= near * b.norm(), f"{((a - b).norm() / b.norm()).item():.1e}"
    for name, values in curves.items():
        assert result["curves"][name] == pytest.approx(values, rel=1e-5)


# ---- repeating and resuming


@pytest.mark.parametrize("model", ["mlp1", "convnet4"])
def test_the_same_run_twice_gives_the_same_outcome(digits: ImageData, model: str) -> None:
    small = {"model": model, "dataset": {"name": "digits", "clean": 100, "validation": 50}}
    torch.manual_seed(1)
    first = outcome(digits, **small)
    torch.manual_seed(2)  # torch's own generator has no say
    assert canonical_json(outcome(digits, **small)) == canonical_json(first)
    assert canonical_json(outcome(digits, 1, **small)) != canonical_json(first)


@pytest.mark.parametrize("stream", ["split", "noise", "order", "init"])
def test_every_stream_changes_the_outcome(digits: ImageData, stream: str) -> None:
    base = outcome(digits)["curves"]
    other = train(recipe(), seeds(0, **{stream: 1}), digits, CPU)["curves"]
    assert other != base


def kept(state: State) -> State:
    """As a checkpoint keeps it: nothing is shared with the running training."""
    curves = json.loads(json.dumps(state.curves))
    tensors = {name: array.copy() for name, array in state.tensors.items()}
    return State(state.epoch, state.step, curves, list(state.diverged), tensors)


@pytest.mark.parametrize("optimizer", ["sgd", "adadelta"])
def test_a_run_resumed_at_any_step_ends_with_the_same_bits(digits: ImageData, optimizer: str) -> None:
    spec = recipe(
        dataset={"name": "digits", "clean": 70, "validation": 20},
        optimizer=recipe()["optimizer"] if optimizer == "sgd" else ADADELTA,
        batch_size=16,
        epochs=3,
    )
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=lambda state: states.append(kept(state)))
    undisturbed = train(spec, seeds(), digits, CPU, hooks=hooks)
    assert [(state.epoch, state.step) for state in states] == [(e, s) for e in range(3) for s in range(1, 10)]
    for state in states:
        assert canonical_json(train(spec, seeds(), digits, CPU, state=state)) == canonical_json(undisturbed)


class ThreeSteps:
    """Hooks that stop a run after three steps and keep what it saves."""

    def __init__(self) -> None:
        self.steps = 0
        self.saved: list[State] = []

    def tick(self, progress: Progress) -> bool:
        self.steps += 1
        return False

    def hooks(self) -> Hooks:
        return Hooks(self.tick, lambda: self.steps == 3, lambda state: self.saved.append(kept(state)))


def test_a_run_that_is_stopped_saves_its_last_step_and_can_go_on(digits: ImageData) -> None:
    spec = recipe(model="mlp1", batch_size=64, epochs=2)  # 20 steps
    undisturbed = train(spec, seeds(), digits, CPU)
    state: State | None = None
    for _ in range(6):
        disturbed = ThreeSteps()
        with pytest.raises(Stopped):
            train(spec, seeds(), digits, CPU, state=state, hooks=disturbed.hooks())
        (state,) = disturbed.saved
    assert canonical_json(train(spec, seeds(), digits, CPU, state=state)) == canonical_json(undisturbed)


def test_a_state_that_does_not_fit_the_network_is_not_used(digits: ImageData) -> None:
    spec = recipe()
    whole = train(spec, seeds(), digits, CPU)
    states: list[State] = []
    train(spec, seeds(), digits, CPU, hooks=Hooks(lambda p: True, save=lambda state: states.append(kept(state))))
    good = states[3]
    without = {name: array for name, array in good.tensors.items() if name != "optimiser.velocity"}
    for bad in (
        State(0, 3, [{}], [False], without),
        State(0, 3, [{}], [False], {**good.tensors, "weights": good.tensors["weights"][:-1]}),
        State(7, 0, [{}], [False], good.tensors),
        State(0, 1000, [{}], [False], good.tensors),
        State(0, 3, [{}, {}], [False, False], good.tensors),
    ):
        assert canonical_json(train(spec, seeds(), digits, CPU, state=bad)) == canonical_json(whole)


def test_progress_counts_every_example_once(digits: ImageData) -> None:
    seen: list[Progress] = []

    def tick(progress: Progress) -> bool:
        seen.append(replace(progress))
        return False

    train(recipe(epochs=2), seeds(), digits, CPU, hooks=Hooks(tick))
    assert [progress.examples_done for progress in seen][-1] == seen[-1].examples_total == 1200
    assert all(a.examples_done < b.examples_done for a, b in pairwise(seen))
    assert len(seen) == 2 * 19


# ---- how a run ends


def test_a_run_that_diverges_is_a_result_without_a_number_that_is_none(digits: ImageData) -> None:
    huge = {"kind": "sgd", "lr": 1e9, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
    result = outcome(digits, model="mlp1", optimizer=huge, epochs=5)
    assert result["status"] == "diverged"
    assert all(len(curve) < 5 for curve in result["curves"].values())
    canonical_json(result)  # raises for NaN and infinity
    assert result["examples"]["test"] == 497 and result["classes"] == 10


def test_a_run_that_diverges_late_keeps_the_epochs_before(digits: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    from lnbench.methods.standard import Standard

    honest = Standard.loss
    steps = 0

    def loss(self: Standard, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        nonlocal steps
        steps += 1
        return honest(self, logits, labels) * (float("nan") if steps > 40 else 1.0)

    whole = outcome(digits, epochs=2)
    monkeypatch.setattr(Standard, "loss", loss)
    result = outcome(digits, epochs=5)
    assert result["status"] == "diverged"
    assert result["curves"] == whole["curves"]  # 19 steps an epoch: two are whole
    canonical_json(result)


def test_an_outcome_says_what_it_was_made_of(digits: ImageData) -> None:
    result = outcome(digits, dataset={"name": "digits", "clean": 300, "validation": 40}, epochs=3)
    assert result["status"] == "ok"
    assert {name: len(curve) for name, curve in result["curves"].items()} == dict.fromkeys(
        ["train_loss", "train_accuracy", "test_accuracy", "test_loss", "validation_accuracy", "validation_loss"], 3
    )
    assert result["examples"] == {"train": 600, "validation": 40, "test": 497}
    assert result["parameters"] == 650
    assert result["data_sha256"] == digits.checksum
    assert result["noise"]["clean_images"] == 300 and result["noise"]["examples"] == 600
    assert json.loads(canonical_json(result)) == result


def test_accuracies_are_whole_counts(digits: ImageData) -> None:
    curves = outcome(digits)["curves"]
    assert (curves["test_accuracy"][0] * 497) == pytest.approx(round(curves["test_accuracy"][0] * 497), abs=1e-9)
    assert (curves["train_accuracy"][0] * 600) == pytest.approx(round(curves["train_accuracy"][0] * 600), abs=1e-9)


def test_fast_precision_trains_in_bfloat16_and_judges_in_float32(digits: ImageData) -> None:
    exact, fast = (outcome(digits, model="mlp1", precision=precision, epochs=2) for precision in ("fp32", "fast"))
    assert fast["curves"] != exact["curves"]
    assert fast["curves"]["test_accuracy"][-1] == pytest.approx(exact["curves"]["test_accuracy"][-1], abs=0.1)
    running = Group([recipe(model="mlp1", precision="fast")], [seeds()], DeviceData(digits, CPU))
    running.finish()
    assert isinstance(running.backend, Loop)
    (network,) = running.backend.networks
    flat, velocity = network.flat, network.optimiser.state["velocity"]
    assert {tensor.dtype for tensor in (flat.weights, flat.gradient, velocity)} == {torch.float32}


# ---- what is trained and tested on


def sets(data: ImageData, clean: int, validation: int, seed: int = 0, **changes: Any) -> TrainingSet:
    spec = recipe(dataset={"name": "digits", "clean": clean, "validation": validation}, **changes)
    return TrainingSet(DeviceData(data, CPU), spec, seeds(seed))


@pytest.mark.parametrize(("clean", "validation"), [(300, 100), (1000, 300), (1, 1299)])
def test_validation_images_are_never_trained_on(digits: ImageData, clean: int, validation: int) -> None:
    made = sets(digits, clean, validation)
    assert len(made.labels) == clean and len(made.validation) == validation and len(made.test) == 497
    numbered = replace(digits, train_images=_numbered(digits))  # each image tells its own number
    made = sets(numbered, clean, validation)
    trained_on = _numbers(made.pictures(made.identity, None))
    held_out = _numbers(made.validation.images[made.validation.index])
    assert len(set(trained_on)) == clean and len(set(held_out)) == validation
    assert not set(trained_on) & set(held_out)
    assert trained_on == made.identity.tolist()
    fed = torch.cat([batch.image for batch in made.batches(0, 32)])
    assert set(_numbers(made.pictures(fed, None))) == set(trained_on)


def _numbered(data: ImageData) -> np.ndarray:
    images = np.zeros_like(data.train_images)
    number = np.arange(len(images))
    images[:, 0, 0, 0], images[:, 0, 0, 1] = number % 256, number // 256
    return images


def _numbers(images: torch.Tensor) -> list[int]:
    return (images[:, 0, 0, 0].long() + 256 * images[:, 0, 1, 0].long()).tolist()


def test_holding_images_out_keeps_the_clean_ones(digits: ImageData) -> None:
    """The choosing runs' clean subset is the beginning of the shuffled images, whatever is held out."""
    assert torch.equal(sets(digits, 300, 0).identity, sets(digits, 300, 200).identity)
    assert not torch.equal(sets(digits, 300, 0).identity, sets(digits, 300, 0, seed=1).identity)


@pytest.mark.parametrize(
    ("noise", "size"),
    [(NONE, 300), (dilution(0.0), 300), (dilution(2.5), 1050),
     ({"kind": "replace_uniform", "rate": 0.4, "include_true_class": True}, 300)],
)  # fmt: skip
def test_an_epoch_has_as_many_examples_as_the_noise_says(digits: ImageData, noise: Any, size: int) -> None:
    made = sets(digits, 300, 0, noise=noise)
    assert made.examples == size == sum(len(batch) for batch in made.batches(0, 32))


@pytest.mark.parametrize("batch", [1, 7, 32, 600, 599])
def test_the_last_partial_batch_is_used_and_each_example_comes_once(digits: ImageData, batch: int) -> None:
    made = sets(digits, 300, 0)  # 600 examples
    batches = list(made.batches(3, batch))
    assert [len(each) for each in batches] == [batch] * (600 // batch) + [600 % batch] * bool(600 % batch)
    number = {int(image): place for place, image in enumerate(made.identity)}
    images = torch.tensor([number[int(image)] for each in batches for image in each.image])
    assert torch.equal(images.bincount(minlength=300), torch.full((300,), 2))
    assert sorted(int(example) for each in batches for example in each.example) == list(range(600))
    labels = torch.cat([each.label for each in batches])
    assert int((labels == made.labels[images]).sum()) == made.noise_facts["right_labels"]


def test_batches_can_be_had_from_any_one_on(digits: ImageData) -> None:
    made = sets(digits, 300, 0)
    whole = list(made.batches(1, 7))
    for first in (0, 1, 63, 64, 65, 85, 86):
        rest = list(made.batches(1, 7, first))
        assert len(rest) == len(whole) - first
        assert all(
            torch.equal(a.image, b.image) and torch.equal(a.label, b.label) and torch.equal(a.example, b.example)
            for a, b in zip(rest, whole[first:], strict=True)
        )


def test_every_epoch_has_its_own_order_and_the_same_labels(digits: ImageData) -> None:
    made = sets(digits, 300, 0)
    epochs = [
        (torch.cat([each.image for each in b]), torch.cat([each.label for each in b]))
        for b in (list(made.batches(e, 32)) for e in (0, 1))
    ]
    assert not torch.equal(epochs[0][0], epochs[1][0])
    pairs, later = (sorted(zip(i.tolist(), y.tolist(), strict=True)) for i, y in epochs)
    assert pairs == later


def test_pixels_come_as_numbers_from_0_to_1(digits: ImageData) -> None:
    made = sets(digits, 300, 0)
    images = made.pictures(made.identity, None)
    pixels = Pixels.of(recipe(), DeviceData(digits, CPU))(images)
    assert pixels.dtype == torch.float32 and pixels.shape == (300, 1, 8, 8)
    assert pixels.min() == 0 and pixels.max() == 1
    assert torch.equal(pixels, images.movedim(-1, 1).float() / 16)


# ---- on a GPU


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("model", ["perceptron", "convnet4"])
def test_no_epoch_asks_the_device_for_a_number(digits: ImageData, model: str) -> None:
    cuda = torch.device("cuda")
    prepare(cuda)
    running = Group([recipe(model=model, epochs=2)], [seeds()], DeviceData(digits, cuda))
    running.epoch()  # libraries are initialised
    running.record()
    torch.cuda.set_sync_debug_mode("error")
    try:
        running.epoch()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_sees_the_same_images_labels_order_and_first_weights(digits: ImageData) -> None:
    groups = [
        Group([recipe(model="convnet4")], [seeds()], DeviceData(digits, torch.device(d))) for d in ("cpu", "cuda")
    ]
    here, there = (group.backend.tensors()["weights"].cpu() for group in groups)
    assert torch.equal(here, there)
    assert groups[0].sets[0].noise_facts == groups[1].sets[0].noise_facts
    for a, b in zip(*(group.sets[0].batches(0, 32) for group in groups), strict=True):
        assert torch.equal(a.image, b.image.cpu()) and torch.equal(a.label, b.label.cpu())
    accuracies = [group.finish()[0]["curves"]["test_accuracy"][-1] for group in groups]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.02)
