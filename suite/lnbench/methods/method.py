"""What a method of learning with noisy labels decides: losses, their weights, what is evaluated, what ends an epoch.

The engine (training/backends/loop.py) owns networks, optimisers and data. In each step it asks the method for the loss
of each example under each of its networks, and for the weights by which each network's losses are summed; it steps
along the gradients of these sums. A new method is one file here and one line in entries.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lnbench.given import array_of
from lnbench.randomness import METHOD, u32


@dataclass(frozen=True)
class Seen:
    """What a method may know of a batch beside logits and labels.

    example: (B,) int64, the numbers of its training examples (the same in every epoch).
    epoch, step: counted from 0 over the whole run, `steps` in all. At a look after an epoch: the steps done by then.
    seed: of the method's own random numbers, in [0, 2^32).
    inputs: name -> outcome of the records that the run builds on.
    beside: how many, at the end of the batch, come beside the run's own examples (`Beside`). Their numbers follow on
        those of the run's own.
    """

    example: Tensor
    epoch: int
    step: int
    steps: int
    seed: int
    inputs: Mapping[str, Any]
    beside: int = 0

    def draw(self, salt: int = 0) -> Tensor:
        """Return (B,) float64, uniform on [0, 1): a function of the run, the epoch, the example and `salt` alone, so
        that a resumed run draws the same."""
        return uniform(self.seed, self.epoch, self.example, salt)


@dataclass(frozen=True)
class Examples:
    """What a method may know of a run's training examples when it picks those that it trains on.

    number: (n,) int64, the examples that the recipe lets it train on, by their number among all N of the noise.
    wrong: (n,) bool, which of these carry a wrong label: for a method that is to know it (an oracle).
    seed: of the labels' noise, in [0, 2^32): the same for all runs that share labels, whatever their order and start.
    inputs: name -> outcome of the records that the run builds on.
    """

    number: Tensor
    wrong: Tensor
    seed: int
    inputs: Mapping[str, Any]

    def input(self, name: str, array: str) -> Tensor:
        """Return an input's array (N,), the entries of these examples (n,). Raises ValueError where the input has no
        such array, or it is not of these examples."""
        return of_examples(self.inputs, name, array, self.number)


@dataclass(frozen=True)
class Beside:
    """Examples that join the batches of a run's own ones.

    number: (M,) int64, rising, by their number among all N of the noise. each: how many join a batch, the last of a
    pass through them excepted. epoch: the first, from 0, in which they do.
    """

    number: Tensor
    each: int
    epoch: int


def of_examples(inputs: Mapping[str, Any], name: str, array: str, number: Tensor) -> Tensor:
    """Return the entries of an input's array (N,) that belong to the examples `number` (n,)."""
    values = torch.from_numpy(np.ascontiguousarray(array_of(inputs, name, array))).to(number.device)
    if values.ndim != 1 or (len(number) and int(number.max()) >= len(values)):
        raise ValueError(f"the input {name} says nothing of some training examples: '{array}' has {len(values)}")
    return values[number]


def uniform(seed: int, epoch: int, number: Tensor, salt: int = 0) -> Tensor:
    """Return float64 numbers, uniform on [0, 1), one for each of `number` (int64 in [0, 2^32))."""
    bits: Tensor = u32(u32(seed, METHOD, epoch, salt), METHOD, 0, number)
    return bits.double() / 2**32


class Networks(Protocol):
    """The networks in training, as a method sees them before the first epoch and between epochs."""

    examples: int  # training examples of an epoch
    classes: int  # of the data
    epochs: int  # of the whole run
    seed: int  # as in `Seen`
    device: torch.device
    inputs: Mapping[str, Any]  # name -> outcome of the records that the run builds on

    def input(self, name: str, array: str) -> Tensor:
        """Return (n,): of an input's array (N,) the entries of the run's training examples, by their numbers in `Seen`.
        Raises ValueError where the input has no such array."""
        ...

    def labels(self) -> tuple[Tensor, Tensor]:
        """Return the labels of the run's training examples as given (in the first epoch), and the true ones: (n,) int64
        each, by their numbers in `Seen`. For what a record says of a method; only an oracle learns from true labels."""
        ...

    def held(self) -> list[list[Tensor]]:
        """Return all tensors of each network (weights and buffers). What is written there is trained on."""
        ...

    def features(self, example: Tensor) -> list[Tensor]:
        """Return of each network what its last dense layer reads, (n, F) float32, for the whole images of the training
        examples `example` (n,), in evaluation mode. Raises ValueError for a network without a dense layer."""
        ...


class Method:
    """The base of all methods; its defaults are the mean cross-entropy of one network.

    `state` holds every tensor that the method changes while it trains, on the networks' device: a checkpoint keeps it.
    """

    networks: ClassVar[int] = 1

    def __init__(self, options: dict[str, Any] | None = None):
        self.state: dict[str, Tensor] = {}

    def picks(self, examples: Examples) -> Tensor | None:
        """Return (M,) int64, rising: the numbers of those of `examples` that it trains on; None for all of them. Raises
        ValueError where none is left, with what to do."""
        return None

    def left_out(self, examples: Examples) -> Tensor:
        """Return (M,) int64, rising: those of `examples` that it does not train on and that say how well it does
        (the probe `left_out`). All that it does not pick."""
        picked = self.picks(examples)
        every = examples.number
        return every[:0] if picked is None else every[~torch.isin(every, picked)]

    def beside(self, examples: Examples, batch_size: int) -> Beside | None:
        """Return those of `examples` that join the batches of those that it picks; None where there are none."""
        return None

    def begin(self, networks: Networks) -> None:
        """Make the `state`: called once, before the first step or before a checkpoint is put back."""

    def losses(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        """Return (B,) float32, one network's losses, of its logits (B, m) float32 and the labels as given (B,) int64.

        A two-pass optimiser calls it again in the same step, so it changes no state.
        """
        return cross_entropies(logits, labels)

    def weights(self, losses: tuple[Tensor, ...], seen: Seen) -> tuple[Tensor, ...] | None:
        """Return for each network (B,) float32: it steps along sum(weights · losses). None: along the mean of each.

        Called once a step, with all networks' losses (B,), cut off from the gradient.
        """
        return None

    def facts(self) -> dict[str, Any]:
        """Return what a record is to say of the method's course, as plain data: asked once, at the end."""
        return {}

    def answer(self, logits: tuple[Tensor, ...]) -> Tensor:
        """Return (B, m) float32: the logits that are evaluated, of those of each network. The first network's."""
        return logits[0]

    def close(self, epoch: int, networks: Networks) -> None:
        """Look at the networks, or change them, after an epoch was evaluated and before the next one begins.

        It may ask the device for numbers. After the last epoch it is not called.
        """


class Loss(Method):
    """A method that is a loss of logits and labels alone: `loss` is all of it, and its runs can be stacked.

    Its catalog entry says `stacks=True`.
    """

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return (B,) float, of logits (B, m) float and labels (B,) int64."""
        raise NotImplementedError

    def losses(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        return self.loss(logits, labels)


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """Return each example's cross-entropy, (B,), of logits (B, m) and labels (B,) int64."""
    return F.cross_entropy(logits, labels, reduction="none")


def bootstrapped(logits: Tensor, labels: Tensor, share: float | Tensor) -> Tensor:
    """Return (B,): the cross-entropy against share · label + (1 − share) · the network's own prediction (its argmax).

    No gradient goes through the prediction. The two terms are computed apart, as both targets are classes.
    """
    logs = F.log_softmax(logits, dim=1)
    own, predicted = (F.nll_loss(logs, target, reduction="none") for target in (labels, logits.argmax(1)))
    return share * own + (1 - share) * predicted
