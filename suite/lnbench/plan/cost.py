"""What a plan costs, in words, before any of it is spent."""

from __future__ import annotations

from lnbench.machine import available_cores
from lnbench.plan.plan import Plan
from lnbench.plan.run import Run
from lnbench.training.shape import passes

# Planning figures, not promises: measured on one core of a small server and, for the GPU, estimated
# (docs/performance.md). A step of a small network costs its overhead, whatever its arithmetic.
FLOP_A_SECOND = {
    ("cpu", "fp32"): 6e10,
    ("cpu", "fast"): 1.2e11,
    ("cuda", "fp32"): 1e13,
    ("cuda", "fast"): 3e13,
}
SECONDS_A_STEP = {"cpu": 4e-4, "cuda": 1e-3}
SECONDS_TO_START = {"cpu": 6.0, "cuda": 15.0}


def seconds_of(run: Run, device: str) -> float:
    """Return a rough guess of a run's time on one core or one GPU; experiments run on a core whatever the device."""
    if run.seconds is not None:
        return run.seconds
    kind = device.partition(":")[0]
    steps = run.examples * run.recipe["epochs"] / run.recipe["batch_size"] * passes(run.recipe)
    return run.flop / FLOP_A_SECOND[kind, run.recipe["precision"]] + float(steps) * SECONDS_A_STEP[kind]


def plan_runs(plan: Plan) -> list[Run]:
    """Return all runs of a plan, those of inputs and choosing ones first, each once."""
    runs = [*plan.input_runs, *plan.choosing_runs, *plan.provisional_runs()]
    return list({run.id: run for run in runs}.values())


def plan_seconds(plan: Plan, device: str) -> float:
    """Return a rough guess of the whole plan's time on this machine."""
    runs = plan_runs(plan)
    workers = 1 if device.startswith("cuda") else min(available_cores(), max(1, len(runs)))
    return SECONDS_TO_START[device.partition(":")[0]] + sum(seconds_of(run, device) for run in runs) / workers


def describe_cost(plan: Plan, device: str) -> str:
    """Return `42 runs (12 of them to choose optimizer.lr), 3.1e+15 operations; estimated time here: 70 min from
    scratch`."""
    runs, choosing = plan_runs(plan), plan.choosing_runs
    seconds = plan_seconds(plan, device)
    size = (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
    extra = f" ({len(choosing)} of them to choose {plan.choices[0].key})" if choosing else ""
    flop = sum(run.flop for run in runs if run.experiment is None)
    work = f"{len(runs)} runs{extra}" + (f", {flop:.1e} operations" if flop else "")
    return f"{work}; estimated time here: {size} from scratch"
