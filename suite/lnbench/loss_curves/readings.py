"""Small stored records of a training's large arrays: how well mislabeled examples were told apart, up to an epoch.

Each function takes arrays by name (the tables of names and shapes are in docs/training.md) and gives an outcome:
{"status": "ok", "metrics": {name: number or None}, "shown": {...}} or {"status": "failed", "message": one line}. None:
the number does not exist (no example is mislabeled, an array was not kept). All are deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lnbench.loss_curves import measures, shown
from lnbench.loss_curves.entries import AGREEMENT, DETECTION, SUSPECTS, Yield
from lnbench.loss_curves.mixture import NothingToSplit, Split, fit_split
from lnbench.loss_curves.scores import LOSSES, Array, area_under_loss, area_under_margin
from lnbench.stats import dip_p
from lnbench.stats.seeds import Floats, Mask

Arrays = Mapping[str, np.ndarray]
Metrics = dict[str, float | None]
LOW_LOSS = 0.5
OF_THE_SPLIT = (
    *("aul_ashman", "aul_modes", "aul_low_mean", "aul_high_mean", "aul_low_sd", "aul_high_sd"),
    *("noise_estimate", "noise_bias", "noise_error", "recall", "precision"),
    *("noise_estimate_unguarded", "recall_unguarded", "precision_unguarded"),
)
LABELS = ("example_label", "example_true", "example_image")


class _Unreadable(Exception):
    """What these arrays lack; becomes the message of a failed outcome."""


def detection(arrays: Arrays, epoch: int) -> dict[str, Any]:
    """Measure how well the losses up to `epoch` (from 1) tell mislabeled examples from clean ones: metrics of
    DETECTION.

    Needs example_loss (E, N), example_label and example_true (N,); example_loss_eval and example_margin where they
    were kept. Fails where the training has fewer epochs or a loss that is not finite. shown: counts (examples,
    mislabeled), histograms, mixture, what `shown.over_epochs` gives, and DeLong's intervals.
    """
    try:
        losses = _losses(arrays, epoch)
        wrong = _wrong(arrays, losses.shape[1])
    except _Unreadable as error:
        return _failed(str(error))
    found: Metrics = {}
    found.update(_of_loss(losses[epoch - 1], wrong))
    aul = area_under_loss(losses, epoch)
    split = _split_of(aul)
    found.update(_of_aul(aul, wrong))
    found.update(_of_split(split, aul, wrong))
    found.update(_of_other_scores(arrays, losses, wrong, epoch))
    found.update(_of_pairs(losses[:epoch], wrong))
    found["aul_last_spearman"] = _spearman_with_last(losses, aul)
    margins = _optional(arrays, "example_margin", epoch, losses.shape[1])
    found["aum_auc"] = None if margins is None else measures.roc_auc(-area_under_margin(margins, epoch), wrong)
    figures = {
        "epoch": epoch,
        "examples": int(wrong.size),
        "mislabeled": int(np.count_nonzero(wrong)),
        "aul_histogram": shown.histogram(aul, wrong),
        "loss_histogram": shown.histogram(losses[epoch - 1], wrong),
        "mixture": shown.mixture(split),
        "intervals": {
            "loss_auc": shown.interval(losses[epoch - 1], wrong),
            "aul_auc": shown.interval(aul, wrong),
        },
        **shown.over_epochs(losses, margins, wrong, epoch),
    }
    return _ok(found, DETECTION, figures)


def agreement(first: Arrays, second: Arrays, epoch: int) -> dict[str, Any]:
    """Measure how alike two trainings on the same data and noise see the same examples at `epoch` (from 1): AGREEMENT.

    Needs example_loss and the labels of both; margins and held-out losses where both kept them. Fails where the two
    are not of the same examples with the same labels, or where one has fewer epochs or a loss that is not finite.
    shown: how many examples, test and validation images there were.
    """
    try:
        losses = [_losses(arrays, epoch) for arrays in (first, second)]
        _require_the_same_examples(first, second)
        held = {name: _held(first, second, f"{name}_example_loss", epoch) for name in ("test", "validation")}
    except _Unreadable as error:
        return _failed(str(error))
    a, b = losses
    aul_a, aul_b = area_under_loss(a, epoch), area_under_loss(b, epoch)
    found: Metrics = {
        "aul_pearson": measures.correlation_of(aul_a, aul_b),
        "aul_spearman": measures.correlation_of(aul_a, aul_b, "spearman"),
        "aum_pearson": None,
        "train_loss_pearson": measures.correlation_of(a[epoch - 1], b[epoch - 1]),
    }
    margins_a, margins_b = (_optional(arrays, "example_margin", epoch, a.shape[1]) for arrays in (first, second))
    if margins_a is not None and margins_b is not None:
        aum_a, aum_b = area_under_margin(margins_a, epoch), area_under_margin(margins_b, epoch)
        found["aum_pearson"] = measures.correlation_of(aum_a, aum_b)
    for name, pair in held.items():
        found[f"{name}_loss_pearson"] = found[f"mean_{name}_loss_pearson"] = None
        if pair is not None:
            mean_a, mean_b = (values.mean(axis=0, dtype=np.float64) for values in pair)
            found[f"{name}_loss_pearson"] = measures.correlation_of(pair[0][-1], pair[1][-1])
            found[f"mean_{name}_loss_pearson"] = measures.correlation_of(mean_a, mean_b)
    counts = {name: 0 if pair is None else int(pair[0].shape[1]) for name, pair in held.items()}
    return _ok(found, AGREEMENT, {"epoch": epoch, "examples": int(a.shape[1]), **counts})


def suspects(arrays: Arrays, epoch: int) -> dict[str, Any]:
    """Return the contact sheet: the training images of highest AUL, the highest first; metrics of SUSPECTS.

    epoch: the run's last, for the images were chosen by the AUL over all of it. Needs example_loss, the labels,
    suspect_images (K, C, H, W) uint8 and suspect_examples (K,). shown: pixels (base64) and their shape; examples,
    label, true, aul, one of each an image.
    """
    try:
        losses = _losses(arrays, epoch)
        if losses.shape[0] != epoch:
            raise _Unreadable(f"the images were chosen after epoch {losses.shape[0]}, not after {epoch}")
        wrong = _wrong(arrays, losses.shape[1])
        images, examples = _array(arrays, "suspect_images"), _array(arrays, "suspect_examples").astype(np.int64)
        if images.ndim != 4 or examples.shape != images.shape[:1] or not len(examples):
            raise _Unreadable(f"{images.shape} images do not fit {examples.shape} suspects")
        if examples.min() < 0 or examples.max() >= losses.shape[1]:
            raise _Unreadable(f"a suspect lies outside the {losses.shape[1]} examples")
    except _Unreadable as error:
        return _failed(str(error))
    found: Metrics = {"suspects_mislabeled": float(wrong[examples].mean())}
    figures = {
        **shown.pixels(images),
        "examples": examples.tolist(),
        "label": _array(arrays, "example_label")[examples].tolist(),
        "true": _array(arrays, "example_true")[examples].tolist(),
        "aul": [shown.digits(score) for score in area_under_loss(losses, epoch)[examples].tolist()],
    }
    return _ok(found, SUSPECTS, figures)


def _ok(found: Metrics, names: Mapping[str, Yield], figures: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome with all metrics in the order of their table; what is not finite does not exist (None)."""
    metrics = {}
    for name in names:
        value = found[name]
        metrics[name] = None if value is None or not math.isfinite(value) else float(value)
    return {"status": "ok", "metrics": metrics, "shown": figures}


def _failed(message: str) -> dict[str, Any]:
    return {"status": "failed", "message": message}


def _array(arrays: Arrays, name: str) -> np.ndarray:
    if name not in arrays:
        raise _Unreadable(f"the training kept no {name}: its recipe must ask for the probe that does")
    return np.asarray(arrays[name])


def _losses(arrays: Arrays, epoch: int) -> Array:
    """Return (E, N) example_loss, E ≥ epoch, finite up to `epoch`."""
    losses = _array(arrays, "example_loss")
    if epoch < 1:
        raise _Unreadable(f"there is no epoch {epoch}: they count from 1")
    if losses.ndim != 2 or not losses.shape[1]:
        raise _Unreadable(f"example_loss has shape {losses.shape}, not (epochs, examples)")
    if losses.shape[0] < epoch:
        raise _Unreadable(f"the training has {losses.shape[0]} finished epochs, not {epoch}: it diverged or is shorter")
    if not np.isfinite(losses[:epoch]).all():
        raise _Unreadable(f"a training loss is not finite before epoch {epoch} is over")
    return losses


def _wrong(arrays: Arrays, n: int) -> Mask:
    """Return (N,) bool: True where the given label is not the true one."""
    given, true = _array(arrays, "example_label"), _array(arrays, "example_true")
    if given.shape != (n,) or true.shape != (n,):
        raise _Unreadable(f"{given.shape} given and {true.shape} true labels do not fit {n} examples")
    return np.asarray(given != true)


def _optional(arrays: Arrays, name: str, epoch: int, n: int) -> Array | None:
    """Return (E, N) up to `epoch` and finite, or None: not kept, too short, another number of examples."""
    if name not in arrays:
        return None
    values = np.asarray(arrays[name])
    if values.ndim != 2 or values.shape[0] < epoch or values.shape[1] != n:
        return None
    return values if np.isfinite(values[:epoch]).all() else None


def _require_the_same_examples(first: Arrays, second: Arrays) -> None:
    for name in LABELS:
        if not np.array_equal(_array(first, name), _array(second, name)):
            raise _Unreadable(f"the two trainings are not on the same data and noise: their {name} differ")


def _held(first: Arrays, second: Arrays, name: str, epoch: int) -> tuple[Array, Array] | None:
    """Return both arrays (epoch, images), or None where one of the two did not keep them."""
    if name not in first or name not in second:
        return None
    a, b = np.asarray(first[name])[:epoch], np.asarray(second[name])[:epoch]
    if a.shape != b.shape or a.ndim != 2 or len(a) < epoch:
        raise _Unreadable(f"{name}: shapes {a.shape} and {b.shape}, where {epoch} epochs of the same images are needed")
    return a, b


def _split_of(aul: Floats) -> Split | None:
    try:
        return fit_split(aul)
    except NothingToSplit:
        return None


def _of_loss(loss: Array, wrong: Mask) -> Metrics:
    return {
        "loss_auc": measures.roc_auc(loss, wrong),
        "loss_distance": measures.cohen_distance(loss, wrong),
        "low_loss_share": float(np.mean(loss < LOW_LOSS)),
        "mislabeled_loss_median": float(np.median(loss[wrong])) if wrong.any() else None,
        "clean_loss_median": float(np.median(loss[~wrong])) if not wrong.all() else None,
    }


def _of_aul(aul: Floats, wrong: Mask) -> Metrics:
    found: Metrics = {
        "aul_auc": measures.roc_auc(aul, wrong),
        "aul_distance": measures.cohen_distance(aul, wrong),
        "aul_mean_distance": measures.mean_distance(aul, wrong),
        "aul_mode_distance": measures.mode_distance(aul),
        "recall_top_double": measures.recall_of_top(aul, wrong),
        "aul_dip_p": dip_p(aul) if aul.size >= measures.FEWEST else None,
    }
    for name, group in (("clean", aul[~wrong]), ("mislabeled", aul[wrong])):
        found[f"aul_{name}_ks"] = measures.normal_distance(group)
        found[f"aul_{name}_skew"], found[f"aul_{name}_kurtosis"] = measures.shape(group)
    return found


def _of_split(split: Split | None, aul: Floats, wrong: Mask) -> Metrics:
    if split is None:
        return dict.fromkeys(OF_THE_SPLIT)
    found: Metrics = {"aul_ashman": split.ashman, "aul_modes": split.groups}
    found["aul_low_mean"], found["aul_high_mean"] = split.mixture.means
    found["aul_low_sd"], found["aul_high_sd"] = split.mixture.sds
    for suffix, guard in (("", True), ("_unguarded", False)):
        z = split.responsibilities(aul, guard=guard)
        found[f"noise_estimate{suffix}"] = float(z.mean())
        precision, recall = measures.precision_recall(z > 0.5, wrong)
        found[f"precision{suffix}"], found[f"recall{suffix}"] = precision, recall
        if guard:
            found["noise_bias"] = float(z.mean() - wrong.mean())
            found["noise_error"] = abs(float(z.mean() - wrong.mean()))
    return found


def _of_other_scores(arrays: Arrays, losses: Array, wrong: Mask, epoch: int) -> Metrics:
    """Measure AUL from epoch 2 on, which a single epoch does not have, and AUL in evaluation mode."""
    evaluated = _optional(arrays, LOSSES["eval"], epoch, losses.shape[1])
    later = area_under_loss(losses, epoch, skip_first=True) if epoch > 1 else None
    return {
        "aul_auc_skip_first": None if later is None else measures.roc_auc(later, wrong),
        "aul_auc_eval": None if evaluated is None else measures.roc_auc(area_under_loss(evaluated, epoch), wrong),
    }


def _of_pairs(losses: Array, wrong: Mask) -> Metrics:
    """Measure pairs of losses (epoch, N), up to the epoch of the reading."""
    pairs = measures.random_pairs(wrong)
    if pairs is None:
        return dict.fromkeys(("aul_pair_order", "loss_pair_order", "aul_roughness", "loss_roughness"))
    of_loss = [losses[:, group].astype(np.float64) for group in pairs]  # each (epoch, pairs)
    of_aul = [measures.running_mean(curves) for curves in of_loss]
    return {
        "loss_pair_order": measures.pair_order(*of_loss),
        "aul_pair_order": measures.pair_order(*of_aul),
        "loss_roughness": measures.roughness(np.hstack(of_loss)),
        "aul_roughness": measures.roughness(np.hstack(of_aul)),
    }


def _spearman_with_last(losses: Array, aul: Floats) -> float | None:
    last = area_under_loss(losses, losses.shape[0])
    return measures.correlation_of(aul, last, "spearman")
