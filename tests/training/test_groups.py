"""Runs trained together against the same runs one by one, and what a group may not be."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lnbench.data.images import ImageData, load
from lnbench.identity import canonical_json
from lnbench.training import train, train_group
from lnbench.training.backends.compiling import compiled_or_eager
from lnbench.training.backends.loop import Loop
from lnbench.training.backends.stacked import Stacked
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.engine import BACKENDS, Group, deterministic, prepare
from lnbench.training.hooks import Hooks, State, Stopped
from tests.toys.small_runs import ADADELTA, SGD, dilution, recipe, seeds
from tests.training.test_engine import kept

CPU = torch.device("cpu")
ADAM = {"kind": "adam", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-5, "weight_decay": 0.0}
# A larger eps, a smaller rate: where a first step is the sign of a rounding error, or four layers amplify it, two
# computations of the same thing part ways within 60 steps.
GENTLE_SGD = {**SGD, "lr": 0.01}
ONE_CYCLE = {
    "kind": "one_cycle", "length": 2, "unit": "epochs", "per": "step", "rise": 0.3, "div_factor": 25.0,
    "final_div_factor": 1e4, "momentum": {"low": 0.85, "high": 0.95},
}  # fmt: skip
COSINE = {"kind": "cosine", "length": 2, "unit": "epochs", "per": "epoch", "final": 0.0}


@pytest.fixture(scope="module")
def digits() -> ImageData:
    prepare(CPU)
    torch.set_num_threads(1)
    return load("digits")


def replicas(**changes: Any) -> tuple[list[dict[str, Any]], list[dict[str, int]]]:
    """Three runs of 60 steps that differ in all that replicas may: seeds, noise, rate, decay, schedule."""
    base = {"dataset": {"name": "digits", "clean": 471, "validation": 30}, "batch_size": 32, "epochs": 2, **changes}
    optimizer = base.get("optimizer", SGD)
    recipes = []
    for lr, decay, schedule, included in ((1.0, 0.0, 0, True), (0.5, 1e-3, 1, False), (0.2, 1e-4, 0, True)):
        own = {**optimizer, "lr": optimizer["lr"] * lr, "weight_decay": decay}
        noise = dilution(1.0, included)
        fixed = base.get("schedule")
        recipes.append(recipe(**{**base, "optimizer": own, "noise": noise,
                                 "schedule": fixed or (COSINE if schedule else {"kind": "constant"})}))  # fmt: skip
    return recipes, [seeds(number) for number in (5, 6, 7)]


def weights(backend: Loop | Stacked, replica: int = 0) -> list[torch.Tensor]:
    if isinstance(backend, Loop):
        return [parameter.detach() for parameter in backend.model.parameters()]
    return [part[replica].T if part.dim() == 3 else part[replica] for part in backend.parts]


CASES = [
    ("perceptron", SGD), ("mlp1", SGD), ("mlp1", {**SGD, "nesterov": True}), ("mlp4", GENTLE_SGD), ("mlp1", ADADELTA),
    ("mlp1", ADAM),
]  # fmt: skip


@pytest.mark.parametrize(("model", "optimizer"), CASES)
@pytest.mark.parametrize("schedule", [None, ONE_CYCLE])
def test_a_stack_ends_where_the_loop_ends(
    digits: ImageData, model: str, optimizer: dict[str, Any], schedule: dict[str, Any] | None
) -> None:
    """Epochs of 30 batches, the last of 14: weights to 1e-6 of their size after each of two, curves alike.

    The deep network at the height of one cycle magnifies whatever rounding there is: on one processor its weights are
    equal to 2e-7 after the first epoch, and after the second to 1e-6 or to 3e-3, as a sum falls out. Its second is no
    test of a stack.
    """
    if schedule and optimizer["kind"] == "adadelta":
        pytest.skip("AdaDelta has no momentum to cycle")
    optimizer = {**optimizer, "eps": 1e-6} if optimizer["kind"] == "adadelta" else optimizer
    recipes, streams = replicas(model=model, optimizer=optimizer, **({"schedule": schedule} if schedule else {}))
    data = DeviceData(digits, CPU)
    together = Group(recipes, streams, data, Stacked)
    each = [Group([own], [seed], data) for own, seed in zip(recipes, streams, strict=True)]
    assert isinstance(together.backend, Stacked)
    for _ in range(1 if model == "mlp4" and schedule else 2):
        for group in (together, *each):
            group.epoch()
            group.record()
        for number, alone in enumerate(each):
            assert isinstance(alone.backend, Loop)
            for a, b in zip(weights(together.backend, number), weights(alone.backend), strict=True):
                assert (a - b).norm() <= 1e-6 * b.norm(), f"{((a - b).norm() / b.norm()).item():.1e}"
    for number, alone in enumerate(each):
        one, other = together._outcome(number), alone._outcome(0)
        for name, values in other["curves"].items():
            assert one["curves"][name] == pytest.approx(values, rel=1e-5, abs=2.1 / 497), name
        assert {**one, "curves": {}} == {**other, "curves": {}}


@pytest.mark.long
@pytest.mark.parametrize("model", ["mlp1", "convnet4", "resnet8_w8", "vgg_small"])
def test_a_compiled_step_ends_where_the_eager_one_ends(digits: ImageData, model: str) -> None:
    backend = "stacked" if model == "mlp1" else "loop"
    spec = recipe(model=model, epochs=2, dataset={"name": "digits", "clean": 471, "validation": 0})
    groups = [
        Group([spec], [seeds()], DeviceData(digits, CPU), BACKENDS[backend], compile) for compile in (False, True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for group in groups:
            group.finish()
    # as one vector: the eight biases of a normalisation alone are off by more, in a network that is right to 7e-7
    a, b = (torch.cat([part.flatten() for part in weights(group.backend)]) for group in groups)  # type: ignore[arg-type]
    assert (a - b).norm() <= 1e-6 * b.norm(), f"{((a - b).norm() / b.norm()).item():.1e}"


def test_where_compiling_fails_training_goes_on_with_one_warning(
    digits: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(function: Any, **options: Any) -> Any:
        def call(*arguments: Any) -> Any:
            raise RuntimeError("no working C++ compiler\nlong story")

        return call

    recipes, streams = replicas(model="mlp1")
    eager = train_group(recipes, streams, digits, backend="stacked")
    monkeypatch.setattr(torch, "compile", broken)
    with pytest.warns(UserWarning, match="torch.compile fails here.*no working C") as caught:
        compiled = train_group(recipes, streams, digits, backend="stacked", compile=True)
    assert len([w for w in caught if "torch.compile" in str(w.message)]) == 1
    assert canonical_json(compiled) == canonical_json(eager)


@pytest.fixture
def mode() -> Iterator[None]:
    """What torch is told of deterministic kernels is as before afterwards."""
    before = torch.get_deterministic_debug_mode()
    yield
    torch.set_deterministic_debug_mode(before)


@pytest.mark.parametrize("strict, warns", [(True, False), (True, True), (False, False)])
def test_deterministic_kernels_are_asked_for_without_torchs_compiler(
    mode: None, monkeypatch: pytest.MonkeyPatch, strict: bool, warns: bool
) -> None:
    """Importing it takes a worker a second and a half."""
    monkeypatch.delitem(sys.modules, "torch._inductor.config", raising=False)
    deterministic(strict, warns)
    assert "torch._inductor.config" not in sys.modules
    assert torch.are_deterministic_algorithms_enabled() is strict
    assert torch.is_deterministic_algorithms_warn_only_enabled() is warns


def test_a_compiler_that_is_imported_later_hears_of_it(mode: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch._inductor.config as compiler

    monkeypatch.setattr(compiler, "deterministic", False)
    torch.set_deterministic_debug_mode("error")
    compiled_or_eager(lambda: None)
    assert compiler.deterministic


def test_a_compiled_step_that_needs_too_much_memory_is_not_a_compiler_that_fails(
    digits: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group is to be halved, not computed without the compiler, which needs more."""

    def full(function: Any, **options: Any) -> Any:
        def call(*arguments: Any) -> Any:
            raise torch.OutOfMemoryError

        return call

    monkeypatch.setattr(torch, "compile", full)
    with pytest.raises(torch.OutOfMemoryError):
        train(recipe(model="mlp1"), seeds(), digits, backend="stacked", compile=True)


@pytest.mark.parametrize("compile", [False, pytest.param(True, marks=pytest.mark.long)], ids=["eager", "compiled"])
@pytest.mark.parametrize("precision", ["fp32", "fast"])
def test_a_replica_does_not_see_its_neighbours(digits: ImageData, precision: str, compile: bool) -> None:
    """To the bit on this machine: in a group of three or alone."""
    recipes, streams = replicas(model="mlp1", precision=precision)
    together = train_group(recipes, streams, digits, backend="stacked", compile=compile)
    for number in range(3):
        alone = train(recipes[number], streams[number], digits, backend="stacked", compile=compile)
        assert canonical_json(alone) == canonical_json(together[number])


def test_a_replica_that_diverges_is_recorded_and_the_others_go_on(digits: ImageData) -> None:
    recipes, streams = replicas(model="mlp1", epochs=3)
    recipes[1] = {**recipes[1], "optimizer": {**recipes[1]["optimizer"], "lr": 1e9}}
    outcomes = train_group(recipes, streams, digits, backend="stacked")
    assert [outcome["status"] for outcome in outcomes] == ["ok", "diverged", "ok"]
    assert len(outcomes[1]["curves"].get("train_loss", [])) < 3 == len(outcomes[0]["curves"]["train_loss"])
    canonical_json(outcomes)  # raises for NaN and infinity
    alone = train(recipes[2], streams[2], digits, backend="stacked")
    assert canonical_json(alone) == canonical_json(outcomes[2])


@pytest.mark.parametrize("optimizer", [SGD, ADADELTA, ADAM])
@pytest.mark.parametrize("precision", ["fp32", "fast"])
def test_a_group_resumed_at_any_step_ends_with_the_same_bits(
    digits: ImageData, optimizer: dict[str, Any], precision: str
) -> None:
    recipes, streams = replicas(
        model="mlp1_w32", dataset={"name": "digits", "clean": 70, "validation": 20}, optimizer=optimizer, epochs=3,
        precision=precision,
    )  # fmt: skip
    recipes[0] = {**recipes[0], "optimizer": {**recipes[0]["optimizer"], "lr": 1e12}}  # diverges, and stays diverged
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=states.append)  # what is given stays as it is
    whole = train_group(recipes, streams, digits, backend="stacked", hooks=hooks)
    assert [(state.epoch, state.step) for state in states] == [(e, s) for e in range(3) for s in range(1, 6)]
    for state in states:
        again = train_group(recipes, streams, digits, backend="stacked", state=state)
        assert canonical_json(again) == canonical_json(whole)
    at = [(state.epoch, state.step, len(state.curves[2].get("train_loss", []))) for state in states]
    assert at == [(e, s, e) for e in range(3) for s in range(1, 6)]  # nor did going on from it change it


def test_a_group_that_is_stopped_saves_and_goes_on(digits: ImageData) -> None:
    recipes, streams = replicas(model="perceptron")
    whole = train_group(recipes, streams, digits, backend="stacked")
    saved: list[State] = []
    steps = iter(range(1000))
    hooks = Hooks(should_stop=lambda: next(steps) == 40, save=lambda state: saved.append(kept(state)))
    with pytest.raises(Stopped):
        train_group(recipes, streams, digits, backend="stacked", hooks=hooks)
    (state,) = saved
    assert canonical_json(train_group(recipes, streams, digits, backend="stacked", state=state)) == canonical_json(
        whole
    )


# ---- probes


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_each_examples_loss_is_kept_at_its_own_place(digits: ImageData, backend: str) -> None:
    """The mean of an epoch's losses is the epoch's loss, and a probed run trains as one that is not."""
    spec = recipe(model="mlp1", epochs=3, batch_size=32)
    plain = train(spec, seeds(), digits, backend=backend)
    probed = train({**spec, "probes": ["example_loss"]}, seeds(), digits, backend=backend)
    losses = probed.pop("arrays")["example_loss"]
    assert canonical_json(probed) == canonical_json(plain)
    assert losses.shape == (3, 600) and losses.dtype == np.float32
    assert losses.mean(1) == pytest.approx(plain["curves"]["train_loss"], rel=1e-6)
    noisy, right = losses[-1, 300:], losses[-1, :300]  # the diluting copies' labels are mostly wrong
    assert np.median(noisy) > np.median(right) + 0.5


def test_a_groups_examples_do_not_mix(digits: ImageData) -> None:
    recipes, streams = replicas(model="mlp1", probes=["example_loss"])
    together = train_group(recipes, streams, digits, backend="stacked")
    for number in range(3):
        alone = train(recipes[number], streams[number], digits, backend="stacked")
        assert np.array_equal(alone["arrays"]["example_loss"], together[number]["arrays"]["example_loss"])


def test_which_labels_are_wrong_is_known(digits: ImageData) -> None:
    spec = recipe(noise={"kind": "replace_uniform", "rate": 0.3, "include_true_class": False}, epochs=1)
    wrong = TrainingSet(DeviceData(digits, CPU), spec, seeds(3)).wrong()
    facts = train(spec, seeds(3), digits)["noise"]
    assert wrong.shape == (300,) and wrong.sum() == 300 - facts["right_labels"] > 0


def test_a_probe_survives_a_resume(digits: ImageData) -> None:
    spec = recipe(probes=["example_loss"], epochs=2)
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=lambda state: states.append(kept(state)))
    whole = train(spec, seeds(), digits, hooks=hooks)["arrays"]["example_loss"]
    for state in (states[4], states[18], states[25]):
        assert np.array_equal(train(spec, seeds(), digits, state=state)["arrays"]["example_loss"], whole)


# ---- what cannot be


def test_what_a_group_may_not_be(digits: ImageData) -> None:
    def refused(message: str, recipes: Any, streams: Any, data: Any = digits, **options: Any) -> None:
        with pytest.raises(ValueError, match=message):
            train_group(recipes, streams, data, **{"backend": "stacked", **options})

    one, two = recipe(), recipe(model="mlp1")
    refused("a group needs at least one run", [], [])
    refused("2 recipes, but seeds for 1", [one, one], [seeds()])
    refused(r"run 1 cannot train .* differs in model \('mlp1', not 'perceptron'\)", [one, two], [seeds()] * 2)
    refused("differs in examples an epoch", [one, recipe(noise=dilution(2.0))], [seeds()] * 2)
    pixels = {"mean": [0.5], "std": [0.2]}
    for pair in ([one, recipe(pixels=pixels)], [recipe(pixels=pixels), one]):
        refused("run 1 cannot train .* differs in pixels", pair, [seeds()] * 2)
    refused("differs in optimizer", [one, recipe(optimizer={**SGD, "momentum": 0.5})], [seeds()] * 2)
    refused("the loop backend trains one run at a time", [one, one], [seeds()] * 2, backend="loop")
    refused("no backend 'magic'", [one], [seeds()], backend="magic")
    refused("the stacked backend is for networks of dense layers", [recipe(model="convnet4")], [seeds()])
    refused("seeds of run 0", [one], [{"split": 0}])
    refused("seeds of run 0", [one], [seeds(2**32)])
    large = recipe(batch_size=301)
    refused("batch_size: 301 is larger than the data, 300 clean images", [large], [seeds()])
    refused("1301 clean and 0", [recipe(dataset={"name": "digits", "clean": 1301, "validation": 0})], [seeds()])
    refused("no device 'cuda:97'", [one], [seeds()], device="cuda:97")
    refused("no device 'meta'", [one], [seeds()], device="meta")
    floats = replace(digits, train_images=np.full(digits.train_images.shape, np.nan))  # type: ignore[arg-type]
    refused("images are .* bytes, not float64", [one], [seeds()], floats)
    labels = digits.train_labels.copy()
    labels[3] = 10
    refused("labels are integers from 0 to 9", [one], [seeds()], replace(digits, train_labels=labels))
    with pytest.raises(ValueError, match="the recorded backend needs a CUDA device"):
        train(one, seeds(), digits, backend="recorded")


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_without_test_images_the_training_is_the_same(digits: ImageData, backend: str) -> None:
    """Who looks for errors in the training labels holds no images out."""
    bare = replace(digits, test_images=digits.test_images[:0], test_labels=digits.test_labels[:0])
    spec = recipe(model="mlp1", epochs=2)
    whole, alone = (train(spec, seeds(), data, backend=backend)["curves"] for data in (digits, bare))
    assert alone == {name: curve for name, curve in whole.items() if not name.startswith("test_")}
