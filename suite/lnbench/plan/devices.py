"""Devices that runs are priced for: what they can do at most, by their data sheets, and what of it a training gets.

None of these figures was measured by lnbench, but those of the CPU. What a training gets of a peak is an assumption
with its reason (`step_cost.py`). Once records of a device are there, their rates are used instead (`rates.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from lnbench.errors import LnbenchError, did_you_mean
from lnbench.machine import available_cores, cuda_devices, cuda_name

MOST_CORES = 4096


@dataclass(frozen=True, slots=True)
class Device:
    """One device, or for `cpu` so many cores of a machine.

    fp32, fast: floating-point operations a second at most, in float32 (no TF32) and in bfloat16 (dense, no sparsity);
    of `cpu`: what one core gets. bandwidth: bytes a second at most between the chip and its memory; 0: not priced.
    memory: bytes; 0: not known. start: seconds until a process trains. source: where the figures are from.
    """

    name: str
    kind: Literal["cpu", "cuda"]
    words: str
    fp32: float
    fast: float
    source: str
    bandwidth: float = 0.0
    memory: float = 0.0
    start: float = 15.0
    cores: int = 1

    def is_card(self, name: str) -> bool:
        """Return whether a record's `device`, such as "NVIDIA H200", or "cpu", is of this class."""
        if self.kind == "cpu":
            return name == "cpu"
        return self.name == name.lower() or self.name in name.lower().replace("-", " ").split()


SHEET = "NVIDIA's data sheet of the {} (SXM); bfloat16 is half of its figure with sparsity"
DEVICES = {
    device.name: device
    for device in (
        Device("h200", "cuda", "NVIDIA H200", 67e12, 989e12, SHEET.format("H200"), 4.8e12, 141e9),
        Device("h100", "cuda", "NVIDIA H100", 67e12, 989e12, SHEET.format("H100"), 3.35e12, 80e9),
        Device("a100", "cuda", "NVIDIA A100 (80 GB)", 19.5e12, 312e12, SHEET.format("A100"), 2.039e12, 80e9),
        Device("cpu", "cpu", "CPU", 6e10, 1.2e11, "one core of a small server (docs/performance.md)", start=6.0),
    )
}
UNKNOWN_CARD = "h200"  # whose figures `cuda` has where there is no card, or one that is not in the table


def device_named(name: str) -> Device:
    """Return the device of a name: one of DEVICES; `cpu` for all cores of this machine, `cpu:16` for sixteen; `cuda` or
    `cuda:1` for this machine's GPU, priced as an H200 where there is none, or none of the table. Raises LnbenchError
    for another name."""
    kind, colon, number = name.partition(":")
    if kind == "cuda" and (not colon or number.isdecimal()):
        return _card(cuda_name(int(number or 0)))
    if kind == "cpu" and (not colon or (number.isdecimal() and 0 < int(number) <= MOST_CORES)):
        return replace(DEVICES["cpu"], cores=int(number) if colon else available_cores())
    if name in DEVICES:
        return DEVICES[name]
    if kind == "cpu":
        raise LnbenchError(f"--device {name}: write cpu:N for N cores, with N from 1 to {MOST_CORES}")
    if kind in DEVICES:
        raise LnbenchError(f"--device {name}: a plan is for one {DEVICES[kind].words}; write {kind}")
    raise LnbenchError(f"--device {name}: no planning figures for it; {did_you_mean(name, [*DEVICES, 'cuda'])}")


def this_machine() -> str:
    """Return the name of the device that trains here unless somebody says: its first GPU, else its cores."""
    return "cuda" if cuda_devices() else "cpu"


def _card(name: str) -> Device:
    known = next((device for device in _cards() if device.is_card(name)), None)
    if known is not None or not name:
        return known or DEVICES[UNKNOWN_CARD]
    like = DEVICES[UNKNOWN_CARD]
    return replace(like, name=name.lower(), words=f"{name} (no planning figures; those of an {like.words})", memory=0.0)


def _cards() -> Iterable[Device]:
    return (device for device in DEVICES.values() if device.kind == "cuda")
