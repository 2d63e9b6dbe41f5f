"""Whether two results say the same: numbers to six significant digits, all else exactly."""

from __future__ import annotations

import math
from typing import Any

from lnbench.report.plain import Json

DIGITS = 6
SLACK = 1e-9  # an absolute difference that rounding alone makes around zero


def differences(old: Json, new: Json) -> list[str]:
    """Return one line for each leaf of `result.json` in which they differ: `claims[0].verdict: "error", was …`."""
    return list(_differences(old, new, ""))


def _differences(old: Any, new: Any, path: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in [*old, *(key for key in new if key not in old)]:
            here = f"{path}.{key}" if path else str(key)
            if key not in new:
                found.append(f"{here}: gone, was {_short(old[key])}")
            elif key not in old:
                found.append(f"{here}: {_short(new[key])}, was not there")
            else:
                found += _differences(old[key], new[key], here)
        return found
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return [f"{path}: {len(new)} entries, were {len(old)}"]
        return [
            line
            for index, (before, now) in enumerate(zip(old, new, strict=True))
            for line in _differences(before, now, f"{path}[{index}]")
        ]
    return [] if same(old, new) else [f"{path}: {_short(new)}, was {_short(old)}"]


def same(old: Any, new: Any) -> bool:
    """Return whether two leaves are the same. A truth value is not a number; 1 and 1.0 are the same number."""
    if _is_number(old) and _is_number(new):
        return same_number(float(old), float(new))
    return type(old) is type(new) and bool(old == new)


def same_number(old: float, new: float) -> bool:
    """Return whether two numbers are equal to six significant digits, or within 1e-9. Nothing is rounded first: that
    would tell 0.4999999 from 0.5000001 where a digit turns over."""
    return math.isclose(old, new, rel_tol=10.0**-DIGITS, abs_tol=SLACK)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}…"


def text_differs(old: str, new: str) -> str | None:
    """Return the first line in which two texts differ; None where they are the same."""
    before, now = old.splitlines(), new.splitlines()
    for number, (a, b) in enumerate(zip(before, now, strict=False), start=1):
        if a != b:
            return f"line {number}: {_short(b)}, was {_short(a)}"
    return f"{len(now)} lines, were {len(before)}" if len(before) != len(now) else None
