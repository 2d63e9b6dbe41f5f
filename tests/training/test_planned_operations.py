"""The operations that plans price a step by (`plan/step_cost.py`), against those that torch starts."""

from __future__ import annotations

from typing import Any

import pytest
from torch.utils._python_dispatch import TorchDispatchMode

from lnbench.plan import Run
from lnbench.plan.step_cost import operations
from lnbench.training.backends import bfloat
from lnbench.training.backends.protocol import EVALUATION_BATCH
from lnbench.training.shape import EVALUATED_AT_ONCE
from tests.benchmarks import engine_side as side

VIEWS = {"view", "_unsafe_view", "expand", "slice", "select", "t", "transpose", "permute", "unsqueeze", "squeeze",
         "detach", "alias", "as_strided", "split", "split_with_sizes", "unbind", "_reshape_alias"}  # fmt: skip


STEPS = 32  # as many as the engine draws batches for at once


def counted(data: Any, spec: dict[str, Any]) -> float:
    """Operations of one step of the loop, as torch dispatches them; a view starts nothing on a device."""

    class Counter(TorchDispatchMode):
        total = 0

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.total += function.overloadpacket.__name__ not in VIEWS
            return function(*args, **(kwargs or {}))

    epoch = side.Epochs(data, spec, 1, "loop", False)
    with Counter() as counter:
        epoch()
    return counter.total / STEPS


@pytest.mark.parametrize("precision", ["fp32", "fast"])
@pytest.mark.parametrize(("model", "kind"), [("mlp1", "mnist"), ("convnet4", "mnist"), ("resnet8_aum", "cifar10")])
def test_the_operations_of_a_step_are_those_that_torch_starts(
    model: str, kind: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bfloat, "has_kernels", lambda: True)  # as on the GPU that is priced
    data = side.random_images(kind, STEPS * 2)
    spec = side.recipe(data, model=model, batch_size=2, optimizer=side.SGD, precision=precision)
    planned = operations(Run({**spec, "dataset": {**spec["dataset"], "name": kind}}, side.seeds(0)))
    assert planned == pytest.approx(counted(data, spec), rel=0.15)


def test_images_are_evaluated_as_many_at_once_as_the_engine_does() -> None:
    assert EVALUATED_AT_ONCE == EVALUATION_BATCH
