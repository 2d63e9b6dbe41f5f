"""The optimisers on one vector and on stacks of vectors, step by step against torch.optim."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lnbench import catalog
from lnbench.training.optimisers import Adam, Sgd, given

SGD = {"kind": "sgd", "lr": 0.1, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
ADADELTA = {"kind": "adadelta", "lr": 0.5, "rho": 0.95, "eps": 1e-8, "weight_decay": 0.0}
ADAM = {"kind": "adam", "lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
CASES = {
    "plain": SGD,
    "momentum": {**SGD, "momentum": 0.9},
    "nesterov": {**SGD, "momentum": 0.9, "nesterov": True},
    "weight decay": {**SGD, "weight_decay": 0.01},
    "momentum and decay": {**SGD, "momentum": 0.9, "weight_decay": 0.01},
    "nesterov and decay": {**SGD, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "adadelta": ADADELTA,
    "adadelta 1e-6": {**ADADELTA, "eps": 1e-6, "lr": 1.0},
    "adadelta rho 0": {**ADADELTA, "rho": 0.0, "lr": 0.01},
    "adadelta and decay": {**ADADELTA, "weight_decay": 0.01},
    "adam": ADAM,
    "adam with large betas": {**ADAM, "beta1": 0.99, "beta2": 0.9999, "eps": 1e-3},
    "adam without momentum": {**ADAM, "beta1": 0.0},
    "adam and decay": {**ADAM, "weight_decay": 0.01},
}
STEPS = 64


def torch_twin(options: dict[str, Any], weights: torch.Tensor) -> torch.optim.Optimizer:
    rest = {key: value for key, value in options.items() if key not in ("kind", "beta1", "beta2")}
    if options["kind"] == "adam":
        return torch.optim.Adam([weights], betas=(options["beta1"], options["beta2"]), **rest)
    return {"sgd": torch.optim.SGD, "adadelta": torch.optim.Adadelta}[options["kind"]]([weights], **rest)


def build(options: dict[str, Any], weights: torch.Tensor) -> Any:
    return catalog.find("optimizer", options["kind"]).load()(options, weights)


def gradients(steps: int, seed: int = 0) -> list[torch.Tensor]:
    """Of very different sizes, with zeros among them: ε and the first step count."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([0.0, 1e-6, 1e-3, 1.0, 1e3]).repeat(8)
    return [torch.randn(40, generator=generator) * scale for _ in range(steps)]


@pytest.mark.parametrize("case", CASES)
def test_every_step_is_that_of_torch(case: str) -> None:
    options = CASES[case]
    start = torch.linspace(-1, 1, 40)
    mine, theirs = start.clone(), start.clone().requires_grad_()
    ours, twin = build(options, mine), torch_twin(options, theirs)
    for gradient in gradients(STEPS):
        own = gradient.clone()
        ours.step(mine, given(own), options["lr"])
        assert torch.equal(own, gradient), "the gradient is the caller's"
        theirs.grad = gradient.clone()
        twin.step()
        torch.testing.assert_close(mine, theirs.detach(), rtol=2e-6, atol=1e-7)
    assert not torch.equal(mine, start)


@pytest.mark.parametrize("case", CASES)
def test_the_rate_of_each_step_is_the_one_given(case: str) -> None:
    options = CASES[case]
    mine = torch.linspace(-1, 1, 40)
    theirs = mine.clone().requires_grad_()
    ours, twin = build(options, mine), torch_twin(options, theirs)
    for number, gradient in enumerate(gradients(10, seed=1)):
        rate = options["lr"] / (1 + number)
        twin.param_groups[0]["lr"] = rate
        ours.step(mine, given(gradient), rate)
        theirs.grad = gradient.clone()
        twin.step()
    torch.testing.assert_close(mine, theirs.detach(), rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("case", CASES)
def test_the_state_is_all_that_a_checkpoint_needs(case: str) -> None:
    options, steps = CASES[case], gradients(6, seed=2)
    whole, halves = torch.linspace(-1, 1, 40), torch.linspace(-1, 1, 40)
    one = build(options, whole)
    for gradient in steps:
        one.step(whole, given(gradient), 0.1)
    first = build(options, halves)
    for gradient in steps[:3]:
        first.step(halves, given(gradient), 0.1)
    second = build(options, halves)
    for name, tensor in second.state.items():
        tensor.copy_(first.state[name])
    for gradient in steps[3:]:
        second.step(halves, given(gradient), 0.1)
    assert torch.equal(whole, halves)


# ---- stacks of replicas


REPLICAS = 3
RATES = [0.3, 0.01, 0.002]
DECAYS = [0.0, 0.01, 0.1]


def column(values: list[float]) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def stacked_gradients(steps: int) -> list[torch.Tensor]:
    return [torch.stack(rows) for rows in zip(*(gradients(steps, seed) for seed in range(REPLICAS)), strict=True)]


@pytest.mark.parametrize("case", CASES)
def test_each_replica_of_a_stack_steps_as_torch_does_with_its_own_rate_and_decay(case: str) -> None:
    options = CASES[case]
    stack = torch.linspace(-1, 1, 40 * REPLICAS).view(REPLICAS, 40)
    theirs = [row.clone().requires_grad_() for row in stack]
    ours = build(options, stack)
    twins = [torch_twin({**options, "weight_decay": d}, row) for d, row in zip(DECAYS, theirs, strict=True)]
    for number, gradient in enumerate(stacked_gradients(STEPS)):
        rates = [rate / (1 + number // 10) for rate in RATES]
        ours.step(stack, given(gradient), column(rates), weight_decay=column(DECAYS))
        for twin, row, rate, g in zip(twins, theirs, rates, gradient, strict=True):
            twin.param_groups[0]["lr"] = rate
            row.grad = g.clone()
            twin.step()
    for mine, other in zip(stack, theirs, strict=True):
        torch.testing.assert_close(mine, other.detach(), rtol=2e-6, atol=2e-7)
    assert all(tensor.shape[:-1] == (REPLICAS,) for tensor in ours.state.values())


@pytest.mark.parametrize("case", CASES)
def test_a_replicas_part_of_the_state_is_the_state_of_a_run_alone(case: str) -> None:
    """Groups can be split and joined: row k of every tensor is what one run would keep, of its shape."""
    options, steps = CASES[case], stacked_gradients(8)
    stack = torch.linspace(-1, 1, 40 * REPLICAS).view(REPLICAS, 40)
    alone = stack[1].clone()
    together, one = build(options, stack), build(options, alone)
    for gradient in steps:
        together.step(stack, given(gradient), 0.1)
        one.step(alone, given(gradient[1]), 0.1)
    assert torch.equal(stack[1], alone)
    assert {name: tensor[1].shape for name, tensor in together.state.items()} == {
        name: tensor.shape for name, tensor in one.state.items()
    }
    for name, tensor in one.state.items():
        assert torch.equal(together.state[name][1], tensor)


# ---- the pure form


@pytest.mark.parametrize("tensors", [False, True], ids=["numbers", "tensors"])
@pytest.mark.parametrize("case", CASES)
def test_the_pure_form_has_the_same_bits_and_changes_nothing_it_is_given(case: str, tensors: bool) -> None:
    options = CASES[case]
    decay = options["weight_decay"]
    stack = torch.linspace(-1, 1, 40 * REPLICAS).view(REPLICAS, 40)
    pure = stack.clone()
    ours = build(options, stack)
    state = type(ours).first_state(options, pure)
    for gradient in stacked_gradients(10):
        lr = column(RATES) if tensors else 0.1
        handed = [tensor.clone() for tensor in (pure, gradient, *state.values())]
        after, new_state = type(ours).update(
            pure, given(gradient), state, options, lr=lr, weight_decay=column(DECAYS) if tensors else decay
        )
        for before, tensor in zip(handed, (pure, gradient, *state.values()), strict=True):
            assert torch.equal(before, tensor)
        pure, state = after, new_state
        ours.step(stack, given(gradient), lr, weight_decay=column(DECAYS) if tensors else None)
        assert torch.equal(stack, pure)
        assert state.keys() == ours.state.keys()
        assert all(torch.equal(state[name], tensor) for name, tensor in ours.state.items())


@pytest.mark.parametrize("case", ["nesterov and decay", "adadelta and decay", "adam and decay"])
def test_a_step_is_one_graph_without_a_question_to_the_device(case: str) -> None:
    """Traced whole (`fullgraph` fails at any `.item()` or branch on data), with rates and decays as tensors."""
    options = CASES[case]
    kind = type(build(options, torch.zeros(1, 1)))

    def step(weights: Any, gradient: Any, state: Any, lr: Any, decay: Any) -> Any:
        return kind.update(weights, given(gradient), state, options, lr=lr, weight_decay=decay)

    traced = torch.compile(step, fullgraph=True, backend="aot_eager", dynamic=False)
    weights = torch.linspace(-1, 1, 40 * REPLICAS).view(REPLICAS, 40)
    state = kind.first_state(options, weights)
    for gradient in stacked_gradients(3):
        expected, _ = step(weights, gradient, state, column(RATES), column(DECAYS))
        weights, state = traced(weights, gradient, state, column(RATES), column(DECAYS))
        torch.testing.assert_close(weights, expected, rtol=1e-6, atol=1e-7)


# ---- a schedule's momentum


@pytest.mark.parametrize("as_tensor", [False, True], ids=["number", "tensor"])
@pytest.mark.parametrize("case", ["momentum and decay", "nesterov and decay", "adam", "adam and decay"])
def test_a_schedules_momentum_takes_the_place_of_the_optimisers(case: str, as_tensor: bool) -> None:
    """As OneCycleLR writes `momentum`, or the first of `betas`, into torch's optimisers."""
    options = CASES[case]
    mine = torch.linspace(-1, 1, 40)
    theirs = mine.clone().requires_grad_()
    ours, twin = build(options, mine), torch_twin(options, theirs)
    group = twin.param_groups[0]
    for number, gradient in enumerate(gradients(STEPS, seed=4)):
        momentum = 0.95 - 0.1 * number / STEPS
        group |= {"momentum": momentum} if "momentum" in group else {"betas": (momentum, group["betas"][1])}
        ours.step(mine, given(gradient), options["lr"], momentum=torch.tensor(momentum) if as_tensor else momentum)
        theirs.grad = gradient.clone()
        twin.step()
        torch.testing.assert_close(mine, theirs.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", ["plain", "adadelta"])
def test_an_optimiser_without_momentum_refuses_a_schedules_one(case: str) -> None:
    weights = torch.zeros(3)
    with pytest.raises(ValueError, match="momentum"):
        build(CASES[case], weights).step(weights, given(torch.ones(3)), 0.1, momentum=0.9)


def test_what_a_state_holds() -> None:
    weights = torch.zeros(2, 5)
    assert Sgd.first_state(SGD, weights) == {}
    shapes = {name: (tuple(t.shape), t.dtype) for name, t in Adam.first_state(ADAM, weights).items()}
    assert shapes == {
        "mean": ((2, 5), torch.float32),
        "square": ((2, 5), torch.float32),
        "steps": ((2, 1), torch.float64),
    }


# ---- on record


def recorded_sgd(options: dict[str, Any], weights: torch.Tensor, gradient: torch.Tensor, state: list[Any]) -> None:
    gradient = gradient.add(weights, alpha=options["weight_decay"]) if options["weight_decay"] else gradient
    velocity = state[0].mul_(options["momentum"]).add_(gradient)
    weights.sub_(gradient.add(velocity, alpha=options["momentum"]) if options["nesterov"] else velocity, alpha=0.1)


def recorded_adadelta(options: dict[str, Any], weights: torch.Tensor, gradient: torch.Tensor, state: list[Any]) -> None:
    gradient = gradient.add(weights, alpha=options["weight_decay"]) if options["weight_decay"] else gradient
    square_gradient, square_step = state
    square_gradient.mul_(options["rho"]).addcmul_(gradient, gradient, value=1 - options["rho"])
    change = square_step.add(options["eps"]).sqrt_().div_(square_gradient.add(options["eps"]).sqrt_()).mul_(gradient)
    square_step.mul_(options["rho"]).addcmul_(change, change, value=1 - options["rho"])
    weights.sub_(change, alpha=0.1)


@pytest.mark.parametrize(
    "case", [name for name in CASES if CASES[name]["kind"] == "adadelta" or CASES[name].get("momentum")]
)
def test_a_step_has_the_bits_of_the_runs_on_record(case: str) -> None:
    """These operations in this order made the first committed reports; other bits are another ENGINE_VERSION."""
    options = CASES[case]
    size = 1003  # vectors and a rest that does not fill one
    mine = torch.linspace(-1, 1, size)
    theirs, state = mine.clone(), [torch.zeros(size), torch.zeros(size)]
    ours = build(options, mine)
    generator = torch.Generator().manual_seed(5)
    for _ in range(50):
        gradient = torch.randn(size, generator=generator)
        ours.step(mine, given(gradient), 0.1)
        (recorded_sgd if options["kind"] == "sgd" else recorded_adadelta)(options, theirs, gradient, state)
        assert torch.equal(mine, theirs)
