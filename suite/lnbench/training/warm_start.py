"""The input `weights`: the weights that a training ended with, for another to start from. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Outcome = dict[str, Any]


def last_weights(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the weights (W,) float32 that the one run ended with; failed where it diverged."""
    (outcome,) = outcomes
    if outcome["status"] != "ok":
        return {"status": "failed", "message": "weights: the run that would give them diverged"}
    weights = outcome["arrays"]["final_weights"]
    return {"status": "ok", "numbers": len(weights), "arrays": {"weights": weights}}
