"""What the networks prefer that did not see an image: a suggested label, and whether they have learnt the classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lnbench.detect.data import Labels

LITTLE = 0.05  # of the way from chance to always right
ONE_IN_A_HUNDRED = 2.326  # standard errors above chance: what guesses reach as often
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Learnt:
    """How well networks name the given labels of images that they were not trained on. accuracy: balanced, the mean
    over classes of the share of a class's images that get its name; chance: that of a guess, or of always naming one
    class; needed: what shows that something was learnt. how: on which images, in words; or why nothing could be
    measured, where accuracy is None."""

    accuracy: float | None
    chance: float
    needed: float
    how: str = "out of fold"

    @property
    def shown(self) -> bool:
        """Return whether the networks learnt something of the classes."""
        return self.accuracy is not None and self.accuracy > self.needed


@dataclass(frozen=True)
class Preferred:
    """probabilities: (N, K) of each class by a network that did not see the image; given: (N,) labels."""

    probabilities: Floats
    given: Labels

    @cached_property
    def label(self) -> Labels:
        """Return (N,) the class of highest probability: the given one where it is among several of these, else the
        first."""
        most = self.probabilities.max(axis=1)
        return np.where(self.of_given >= most, self.given, self.probabilities.argmax(axis=1)).astype(np.int64)

    @cached_property
    def of_given(self) -> Floats:
        """Return (N,) the probability of the given label."""
        return self.probabilities[np.arange(len(self.given)), self.given]

    @cached_property
    def confidence(self) -> Floats:
        """Return (N,) the probability of the preferred label."""
        return self.probabilities[np.arange(len(self.given)), self.label]

    @cached_property
    def table(self) -> Labels:
        """Return (K, K) int64: how many images of a given label (row) get which one (column)."""
        classes = self.probabilities.shape[1]
        places = self.given * classes + self.label
        return np.bincount(places, minlength=classes * classes).reshape(classes, classes)

    def learnt(self) -> Learnt:
        """Return how well the networks name the given labels (`learnt`)."""
        return learnt(self.given, self.label == self.given, self.probabilities.shape[1])


def learnt(given: Labels, right: npt.NDArray[np.bool_], classes: int, how: str = "out of fold") -> Learnt:
    """Measure what was learnt from given labels (N,) and where the network names them (N,), on images that it was not
    trained on; `classes`: K, some of which may have no image.

    Who names one class always, or guesses without looking, is right for 1/K of the classes on average. Shown is what
    lies above that by LITTLE of the rest, and by so many standard errors of guessing that one in a hundred guessers
    gets there.
    """
    counts = np.bincount(given, minlength=classes)
    hits = np.bincount(given[right], minlength=classes)
    there = counts > 0
    chance = 1 / max(1, int(there.sum()))
    accuracy = float(np.mean(hits[there] / counts[there]))
    error = math.sqrt(chance * (1 - chance) * float(np.sum(1 / counts[there]))) * chance
    return Learnt(accuracy, chance, chance + max(LITTLE * (1 - chance), ONE_IN_A_HUNDRED * error), how)
