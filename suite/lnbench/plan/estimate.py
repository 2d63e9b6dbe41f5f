"""What a plan costs, in words, before any of it is spent."""

from __future__ import annotations

from lnbench.plan.cost import plan_runs
from lnbench.plan.devices import device_named
from lnbench.plan.plan import Plan
from lnbench.plan.rates import Prices

FIGURES, RATES, SOME_RATES = "planning figures", "rates measured here", "partly rates measured here"
OTHER_RATES = "from rates of other networks or processors"


def plan_seconds(plan: Plan, prices: Prices) -> float:
    """Return about what the whole plan takes on a device, from scratch."""
    runs, device = plan_runs(plan), prices.device
    workers = 1 if device.kind == "cuda" else min(device.cores, max(1, len(runs)))
    return device.start + sum(prices.of(run).seconds for run in runs) / workers


def basis_of(plan: Plan, prices: Prices) -> str:
    """Return what the estimate rests on."""
    measured = {prices.measured(run) for run in plan_runs(plan)}
    if True in measured:
        return SOME_RATES if False in measured else RATES
    return FIGURES if plan_seconds(plan, prices) == plan_seconds(plan, Prices(prices.device)) else OTHER_RATES


def describe_cost(plan: Plan, device: str, prices: Prices | None = None) -> str:
    """Return `42 runs (12 of them to choose optimizer.lr), 3.1e+15 operations; estimated time here: 70 min from scratch
    (planning figures)`. `device`: as it was named; `prices`: of it, None for planning figures alone."""
    runs, choosing = plan_runs(plan), plan.choosing_runs
    prices = prices or Prices(device_named(device))
    seconds = plan_seconds(plan, prices)
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
    here = device in ("cpu", "cuda") or device.startswith("cuda:")
    basis = basis_of(plan, prices)
    rests = basis if here else basis.replace("measured here", "measured on such a device")
    return f"{work}; estimated time {'here' if here else f'on {device}'}: {size} from scratch ({rests})"
