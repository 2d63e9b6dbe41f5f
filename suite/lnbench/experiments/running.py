"""What every experiment does between two pieces of its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lnbench.training.gradient_noise import GradientNoise
from lnbench.training.hooks import Hooks, Progress, State, Stopped

__all__ = ["Hooks", "Progress", "State", "Stopped", "attend", "gradient_noise", "taken_up"]


def attend(hooks: Any, progress: Progress, snapshot: Callable[[], State]) -> None:
    """Tell progress between two pieces of work of less than half a second; save where asked, stop where asked (raise
    Stopped)."""
    save = hooks.tick(progress)
    stop = hooks.should_stop()
    if save or stop:
        hooks.save(snapshot())
    if stop:
        raise Stopped


def gradient_noise(hooks: Any, seeds: dict[str, int]) -> GradientNoise | None:
    """Return the noise that `lnbench measure` puts on a run's gradients; None in every run on record."""
    noise: GradientNoise | None = getattr(hooks, "gradient_noise", None)  # who calls may bring hooks of their own
    return noise and noise.of(seeds["init"])


def taken_up(state: Any, shapes: dict[str, tuple[int, ...]], last: int) -> bool:
    """Return whether a run goes on from a checkpoint: one that holds exactly these arrays, each of its shape, and a
    step within the run. Another is marked as refused."""
    found = {name: np.shape(array) for name, array in state.tensors.items()}
    state.refused = found != shapes or not 0 < state.step <= last
    return not state.refused
