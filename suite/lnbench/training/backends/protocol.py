"""What every backend does, and what they share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lnbench import catalog
from lnbench.methods.method import Method
from lnbench.training.backends.bfloat import low_precision
from lnbench.training.batches import Batch, Held
from lnbench.training.file_images import FileImages
from lnbench.training.shape import EVALUATED_AT_ONCE

EVALUATION_BATCH = EVALUATED_AT_ONCE
# of how many images, and of how many numbers, the gradients of single ones are held at once: 128 MiB, and what the
# passes of so many images take
EXAMPLES_AT_ONCE, EXAMPLE_GRADIENTS = 64, 1 << 25
Losses = Callable[[Tensor, Tensor], Tensor]  # of logits (n, classes) and labels (n,): (n,)


@dataclass(frozen=True)
class Rates:
    """What the schedules give in one epoch, from 0: the learning rate of each of K replicas at each of its S steps,
    (S, K) float64; and, where a schedule moves them, the momentum, and the `rho` of an optimiser of two gradients."""

    epoch: int
    lr: np.ndarray
    momentum: np.ndarray | None
    rho: np.ndarray | None = None


@dataclass(frozen=True)
class Pass:
    """What a step's own forward pass gave for each example that it trained on, before the weights moved. Valid until
    the backend's next step.

    losses: (K, B) float32, the method's, under the labels as given. logits: (K, B, classes) float32; None where the
    backend was not asked to keep them.
    """

    losses: Tensor
    logits: Tensor | None


class Backend(Protocol):
    """K networks in training. `tensors` is all that a step reads and changes: a checkpoint keeps it."""

    compiled: bool
    keeps_logits: bool  # whether a `Pass` must have them; set before the first step

    @property
    def parameters(self) -> int:
        """Return the number of weights of one network."""
        ...

    @property
    def method(self) -> Method:
        """Return what the runs train with; for several runs any one's, as they share it."""
        ...

    def step(self, batches: list[Batch], number: int) -> list[Pass]:
        """Take step `number` of the epoch, of every replica, each on its own batch; return the passes of the steps that
        are done by then and were not told yet, the oldest first. A backend may let steps wait, to do several at once.
        """
        ...

    def settle(self) -> list[Pass]:
        """Do the steps that wait and return their passes. Whoever looks at the networks, or changes them, sees to it
        that this is done before."""
        ...

    def sums(self) -> Tensor:
        """Return (K, 2) float64 on the device: right answers and the sum of losses since the epoch began."""
        ...

    def begin(self, rates: Rates, *, afresh: bool) -> None:
        """Before an epoch's first step, or the first after a checkpoint within one (`afresh` false: the sums stay)."""
        ...

    def evaluate(self, held: list[Held], each: Tensor | None = None) -> Tensor:
        """Return (K, 2) float64 on the device: right answers and the sum of losses on held-out images, in float32.

        `each` (K, n) float32 takes the cross-entropy of each image; the sums are the same bits with it and without.
        """
        ...

    def logits(self, held: list[Held]) -> list[Tensor]:
        """Return, for each replica, (n, classes) float32 on the device: its answers on images that no step sees, as
        evaluated."""
        ...

    def close(self, epoch: int) -> None:
        """Called when an epoch, from 0, has been evaluated and another follows: a method may change its networks."""
        ...

    def gradients(self, held: list[Held], losses: Losses, members: list[Tensor] | None = None) -> Tensor:
        """Return (K, P) float64 on the device: each replica's gradient of the mean loss on these images, with respect
        to all its weights, as it is evaluated (float32; a batch normalisation uses what it has learnt). Leaves no
        trace. For a run with several networks it is the first one's.

        members: of each replica (n,) bool, the images that count; NaN where none does. Raises NotImplementedError where
        the backend compares no gradients; the catalog says which probes need them (`Entry.stacks`).
        """
        ...

    def example_gradients(self, held: list[Held], losses: Losses) -> Iterator[Tensor]:
        """Yield (K, n, P) float32 on the device: the gradient of each image's own loss, of each replica, with respect
        to all its weights, in the order of `gradients` and as it is evaluated. Leaves no trace.

        The images' order is kept. A piece is of at most EXAMPLES_AT_ONCE images and EXAMPLE_GRADIENTS numbers, or of
        one image; all have the same number of images, a power of 2, but the last. Raises NotImplementedError where
        `gradients` does.
        """
        ...

    def snapshot(self) -> list[Tensor]:
        """Return for each replica (W,) float32, a copy: all that `initial.first_weights` needs for another like it."""
        ...

    def weights(self) -> list[Tensor]:
        """Return all weights of the networks, not copies: what is written there is what `evaluate` uses next."""
        ...

    def estimate_norms(self, batches: Iterator[list[Batch]]) -> None:
        """Replace the statistics of all batch normalisations by their mean over these batches, at the weights as they
        are (Izmailov et al. 2018, section 3.2; torch.optim.swa_utils.update_bn). Nothing where there is none."""
        ...

    def norms(self) -> list[Tensor]:
        """Return the statistics of the batch normalisations, not copies; none for a network without."""
        ...

    def connections(self) -> list[Tensor]:
        """Return the weights of all convolutions and dense layers, no biases and no normalisations: (K, …) each, not
        copies.

        What is written there is what `evaluate` uses next.
        """
        ...

    def tensors(self) -> dict[str, Tensor]: ...

    def restored(self) -> None:
        """Called when `tensors` have been filled from a checkpoint."""
        ...


def precision_of(recipe: dict[str, Any], device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return a context for the precision; `fast`: bfloat16 where autocast considers it safe; weights, loss and
    optimiser stay float32."""
    if recipe["precision"] == "fast":
        return low_precision(device)
    return contextlib.nullcontext()


def built(recipe: dict[str, Any], shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build the recipe's network on the CPU, its weights not drawn."""
    module: nn.Module = catalog.find("model", recipe["model"]).load()(recipe["model"], shape, classes)
    return module


def pieces(held: Held) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (numbers of images, labels), `at_once` at a time."""
    index, labels = (torch.split(numbers, at_once(held)) for numbers in (held.index, held.labels))
    if isinstance(held.images, FileImages):
        held.images.announce(index)
    return zip(index, labels, strict=True)


def at_once(held: Held) -> int:
    """Return how many held-out images pass through a network at once."""
    return held.images.at_once if isinstance(held.images, FileImages) else EVALUATION_BATCH
