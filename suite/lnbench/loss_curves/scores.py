"""How suspect each example is: the area under its loss (AUL), or its margin (AUM), over the epochs of a training.

"The AUL paper" is Detecting Label Noise from Loss Curves (baselines/aul2020.yaml says where it is found).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lnbench.stats.seeds import Floats

Array = NDArray[np.floating]  # (E, N): a number of each example at each epoch
LOSSES = {"online": "example_loss", "eval": "example_loss_eval"}  # which losses AUL sums


def first_epochs(values: Array, epoch: int) -> Array:
    """Return (epoch, N): what was seen up to `epoch`, which counts from 1.

    Raises ValueError if the values are not (E, N), or if epoch is outside 1..E.
    """
    if values.ndim != 2:
        raise ValueError(f"expected an array (epochs, examples), not one of shape {values.shape}")
    if not 1 <= epoch <= values.shape[0]:
        raise ValueError(f"there is no epoch {epoch}: the array has {values.shape[0]}, counted from 1")
    return values[:epoch]


def area_under_loss(losses: Array, epoch: int, *, skip_first: bool = False) -> Floats:
    """Return (N,) AUL_i = Σ of the losses of example i over epochs 1..epoch (the AUL paper); in nats.

    skip_first: from epoch 2 on, as the code of AUM does (Pleiss et al. 2020). losses: (E, N). Raises ValueError as
    `first_epochs` does, and where the sum would be empty.
    """
    seen = first_epochs(losses, epoch)[1 if skip_first else 0 :]
    if not len(seen):
        raise ValueError("without its first epoch, a training of one epoch has no AUL")
    return np.asarray(seen.sum(axis=0, dtype=np.float64))


def area_under_margin(margins: Array, epoch: int, *, skip_first: bool = False) -> Floats:
    """Return (N,) AUM: the mean margin of each example over epochs 1..epoch (Pleiss et al. 2020). Low ones are suspect.

    margins: (E, N), the logit of the given label minus the largest other one. Raises as `area_under_loss` does.
    """
    return area_under_loss(margins, epoch, skip_first=skip_first) / (epoch - skip_first)


def aul(arrays: Mapping[str, Array], epoch: int, *, mode: str = "online", skip_first: bool = False) -> Floats:
    """Return (N,) AUL from a training's arrays.

    mode "online": the losses as the examples were trained on (training mode, augmented, the epoch's only visit);
    "eval": losses after each epoch, in evaluation mode and without augmentation. Raises ValueError for another mode
    and as `area_under_loss` does, KeyError if the training did not keep these losses.
    """
    if mode not in LOSSES:
        raise ValueError(f"mode must be 'online' or 'eval', not {mode!r}")
    return area_under_loss(arrays[LOSSES[mode]], epoch, skip_first=skip_first)


def running_sums(values: Array, epochs: Sequence[int]) -> Iterator[Floats]:
    """Yield (N,) sums over epochs 1..t for each t of `epochs`, which ascend; one at a time, as all of them are
    large."""
    total = np.zeros(values.shape[1])
    done = 0
    for t in epochs:
        total = total + values[done:t].sum(axis=0, dtype=np.float64)
        done = t
        yield total
