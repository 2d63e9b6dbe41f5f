"""Options of small experiments, as their recipes give them, and a numpy reference that does every step by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from lnbench.experiments import Hooks, Progress, State
from lnbench.experiments.linear_network import Problem, first_weights
from lnbench.experiments.options import LinearNetwork, Ntk
from lnbench.randomness import SEED_STREAMS, Stream, below, u32

LINEAR: dict[str, Any] = {
    "experiment": "linear_network", "neurons": 100, "dimension": 20, "samples": 200, "test_samples": 300,
    "first_scale": 1.0, "second_scale": 1.0, "lr": 0.01, "steps": 2000, "batch": "one", "noisy": True,
    "noise": "rademacher", "sigma": 2.0, "noise_period": 0, "rho": None, "points": 40, "neurons_kept": 50,
}  # fmt: skip

NTK: dict[str, Any] = {
    "experiment": "ntk", "dataset": "synthetic_cifar10", "images": 16, "draw": "random", "downsample": 4, "hidden": 24,
    "weight_sd": 1.0, "bias_sd": 1.0, "lr": 0.01, "steps": 200, "read_every": 50, "label_noise": 0.0, "rho": None,
    "kernel": "full",
}  # fmt: skip

LABEL_ERRORS: dict[str, Any] = {
    "experiment": "label_errors", "dataset": "digits", "clean": 400,
    "noise": {"kind": "replace_uniform", "rate": 0.3, "include_true_class": False}, "model": "mlp1_w32",
    "method": "standard",
    "optimizer": {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0},
    "schedule": {"kind": "constant"}, "batch_size": 32, "epochs": 12, "augment": "none", "precision": "fp32",
    "pixels": None, "folds": 3,
}  # fmt: skip


def linear(**changes: Any) -> dict[str, Any]:
    return LinearNetwork.model_validate({**LINEAR, **changes}).identity()


def ntk(**changes: Any) -> dict[str, Any]:
    return Ntk.model_validate({**NTK, **changes}).identity()


def seeds(value: int = 0, **changes: int) -> dict[str, int]:
    return {**dict.fromkeys(SEED_STREAMS, value), **changes}


class Interrupting:
    """Hooks that ask for a checkpoint and a stop at the n-th question; `saved` is what was to be kept."""

    def __init__(self, at: int):
        self.left, self.saved = at, State()
        self.seen: list[Progress] = []

    def tick(self, progress: Progress) -> bool:
        self.seen.append(progress)
        self.left -= 1
        return self.left == 0

    def should_stop(self) -> bool:
        return self.left == 0

    def save(self, state: State) -> None:
        self.saved = state


NOTHING = Hooks()


def reference_steps(options: dict[str, Any], own: dict[str, int], steps: int) -> tuple[Any, Any]:
    """(W (d, m), a (m,)) after `steps` steps: every neuron by itself, gradients written out, nothing reduced."""
    problem = Problem(options, own["split"])
    W, a = first_weights(options, own["init"])
    lr, rho, n = options["lr"], options["rho"], options["samples"]

    def noise(numbers: Any) -> Any:
        bits = u32(own["noise"], Stream.NOISE, 0, numbers)
        if options["noise"] == "rademacher":
            return np.where(bits >> 31, 1.0, -1.0)
        other = u32(own["noise"], Stream.NOISE, 1, numbers)
        return np.sqrt(-2 * np.log((bits + 0.5) / 2**32)) * np.cos(2 * np.pi * (other + 0.5) / 2**32)

    for step in range(steps):
        on = options["noise_period"] == 0 or (step // options["noise_period"]) % 2 == 0
        sigma = options["sigma"] if on else 0.0
        if options["batch"] == "one":
            chosen = np.array([below(u32(own["order"], Stream.ORDER, 0, step), n)])
            numbers = np.array([step])
        else:
            chosen = np.arange(n)
            numbers = step * n + chosen
        x = problem.X[chosen]
        labels = problem.y[chosen] + (sigma * noise(numbers) if sigma else 0.0)

        def gradients(W: Any, a: Any, x: Any = x, labels: Any = labels) -> tuple[Any, Any]:
            slope = x.T @ (x @ (W @ a) - labels) / len(x)  # of the loss, by Wa
            return np.outer(slope, a), W.T @ slope

        dW, da = gradients(W, a)
        if rho:
            norm = np.sqrt((dW**2).sum() + (da**2).sum()) + 1e-12
            dW, da = gradients(W + rho * dW / norm, a + rho * da / norm)
        W, a = W - lr * dW, a - lr * da
    return W, a
