"""Learning-rate schedules: the factor of the base rate at each step, as pure functions of the step.

`schedule(options, step, steps, steps_an_epoch) -> factor`: `step` counts batches from 0 over the whole run, `steps` is
the run's total, `steps_an_epoch` counts a last, smaller batch too. Where a schedule has a length, its options say what
the length counts (`unit`) and whether the rate moves at every step or at every epoch (`per`); after its end the rate
stays as it is there. The factors are Python floats, the same on every machine; `factors` gives all of them at once, for
steps that a GPU replays without asking. Each is tested step by step against torch.optim.lr_scheduler.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Schedule = Callable[[dict[str, Any], int, int, int], float]


def constant(options: dict[str, Any], step: int, steps: int, steps_an_epoch: int) -> float:
    """Always 1."""
    return 1.0


def step_decay(options: dict[str, Any], step: int, steps: int, steps_an_epoch: int) -> float:
    """Return γ to the number of `milestones` (of unit `steps` or `epochs`) that are reached. As torch's MultiStepLR."""
    now = step if options["unit"] == "steps" else step // steps_an_epoch
    return float(options["gamma"] ** sum(milestone <= now for milestone in options["milestones"]))


def levels(options: dict[str, Any], step: int, steps: int, steps_an_epoch: int) -> float:
    """Return the factor of the last of the `milestones` that is reached, 1 before the first."""
    now = step if options["unit"] == "steps" else step // steps_an_epoch
    reached = sum(milestone <= now for milestone in options["milestones"])
    return float(options["factors"][reached - 1]) if reached else 1.0


def linear(options: dict[str, Any], step: int, steps: int, steps_an_epoch: int) -> float:
    """Stay at 1 up to `start`, then fall along a line to `final`, reached `length` after the beginning."""
    now, length = _place(options, step, steps_an_epoch)
    start = length * options["start"] / options["length"]
    if now <= start:
        return 1.0
    share = (min(now, length) - start) / (length - start)
    return float(1.0 + (options["final"] - 1.0) * share)


def cosine(options: dict[str, Any], step: int, steps: int, steps_an_epoch: int) -> float:
    """Fall from 1 along half a cosine to `final`, reached `length` after the start. As torch's CosineAnnealingLR."""
    now, length = _place(options, step, steps_an_epoch)
    return _anneal(1.0, options["final"], min(now, length) / length)


def one_cycle(options: dict[str, Any], step: int, steps: int, steps_an_epoch: int) -> float:
    """Up from 1/div_factor to 1 within `rise` of the length, down to 1/(div_factor·final_div_factor). As OneCycleLR.

    Smith & Topin 2018 in torch's form of two phases, both along half a cosine; the base rate is the highest. The last
    value is that of the last of `length` steps (or epochs), one earlier than `cosine` has its.
    """
    first = 1 / options["div_factor"]
    return _cycle(options, step, steps_an_epoch, first, 1.0, first / options["final_div_factor"])


def exponential(options: dict[str, Any], step: int, steps: int, steps_an_epoch: int) -> float:
    """Return e^(−k·t), k = `rate`: t epochs, or steps, are finished. As torch's ExponentialLR with gamma e^−k."""
    if options["per"] == "epoch":
        return math.exp(-options["rate"] * (step // steps_an_epoch))
    return math.exp(-options["rate"] * step / (1 if options["unit"] == "steps" else steps_an_epoch))


def cyclic(options: dict[str, Any], step: int, steps: int, steps_an_epoch: int) -> float:
    """Stay at 1 up to `start`, then fall from `high` to `low` in each cycle of `length` (Izmailov et al. 2018, section
    3.2): with the cycle's c steps (or epochs) numbered from 1, number i has the factor

        (1 − i/c) · high + i/c · low

    so its last one has `low`, and a cycle of 1 has `low` throughout.
    """
    now, length = _place(options, step, steps_an_epoch)
    start = options["start"] * (length // options["length"])
    if now < start:
        return 1.0
    share = ((now - start) % length + 1) / length
    return float((1 - share) * options["high"] + share * options["low"])


def momentum(options: dict[str, Any], step: int, steps: int, steps_an_epoch: int) -> float | None:
    """Return the momentum (of Adam: β₁) that takes the place of the optimiser's at this step; None where it keeps its
    own.

    `one_cycle` moves it against the rate: from `momentum.high` down to `momentum.low` at the highest rate and up again.
    `linear` has `momentum.before` up to its `start`, and `momentum.after` from there on. These are values and no
    factors of the optimiser's, as in torch.
    """
    ends = options.get("momentum")
    if ends is None:
        return None
    if options["kind"] == "linear":
        now, length = _place(options, step, steps_an_epoch)
        return float(ends["after" if now >= length * options["start"] / options["length"] else "before"])
    return _cycle(options, step, steps_an_epoch, ends["high"], ends["low"], ends["high"])


def factors(schedule: Schedule, options: dict[str, Any], steps: int, steps_an_epoch: int) -> np.ndarray:
    """Return what `schedule` gives at each step of a run: (steps,) float64."""
    return np.array([schedule(options, step, steps, steps_an_epoch) for step in range(steps)], dtype=np.float64)


def momenta(options: dict[str, Any], steps: int, steps_an_epoch: int) -> np.ndarray | None:
    """Return the momentum at each step of a run, (steps,) float64; None where the schedule leaves it alone."""
    if options.get("momentum") is None:
        return None
    return np.array([momentum(options, step, steps, steps_an_epoch) for step in range(steps)], dtype=np.float64)


def _place(options: dict[str, Any], step: int, steps_an_epoch: int) -> tuple[int, int]:
    """Return (where the run is, the schedule's length), both in what the rate moves by: steps or epochs."""
    if options["per"] == "epoch":
        return step // steps_an_epoch, options["length"]  # its unit is epochs, too: the options see to that
    return step, options["length"] * (1 if options["unit"] == "steps" else steps_an_epoch)


def _cycle(options: dict[str, Any], step: int, steps_an_epoch: int, first: float, middle: float, last: float) -> float:
    now, length = _place(options, step, steps_an_epoch)
    end = length - 1
    now, peak = min(now, end), options["rise"] * length - 1  # may be negative, and is in torch
    if now <= peak and peak > 0:
        return _anneal(first, middle, now / peak)
    return _anneal(middle, last, (now - peak) / (end - peak) if end > peak else 1.0)


def _anneal(start: float, end: float, share: float) -> float:
    """Return what lies from `start` to `end` along half a cosine as `share` goes from 0 to 1."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
