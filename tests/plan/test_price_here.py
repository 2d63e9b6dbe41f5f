"""Prices on a processor without bfloat16 kernels: other where the machine counts, the same where it must not."""

from __future__ import annotations

import pytest

from lnbench.plan import cost
from lnbench.plan.cost import seconds_here, seconds_of
from lnbench.plan.run import Run
from tests.toys.small_runs import recipe, seeds


@pytest.mark.parametrize("precision", ["fp32", "fast"])
def test_what_reports_and_compiling_rest_on_is_the_same_on_every_machine(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(recipe(model="convnet4", precision=precision), seeds())
    found = {}
    for kernels in (True, False, None):
        monkeypatch.setattr(cost, "bfloat16_kernels", lambda kernels=kernels: kernels)
        found[kernels] = (seconds_of(run, "cpu"), seconds_here(run, "cpu"))
    assert len({neutral for neutral, _ in found.values()}) == 1
    assert found[True][1] == found[None][1] == found[True][0]
    slower = found[False][1] > found[True][1]
    assert slower is (precision == "fast")
    exact = Run(recipe(model="convnet4", precision="fp32"), seeds())
    assert found[False][1] == pytest.approx(seconds_of(exact, "cpu"))
