"""SAM and both ASAMs step by step in float64: on a quadratic by hand, and on a network by torch's autograd and SGD."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lnbench import catalog

MOMENTUM, DECAY, RATE = 0.9, 0.01, 0.05
BASE = {"kind": "sgd", "momentum": MOMENTUM, "nesterov": False}
SAM = {"kind": "sam", "lr": RATE, "weight_decay": DECAY, "rho": 0.1, "base": BASE}
ASAM = {"kind": "asam", "lr": RATE, "weight_decay": DECAY, "rho": 0.5, "eta": 0.01, "base": BASE}
ASAM_ALL = {"kind": "asam", "lr": RATE, "weight_decay": DECAY, "rho": 2.0, "eta": 0.0, "scaled": "all", "base": BASE}
KINDS = {"sam": SAM, "asam": ASAM, "asam, all": ASAM_ALL}
CURVATURE = [4.0, 1.0, 0.25, 0.0]
START = [1.0, -2.0, 3.0, 4.0]
BIAS = [False, True, False, False]
RADII = [1.0, 1.0, 0.1, 0.1, 10.0, 10.0, 1.0, 1.0]  # factors of rho, step by step


def built(options: dict[str, Any], weights: Tensor, biases: Tensor | None = None) -> Any:
    return catalog.find("optimizer", options["kind"]).load()(options, weights, biases)


def sizes(options: dict[str, Any], weights: list[float]) -> list[float]:
    """T of each number, by the words of the two codes."""
    if options["kind"] == "sam":
        return [1.0] * len(weights)
    if options.get("scaled") == "all":
        return [abs(w) for w in weights]
    return [1.0 if bias else abs(w) + options["eta"] for w, bias in zip(weights, BIAS, strict=True)]


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_on_a_quadratic_each_step_is_the_closed_form(options: dict[str, Any]) -> None:
    """For ½ Σ c·w², by Python's own numbers: u = w + ρ·T²cw / √Σ(T·cw)², v ← m·v + c·u + d·w, w ← w − lr·v."""
    mine, biases = torch.tensor(START, dtype=torch.float64), torch.tensor(BIAS)
    curvature = torch.tensor(CURVATURE, dtype=torch.float64)
    optimiser = built(options, mine, biases)
    theirs, velocity = list(START), [0.0] * 4
    for factor in RADII:
        rho = options["rho"] * factor
        optimiser.step(mine, lambda weights: curvature * weights, RATE, rho=rho)
        size, gradient = sizes(options, theirs), [c * w for c, w in zip(CURVATURE, theirs, strict=True)]
        norm = math.sqrt(sum((t * g) ** 2 for t, g in zip(size, gradient, strict=True)))
        above = [w + rho * t * t * g / norm for w, t, g in zip(theirs, size, gradient, strict=True)]
        steps = [c * u + DECAY * w for c, u, w in zip(CURVATURE, above, theirs, strict=True)]
        velocity = [MOMENTUM * v + step for v, step in zip(velocity, steps, strict=True)]
        theirs = [w - RATE * v for w, v in zip(theirs, velocity, strict=True)]
        assert mine.tolist() == pytest.approx(theirs, rel=1e-13)


def network() -> nn.Module:
    torch.manual_seed(3)
    norm = nn.BatchNorm1d(8, track_running_stats=False)  # its weight is scaled as a weight, its bias is a bias
    net = nn.Sequential(nn.Linear(6, 8), norm, nn.Tanh(), nn.Linear(8, 4)).double()
    nn.init.uniform_(norm.weight, 0.5, 2.0)
    nn.init.uniform_(norm.bias, -1.0, 1.0)
    return net


def vector(net: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def by_vector(net: nn.Module, loss: Callable[[Tensor], Tensor], inputs: Tensor) -> Callable[[Tensor], Tensor]:
    """The gradient at any weights, as the vector that lnbench's optimisers are given; it leaves the network alone."""
    names, shapes = zip(*((name, parameter.shape) for name, parameter in net.named_parameters()), strict=True)

    def of(weights: Tensor) -> Tensor:
        parts = torch.split(weights, [shape.numel() for shape in shapes])
        tensors = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        return loss(torch.func.functional_call(net, tensors, (inputs,)))

    return torch.func.grad(of)


def first_pass(net: nn.Module, options: dict[str, Any], rho: float) -> list[Tensor]:
    """Move each parameter uphill as the codes do, one by one, and return where each was."""
    sizes = []
    for name, parameter in net.named_parameters():
        if options["kind"] == "sam":
            sizes.append(torch.ones_like(parameter))
        elif options.get("scaled") == "all":
            sizes.append(parameter.detach().abs())
        else:
            sizes.append(parameter.detach().abs() + options["eta"] if "weight" in name else torch.ones_like(parameter))
    parameters = list(net.parameters())
    norm = torch.stack([(t * p.grad).norm() for t, p in zip(sizes, parameters, strict=True)]).norm()
    before = [parameter.detach().clone() for parameter in parameters]
    for size, parameter in zip(sizes, parameters, strict=True):
        parameter.data += size**2 * parameter.grad * (rho / norm)
    return before


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_on_a_network_each_step_is_that_of_plain_torch(options: dict[str, Any]) -> None:
    """torch.optim.SGD with momentum and decay, steps taken with the gradients of the second pass."""
    theirs, generator = network(), torch.Generator().manual_seed(1)
    mine = vector(theirs)
    named = [(name, parameter.numel()) for name, parameter in theirs.named_parameters()]
    biases = torch.cat([torch.full((count,), name.endswith("bias")) for name, count in named])
    optimiser = built(options, mine, biases)
    step = torch.optim.SGD(theirs.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    for factor in RADII:
        rho = options["rho"] * factor
        inputs = torch.randn(12, 6, dtype=torch.float64, generator=generator)
        labels = torch.randint(0, 4, (12,), generator=generator)

        def loss(logits: Tensor, labels: Tensor = labels) -> Tensor:
            return F.cross_entropy(logits, labels)

        optimiser.step(mine, by_vector(network(), loss, inputs), RATE, rho=rho)
        step.zero_grad()
        loss(theirs(inputs)).backward()
        before = first_pass(theirs, options, rho)
        step.zero_grad()
        loss(theirs(inputs)).backward()
        for parameter, kept in zip(theirs.parameters(), before, strict=True):
            parameter.data.copy_(kept)
        step.step()
        torch.testing.assert_close(mine, vector(theirs), rtol=1e-11, atol=1e-13)


def test_the_three_differ() -> None:
    ends = []
    for options in ({**each, "rho": 0.5} for each in KINDS.values()):
        weights = torch.tensor(START, dtype=torch.float64)
        built(options, weights, torch.tensor(BIAS)).step(weights, lambda w: torch.tensor(CURVATURE).double() * w, RATE)
        ends.append(weights)
    assert all((ends[one] - ends[other]).abs().max() > 1e-3 for one, other in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.parametrize("model", catalog.names("model"))
def test_what_is_no_bias_is_a_weight_to_the_authors_of_asam(model: str) -> None:
    """Their code scales what has "weight" in its name; lnbench's all that is not named "bias"."""
    net = catalog.find("model", model).load()(model, (3, 32, 32), 10)
    for name, _ in net.named_parameters():
        assert ("weight" in name) != (name.rpartition(".")[2] == "bias"), name
