"""How a step is computed. Every backend does the same arithmetic on the same numbers, in its own order.

`loop` runs one network as torch would, operation by operation. `stacked` (stacked.py) runs K dense networks at once.
`graph` (graph.py) is `loop` recorded once and replayed by a GPU. A test holds each to `loop`: 1e-6 after 60 steps.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lnbench import catalog
from lnbench.training.batches import Batch, Held, Pixels, TrainingSet
from lnbench.training.flat import FlatParameters
from lnbench.training.initial import initialise
from lnbench.training.visits import Visits, margins

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


class Loop:
    """One network, step by step as torch runs it. The reference: what is on record was trained by it."""

    def __init__(self, members: list[tuple[dict[str, Any], TrainingSet]], compile: bool):
        ((recipe, data),) = members
        self.recipe, self.data, self.device = recipe, data, data.device
        self.model = built(recipe, data.on_device.shape, data.on_device.classes)
        self.flat = FlatParameters(self.model, self.device)
        self.model.to(self.device)  # the buffers; the parameters are there
        initialise(self.model, catalog.find("model", recipe["model"]).initial, data.seeds["init"])
        self.method = method_of(recipe)
        optimizer = recipe["optimizer"]
        self.optimiser = catalog.find("optimizer", optimizer["kind"]).load()(optimizer, self.flat.weights)
        self.pixels = Pixels.of(recipe, data.on_device)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.right = torch.zeros((), dtype=torch.int64, device=self.device)
        self.visits = Visits()
        self.rates: Rates
        self.compiled = compile
        self.forward = compiled_or_eager(self.model) if compile else self.model

    @property
    def parameters(self) -> int:
        return self.flat.weights.numel()

    def begin(self, rates: Rates, visits: Visits, *, afresh: bool) -> None:
        self.rates, self.visits = rates, visits
        if afresh:
            self.loss_sum.zero_()
            self.right.zero_()
        self.model.train()

    def step(self, batches: list[Batch], number: int) -> None:
        (batch,) = batches
        moved = self.rates.momentum
        self._step(batch, float(self.rates.lr[number, 0]), None if moved is None else float(moved[number, 0]))

    def _step(self, batch: Batch, lr: float | Tensor, momentum: float | Tensor | None) -> None:
        self.flat.gradient.zero_()
        inputs = self.pixels(self.data.pictures(batch.image, batch.shift))
        with precision_of(self.recipe, self.device):
            logits = self.forward(inputs)
        logits = logits.float()
        losses = self.method.losses(logits, batch.label)
        losses.mean().backward()
        self.optimiser.step(self.flat.weights, self.flat.gradient, lr, momentum=momentum)
        with torch.no_grad():
            self.loss_sum += losses.sum(dtype=torch.float64)
            self.right += (logits.argmax(1) == batch.label).sum()
            if self.visits.losses is not None:
                self.visits.losses[0].index_copy_(0, batch.example, losses)
            if self.visits.margins is not None:
                self.visits.margins[0].index_copy_(0, batch.example, margins(logits, batch.label))

    def sums(self) -> Tensor:
        return torch.stack((self.right.double(), self.loss_sum)).unsqueeze(0)

    @torch.no_grad()
    def evaluate(self, held: list[Held], each: Tensor | None = None) -> Tensor:
        (images,) = held
        self.model.eval()
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        loss = torch.zeros((), dtype=torch.float64, device=self.device)
        for number, (index, labels) in enumerate(pieces(images)):
            logits = self.model(self.pixels(images.images[index]))
            right += (logits.argmax(1) == labels).sum()
            loss += nn.functional.cross_entropy(logits, labels, reduction="sum").double()
            if each is not None:
                each[0].split(EVALUATION_BATCH)[number].copy_(cross_entropies(logits, labels))
        return torch.stack((right.double(), loss)).unsqueeze(0)

    @torch.no_grad()
    def logits(self, held: list[Held]) -> list[Tensor]:
        (images,) = held
        self.model.eval()
        return [torch.cat([self.model(self.pixels(images.images[index])) for index, _ in pieces(images)])]

    def gradient_cosine(self, images: list[Held]) -> Tensor:
        """In float32 and without a trace: a batch normalisation uses what it has learnt and learns nothing."""
        (held,) = images
        was_training = self.model.training
        self.model.eval()
        own, plain = (self._mean_gradient(held, losses) for losses in (self.method.losses, cross_entropies))
        self.model.train(was_training)
        return ((own @ plain) / (own.norm() * plain.norm())).float().unsqueeze(0)

    def _mean_gradient(self, held: Held, losses: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """(P,) float64: of the mean loss on all the images."""
        self.flat.gradient.zero_()
        for index, labels in pieces(held):
            logits = self.model(self.pixels(held.images[index]))
            (losses(logits, labels).sum() / len(held)).backward()  # type: ignore[no-untyped-call]
        return self.flat.gradient.double()

    def connections(self) -> list[Tensor]:
        layers = (layer for layer in self.model.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
        return [layer.weight.detach().unsqueeze(0) for layer in layers]

    def tensors(self) -> dict[str, Tensor]:
        return {
            "weights": self.flat.weights,
            "loss_sum": self.loss_sum,
            "right": self.right,
            **{f"buffer.{name}": buffer for name, buffer in self.model.named_buffers()},
            **{f"optimiser.{name}": tensor for name, tensor in self.optimiser.state.items()},
        }

    def restored(self) -> None:
        pass


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """(B,): each example's."""
    return nn.functional.cross_entropy(logits, labels, reduction="none")


def pieces(held: Held) -> Iterator[tuple[Tensor, Tensor]]:
    """(numbers of images, labels), EVALUATION_BATCH at a time."""
    return zip(held.index.split(EVALUATION_BATCH), held.labels.split(EVALUATION_BATCH), strict=True)


class NotCompiled(UserWarning):
    """torch.compile failed, and training goes on without it."""


def compiled_or_eager(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` by torch.compile; where that fails (no C++ compiler, a bug of it), a NotCompiled warning and as it is.

    The function must not have changed anything when it is compiled, which happens before its first operation.
    """
    import torch._dynamo
    import torch._inductor.config

    torch._inductor.config.compile_threads = 1  # a worker may not start processes of its own
    torch._dynamo.reset()  # what earlier groups compiled: it is found by code, not by group, and would count against us
    compiled: Callable[..., Any] | None = torch.compile(function, dynamic=False)

    def call(*arguments: Any) -> Any:
        nonlocal compiled
        if compiled is not None:
            try:
                return compiled(*arguments)
            except torch.OutOfMemoryError:  # it would not fit uncompiled either
                raise
            except Exception as error:  # of any kind: compilers fail in many ways
                reason = str(error).strip().splitlines()
                what = f"{type(error).__name__}: {reason[0] if reason else ''}"
                told = f"torch.compile fails here, so training runs uncompiled ({what})"
                warnings.warn(told, NotCompiled, stacklevel=2)
                compiled = None
        return function(*arguments)

    return call
