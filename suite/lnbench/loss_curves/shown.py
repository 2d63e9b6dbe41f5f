"""What the figures of a reading draw, as small plain data: histograms, bands over epochs, images. Six digits."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lnbench.loss_curves.measures import auc_interval, placements
from lnbench.loss_curves.mixture import Split
from lnbench.loss_curves.scores import Array, running_sums
from lnbench.stats.seeds import Mask

BINS, MOST_EPOCHS = 40, 60
QUANTILES = {"low": 0.1, "median": 0.5, "high": 0.9}


def digits(number: float) -> float | None:
    """Round to six significant digits; return None for what is not a finite number."""
    return float(f"{number:.6g}") if math.isfinite(number) else None


def histogram(scores: Array, wrong: Mask) -> dict[str, Any]:
    """Return edges (41 of them), clean, mislabeled (40 counts each): bins that both groups share."""
    edges = np.histogram_bin_edges(scores.astype(np.float64), bins=BINS)
    counts = {
        name: np.histogram(scores[group].astype(np.float64), bins=edges)[0].tolist()
        for name, group in (("clean", ~wrong), ("mislabeled", wrong))
    }
    return {"edges": [digits(edge) for edge in edges.tolist()], **counts}


def mixture(split: Split | None) -> dict[str, Any] | None:
    """Return weights, means, sds of the two Gaussians, the lower first, in the unit of the scores."""
    if split is None:
        return None
    fitted = split.mixture
    named = (("weights", fitted.weights), ("means", fitted.means), ("sds", fitted.sds))
    return {name: [digits(number) for number in pair] for name, pair in named}


def interval(scores: Array, wrong: Mask) -> list[float | None] | None:
    """Return DeLong's 95 % interval of the ROC AUC, over examples."""
    ends = auc_interval(scores, wrong)
    return None if ends is None else [digits(end) for end in ends]


def epochs_shown(epoch: int) -> list[int]:
    """Return at most 60 epochs from 1 to `epoch`, evenly spread, both ends among them."""
    spread = np.linspace(1, epoch, min(epoch, MOST_EPOCHS))
    return [int(t) for t in np.unique(np.round(spread).astype(int))]


def over_epochs(losses: Array, margins: Array | None, wrong: Mask, epoch: int) -> dict[str, Any]:
    """Return bands of both groups and ROC AUCs at some epochs up to `epoch`.

    losses, margins: (E, N). epochs; loss and aul (the running mean of the loss), each with low, median, high (10, 50,
    90 %) of clean and mislabeled; auc of loss, aul and aum. A group with no example, or no margins: None.
    """
    epochs = epochs_shown(epoch)
    by_loss = [_summary(losses[t - 1], wrong) for t in epochs]
    by_aul = [_summary(total / t, wrong) for t, total in zip(epochs, running_sums(losses, epochs), strict=True)]
    auc: dict[str, Any] = {"loss": [auc for _, auc in by_loss], "aul": [auc for _, auc in by_aul], "aum": None}
    if margins is not None:
        auc["aum"] = [_auc(*_sorted_groups(-total, wrong)) for total in running_sums(margins, epochs)]
    return {
        "epochs": epochs,
        "loss": _bands([bands for bands, _ in by_loss]),
        "aul": _bands([bands for bands, _ in by_aul]),
        "auc": {name: None if row is None or row[0] is None else row for name, row in auc.items()},
    }


def _sorted_groups(scores: Array, wrong: Mask) -> tuple[Array, Array]:
    return np.sort(scores[~wrong]), np.sort(scores[wrong])


def _summary(scores: Array, wrong: Mask) -> tuple[dict[str, list[float] | None], float | None]:
    """Return quantiles of each group, and the AUC: both from the same sorted values, because sorting takes the time."""
    clean, mislabeled = _sorted_groups(scores, wrong)
    groups = {"clean": clean, "mislabeled": mislabeled}
    bands = {name: quantiles_of_sorted(x, list(QUANTILES.values())) for name, x in groups.items()}
    return bands, _auc(clean, mislabeled)


def _auc(clean: Array, mislabeled: Array) -> float | None:
    if not clean.size or not mislabeled.size:
        return None
    return digits(float(placements(clean, mislabeled).mean()))


def quantiles_of_sorted(x: Array, shares: Sequence[float]) -> list[float] | None:
    """Compute np.quantile's "linear" of values that are sorted already; return None where there is no value."""
    if not x.size:
        return None
    place = np.array(shares) * (x.size - 1)
    below = np.floor(place).astype(int)
    lower = x[below].astype(np.float64)
    upper = x[np.minimum(below + 1, x.size - 1)].astype(np.float64)
    return [float(number) for number in lower + (place - below) * (upper - lower)]


def _bands(rows: list[dict[str, list[float] | None]]) -> dict[str, Any]:
    """Turn an epoch's quantiles, epoch by epoch, into group -> low, median, high -> one number per epoch."""
    found: dict[str, Any] = {}
    for group in ("clean", "mislabeled"):
        columns = [row[group] for row in rows]
        if columns[0] is None:  # a group is empty at every epoch or at none
            found[group] = None
            continue
        found[group] = {
            name: [digits(numbers[k]) for numbers in columns if numbers is not None] for k, name in enumerate(QUANTILES)
        }
    return found


def pixels(images: np.ndarray) -> dict[str, Any]:
    """Return pixels, the uint8 images (K, C, H, W) in C order, as base64 text; and shape."""
    return {
        "pixels": base64.b64encode(np.ascontiguousarray(images, dtype=np.uint8).tobytes()).decode("ascii"),
        "shape": list(images.shape),
    }
