"""The input `predictions`: what a trained network takes its training images for, for another to learn. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Outcome = dict[str, Any]


def last_predictions(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the predictions (N,) int16 of the one run, for every example of its noise; failed where it diverged.

    `examples`, `changed`, `right`: how many there are, for how many the prediction is another class than the label as
    given, and for how many it is the true one.
    """
    (outcome,) = outcomes
    if outcome["status"] != "ok":
        return {"status": "failed", "message": "predictions: the run that would give them diverged"}
    return {
        "status": "ok",
        **outcome["final_predictions"],
        "labels_sha256": outcome["noise"]["labels_sha256"],
        "arrays": {"predictions": outcome["arrays"]["final_predictions"]},
    }
