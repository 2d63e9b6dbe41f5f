"""Steps a second of the linear network's kernel, as a ratio to a plain PyTorch loop in the same run.

    pytest tests/benchmarks/test_linear_speed.py -n 0 --benchmark-enable --benchmark-only

The paper's scale (1000 neurons, 20 inputs, one sample a step, fresh label noise), float64, one thread. Aim: 20 times.
Both sides count whole steps: the kernel's with its readings of all neurons, the loop's without any. The loop is what
one would write: autograd, in place, its random numbers drawn beforehand.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch

from lnbench.experiments import Hooks, linear_network
from lnbench.experiments.options import LinearNetwork
from lnbench.randomness import SEED_STREAMS

PAPER: dict[str, Any] = {
    "experiment": "linear_network", "neurons": 1000, "dimension": 20, "samples": 200, "test_samples": 1000,
    "first_scale": 1.0, "second_scale": 1.0, "lr": 0.001, "steps": 1_000_000, "batch": "one", "noisy": True,
    "noise": "rademacher", "sigma": 4.0, "noise_period": 0, "rho": None, "points": 100, "neurons_kept": 50,
}  # fmt: skip
SEEDS = dict.fromkeys(SEED_STREAMS, 0)
LOOP_STEPS, KERNEL_STEPS = 3000, 1_000_000  # of a repeat with times; a hundredth without


def options(**changes: Any) -> dict[str, Any]:
    return LinearNetwork.model_validate({**PAPER, **changes}).identity()


def loop_seconds(steps: int) -> float:
    """A step of the eager loop."""
    problem = linear_network.Problem(options(), 0)
    W, a = (torch.from_numpy(array.T.copy()).requires_grad_() for array in linear_network.first_weights(options(), 0))
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
    rng = np.random.default_rng(0)
    order, noise = rng.integers(0, len(y), steps).tolist(), (4.0 * rng.choice([-1.0, 1.0], steps)).tolist()
    began = time.perf_counter()
    for index, xi in zip(order, noise, strict=True):
        loss = 0.5 * (a @ (W @ X[index]) - y[index] - xi) ** 2
        loss.backward()
        with torch.no_grad():
            for parameter in (W, a):
                parameter -= 0.001 * parameter.grad
                parameter.grad = None
    return (time.perf_counter() - began) / steps


def kernel_seconds(steps: int) -> float:
    """A step of a whole run, readings included."""
    began = time.perf_counter()
    linear_network.run(options(steps=steps), SEEDS, None, state=None, hooks=Hooks())
    return (time.perf_counter() - began) / steps


def test_the_kernel_against_an_eager_loop(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    kernel_seconds(1000)  # compiled
    share = 1 if benchmark.enabled else 100
    pairs = []

    def pair() -> None:
        # interleaved: a busy machine slows both
        pairs.append((loop_seconds(LOOP_STEPS // share), kernel_seconds(KERNEL_STEPS // share)))

    try:
        benchmark.pedantic(pair, rounds=5, warmup_rounds=1)
    finally:
        torch.set_num_threads(threads)
    ratio = float(np.median([loop / kernel for loop, kernel in pairs]))
    loop, kernel = (float(np.median(column)) for column in zip(*pairs, strict=True))
    benchmark.extra_info["ratio_to_eager_loop"] = round(ratio, 1)
    with capsys.disabled():
        print(f"\nlinear network: {1 / kernel:,.0f} steps/s, eager loop {1 / loop:,.0f}: {ratio:.0f} times")
