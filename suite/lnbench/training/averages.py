"""Averages of the weights along a training: a second network that is evaluated and never trained.

An average reads the weights after each step and changes none of them, so the training is the same bits with it and
without. After each epoch it is evaluated as the network is: its weights take the network's place, the statistics of
batch normalisations are estimated for them, and then all is put back. Before it holds any weights, it is the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lnbench import catalog
from lnbench.training.backends.protocol import Backend
from lnbench.training.batches import Batch

Batches = Callable[[], Iterator[list[Batch]]]


class Average:
    """The average of a list of tensors, those of all K replicas at once. `weights`: its own, of the same shapes.

    A subclass says after which steps the weights enter, and how.
    """

    def __init__(self, options: dict[str, Any], weights: list[Tensor], steps_an_epoch: int):
        self.options, self.steps_an_epoch = options, steps_an_epoch
        self.weights = [torch.zeros_like(part) for part in weights]

    def count(self, step: int) -> int:
        """Return how many weights have entered once `step` steps are finished, in the whole training: a function of the
        number alone, so that a training that resumes needs none but the averaged weights."""
        raise NotImplementedError

    def share(self, count: int) -> float:
        """Return how much of the average the weights that enter as number `count`, from 1, become."""
        raise NotImplementedError

    def takes(self, step: int) -> bool:
        """Return whether the weights enter once `step` steps are finished."""
        return self.count(step) != self.count(step - 1)

    @torch.no_grad()
    def take(self, weights: list[Tensor], step: int) -> None:
        """Take in the weights once `step` steps are finished, where it is their turn: a ← a + share·(w − a)."""
        count = self.count(step)
        for own, now in zip(self.weights, weights, strict=True):
            if count == 1:
                own.copy_(now)
            else:
                own.lerp_(now, self.share(count))

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint must keep."""
        return {f"average.{number}": part for number, part in enumerate(self.weights)}


class Swa(Average):
    """The plain mean of the weights after `start` steps or epochs and after each further `every` (Izmailov et al. 2018,
    algorithm 1)."""

    def count(self, step: int) -> int:
        each = 1 if self.options["unit"] == "steps" else self.steps_an_epoch
        behind = step - self.options["start"] * each
        return 0 if behind < 0 else behind // (self.options["every"] * each) + 1

    def share(self, count: int) -> float:
        return 1 / count


class Ema(Average):
    """a ← decay·a + (1 − decay)·w after each step; the first step's weights are the first average."""

    def count(self, step: int) -> int:
        return step

    def share(self, count: int) -> float:
        return 1 - float(self.options["decay"])


def average_of(recipe: dict[str, Any], backend: Backend, steps_an_epoch: int) -> Average | None:
    """Return the average that a recipe asks for, before the first step; None where it asks for none."""
    options = recipe.get("average")
    if options is None:
        return None
    made: Average = catalog.find("average", options["kind"]).load()(options, backend.weights(), steps_an_epoch)
    return made


@contextmanager
def in_place(average: Average, backend: Backend, batches: Batches) -> Iterator[None]:
    """Put the averaged weights in the network's place, and afterwards the network back as it was.

    batches: the epoch's, in its order: over them the statistics of batch normalisations are estimated, as torch's
    `update_bn` does over its loader.
    """
    live, norms = backend.weights(), backend.norms()
    kept = [part.clone() for part in (*live, *norms)]
    with torch.no_grad():
        for part, averaged in zip(live, average.weights, strict=True):
            part.copy_(averaged)
        if norms:
            backend.estimate_norms(batches())
    try:
        yield
    finally:
        with torch.no_grad():
            for part, before in zip((*live, *norms), kept, strict=True):
                part.copy_(before)
