"""The inputs `aul_trust`, `aum_trust`: how far a training lets each label be believed, for another to weigh by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lnbench.loss_curves.mixture import NothingToSplit, fit_split
from lnbench.loss_curves.scores import area_under_margin, aul
from lnbench.stats.seeds import Floats

Outcome = dict[str, Any]


def aul_trust(outcomes: Sequence[Outcome], options: dict[str, Any]) -> Outcome:
    """Return how far each label is believed by the AUL over all epochs of the one run (the AUL paper, section 4); see
    `_trust`."""
    return _trust(outcomes, options, lambda arrays: aul(arrays, len(arrays["example_loss"])))


def aum_trust(outcomes: Sequence[Outcome], options: dict[str, Any]) -> Outcome:
    """Return the same by the AUM (Pleiss et al. 2020), its sign turned: a low margin is suspect."""
    margins = "example_margin"
    return _trust(outcomes, options, lambda arrays: -area_under_margin(arrays[margins], len(arrays[margins])))


def _trust(outcomes: Sequence[Outcome], options: dict[str, Any], score: Callable[[Any], Floats]) -> Outcome:
    """Fit two Gaussians to the scores: the probability z of the upper one says that a label is wrong.

    `weight`: `clean` gives 1 − z, as the paper's abstract and section 1 describe it; `literal` gives z, as its formula
    is printed. `guard`: whether z is 0 below the lower mean and 1 above the upper one
    (`mixture.Split.responsibilities`). The array `trust` (N,) float32 has a place for every example of the noise, 0 for
    those that the run was not trained on. Failed where the run diverged, or its scores cannot be split.
    """
    (outcome,) = outcomes
    if outcome["status"] != "ok":
        return {"status": "failed", "message": "the run that would say how far to trust the labels diverged"}
    arrays, noise = outcome["arrays"], outcome["noise"]
    scores = score(arrays)
    try:
        split = fit_split(scores)
    except NothingToSplit as error:
        return {"status": "failed", "message": f"no trust in labels can be read off the scores: {error}"}
    wrong = split.responsibilities(scores, guard=options["guard"])
    numbers = arrays["example_number"] if "example_number" in arrays else np.arange(len(scores))
    believed = np.zeros(noise["examples"], dtype=np.float32)
    believed[numbers] = 1 - wrong if options["weight"] == "clean" else wrong
    return {
        "status": "ok",
        "noise_estimate": float(wrong.mean()),
        "groups": split.groups,
        "labels_sha256": noise["labels_sha256"],
        "arrays": {"trust": believed},
    }
