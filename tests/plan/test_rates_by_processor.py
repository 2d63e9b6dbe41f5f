"""Prices on a CPU rest on the processor that a record was made on."""

from __future__ import annotations

from typing import Any

import pytest

from lnbench.machine import processor
from lnbench.plan.cost import seconds_of
from lnbench.plan.devices import DEVICES, device_named
from lnbench.plan.estimate import FIGURES, OTHER_RATES, RATES, SOME_RATES, basis_of
from lnbench.plan.plan import Plan
from lnbench.plan.rates import Prices, kind_of, prices_of
from lnbench.plan.run import Run
from tests.toys.short_of_time import record_of
from tests.toys.small_runs import recipe, seeds

CPU = DEVICES["cpu"]


def run(model: str, **changes: Any) -> Run:
    """A training that counts: long enough to have a price."""
    return Run(recipe(model=model, epochs=50, **changes), seeds())


def timed(one: Run, factor: float, on: str) -> dict[str, Any]:
    """Return the record of a run that took so many times what the model says, on a processor."""
    made = record_of(one, "cpu", factor * seconds_of(one, "cpu"))
    return {**made, "provenance": {**made["provenance"], "environment": {"processor": on}}}


def factor_of(one: Run, prices: Prices) -> float:
    return prices.of(one).seconds / seconds_of(one, "cpu")


def test_records_of_this_processor_go_before_those_of_others() -> None:
    wide, convnet = run("mlp1"), run("convnet4")
    prices = prices_of(CPU, [timed(wide, 3.0, "slow"), *[timed(wide, 1.0, "quick")] * 5], "slow")
    assert factor_of(wide, prices) == pytest.approx(3.0) and prices.measured(wide)
    assert prices.rates[kind_of(wide.recipe)].runs == 1
    assert not prices.measured(convnet)


def test_a_rate_of_another_processor_is_carried_over_by_the_kinds_that_both_have_trained() -> None:
    records = [timed(run("mlp1"), 3.0, "slow"), timed(run("mlp1"), 1.0, "quick"), timed(run("mlp2"), 2.0, "quick")]
    prices = prices_of(CPU, records, "slow")
    assert factor_of(run("mlp2"), prices) == pytest.approx(6.0) and not prices.measured(run("mlp2"))
    alone = prices_of(CPU, records[1:], "slow")
    assert factor_of(run("mlp2"), alone) == pytest.approx(2.0), "nothing tells how the two compare"


def test_a_kind_that_nobody_has_trained_takes_as_much_longer_as_those_of_this_processor() -> None:
    records = [timed(run(model), factor, "slow") for model, factor in (("mlp1", 2.0), ("mlp2", 4.0), ("mlp4", 9.0))]
    assert factor_of(run("convnet4"), prices_of(CPU, records, "slow")) == pytest.approx(4.0)
    assert factor_of(run("convnet4"), prices_of(CPU, records, "new here")) == pytest.approx(1.0)


def test_this_machines_processor_is_meant_unless_another_is_named() -> None:
    one = run("mlp1")
    assert factor_of(one, prices_of(CPU, [timed(one, 3.0, processor()), timed(one, 1.0, "other")])) == pytest.approx(3)


def test_a_plan_says_what_its_time_rests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [run("mlp1"), run("mlp2")]
    monkeypatch.setattr("lnbench.plan.estimate.plan_runs", lambda plan: runs)
    plan: Any = Plan
    monkeypatch.setattr(
        "lnbench.plan.estimate.plan_seconds", lambda plan, prices: sum(prices.of(o).seconds for o in runs)
    )
    records = [timed(one, 2.0, "here") for one in runs]
    device = device_named("cpu")
    found = [basis_of(plan, prices_of(device, records[:count], "here")) for count in range(3)]
    assert found == [FIGURES, SOME_RATES, RATES]
    assert basis_of(plan, prices_of(device, records, "elsewhere")) == OTHER_RATES
