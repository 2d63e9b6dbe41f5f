"""The optimisers on one flat vector, step by step against torch.optim."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lnbench import catalog
from lnbench.training.schedules import constant

SGD = {"kind": "sgd", "lr": 0.1, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
ADADELTA = {"kind": "adadelta", "lr": 0.5, "rho": 0.95, "eps": 1e-8, "weight_decay": 0.0}
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
}


def torch_twin(options: dict[str, Any], weights: torch.Tensor) -> torch.optim.Optimizer:
    rest = {key: value for key, value in options.items() if key != "kind"}
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
    for gradient in gradients(50):
        given = gradient.clone()
        ours.step(mine, given, options["lr"])
        assert torch.equal(given, gradient), "the gradient is the caller's"
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
        ours.step(mine, gradient, rate)
        theirs.grad = gradient.clone()
        twin.step()
    torch.testing.assert_close(mine, theirs.detach(), rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("case", CASES)
def test_the_state_is_all_that_a_checkpoint_needs(case: str) -> None:
    options, steps = CASES[case], gradients(6, seed=2)
    whole, halves = torch.linspace(-1, 1, 40), torch.linspace(-1, 1, 40)
    one = build(options, whole)
    for gradient in steps:
        one.step(whole, gradient, 0.1)
    first = build(options, halves)
    for gradient in steps[:3]:
        first.step(halves, gradient, 0.1)
    second = build(options, halves)
    for name, tensor in second.state.items():
        tensor.copy_(first.state[name])
    for gradient in steps[3:]:
        second.step(halves, gradient, 0.1)
    assert torch.equal(whole, halves)


def test_the_constant_schedule_is_constant() -> None:
    assert {constant({}, step, 100) for step in range(100)} == {1.0}
