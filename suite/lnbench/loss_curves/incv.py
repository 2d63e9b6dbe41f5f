"""INCV's rounds: which examples two runs on halves of the candidates select, and how many labels they say are wrong.

Chen et al. 2019, Understanding and Utilizing Deep Neural Networks Trained with Noisy Labels.
The runs train with the method `half` and are watched by the probe `left_out`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lnbench.loss_curves.mixture import NothingToSplit, fit_split
from lnbench.loss_curves.scores import area_under_loss

Outcome = dict[str, Any]
Array = np.ndarray[Any, Any]
MOST_DISCARDED = 2.0  # of an example that is selected
BEST_EPOCH_ABOVE = ((0.6, 1), (0.3, 2))  # a noise ratio, and how many rounds take the best epoch above it
BEST_EPOCH_ROUNDS = 4  # how many take it at less noise


def noise_ratio(agreement: float, classes: int) -> float:
    """Return ε with (1 − ε)² + ε² / (K − 1) = agreement, for K classes: the smaller solution.

    That is how often a network predicts the label as given if its training labels and these are wrong alike, each with
    the chance ε, and it has learnt its labels as they are. The left side falls from 1 to 1/K at ε = (K − 1)/K, where
    labels are chance; an agreement below 1/K has no solution and gives that ε, the nearest. The authors' code
    (INCV_main.py) goes up in steps of 0.001 until the left side is no larger, and to 1 where it never is.
    """
    most = (classes - 1) / classes
    return most * (1 - math.sqrt(max(0.0, 1 - (1 - agreement) / most)))


def incv_round(outcomes: Sequence[Outcome], options: dict[str, Any]) -> Outcome:
    """Return what a round selects, of the runs on half 0 and on half 1 of its candidates.

    Each run selects of the half that it left out the examples whose label as given it predicts; with `symmetric` it
    discards ⌊r · selected⌋ of that half, those of largest cross-entropy (of equal ones those of the higher number),
    unless they are selected. r = min(2, ε / (1 − ε)), with ε from both runs' agreement in the first round, which later
    rounds carry on; the authors' code takes the first run's alone, and where ⌊r · selected⌋ is 0 it discards the whole
    half. A run is taken at its best epoch in the first s rounds, later at its last: s = 1 if not `symmetric` or
    ε > 0.6, 2 if ε > 0.3, else 4.

    Arrays (N,) bool: `kept`, all that was selected up to now, and `candidates`, what is left to select from. Nothing
    that is left to select from is no failure, nor is nothing that is selected. Failed where a run diverged, or measured
    losses that are not finite, and where the runs are not the two of one round.
    """
    if any(outcome["status"] != "ok" for outcome in outcomes):
        bad = [str(half) for half, outcome in enumerate(outcomes) if outcome["status"] != "ok"]
        return _failed(f"the run on half {' and that on half '.join(bad)} diverged")
    before = _before(outcomes)
    halves = [_watched(outcome["arrays"], "best") for outcome in outcomes]
    if (halves[0].mask & halves[1].mask).any():
        return _failed("its two runs leave out the same examples")
    classes, number = int(outcomes[0]["classes"]), before.number + 1
    estimate = before.estimate
    if estimate is None:
        estimate = noise_ratio(_agreement(halves), classes)
    symmetric = bool(options["symmetric"])
    best = number <= best_epoch_rounds(estimate, symmetric=symmetric)
    if not best:
        halves = [_watched(outcome["arrays"], "last") for outcome in outcomes]
    if not all(np.isfinite(half.loss[half.mask]).all() for half in halves):
        return _failed("a loss of the examples that its runs left out is not finite")
    ratio = min(MOST_DISCARDED, estimate / (1 - estimate))
    selected, discarded = (np.zeros(len(halves[0].mask), dtype=np.bool_) for _ in range(2))
    for half in halves:
        selected |= half.selected
        if symmetric:
            discarded[half.largest(math.floor(ratio * int(half.selected.sum())))] = True
    discarded &= ~selected
    every = halves[0].mask | halves[1].mask
    kept = selected if before.kept is None else selected | before.kept
    candidates = every & ~selected & ~discarded
    return {
        "status": "ok",
        "round": number,
        "noise_estimate": estimate,
        "discard_ratio": ratio,
        "epoch": "best" if best else "last",
        "examined": int(every.sum()),
        "selected": int(selected.sum()),
        "discarded": int(discarded.sum()),
        "kept_examples": int(kept.sum()),
        "candidates": int(candidates.sum()),
        "labels_sha256": outcomes[0]["noise"]["labels_sha256"],
        "arrays": {"kept": kept, "candidates": candidates},
    }


def best_epoch_rounds(estimate: float, *, symmetric: bool) -> int:
    """Return how many rounds, from the first, take their runs at the best epoch."""
    if not symmetric:
        return 1
    return next((rounds for above, rounds in BEST_EPOCH_ABOVE if estimate > above), BEST_EPOCH_ROUNDS)


def incv_estimate(first: Mapping[str, Array], second: Mapping[str, Array], epoch: int) -> dict[str, Any]:
    """Return the noise ratio that the two runs of INCV's first round estimate, at their best epochs up to the last.

    Fails where the two do not leave out every example of the noise between them, each once: runs of a later round, or
    twice the same half, and where `epoch` is not their last. `incv_noise_bias`, `incv_noise_error`: the estimate less
    the share of labels that are wrong, and its absolute value.
    """
    if any("left_out_best" not in arrays for arrays in (first, second)):
        return _unread("a run kept nothing of the examples that it left out: it diverged, or lacks the probe left_out")
    halves = [_watched(arrays, "best") for arrays in (first, second)]
    if not (halves[0].mask ^ halves[1].mask).all():
        return _unread("the two runs are not those on both halves of all examples")
    classes = len(first["left_out_confusion"])
    estimate = noise_ratio(_agreement(halves), classes)
    wrong = sum(int(half.wrong.sum()) for half in halves) / len(halves[0].mask)
    metrics = {
        "incv_noise_estimate": estimate,
        "incv_noise_bias": estimate - wrong,
        "incv_noise_error": abs(estimate - wrong),
    }
    return {"status": "ok", "metrics": metrics, "shown": {"examples": len(halves[0].mask), "mislabeled_share": wrong}}


def aul_or_incv(first: Mapping[str, Array], second: Mapping[str, Array], epoch: int) -> dict[str, Any]:
    """Return by how much INCV's estimate of the share of wrong labels misses it by more than that of the AUL.

    Of the two runs, in any order, one is a training on all examples, whose AUL is that of all of its epochs, and the
    other a run of INCV's first round, at its best epoch: its agreement alone, as the authors' code has it. `epoch` is
    not looked at: the two are not of one length. Fails where there are not one of each, on the same labels, and where
    the AUL cannot be split.
    """
    runs = [arrays for arrays in (first, second) if "left_out_best" not in arrays]
    halves = [_watched(arrays, "best") for arrays in (first, second) if "left_out_best" in arrays]
    if len(runs) != 1 or len(halves) != 1:
        return _unread("of the two runs, one must leave examples out (the probe left_out), and one must not")
    (arrays,), (half,) = runs, halves
    if "example_loss" not in arrays:
        return _unread("a run kept no losses of its examples: it must ask for the probe example_loss")
    losses, label = np.asarray(arrays["example_loss"]), np.asarray(arrays["example_label"])
    left_out = np.asarray(_of_halves(first, second, "left_out_label"))[half.mask]
    if label.shape != half.mask.shape or not np.array_equal(label[half.mask], left_out):
        return _unread("the two trainings are not on the same labels")
    if not len(losses) or not np.isfinite(losses).all():
        return _unread("a training loss is not finite, or no epoch was finished")
    scores = area_under_loss(losses, len(losses))
    try:
        aul = float(fit_split(scores).responsibilities(scores, guard=True).mean())
    except NothingToSplit as error:
        return _unread(f"the AULs cannot be split: {error}")
    wrong = float((label != np.asarray(arrays["example_true"])).mean())
    incv = noise_ratio(_agreement(halves), len(_of_halves(first, second, "left_out_confusion")))
    found = {"incv_over_aul_noise_error": abs(incv - wrong) - abs(aul - wrong)}
    return {"status": "ok", "metrics": found, "shown": {"aul": aul, "incv": incv, "mislabeled_share": wrong}}


def _of_halves(first: Mapping[str, Array], second: Mapping[str, Array], name: str) -> Array:
    """Return an array of the probe `left_out`, of that of two runs which asked for it."""
    return first[name] if name in first else second[name]


@dataclass(frozen=True)
class _Half:
    """What a run says of the half that it left out: all (N,)."""

    mask: Array
    selected: Array
    wrong: Array
    loss: Array

    def largest(self, count: int) -> Array:
        """Return the numbers of the `count` examples of the half with the largest losses."""
        numbers = np.flatnonzero(self.mask)
        in_order = numbers[np.argsort(self.loss[numbers], kind="stable")]
        return in_order[max(0, len(in_order) - count) :]


def _watched(arrays: Mapping[str, Array], at: str) -> _Half:
    label, predicted = np.asarray(arrays["left_out_label"]), np.asarray(arrays[f"left_out_{at}"])
    mask = label >= 0
    wrong = mask & (label != np.asarray(arrays["left_out_true"]))
    return _Half(mask, mask & (label == predicted), wrong, np.asarray(arrays[f"left_out_{at}_loss"]))


def _agreement(halves: Sequence[_Half]) -> float:
    """Return the share of the left-out examples whose label is predicted; 1 where there are none."""
    count = sum(int(half.mask.sum()) for half in halves)
    return sum(int(half.selected.sum()) for half in halves) / count if count else 1.0


@dataclass(frozen=True)
class _Before:
    """The round before: its number, 0 for none, what it estimated and what was selected by then."""

    number: int = 0
    estimate: float | None = None
    kept: Array | None = None


def _before(outcomes: Sequence[Outcome]) -> _Before:
    """Return the round before, which both runs were given."""
    for about in outcomes[0].get("given", {}).values():
        if "round" in about:
            return _Before(int(about["round"]), float(about["noise_estimate"]), np.asarray(about["arrays"]["kept"]))
    return _Before()


def _failed(what: str) -> Outcome:
    return {"status": "failed", "message": f"a round of INCV cannot be made: {what}"}


def _unread(what: str) -> Outcome:
    return {"status": "failed", "message": what}
