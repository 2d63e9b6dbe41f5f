"""SAM and ASAM around a base optimiser: closed forms, plain torch loops, batch normalisation, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lnbench import catalog
from lnbench.data.images import load
from lnbench.execute.groups import Grouping
from lnbench.identity import canonical_json
from lnbench.plan import Run, seconds_of
from lnbench.plan.cost import FLOP_A_SECOND
from lnbench.randomness import permutation_at
from lnbench.spec import recipe_of
from lnbench.training import train
from lnbench.training.backends.loop import Loop
from lnbench.training.batches import DeviceData
from lnbench.training.engine import Group, prepare
from lnbench.training.hooks import Hooks, State
from lnbench.training.shape import passes
from tests.toys.small_runs import ADADELTA, SGD, dilution, recipe, run, seeds
from tests.training import plain_loop
from tests.training.test_engine import kept

CPU = torch.device("cpu")
BASE = {"kind": "sgd", "momentum": 0.9, "nesterov": False}
PLAIN = {"kind": "sgd", "momentum": 0.0, "nesterov": False}
SAM = {"kind": "sam", "lr": 0.05, "weight_decay": 0.0, "rho": 0.1, "base": BASE}
ASAM = {"kind": "asam", "lr": 0.05, "weight_decay": 0.0, "rho": 0.5, "eta": 0.01, "base": BASE}
ADAM = {"kind": "adam", "lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
ALL = {"sgd": SGD, "adadelta": ADADELTA, "adam": ADAM, "sam": SAM, "asam": ASAM}
CURVATURE = torch.tensor([4.0, 1.0, 0.25, 0.0])
START = torch.tensor([1.0, -2.0, 3.0, 4.0])


@pytest.fixture(scope="module")
def digits() -> DeviceData:
    prepare(CPU)
    torch.set_num_threads(1)
    return DeviceData(load("digits"), CPU)


def built(options: dict[str, Any], weights: Tensor, biases: Tensor | None = None) -> Any:
    return catalog.find("optimizer", options["kind"]).load()(options, weights, biases)


class Counted:
    """The gradient of ½ Σ c·w² at any weights, and how often it was asked for."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, weights: Tensor) -> Tensor:
        self.times += 1
        return CURVATURE * weights


# ---- the formulas


def test_sam_on_a_quadratic_is_the_closed_form() -> None:
    """w ← w − lr·C(w + ρ·Cw/‖Cw‖) for the loss ½ wᵀCw."""
    options = {**SAM, "base": PLAIN}
    mine, theirs = START.clone(), START.clone()
    optimiser = built(options, mine)
    for _ in range(20):
        optimiser.step(mine, lambda w: CURVATURE * w, 0.05)
        gradient = CURVATURE * theirs
        theirs = theirs - 0.05 * CURVATURE * (theirs + 0.1 * gradient / gradient.square().sum().sqrt())
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7)
    assert mine[3] == START[3]  # a flat direction


def test_asam_on_a_quadratic_is_the_closed_form() -> None:
    """w ← w − lr·C(w + ρ·T²g/‖Tg‖), g = Cw, T = |w| + η, but 1 for the bias, the second number."""
    options, bias = {**ASAM, "base": PLAIN}, torch.tensor([False, True, False, False])
    mine, theirs = START.clone(), START.clone()
    optimiser = built(options, mine, bias)
    for _ in range(20):
        optimiser.step(mine, lambda w: CURVATURE * w, 0.05)
        gradient, size = CURVATURE * theirs, torch.where(bias, torch.tensor(1.0), theirs.abs() + 0.01)
        uphill = 0.5 * size**2 * gradient / (size * gradient).square().sum().sqrt()
        theirs = theirs - 0.05 * CURVATURE * (theirs + uphill)
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["sam", "asam"])
def test_where_the_gradient_is_zero_nothing_moves(kind: str) -> None:
    weights = torch.ones(3)
    built(ALL[kind], weights).step(weights, torch.zeros_like, 0.1)
    assert weights.tolist() == [1, 1, 1]


@pytest.mark.parametrize("base", [BASE, {**ADADELTA}, {**ADAM}], ids=lambda base: base["kind"])
def test_rho_that_vanishes_leaves_the_base(base: dict[str, Any]) -> None:
    own = {key: value for key, value in base.items() if key not in ("lr", "weight_decay")}
    mine, theirs = START.clone(), START.clone()
    wrapped = built({**SAM, "rho": 1e-30, "weight_decay": 0.01, "base": own}, mine)
    alone = built({**own, "lr": 0.05, "weight_decay": 0.01}, theirs)
    for _ in range(5):
        wrapped.step(mine, lambda w: CURVATURE * w, 0.05)
        alone.step(theirs, lambda w: CURVATURE * w, 0.05)
    assert torch.equal(mine, theirs)


def test_a_schedules_momentum_reaches_the_base() -> None:
    mine, theirs = START.clone(), START.clone()
    wrapped, alone = built({**SAM, "rho": 1e-30}, mine), built(SGD, theirs)
    for momentum in (0.5, 0.7, 0.6):
        for optimiser, weights in ((wrapped, mine), (alone, theirs)):
            optimiser.step(weights, lambda w: CURVATURE * w, 0.05, momentum=momentum)
    assert torch.equal(mine, theirs)


@pytest.mark.parametrize("kind", ["sam", "asam"])
def test_the_pure_form_has_the_same_bits_and_changes_nothing_it_is_given(kind: str) -> None:
    options, pure, stepped = ALL[kind], START.clone(), START.clone()
    optimiser = built(options, stepped)
    state = type(optimiser).first_state(options, pure)
    for _ in range(4):
        before = [tensor.clone() for tensor in (pure, *state.values())]
        after, later = type(optimiser).update(pure, Counted(), state, options, lr=0.05, weight_decay=0.01)
        for old, tensor in zip(before, (pure, *state.values()), strict=True):
            assert torch.equal(old, tensor)
        pure, state = after, later
        optimiser.step(stepped, Counted(), 0.05, weight_decay=0.01)
        assert torch.equal(pure, stepped)
        assert all(torch.equal(state[name], tensor) for name, tensor in optimiser.state.items())


# ---- the catalog: what an optimiser costs, and whether its runs can be stacked


@pytest.mark.parametrize("kind", catalog.names("optimizer"))
def test_the_catalog_says_how_many_gradients_each_optimiser_asks_for(kind: str) -> None:
    gradient, weights, entry = Counted(), START.clone(), catalog.find("optimizer", kind)
    built(ALL[kind], weights).step(weights, gradient, 0.05)
    assert gradient.times == (entry.passes(ALL[kind], {}) if entry.passes else 1)
    assert entry.stacks == (gradient.times == 1)


CO_TEACHING = {"kind": "co_teaching", "forget_rate": 0.2, "gradual": 5, "answer": "first"}


@pytest.mark.parametrize(
    ("changes", "times"),
    [({}, 1), ({"optimizer": SAM}, 2), ({"method": CO_TEACHING}, 2), ({"method": CO_TEACHING, "optimizer": ASAM}, 4)],
)
def test_a_run_is_priced_by_its_passes(changes: dict[str, Any], times: int) -> None:
    assert passes(recipe(**changes)) == times
    assert run(**changes).steps_flop == times * run().steps_flop
    looked_at = (run().flop - run().steps_flop) / FLOP_A_SECOND["cpu", "fp32"]  # by each network, at the epoch's end
    networks = 2 if "method" in changes else 1
    steps, once = (seconds_of(each, "cpu") for each in (run(**changes), run()))
    assert steps - networks * looked_at == pytest.approx(times * (once - looked_at))


def test_the_version_of_the_base_is_in_the_identity() -> None:
    assert run(optimizer=SAM).content["versions"]["base"] == 1
    assert "base" not in run().content["versions"]


@pytest.mark.parametrize("changes", [{"optimizer": SAM}, {"optimizer": ASAM}, {"method": CO_TEACHING}])
@pytest.mark.parametrize("backend", ["auto", "stacked"])
def test_what_cannot_be_stacked_is_looped(changes: dict[str, Any], backend: str) -> None:
    each = [Run(recipe(model="mlp1_w32", epochs=10**6, **changes), seeds(seed)) for seed in range(4)]
    assert Grouping(backend=backend).task(each[0], each).backend == "loop"
    reed = [
        Run({**one.recipe, "method": {"kind": "reed_hard", "beta": 0.8}, "optimizer": SGD}, one.seeds) for one in each
    ]
    assert Grouping(backend=backend).task(reed[0], reed).backend == "stacked"


def test_only_a_method_that_is_a_loss_is_replayed() -> None:
    assert Grouping("cuda", backend="recorded").way(run(method=CO_TEACHING)) == ("loop", False)
    assert Grouping("cuda", backend="recorded").way(run(optimizer=SAM)) == ("recorded", False)


def test_the_stacked_backend_refuses_what_it_cannot_do(digits: DeviceData, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = recipe(model="mlp1_w32", optimizer=SAM)
    with pytest.raises(ValueError, match="cannot train with the optimizer 'sam'; use the loop backend"):
        train(spec, seeds(), digits, backend="stacked")
    entries = catalog.entries()["optimizer"]
    monkeypatch.setitem(entries, "sam", replace(entries["sam"], stacks=True))  # a plug-in that says so, wrongly
    with pytest.raises(ValueError, match="sam: it asks for 2 gradients a step; use the loop backend"):
        train(spec, seeds(), digits, backend="stacked")


# ---- recipes


def test_a_recipe_names_the_base_and_keeps_the_rate_at_its_place() -> None:
    made = recipe_of({**recipe(optimizer=ASAM), "selection": "last_epoch"}).identity()
    assert made["optimizer"] == ASAM and made["optimizer"]["lr"] == 0.05


@pytest.mark.parametrize(
    ("base", "allowed"), [(BASE, True), (PLAIN, False), ({"kind": "adadelta", "rho": 0.9, "eps": 1e-6}, False)]
)
def test_a_cycled_momentum_needs_a_base_that_has_one(base: dict[str, Any], allowed: bool) -> None:
    schedule = {
        "kind": "one_cycle", "length": 1, "unit": "epochs", "per": "step", "rise": 0.3, "div_factor": 25.0,
        "final_div_factor": 1e4, "momentum": {"low": 0.85, "high": 0.95},
    }  # fmt: skip
    spec = {**recipe(optimizer={**SAM, "base": base}, schedule=schedule), "selection": "last_epoch"}
    if allowed:
        recipe_of(spec)
        return
    with pytest.raises(ValueError, match="momentum needs an optimizer that has one"):
        recipe_of(spec)


# ---- trained


def plain_batches(digits: DeviceData, spec: dict[str, Any]) -> Iterator[tuple[Tensor, Tensor]]:
    examples = plain_loop.NoisyCopies(digits.data, spec, seeds())
    for epoch in range(spec["epochs"]):
        order = [int(permutation_at(0, 3, epoch, len(examples), i)) for i in range(len(examples))]
        for start in range(0, len(order), spec["batch_size"]):
            images, labels = zip(
                *(examples[number] for number in order[start : start + spec["batch_size"]]), strict=True
            )
            yield torch.stack(images), torch.stack(labels)


def ascend(model: nn.Module, options: dict[str, Any]) -> list[Tensor]:
    """Move each parameter uphill, by its name as the authors of ASAM do, and return by how much."""
    named = dict(model.named_parameters())
    sizes = {
        name: parameter.detach().abs() + options["eta"] if options["kind"] == "asam" and "weight" in name else 1.0
        for name, parameter in named.items()
    }
    scaled = {name: parameter.grad * sizes[name] for name, parameter in named.items()}
    norm = torch.stack([each.norm() for each in scaled.values()]).norm()
    moves = [scaled[name] * sizes[name] * (options["rho"] / norm) for name in named]
    for parameter, move in zip(named.values(), moves, strict=True):
        parameter.data += move
    return moves


@pytest.mark.parametrize("options", [SAM, ASAM], ids=lambda options: options["kind"])
@pytest.mark.parametrize("model", ["mlp1", "convnet4"])
def test_a_training_ends_where_a_plain_torch_loop_ends(digits: DeviceData, model: str, options: dict[str, Any]) -> None:
    """Two backward passes a step and torch.optim.SGD with momentum and decay, for 2 epochs of 10 batches (the ConvNet:
    5 batches, as what two layouts of images round differently grows with every step)."""
    options = {**options, "weight_decay": 1e-3, "lr": 0.02}
    spec = recipe(
        model=model, optimizer=options,
        dataset={"name": "digits", "clean": 148 if model != "convnet4" else 68, "validation": 0},
        noise=dilution(1.0), epochs=2 if model != "convnet4" else 1,
    )  # fmt: skip
    group = Group([spec], [seeds()], digits)
    group.finish()
    assert isinstance(group.backend, Loop)
    net = plain_loop.network(model, digits.data.shape, digits.data.classes)
    plain_loop.draw_weights(net, 0)
    step = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-3)
    for images, labels in plain_batches(digits, spec):
        step.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        moves = ascend(net, options)
        step.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        for parameter, move in zip(net.parameters(), moves, strict=True):
            parameter.data -= move
        step.step()
    a, b = (torch.cat([part.flatten() for part in each.parameters()]) for each in (group.backend.model, net))
    near = 2e-6 if model != "convnet4" else 1e-5
    assert (a - b).norm() <= near * b.norm(), f"{((a - b).norm() / b.norm()).item():.1e}"


@pytest.mark.parametrize("options", [SAM, ASAM], ids=lambda options: options["kind"])
def test_batch_normalisation_learns_from_the_first_pass_alone(digits: DeviceData, options: dict[str, Any]) -> None:
    """One step of SAM leaves the very statistics that one step of SGD leaves; its weights are others."""
    held = []
    for optimizer in (options, SGD):
        spec = recipe(model="resnet8_w8", optimizer=optimizer, dataset={"name": "digits", "clean": 64, "validation": 0})
        backend = Group([{**spec, "noise": {"kind": "none"}, "batch_size": 64}], [seeds()], digits)
        backend.finish()
        assert isinstance(backend.backend, Loop)
        held.append((backend.backend.networks[0].flat.weights, list(backend.backend.model.buffers())))
    (mine, own), (theirs, other) = held
    assert not torch.equal(mine, theirs)
    assert len(own) > 10 and all(torch.equal(a, b) for a, b in zip(own, other, strict=True))


@pytest.mark.parametrize("options", [SAM, ASAM], ids=lambda options: options["kind"])
def test_a_run_resumed_at_any_step_ends_with_the_same_bits(digits: DeviceData, options: dict[str, Any]) -> None:
    spec = recipe(model="mlp1", optimizer=options, dataset={"name": "digits", "clean": 70, "validation": 20}, epochs=2)
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=lambda state: states.append(kept(state)))
    undisturbed = train(spec, seeds(), digits, hooks=hooks)
    assert len(states) == 10
    for state in states:
        assert canonical_json(train(spec, seeds(), digits, state=state)) == canonical_json(undisturbed)


def test_the_bias_mask_follows_the_parameters(digits: DeviceData) -> None:
    backend = Group([recipe(model="resnet8_w8")], [seeds()], digits).backend
    assert isinstance(backend, Loop)
    flat = backend.networks[0].flat
    biases = sum(parameter.numel() for name, parameter in backend.model.named_parameters() if name.endswith("bias"))
    assert 0 < int(flat.biases.sum()) == biases
    flat.weights[flat.biases] = 7.0
    for name, parameter in backend.model.named_parameters():
        assert (parameter == 7).all() == name.endswith("bias")
