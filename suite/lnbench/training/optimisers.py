"""Optimisers as formulas on whole vectors of parameters: a handful of large operations a step, whatever the network.

All weights of a network are one vector, (P,) float32; those of K replicas that train together a stack of them, (K, P).
Each class has its formula once, as a pure function

    update(weights, gradient_at, state, options, *, lr, weight_decay, momentum=None, in_place=False) -> (weights, state)

where `gradient_at(weights)` is the gradient of the batch's loss at any weights of that shape: most ask for it once, at
the weights as they are; SAM and ASAM ask twice, and hand their `base` what they found. Nothing
is asked of the device, so that a whole step can be compiled or captured in a CUDA graph; with `in_place` the same
operations write where weights and state lie, which saves an eager step its allocations. `lr`,
`weight_decay` and `momentum` are numbers, or tensors that broadcast against the weights: () or, one value a replica,
(K, 1), on their device, float32. The other options are the same for a whole group. Every tensor of a state has the
weights' leading dimensions, so that `tensor[k]` is the state of replica k alone.

Each is tested step by step against torch.optim, or against the published formula in plain torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lnbench import catalog

State = dict[str, Tensor]
Scalar = float | Tensor
SMALLEST_NORM = 1e-16
GradientAt = Callable[[Tensor], Tensor]  # its result is valid until the next call: clone it to keep it longer


def given(gradient: Tensor) -> GradientAt:
    """Return a `gradient_at` that has this one answer: for optimisers that ask once."""
    return lambda weights: gradient


class Optimiser:
    """A state, and steps that change `weights` and it in place; `state` is what a checkpoint must keep."""

    def __init__(self, options: dict[str, Any], weights: Tensor, biases: Tensor | None = None):
        self.options = options
        self.state = self.first_state(options, weights, biases)

    def step(
        self,
        weights: Tensor,
        gradient_at: GradientAt,
        lr: Scalar,
        *,
        weight_decay: Scalar | None = None,
        momentum: Scalar | None = None,
        rho: Scalar | None = None,
    ) -> None:
        """Update `weights`; gradients are left as they are. What is not given is as the options have it.

        rho: a schedule's, in place of the options' one, of an optimiser that has a `rho_schedule`.
        """
        decay = self.options["weight_decay"] if weight_decay is None else weight_decay
        options = self.options if rho is None else {**self.options, "rho": rho}
        self.update(
            weights, gradient_at, self.state, options, lr=lr, weight_decay=decay, momentum=momentum, in_place=True
        )

    @staticmethod
    def first_state(options: dict[str, Any], weights: Tensor, biases: Tensor | None = None) -> State:
        """Return the state before the first step, of the weights' shape and on their device.

        biases: (P,) bool, which of the weights are biases (of a layer or a normalisation); None: none is.
        """
        raise NotImplementedError

    @staticmethod
    def update(
        weights: Tensor,
        gradient_at: GradientAt,
        state: State,
        options: dict[str, Any],
        *,
        lr: Scalar,
        weight_decay: Scalar,
        momentum: Scalar | None = None,
        in_place: bool = False,
    ) -> tuple[Tensor, State]:
        """Return the weights and the state after one step. `momentum`: a schedule's, in place of the options' one."""
        raise NotImplementedError


class Sgd(Optimiser):
    """v ← m·v + g (+ wd·w), first step v = g; w ← w − lr·v, or with Nesterov w − lr·(g + m·v). As torch.optim.SGD."""

    @staticmethod
    def first_state(options: dict[str, Any], weights: Tensor, biases: Tensor | None = None) -> State:
        return {"velocity": torch.zeros_like(weights)} if options["momentum"] else {}

    @staticmethod
    def update(
        weights: Tensor,
        gradient_at: GradientAt,
        state: State,
        options: dict[str, Any],
        *,
        lr: Scalar,
        weight_decay: Scalar,
        momentum: Scalar | None = None,
        in_place: bool = False,
    ) -> tuple[Tensor, State]:
        gradient = _decayed(gradient_at(weights), weights, weight_decay)
        if "velocity" in state:  # zero before the first step, so v = g there, as torch has it
            velocity, old = state["velocity"], options["momentum"] if momentum is None else momentum
            out = velocity if in_place else None
            velocity = torch.add(torch.mul(velocity, old, out=out), gradient, out=out)
            gradient = _plus(gradient, old, velocity) if options["nesterov"] else velocity
            state = {"velocity": velocity}
        elif momentum is not None:
            raise ValueError("a schedule that cycles the momentum needs an optimizer with a momentum above 0")
        return _minus(weights, lr, gradient, in_place), state


class AdaDelta(Optimiser):
    """AdaDelta (Zeiler 2012, algorithm 1) with its step multiplied by lr. As torch.optim.Adadelta.

    E[g²] ← ρ·E[g²] + (1−ρ)·g²; Δ = √(E[Δ²]+ε) / √(E[g²]+ε) · g; E[Δ²] ← ρ·E[Δ²] + (1−ρ)·Δ²; w ← w − lr·Δ.
    """

    @staticmethod
    def first_state(options: dict[str, Any], weights: Tensor, biases: Tensor | None = None) -> State:
        return {"square_gradient": torch.zeros_like(weights), "square_step": torch.zeros_like(weights)}

    @staticmethod
    def update(
        weights: Tensor,
        gradient_at: GradientAt,
        state: State,
        options: dict[str, Any],
        *,
        lr: Scalar,
        weight_decay: Scalar,
        momentum: Scalar | None = None,
        in_place: bool = False,
    ) -> tuple[Tensor, State]:
        if momentum is not None:
            raise ValueError("AdaDelta has no momentum that a schedule could cycle")
        rho, eps = options["rho"], options["eps"]
        gradient = _decayed(gradient_at(weights), weights, weight_decay)
        square_gradient = _mean_of_squares(state["square_gradient"], gradient, rho, in_place)
        scale = square_gradient.add(eps).sqrt_()
        change = state["square_step"].add(eps).sqrt_().div_(scale).mul_(gradient)
        square_step = _mean_of_squares(state["square_step"], change, rho, in_place)
        return _minus(weights, lr, change, in_place), {"square_gradient": square_gradient, "square_step": square_step}


class Adam(Optimiser):
    """Adam (Kingma & Ba 2015, algorithm 1), L2 decay added to the gradient. As torch.optim.Adam.

    m ← β₁·m + (1−β₁)·g; v ← β₂·v + (1−β₂)·g²; w ← w − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε). A schedule's momentum takes
    the place of β₁, as torch's OneCycleLR has it. The count t is a tensor, in float64: 1−0.999ᵗ of float32 numbers
    would be wrong by 1e-5 in the first step.
    """

    @staticmethod
    def first_state(options: dict[str, Any], weights: Tensor, biases: Tensor | None = None) -> State:
        steps = weights.new_zeros((*weights.shape[:-1], 1), dtype=torch.float64)
        return {"mean": torch.zeros_like(weights), "square": torch.zeros_like(weights), "steps": steps}

    @staticmethod
    def update(
        weights: Tensor,
        gradient_at: GradientAt,
        state: State,
        options: dict[str, Any],
        *,
        lr: Scalar,
        weight_decay: Scalar,
        momentum: Scalar | None = None,
        in_place: bool = False,
    ) -> tuple[Tensor, State]:
        beta1, beta2 = options["beta1"] if momentum is None else momentum, options["beta2"]
        gradient = _decayed(gradient_at(weights), weights, weight_decay)
        steps = torch.add(state["steps"], 1, out=state["steps"] if in_place else None)
        mean = torch.lerp(state["mean"], gradient, 1 - beta1, out=state["mean"] if in_place else None)
        square = _mean_of_squares(state["square"], gradient, beta2, in_place)
        rate = (lr / (1 - beta1**steps)).to(weights.dtype)
        spread = (1 - beta2**steps).sqrt().to(weights.dtype)
        change = mean / square.sqrt().div_(spread).add_(options["eps"])
        return _minus(weights, rate, change, in_place), {"mean": mean, "square": square, "steps": steps}


class Sam(Optimiser):
    """SAM (Foret et al. 2021, algorithm 1, equation 2, p = 2): the base steps from w along the gradient at w + e,

        e = ρ · g / ‖g‖,  g the gradient at w, of the loss alone: the decay is the base's, at w.

    The norm is over all weights of the network. `rho` is a number, or a tensor () where a schedule moves it. Of the
    weights as many numbers are held while the second gradient is taken as there are weights: those at w + e. The state
    is the base's.
    """

    @staticmethod
    def first_state(options: dict[str, Any], weights: Tensor, biases: Tensor | None = None) -> State:
        return _base(options).first_state(options["base"], weights, biases)

    @staticmethod
    def update(
        weights: Tensor,
        gradient_at: GradientAt,
        state: State,
        options: dict[str, Any],
        *,
        lr: Scalar,
        weight_decay: Scalar,
        momentum: Scalar | None = None,
        in_place: bool = False,
    ) -> tuple[Tensor, State]:
        def uphill(at: Tensor) -> Tensor:
            gradient = gradient_at(at)
            return gradient_at((gradient * (options["rho"] / _norm(gradient))).add_(at))

        return _base(options).update(
            weights, uphill, state, options["base"],
            lr=lr, weight_decay=weight_decay, momentum=momentum, in_place=in_place,
        )  # fmt: skip


class Asam(Optimiser):
    """ASAM (Kwon et al. 2021, algorithm 1, element-wise, p = 2): as SAM, with

        e = ρ · T²g / ‖Tg‖,  T = |w| + η for weights and 1 for biases, as in the authors' code.

    That code scales the parameters whose name contains "weight"; what is a bias here is one whose name ends with
    "bias". Every parameter of lnbench's networks has one of these two names, so the two rules say the same, and both
    scale the weights of batch normalisations. A plug-in's parameter with another name is scaled here.

    `scaled: all` is T = |w| of every number, biases too, without η: the code of D. Samuel (davda54/sam, its option
    `adaptive`, for which it suggests ρ = 2), which the report on SAM and label noise uses. It adds 1e-12 to the norm;
    here a norm is at least 1e-16. Where a number is 0, such as a bias before the first step, nothing is uphill.

    The state is the base's, and which numbers are biases.
    """

    @staticmethod
    def first_state(options: dict[str, Any], weights: Tensor, biases: Tensor | None = None) -> State:
        every = torch.zeros_like(weights, dtype=torch.bool)
        own = every if biases is None else every | biases
        return {"biases": own, **_base(options).first_state(options["base"], weights, biases)}

    @staticmethod
    def update(
        weights: Tensor,
        gradient_at: GradientAt,
        state: State,
        options: dict[str, Any],
        *,
        lr: Scalar,
        weight_decay: Scalar,
        momentum: Scalar | None = None,
        in_place: bool = False,
    ) -> tuple[Tensor, State]:
        biases = state["biases"]

        def uphill(at: Tensor) -> Tensor:
            size = at.abs() if options.get("scaled") == "all" else (at.abs() + options["eta"]).masked_fill(biases, 1.0)
            scaled = gradient_at(at) * size
            above = size.mul_(scaled).mul_(options["rho"] / _norm(scaled)).add_(at)
            del size, scaled  # while the gradient there is taken, nothing else is held
            return gradient_at(above)

        of_base = {name: tensor for name, tensor in state.items() if name != "biases"}
        weights, of_base = _base(options).update(
            weights, uphill, of_base, options["base"],
            lr=lr, weight_decay=weight_decay, momentum=momentum, in_place=in_place,
        )  # fmt: skip
        return weights, {"biases": biases, **of_base}


def _base(options: dict[str, Any]) -> type[Optimiser]:
    """Return the optimiser that is wrapped."""
    kind: type[Optimiser] = catalog.find("optimizer", options["base"]["kind"]).load()
    return kind


def _norm(gradient: Tensor) -> Tensor:
    """Return ‖gradient‖ of each replica, (…, 1), never 0: where the gradient is 0, nothing is uphill."""
    norm: Tensor = torch.linalg.vector_norm(gradient, dim=-1, keepdim=True)
    return norm.clamp_min(SMALLEST_NORM)


# A number goes into the operation as a factor and a tensor as an operand: what is computed is the same, but only the
# first has the very bits of the runs that are on record.


def _decayed(gradient: Tensor, weights: Tensor, weight_decay: Scalar) -> Tensor:
    """g + wd·w. A decay of 0 given as a number costs nothing."""
    if isinstance(weight_decay, Tensor) or weight_decay:
        return _plus(gradient, weight_decay, weights)
    return gradient


def _plus(one: Tensor, factor: Scalar, other: Tensor) -> Tensor:
    """one + factor·other."""
    if isinstance(factor, Tensor):
        return torch.addcmul(one, other, factor)
    return torch.add(one, other, alpha=factor)


def _minus(weights: Tensor, lr: Scalar, change: Tensor, in_place: bool) -> Tensor:
    """w − lr·change."""
    out = weights if in_place else None
    if isinstance(lr, Tensor):
        return torch.addcmul(weights, change, lr, value=-1, out=out)
    return torch.sub(weights, change, alpha=lr, out=out)


def _mean_of_squares(mean: Tensor, values: Tensor, keep: float, in_place: bool) -> Tensor:
    """keep·mean + (1−keep)·values²."""
    out = mean if in_place else None
    return torch.addcmul(torch.mul(mean, keep, out=out), values, values, value=1 - keep, out=out)
