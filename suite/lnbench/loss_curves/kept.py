"""The input `low_aul`: the examples that a training's losses do not make suspect, for another to train on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lnbench.loss_curves.scores import aul

Outcome = dict[str, Any]


def low_aul(outcomes: Sequence[Outcome], options: dict[str, Any]) -> Outcome:
    """Return which examples are kept when the share `drop` of those with the highest AUL is left out.

    The AUL is that of the one run, over all of its epochs. round(drop · n) of its n examples are left out; of equal
    AULs that of the higher number goes first. The array `kept` (N,) bool has a place for every example of the noise,
    also for those that the run itself was not trained on: these stay out. Failed where the run diverged, or nothing is
    left.
    """
    (outcome,) = outcomes
    if outcome["status"] != "ok":
        return {"status": "failed", "message": "low_aul: the run that would give the losses diverged"}
    arrays, noise = outcome["arrays"], outcome["noise"]
    losses = arrays["example_loss"]  # (epochs, n)
    scores = aul({"example_loss": losses}, len(losses))
    numbers = arrays["example_number"] if "example_number" in arrays else np.arange(len(scores))
    left = len(scores) - round(options["drop"] * len(scores))
    if not left:
        return {"status": "failed", "message": f"low_aul: nothing is left of {len(scores)} examples"}
    lowest = np.argsort(scores, kind="stable")[:left]
    kept = np.zeros(noise["examples"], dtype=np.bool_)
    kept[numbers[lowest]] = True
    return {
        "status": "ok",
        "kept_examples": left,
        "labels_sha256": noise["labels_sha256"],
        "arrays": {"kept": kept},
    }
