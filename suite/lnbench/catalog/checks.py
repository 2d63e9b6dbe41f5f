"""The kinds of check: options in `spec/parts.py`, and all else that they know in `judge/kinds/`, a file each."""

from __future__ import annotations

from lnbench.catalog.entry import Entry

# name -> (class in spec/parts.py, file and class in judge/kinds). Strings: both rooms stand above this one.
CHECKS = {
    "above": ("Threshold", "threshold:Above"),
    "below": ("Threshold", "threshold:Below"),
    "every_run_above": ("EveryRun", "every_run:EveryRunAbove"),
    "every_run_below": ("EveryRun", "every_run:EveryRunBelow"),
    "can_reach": ("CanReach", "can_reach:CanReach"),
    "agrees": ("Agrees", "agrees:Agrees"),
    "table": ("Table", "table:Table"),
    "table_sides": ("TableSides", "table_sides:TableSides"),
    "ordered": ("Ordered", "ordered:Ordered"),
    "equivalent": ("Equivalent", "equivalent:Equivalent"),
    "trend": ("Trend", "trend:Trend"),
    "monotone": ("Monotone", "trend:Monotone"),
    "shift": ("Shift", "shift:Shift"),
    "within": ("Within", "within:Within"),
    "scaling": ("Scaling", "within:Scaling"),
    "ratio": ("Ratio", "ratio:Ratio"),
    "correlation": ("Correlation", "correlation:Correlation"),
}


def entries() -> list[Entry]:
    """Return one entry per kind of check."""
    return [
        Entry("check", name, target=f"lnbench.judge.kinds.{kind}", part=f"lnbench.spec.parts:{part}")
        for name, (part, kind) in CHECKS.items()
    ]
