"""Learning-rate schedules: the factor of the base rate at each step, a pure function of the step."""

from __future__ import annotations

from typing import Any


def constant(options: dict[str, Any], step: int, steps: int) -> float:
    """Always 1. `step` counts from 0, `steps` is the run's total."""
    return 1.0
