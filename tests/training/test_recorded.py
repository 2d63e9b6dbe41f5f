"""Steps recorded on a pretended GPU are the loop's: of every kind, several at once, several networks side by side."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest

from lnbench.execute.groups import Grouping
from lnbench.training import train, train_group
from lnbench.training.backends.compiling import NotCompiled
from lnbench.training.backends.loop import Loop
from lnbench.training.backends.recorded import KEPT, STEPS, Recorded, _compiled, _Pass
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.engine import Group, prepare
from lnbench.training.hooks import Hooks, State, Stopped
from lnbench.training.probes.probe import Probe, StepView
from tests.toys.pretended_cuda import CPU, CUDA, PretendedCuda
from tests.toys.small_runs import ADADELTA, recipe, seeds
from tests.training.test_pretended_gpu import (
    FEW,
    METHODS,
    OPTIMIZERS,
    SCHEDULES,
    SMALL,
    WRONG,
    data_of,
    named,
    trained_both_ways,
    watched,
)

# 13 batches of 5 an epoch: a graph of 8 steps, one of 5, and an example that is left over
UNEVEN: dict[str, Any] = {"dataset": {**FEW, "clean": 66}, "batch_size": 5, "epochs": 2, "noise": WRONG}
CASES: dict[str, dict[str, Any]] = {
    "dense": {"model": "mlp1_w32"},
    "normalised": {"model": "resnet8_w8", "augment": "crop_flip"},
    "bfloat16": {"model": "resnet8_w8", "precision": "fast", "batch_size": 16},
    "dropped out": {"model": "vgg_small", "dataset": {**FEW, "clean": 26}},
    "one cycle": {"schedule": {"kind": "one_cycle", **SCHEDULES["one_cycle"]}},
    "sam": {"optimizer": OPTIMIZERS["sam"]},
    "sam normalised": {"optimizer": OPTIMIZERS["sam"], "model": "resnet8_w8", "batch_size": 16},
    "sam bfloat16": {"optimizer": OPTIMIZERS["sam"], "precision": "fast"},
    "adam": {"optimizer": OPTIMIZERS["adam"]},
    "adadelta": {"optimizer": ADADELTA},
    "noisy loss": {"method": named("noisy_loss", METHODS["noisy_loss"])},
    "averaged": {"average": {"kind": "swa", "start": 3, "every": 4, "unit": "steps"}, "model": "resnet8_w8",
                 "batch_size": 16},
    "looked at": {"probes": ["example_loss", "example_margin", {"kind": "member_accuracy", "every": 2},
                             {"kind": "full_clean_cosine", "every": 5}]},
}  # fmt: skip
IN_EACH_RUN = ("normalised", "bfloat16", "one cycle", "sam", "looked at", "averaged")


def close(found: dict[str, Any], plain: dict[str, Any], rel: float = 1e-5) -> None:
    """A rate is a number in the loop and a tensor in a recording, so the last bits differ."""
    for name, curve in plain["curves"].items():
        assert found["curves"][name] == pytest.approx(curve, rel=rel), name
    for name, array in plain.get("arrays", {}).items():
        assert np.allclose(found["arrays"][name], array, rtol=10 * rel, atol=rel), name
    for name, curve in plain.get("probe_curves", {}).items():
        assert found["probe_curves"][name]["values"] == pytest.approx(curve["values"], rel=1e-3, abs=1e-5), name


@pytest.mark.parametrize(
    "case", [case if case in IN_EACH_RUN else pytest.param(case, marks=pytest.mark.long) for case in CASES]
)
def test_a_recorded_training_is_the_loops(case: str) -> None:
    changes = {"model": "mlp1_w32", "probes": ["example_loss"], **UNEVEN, **CASES[case]}
    gpu, (found,), (plain,) = trained_both_ways(recipe(**changes), backend="recorded")
    assert not gpu.undeterministic
    close(found, plain)


def test_networks_side_by_side_are_each_what_they_are_alone() -> None:
    common = {**UNEVEN, "model": "mlp1_w32", "probes": ["example_loss", "held_loss"]}
    rates = [ADADELTA | {"lr": rate} for rate in (1.0, 0.3, 0.1)]
    noises: list[dict[str, Any]] = [WRONG, {"kind": "pair_flip", "rate": 0.2}, {"kind": "none"}]
    runs = [recipe(**{**common, "noise": noise}, optimizer=rate) for noise, rate in zip(noises, rates, strict=True)]
    gpu, found, plain = trained_both_ways(*runs, backend="recorded")
    assert not gpu.undeterministic
    assert len({outcome["curves"]["train_loss"][-1] for outcome in found}) == 3
    for one, other in zip(found, plain, strict=True):
        close(one, other)


# ---- how it is recorded


def on_the_device(changes: dict[str, Any], backend: Any = Recorded, **more: Any) -> Group:
    return Group([changes], [seeds()], DeviceData(data_of(), CUDA), backend, **more)


def test_a_graph_is_recorded_once_for_each_number_of_steps_and_holds_several() -> None:
    with PretendedCuda() as gpu:
        group = watched(gpu, on_the_device(recipe(**{**UNEVEN, "epochs": 3}, model="mlp1_w32")))
        group.finish()
        assert isinstance(group.backend, Recorded)
        assert sorted(group.backend.graphs) == [5, STEPS]


def test_a_recorded_step_has_fewer_operations() -> None:
    """Each is a launch, which the host needs longer for than a GPU for a small network's work."""
    for precision, most in (("fp32", 0.75), ("fast", 0.65)):
        changes = recipe(**{**SMALL, "dataset": {**FEW, "clean": 16}}, model="resnet8_w8", precision=precision)
        assert operations_a_step(changes, Recorded) < most * operations_a_step(changes, Loop), precision


def operations_a_step(changes: dict[str, Any], backend: Any) -> float:
    """How many operations of a step reach the device: of a recorded one, those that are replayed."""
    prepare(CPU)
    with PretendedCuda() as gpu:
        group = on_the_device(changes, backend)
        if backend is Recorded:
            group.epoch()
            assert isinstance(group.backend, Recorded)
            ((steps, graph),) = group.backend.graphs.items()
            return len(graph._steps) / steps  # type: ignore[attr-defined]
        before = gpu.kernels.total()
        group.epoch()
        return (gpu.kernels.total() - before) / group.steps_an_epoch


def test_a_probe_that_looks_at_the_network_sees_all_steps_done() -> None:
    """One that reads what the steps have seen hears of them later, in their order."""
    seen: dict[str, list[Any]] = {"close": [], "far": []}

    class Close(Probe):
        def at(self, step: int) -> bool:
            return step in (3, 11)

        def after(self, view: StepView) -> None:
            backend = view.training.backend
            assert backend.settle() == []
            seen["close"].append((view.step, float(backend.sums()[0, 1])))

    class Far(Probe):
        needs_network = False

        def at(self, step: int) -> bool:
            return True

        def after(self, view: StepView) -> None:
            seen["far"].append((view.step, float(view.losses.sum())))

    prepare(CPU)
    with PretendedCuda():
        group = on_the_device(recipe(**{**UNEVEN, "epochs": 1}, model="mlp1_w32"))
        group.probes = [Close(group.training, None), Far(group.training, None)]
        group.epoch()
    assert [step for step, _ in seen["far"]] == list(range(14))
    losses = np.cumsum([loss for _, loss in seen["far"]])
    assert [loss for _, loss in seen["close"]] == pytest.approx([losses[3], losses[11]], rel=1e-6)


@pytest.mark.parametrize("stop", [3, 17])
def test_a_recorded_training_goes_on_where_it_stopped(stop: int) -> None:
    """At a step that waits in a slot, too: it is done before the checkpoint is written."""
    changes = recipe(**UNEVEN, model="mlp1_w32", probes=["example_loss"], optimizer=OPTIMIZERS["adam"])
    kept: list[State] = []
    ticks = iter(range(1000))
    prepare(CPU)
    with PretendedCuda():
        (whole,) = on_the_device(changes).finish()
        hooks = Hooks(should_stop=lambda: next(ticks) == stop, save=kept.append)
        with pytest.raises(Stopped):
            on_the_device(changes, hooks=hooks).finish()
        assert kept[0].epoch * 14 + kept[0].step == stop + 1
        resumed = on_the_device(changes, state=kept[0])
        assert not kept[0].refused
        (found,) = resumed.finish()
    assert found["curves"] == whole["curves"]
    assert np.array_equal(found["arrays"]["example_loss"], whole["arrays"]["example_loss"])


def test_a_run_of_a_group_goes_on_alone() -> None:
    """What is a run's lies at its place along the first axis of every tensor of a checkpoint."""
    runs = [recipe(**UNEVEN, model="resnet8_w8", optimizer=ADADELTA | {"lr": rate}) for rate in (1.0, 0.3)]
    prepare(CPU)
    with PretendedCuda():
        group = Group(runs, [seeds(), seeds()], DeviceData(data_of(), CUDA), Recorded)
        group.epoch()
        group.record()
        tensors = {name: tensor.cpu().numpy()[1:] for name, tensor in group._tensors(1).items()}
        half = State(1, 0, group.state.curves[1:], [False], tensors)
        (found,) = on_the_device(runs[1], state=half).finish()
        (whole,) = on_the_device(runs[1]).finish()
    assert found["curves"] == whole["curves"]


# ---- compiled


@pytest.mark.parametrize("compiler", ["eager", pytest.param("inductor", marks=pytest.mark.long)])
def test_a_compiled_pass_serves_all_runs_of_one_shape(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives the loop's losses, gradients and statistics, and a second network compiles nothing anew."""
    import torch._dynamo.utils

    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=compiler))
    _compiled.cache_clear()
    about = '["resnet8_w8","fp32","standard",16]'
    shape = (1, 8, 8)
    plain = _Pass({"model": "resnet8_w8", "precision": "fp32", "method": "standard"}, shape, 10, CPU)
    torch.manual_seed(0)
    inputs, labels = torch.rand(16, *shape), torch.arange(16) % 10
    forms = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotCompiled)
        for _ in range(2):
            answers = _compiled(about, shape, 10, "cpu")
            network = Loop([(recipe(**SMALL, model="resnet8_w8"), training_set())], False).model
            results = []
            for each in (plain, answers):
                leaves = {name: p.detach().clone().requires_grad_() for name, p in network.named_parameters()}
                buffers = {name: b.clone() for name, b in plain.of_buffers(dict(network.named_buffers())).items()}
                logits, losses = each({**leaves, **buffers}, inputs, labels)
                gradients = torch.autograd.grad(losses.mean(), list(leaves.values()))
                results.append([logits, losses, *gradients, *buffers.values()])
            for one, other in zip(*results, strict=True):
                assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)
            forms.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    assert forms[0] == forms[1] > 0
    assert KEPT > 1


def training_set() -> TrainingSet:
    return TrainingSet(DeviceData(data_of(), CPU), recipe(**SMALL), seeds())


# ---- what it refuses, and when it is used


@pytest.mark.parametrize("changes, said", [
    ({"average": {"kind": "ema", "decay": 0.9}}, "average one at a time"),
    ({"dataset": {**FEW, "only": "kept"}}, "dataset 'only' one at a time"),
    ({"probes": [{"kind": "full_clean_cosine", "every": 2}]}, "probe 'full_clean_cosine' one at a time"),
])  # fmt: skip
def test_what_is_of_one_run_trains_alone(changes: dict[str, Any], said: str) -> None:
    runs = [recipe(**{**SMALL, **changes}, model="mlp1_w32") for _ in range(2)]
    with PretendedCuda(), pytest.raises(ValueError, match=said):
        train_group(runs, [seeds(0), seeds(1)], data_of(), "cuda", backend="recorded")


def test_it_is_for_a_gpu() -> None:
    with pytest.raises(ValueError, match="the recorded backend needs a CUDA device"):
        train(recipe(**SMALL), seeds(), data_of(), backend="recorded")


def test_it_is_never_chosen() -> None:
    assert Grouping("cuda").backend == "auto"
