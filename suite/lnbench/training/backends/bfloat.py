"""bfloat16 on a processor that has no kernels for it.

There torch multiplies bfloat16 matrices number by number and folds convolutions out by hand: 10 to 30 times slower
than float32 (on a processor with AVX2 and no AVX-512; docs/precision.md). Here the factors are rounded to bfloat16 as
everywhere, multiplied and summed in float32, and the result is rounded to bfloat16: what the kernels of other
processors do, in another order of the sum. The gradients are rounded at the same places.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


@cache
def has_kernels() -> bool:
    """Return whether torch has fast bfloat16 kernels for this processor; True where torch does not tell."""
    told = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return bool(told()) if told is not None else True


def low_precision(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which networks compute in bfloat16 where autocast considers it safe."""
    if device.type != "cpu" or has_kernels():
        return torch.autocast(device.type, torch.bfloat16)
    return _in_float32()


@contextlib.contextmanager
def _in_float32() -> Iterator[None]:
    with torch.autocast("cpu", torch.bfloat16), _MultipliedInFloat32():
        yield


class _MultipliedInFloat32(TorchFunctionMode):
    """Takes over the products that networks of the catalog consist of; all else is autocast's."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in PRODUCTS and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return func(*map(_rounded, args), **{name: _rounded(x) for name, x in kwargs.items()}).bfloat16()
        return func(*args, **kwargs)


PRODUCTS = (F.conv2d, torch.conv2d, F.linear, torch.baddbmm)


def _rounded(x: Any) -> Any:
    """Return numbers rounded to bfloat16, in float32; anything else as it is."""
    return x.bfloat16().float() if isinstance(x, Tensor) and x.is_floating_point() else x


def baddbmm(bias: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Return bias + left @ right for stacks of matrices, (K, B, D) and (K, D, E), in their precision."""
    if left.dtype is torch.bfloat16 and left.device.type == "cpu" and not has_kernels():
        return torch.baddbmm(bias.float(), left.float(), right.float()).bfloat16()
    return torch.baddbmm(bias, left, right)
