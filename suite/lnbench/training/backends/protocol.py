"""What every backend does, and what they share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lnbench import catalog
from lnbench.training.batches import Batch, Held
from lnbench.training.probes.visits import Visits

EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class Rates:
    """The learning rate of each of K replicas at each of an epoch's S steps, (S, K) float64; and, where a schedule
    moves it, the momentum."""

    lr: np.ndarray
    momentum: np.ndarray | None


class Backend(Protocol):
    """K networks in training. `tensors` is all that a step reads and changes: a checkpoint keeps it."""

    compiled: bool
    parameters: int  # of one network

    def step(self, batches: list[Batch], number: int) -> None:
        """Step `number` of the epoch, of every replica, each on its own batch."""
        ...

    def sums(self) -> Tensor:
        """(K, 2) float64 on the device: right answers and the sum of losses since the epoch began."""
        ...

    def begin(self, rates: Rates, visits: Visits, *, afresh: bool) -> None:
        """Before an epoch's first step, or the first after a checkpoint within one (`afresh` false: the sums stay).

        `visits` takes what the epoch's steps see of each example.
        """
        ...

    def evaluate(self, held: list[Held], each: Tensor | None = None) -> Tensor:
        """(K, 2) float64 on the device: right answers and the sum of losses on held-out images, in float32.

        `each` (K, n) float32 takes the cross-entropy of each image; the sums are the same bits with it and without.
        """
        ...

    def logits(self, held: list[Held]) -> list[Tensor]:
        """Of each replica (n, classes) float32 on the device: its answers on images that no step sees, as evaluated."""
        ...

    def gradient_cosine(self, images: list[Held]) -> Tensor:
        """(K,) on the device: the cosine of the method's mean gradient and the cross-entropy's, on these images."""
        ...

    def connections(self) -> list[Tensor]:
        """The weights of all convolutions and dense layers, no biases and no normalisations: (K, …) each, not copies.

        What is written there is what `evaluate` uses next.
        """
        ...

    def tensors(self) -> dict[str, Tensor]: ...

    def restored(self) -> None:
        """Called when `tensors` have been filled from a checkpoint."""
        ...


def precision_of(recipe: dict[str, Any], device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """`fast`: bfloat16 where autocast deems it safe; weights, loss and optimiser stay float32."""
    if recipe["precision"] == "fast":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def built(recipe: dict[str, Any], shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The recipe's network on the CPU, its weights not drawn."""
    module: nn.Module = catalog.find("model", recipe["model"]).load()(recipe["model"], shape, classes)
    return module


def method_of(recipe: dict[str, Any]) -> Any:
    """The recipe's method: made of its options, where it has any."""
    name, options = catalog.name_and_options(recipe["method"])
    made = catalog.find("method", name).load()
    return made() if options is None else made(options)


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """(B,): each example's."""
    return nn.functional.cross_entropy(logits, labels, reduction="none")


def pieces(held: Held) -> Iterator[tuple[Tensor, Tensor]]:
    """(numbers of images, labels), EVALUATION_BATCH at a time."""
    return zip(held.index.split(EVALUATION_BATCH), held.labels.split(EVALUATION_BATCH), strict=True)
