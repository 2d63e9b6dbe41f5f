"""What a run takes by planning figures, before any run of its kind was timed."""

from __future__ import annotations

from lnbench.machine import bfloat16_kernels
from lnbench.plan.devices import DEVICES, Device, device_named
from lnbench.plan.plan import Plan
from lnbench.plan.run import Run
from lnbench.plan.step_cost import Time, decoding_time, experiment_time, training_time, trains
from lnbench.training.shape import passes

# Planning figures, not promises. Those of the CPU were measured on one core of a small server (docs/performance.md): a
# step of a small network costs its overhead, whatever its arithmetic. Those of a GPU are estimated (step_cost.py).
FLOP_A_SECOND = {("cpu", "fp32"): DEVICES["cpu"].fp32, ("cpu", "fast"): DEVICES["cpu"].fast}
SECONDS_A_STEP = 4e-4


def time_of(run: Run, device: Device, backend: str = "loop", replicas: int = 1) -> Time:
    """Return what a run takes on one core or one GPU, the share of one that trains with others; experiments that train
    no network of the catalog run on a core whatever the device."""
    if run.seconds is not None:
        return experiment_time(run, device) if device.kind == "cuda" and trains(run) else Time(run.seconds)
    if device.kind == "cuda":
        return training_time(run, device, backend, replicas)
    steps = run.examples * run.recipe["epochs"] / run.recipe["batch_size"] * passes(run.recipe)
    decoded = run.examples * run.recipe["epochs"] * decoding_time(run)
    return Time(run.flop / FLOP_A_SECOND["cpu", run.recipe["precision"]] + float(steps) * SECONDS_A_STEP + decoded)


def seconds_of(run: Run, device: str) -> float:
    """Return a rough guess of a run's time on one core or one GPU; `device` as in `device_named`.

    The same on every machine: reports have it, and whether a step is compiled depends on it.
    """
    return time_of(run, device_named(device)).seconds


def seconds_here(run: Run, device: str) -> float:
    """Return the same where the machine counts: a processor without bfloat16 kernels takes as long in `fast` as in
    float32 (training/backends/bfloat.py)."""
    priced = device_named(device)
    seconds = time_of(run, priced).seconds
    if priced.kind == "cuda" or run.seconds is not None or run.recipe["precision"] != "fast":
        return seconds
    if bfloat16_kernels() is not False:
        return seconds
    return seconds + run.flop / FLOP_A_SECOND["cpu", "fp32"] - run.flop / FLOP_A_SECOND["cpu", "fast"]


def plan_runs(plan: Plan) -> list[Run]:
    """Return all runs of a plan, those of inputs and choosing ones first, each once."""
    runs = [*plan.input_runs, *plan.choosing_runs, *plan.provisional_runs()]
    return list({run.id: run for run in runs}.values())
