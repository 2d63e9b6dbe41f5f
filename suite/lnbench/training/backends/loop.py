"""How a step is computed. Every backend does the same arithmetic on the same numbers, in its own order.

`loop` runs one network as torch would, operation by operation. `stacked` (stacked.py) runs K dense networks at once.
`graph` (graph.py) is `loop` recorded once and replayed by a GPU. A test holds each to `loop`: 1e-6 after 60 steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lnbench import catalog
from lnbench.training.backends.compiling import compiled_or_eager
from lnbench.training.backends.protocol import (
    EVALUATION_BATCH,
    Rates,
    built,
    cross_entropies,
    method_of,
    pieces,
    precision_of,
)
from lnbench.training.batches import Batch, Held, Pixels, TrainingSet
from lnbench.training.flat import FlatParameters
from lnbench.training.initial import initialise
from lnbench.training.probes.visits import Visits, margins


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
