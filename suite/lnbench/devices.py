"""Is there a GPU? Asked of the driver itself, so that neither planning nor `doctor` has to import torch."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache

from lnbench.errors import LnbenchError


@cache
def cuda_devices() -> int:
    """How many CUDA devices the driver shows (CUDA_VISIBLE_DEVICES respected); 0 without a driver."""
    for name in ("libcuda.so.1", "libcuda.so", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def resolve_device(wanted: str) -> str:
    """`auto` -> `cuda` where there is one, else `cpu`. Raises LnbenchError for a device that does not exist."""
    if wanted == "auto":
        return "cuda" if cuda_devices() else "cpu"
    kind, _, index = wanted.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdecimal()) or (kind == "cpu" and index):
        raise LnbenchError(f"--device {wanted}: not a device; use auto, cpu, cuda or cuda:0")
    if kind == "cuda" and int(index or 0) >= cuda_devices():
        have = cuda_devices()
        found = f"there {'is' if have == 1 else 'are'} {have}" if have else "no CUDA device was found"
        raise LnbenchError(f"--device {wanted}: {found}; use --device cpu, or see `lnbench doctor`")
    return wanted
