"""From the runs' areas under the loss to one ranking, and to how many labels are wrong, if that can be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from lnbench.loss_curves.mixture import NoiseInterval, NothingToSplit, Split, fit_split, noise_interval

Floats = npt.NDArray[np.float64]
SUSPECT = 0.5  # from this probability on: the paper's rule


@dataclass(frozen=True)
class RunScores:
    """What one run says: how many groups its AULs fall into and, of two, the share of wrong labels; and how well its
    network learnt the labels as given, in the last epoch."""

    groups: int
    noise: float | None
    train_accuracy: float
    train_loss: float


@dataclass(frozen=True)
class Scores:
    """The scores of N examples, over all runs.

    aul: (N,) the mean of the runs' AULs, each standardised (mean 0, deviation 1 over the examples); the ranking is by
    it. mean_loss: (N,) AUL over the number of epochs, averaged over runs, in nats. aum: (N,) mean margin, averaged
    over runs, in logits. split: the mixture of `aul`; None where there is nothing to split. probability: (N,) that an
    example is mislabeled, by the split; None where `aul` is one group. rank: (N,) 1 for the most suspect; of equals
    the earlier one comes first. agreement: Pearson's r of the AULs of two runs, mean over the pairs; None for one run.
    """

    aul: Floats
    mean_loss: Floats
    aum: Floats
    split: Split | None
    probability: Floats | None
    interval: NoiseInterval | None
    rank: npt.NDArray[np.int64]
    runs: list[RunScores]
    agreement: float | None

    @property
    def groups(self) -> int:
        return 1 if self.probability is None else 2

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """Return (N,) the examples, the most suspect first."""
        return np.argsort(self.rank)

    def disliked(self) -> npt.NDArray[np.bool_]:
        """Return (N,) for which images the networks preferred another class on average: an AUM below 0. It is no
        estimate of how many labels are wrong, but it needs no second group."""
        return np.asarray(self.aum < 0)

    def suspects(self) -> npt.NDArray[np.bool_]:
        """Return (N,) which are more likely mislabeled than not; none where that cannot be said."""
        if self.probability is None:
            return np.zeros(len(self.aul), dtype=np.bool_)
        return np.asarray(self.probability > SUSPECT)


def scored(
    auls: Sequence[Sequence[float]],
    aums: Sequence[Sequence[float]],
    epochs: int,
    learnt: Sequence[tuple[float, float]],
) -> Scores:
    """Combine runs into scores: each run's (N,) AULs and AUMs and its last (training accuracy, training loss)."""
    each = np.asarray(auls, dtype=np.float64)  # (runs, N)
    aul = np.mean([standardised(one) for one in each], axis=0)
    split = _split(aul)
    probability = interval = None
    if split is not None and split.groups == 2:
        probability, interval = split.responsibilities(aul), noise_interval(aul)
    rank = np.empty(len(aul), dtype=np.int64)
    rank[np.argsort(-aul, kind="stable")] = np.arange(1, len(aul) + 1)
    runs = [RunScores(*_alone(one), *about) for one, about in zip(each, learnt, strict=True)]
    pairs = [float(np.corrcoef(a, b)[0, 1]) for a, b in combinations(each, 2) if a.std() > 0 and b.std() > 0]
    return Scores(
        aul=aul,
        mean_loss=each.mean(axis=0) / epochs,
        aum=np.asarray(aums, dtype=np.float64).mean(axis=0),
        split=split,
        probability=probability,
        interval=interval,
        rank=rank,
        runs=runs,
        agreement=float(np.mean(pairs)) if pairs else None,
    )


def standardised(values: Floats) -> Floats:
    """Scale to mean 0 and deviation 1; all 0 where the values are equal."""
    deviation = values.std()
    return np.asarray((values - values.mean()) / deviation if deviation > 0 else np.zeros_like(values))


def _split(values: Floats) -> Split | None:
    try:
        return fit_split(values)
    except NothingToSplit:
        return None


def _alone(values: Floats) -> tuple[int, float | None]:
    """Return (groups, share of wrong labels or None) of one run's AULs."""
    split = _split(values)
    return (2, split.noise(values)) if split is not None and split.groups == 2 else (1, None)
