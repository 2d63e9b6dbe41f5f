"""Optimisers on one flat vector of all parameters: a handful of large operations a step, whatever the network.

`step(weights, gradient, lr)` changes `weights` (P,) in place; `state` are the tensors that a checkpoint must keep.
Each is tested step by step against torch.optim.
"""

from __future__ import annotations

from typing import Any

import torch


class Sgd:
    """v ← m·v + g (+ wd·w), first step v = g; w ← w − lr·v, or with Nesterov w − lr·(g + m·v). As torch.optim.SGD."""

    def __init__(self, options: dict[str, Any], weights: torch.Tensor):
        self.momentum, self.nesterov = options["momentum"], options["nesterov"]
        self.weight_decay = options["weight_decay"]
        self.velocity = torch.zeros_like(weights) if self.momentum else None

    @property
    def state(self) -> dict[str, torch.Tensor]:
        return {} if self.velocity is None else {"velocity": self.velocity}

    def step(self, weights: torch.Tensor, gradient: torch.Tensor, lr: float) -> None:
        if self.weight_decay:
            gradient = gradient.add(weights, alpha=self.weight_decay)
        if self.velocity is not None:  # zero before the first step, so v = g there, as torch has it
            self.velocity.mul_(self.momentum).add_(gradient)
            gradient = gradient.add(self.velocity, alpha=self.momentum) if self.nesterov else self.velocity
        weights.sub_(gradient, alpha=lr)


class AdaDelta:
    """AdaDelta (Zeiler 2012, algorithm 1) with its step multiplied by lr. As torch.optim.Adadelta.

    E[g²] ← ρ·E[g²] + (1−ρ)·g²; Δ = √(E[Δ²]+ε) / √(E[g²]+ε) · g; E[Δ²] ← ρ·E[Δ²] + (1−ρ)·Δ²; w ← w − lr·Δ.
    """

    def __init__(self, options: dict[str, Any], weights: torch.Tensor):
        self.rho, self.eps, self.weight_decay = options["rho"], options["eps"], options["weight_decay"]
        self.square_gradient = torch.zeros_like(weights)
        self.square_step = torch.zeros_like(weights)

    @property
    def state(self) -> dict[str, torch.Tensor]:
        return {"square_gradient": self.square_gradient, "square_step": self.square_step}

    def step(self, weights: torch.Tensor, gradient: torch.Tensor, lr: float) -> None:
        if self.weight_decay:
            gradient = gradient.add(weights, alpha=self.weight_decay)
        self.square_gradient.mul_(self.rho).addcmul_(gradient, gradient, value=1 - self.rho)
        scale = self.square_gradient.add(self.eps).sqrt_()
        change = self.square_step.add(self.eps).sqrt_().div_(scale).mul_(gradient)
        self.square_step.mul_(self.rho).addcmul_(change, change, value=1 - self.rho)
        weights.sub_(change, alpha=lr)
