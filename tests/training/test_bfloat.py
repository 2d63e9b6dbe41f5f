"""bfloat16 where the processor has no kernels for it: the same roundings, in float32, and no slow kernel anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from lnbench import machine
from lnbench.machine import bfloat16_kernels
from lnbench.training.backends import bfloat

CPU = torch.device("cpu")
ULP = 2.0**-8  # of bfloat16, relative


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this processor one that has no bfloat16 kernels."""
    monkeypatch.setattr(bfloat, "has_kernels", lambda: False)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Products(TorchDispatchMode):
    """Collects the dtypes in which matrices are multiplied and images convolved."""

    def __init__(self) -> None:
        super().__init__()
        self.dtypes: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket._qualified_op_name.split("::")[1] in (
            "convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm"
        ):  # fmt: skip
            self.dtypes |= {arg.dtype for arg in args if isinstance(arg, Tensor)}
        return func(*args, **(kwargs or {}))


@pytest.mark.skipif(not Path("/proc/cpuinfo").is_file(), reason="only Linux tells a processor's flags")
def test_the_processors_flags_say_what_torch_says() -> None:
    assert bfloat16_kernels() in (None, bfloat.has_kernels())


@pytest.mark.usefixtures("without_kernels")
def test_a_product_is_that_of_rounded_factors_rounded_once() -> None:
    x, weight, bias = numbers(4, 3, 9, 9), numbers(5, 3, 3, 3, seed=1), numbers(5, seed=2)
    with bfloat.low_precision(CPU):
        found = F.conv2d(x, weight, bias, padding=1)
        dense = F.linear(x[0, 0], weight=numbers(7, 9, seed=3))
    low = [part.bfloat16().double() for part in (x, weight, bias)]
    exact = F.conv2d(*low, padding=1)
    assert found.dtype is dense.dtype is torch.bfloat16
    assert torch.allclose(found.double(), exact, rtol=ULP, atol=1e-6)
    unrounded = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    assert not torch.allclose(found.double(), unrounded, rtol=ULP, atol=1e-6)  # the factors' rounding shows
    exact = x[0, 0].bfloat16().double() @ numbers(7, 9, seed=3).bfloat16().double().T
    assert torch.allclose(dense.double(), exact, rtol=ULP, atol=1e-6)


def gradients(low: bool, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Return the logits of a small network and the gradients of its weights; `low`: without bfloat16 kernels."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)
    )
    with monkeypatch.context() as patch:
        patch.setattr(bfloat, "has_kernels", lambda: not low)
        with bfloat.low_precision(CPU):
            logits = net(numbers(16, 3, 8, 8)).float()
        F.cross_entropy(logits, torch.arange(16) % 10).backward()
    return [logits.detach(), *(parameter.grad for parameter in net.parameters() if parameter.grad is not None)]


def test_logits_and_gradients_are_those_of_the_kernels_up_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels, in_float32 = (gradients(low, monkeypatch) for low in (False, True))
    assert len(kernels) == 7
    for one, other in zip(kernels, in_float32, strict=True):
        assert other.dtype is torch.float32
        assert float((one - other).norm()) <= 0.02 * float(one.norm()) + 1e-6
    # each gradient of a product was rounded to bfloat16 before it came back to float32
    for number in (1, 5):
        assert torch.equal(in_float32[number], in_float32[number].bfloat16().float())


@pytest.mark.usefixtures("without_kernels")
def test_no_product_is_left_to_a_bfloat16_kernel() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    with Products() as seen:
        with bfloat.low_precision(CPU):
            loss = net(numbers(2, 1, 8, 8)).float().sum()
        loss.backward()
        bfloat.baddbmm(*(part.bfloat16() for part in (numbers(2, 1, 3), numbers(2, 4, 5), numbers(2, 5, 3))))
    assert seen.dtypes == {torch.float32}
    assert F.linear(numbers(1, 2), numbers(3, 2)).dtype is torch.float32  # outside all is as before


@pytest.mark.usefixtures("without_kernels")
def test_a_stack_of_matrices_is_rounded_in_the_same_way() -> None:
    bias, left, right = (part.bfloat16() for part in (numbers(2, 1, 3), numbers(2, 4, 5, seed=1), numbers(2, 5, 3)))
    found = bfloat.baddbmm(bias, left, right)
    assert found.dtype is torch.bfloat16
    assert torch.allclose(found.double(), bias.double() + left.double() @ right.double(), rtol=ULP, atol=1e-6)
    assert bfloat.baddbmm(*(part.float() for part in (bias, left, right))).dtype is torch.float32


@pytest.mark.usefixtures("without_kernels")
@pytest.mark.parametrize("compile", [False, True])
def test_a_compiled_network_computes_in_it_too(compile: bool) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 4))
    run = torch.compile(net, backend="aot_eager") if compile else net
    with bfloat.low_precision(CPU):
        found = run(numbers(8, 20))
        wanted = net(numbers(8, 20))
    assert found.dtype is torch.bfloat16 and torch.allclose(found.float(), wanted.float(), rtol=0.02, atol=0.01)


@pytest.mark.parametrize("kernels", [True, False, None])
def test_records_say_where_bfloat16_was_computed_in_float32(
    kernels: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "bfloat16_kernels", lambda: kernels)
    assert ("bfloat16" in machine.environment()) is (kernels is False)
