"""What a result was made with: versions, machine, device. It goes into every record and every report."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.metadata
import os
import platform
from functools import cache
from pathlib import Path

import lnbench
from lnbench.errors import LnbenchError

IN_FLOAT32 = "computed in float32"  # between the same roundings: docs/precision.md


def version_of(package: str) -> str:
    """Return the installed version, without importing the package; "" where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def processor() -> str:
    """Return the processor's own name where the system tells it, else the machine's type."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def environment() -> dict[str, str]:
    """Return versions and machine, as text. No torch is imported; nothing personal (host or user names, paths) is in
    it. `bfloat16` is there where the processor has no kernels for it."""
    found = {
        "lnbench": lnbench.__version__,
        "python": platform.python_version(),
        "torch": version_of("torch"),
        "numpy": version_of("numpy"),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": str(available_cores()),
    }
    return found | {"bfloat16": IN_FLOAT32} if bfloat16_kernels() is False else found


@cache
def bfloat16_kernels() -> bool | None:
    """Return whether torch has fast bfloat16 kernels for this processor (oneDNN's: AVX-512 on x86); None where the
    system does not tell. Without torch; `training.backends.bfloat` asks torch itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), None)
    if flags is None:
        return None
    return {"avx512bw", "avx512vl", "avx512dq"} <= flags or {"avx_ne_convert", "avx_vnni_int8"} <= flags


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@cache
def _driver() -> ctypes.CDLL | None:
    """Return the CUDA driver, ready to be asked; None where there is none."""
    for name in ("libcuda.so.1", "libcuda.so", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        return driver if driver.cuInit(0) == 0 else None
    return None


@cache
def cuda_devices() -> int:
    """Return how many CUDA devices the driver shows (CUDA_VISIBLE_DEVICES respected); 0 without a driver."""
    driver, count = _driver(), ctypes.c_int(0)
    if driver is None or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


@cache
def cuda_name(number: int = 0) -> str:
    """Return what the driver calls a CUDA device, such as "NVIDIA H200", as torch does; "" where there is none."""
    driver, device, name = _driver(), ctypes.c_int(0), ctypes.create_string_buffer(256)
    if number >= cuda_devices() or driver is None or driver.cuDeviceGet(ctypes.byref(device), number) != 0:
        return ""
    found = driver.cuDeviceGetName(name, len(name), device) == 0
    return name.value.decode(errors="replace") if found else ""


def resolve_device(wanted: str) -> str:
    """Turn `auto` into `cuda` where there is one, else `cpu`; check any other. Raises LnbenchError for a device that
    does not exist."""
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
