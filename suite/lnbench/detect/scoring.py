"""From the runs' areas under the loss to one ranking, and to how many labels are wrong, if that can be said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from lnbench.detect.preferred import Learnt, Preferred
from lnbench.loss_curves.mixture import NoiseInterval, NothingToSplit, Split, fit_split, noise_interval

Floats = npt.NDArray[np.float64]
MOST_SUSPECT = 0.5  # of all labels: who disagrees with more has learnt too little to judge
LIKELY = 0.5  # from this probability on: the paper's rule


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
    it. Where there are no losses, it is made of -AUM in the same way. mean_loss: (N,) AUL over the number of epochs,
    averaged over runs, in nats; NaN without losses. aum: (N,) mean margin, averaged over runs, in logits; NaN where
    there are no margins. split: the mixture of `aul`; None where there is nothing to split. probability: (N,) that an
    example is mislabeled, by the split; None where `aul` is one group, where it is not shown that the networks learnt
    anything, and where these are `overruled`. rank: (N,) 1 for the most suspect; of equals the earlier one comes first.
    agreement: Pearson's r of the AULs of two runs, mean over the pairs; None for one run. preferred: what networks
    prefer that did not see an example; learnt: how well these name the given labels; None where nothing was measured.
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
    preferred: Preferred | None = None
    learnt: Learnt | None = None

    @property
    def groups(self) -> int:
        """Return how many groups the AULs fall into, 1 or 2."""
        return 1 if self.split is None else self.split.groups

    @property
    def has_margins(self) -> bool:
        """Return whether there are AUMs."""
        return not bool(np.isnan(self.aum).any())

    @property
    def learnt_nothing(self) -> bool:
        """Return whether it was measured and not shown that anything was learnt: then nothing is said of any label."""
        return self.learnt is not None and not self.learnt.shown

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """Return (N,) the examples, the most suspect first."""
        return np.argsort(self.rank)

    def disliked(self) -> npt.NDArray[np.bool_]:
        """Return (N,) for which images the networks preferred another class on average: an AUM below 0. It is no
        estimate of how many labels are wrong, but it needs no second group."""
        return np.asarray(self.aum < 0)

    @property
    def overruled(self) -> float:
        """Return the share of labels of an AUM below 0 where that is more than half, else 0: the networks then
        disagree with most labels, which says more of them than of the labels."""
        share = float(self.disliked().mean())
        return share if share > MOST_SUSPECT and not self.learnt_nothing else 0.0

    def suspects(self) -> npt.NDArray[np.bool_]:
        """Return (N,) which labels are suspect: those of an AUM below 0 for which networks that did not see the example
        prefer another class, too, where these were asked; where there are no margins, those that are more likely
        mislabeled than not. None where it is not shown that the networks learnt anything, and where they are
        overruled. The first rule needs no second group of scores."""
        if not self.has_margins:
            return self.likely()
        if self.learnt_nothing or self.overruled:
            return np.zeros(len(self.aul), dtype=np.bool_)
        found = self.disliked()
        if self.preferred is not None:
            found = found & (self.preferred.label != self.preferred.given)
        return np.asarray(found)

    def likely(self) -> npt.NDArray[np.bool_]:
        """Return (N,) which are more likely mislabeled than not; none where that cannot be said."""
        if self.probability is None:
            return np.zeros(len(self.aul), dtype=np.bool_)
        return np.asarray(self.probability > LIKELY)


def scored(
    auls: Sequence[Sequence[float]],
    aums: Sequence[Sequence[float]],
    epochs: int,
    ends: Sequence[tuple[float, float]],
    preferred: Preferred | None = None,
    learnt: Learnt | None = None,
) -> Scores:
    """Combine runs into scores: each run's (N,) AULs and AUMs and its last (training accuracy, training loss).
    `learnt`: by what `preferred` says, unless it is given."""
    return from_sums(np.asarray(auls, np.float64), np.asarray(aums, np.float64), epochs, ends, preferred, learnt)


def from_sums(
    auls: Floats | None,
    aums: Floats | None,
    epochs: int,
    ends: Sequence[tuple[float, float]],
    preferred: Preferred | None = None,
    learnt: Learnt | None = None,
) -> Scores:
    """Do the same with (runs, N) AULs and AUMs, of which one may be None; no `ends` where nobody knows them."""
    learnt = learnt or (None if preferred is None else preferred.learnt())
    each = auls if auls is not None else -aums if aums is not None else None
    if each is None:
        raise ValueError("scores need areas under losses or under margins")
    aul = np.mean([standardised(one) for one in each], axis=0)
    split = _split(aul)
    probability = interval = None
    aum = np.full(len(aul), math.nan) if aums is None else aums.mean(axis=0)
    told = (learnt is None or learnt.shown) and not float(np.mean(aum < 0)) > MOST_SUSPECT
    if split is not None and split.groups == 2 and told:
        probability, interval = split.responsibilities(aul), noise_interval(aul)
    rank = np.empty(len(aul), dtype=np.int64)
    rank[np.argsort(-aul, kind="stable")] = np.arange(1, len(aul) + 1)
    # of one run, fitting the same scores again would take as long again
    alone = [_said(split, aul)] if len(each) == 1 else [_said(_split(one), one) for one in each]
    about = ends or [(math.nan, math.nan)] * len(each)
    pairs = [float(np.corrcoef(a, b)[0, 1]) for a, b in combinations(each, 2) if a.std() > 0 and b.std() > 0]
    return Scores(
        aul=aul,
        mean_loss=np.full(len(aul), math.nan) if auls is None else auls.mean(axis=0) / epochs,
        aum=aum,
        split=split,
        probability=probability,
        interval=interval,
        rank=rank,
        runs=[RunScores(*said, *end) for said, end in zip(alone, about, strict=True)],
        agreement=float(np.mean(pairs)) if pairs else None,
        preferred=preferred,
        learnt=learnt,
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


def _said(split: Split | None, values: Floats) -> tuple[int, float | None]:
    """Return (groups, share of wrong labels or None) of one run's AULs."""
    return (2, split.noise(values)) if split is not None and split.groups == 2 else (1, None)
