"""How a step is computed. Every backend does the same arithmetic on the same numbers, in its own order.

`loop` runs one network as torch would, operation by operation. `stacked` (stacked.py) runs K dense networks at once.
`graph` (graph.py) is `loop` recorded once and replayed by a GPU. A test holds each to `loop`: 1e-6 after 60 steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn

from lnbench import catalog
from lnbench.training.backends.compiling import compiled_or_eager
from lnbench.training.backends.protocol import (
    EVALUATION_BATCH,
    Losses,
    Rates,
    Seen,
    built,
    cross_entropies,
    method_of,
    pieces,
    precision_of,
)
from lnbench.training.batches import Batch, Held, Pixels, TrainingSet
from lnbench.training.flat import FlatParameters
from lnbench.training.initial import all_weights, first_weights


class Loop:
    """One network, step by step as torch runs it. The reference: what is on record was trained by it."""

    def __init__(self, members: list[tuple[dict[str, Any], TrainingSet]], compile: bool):
        ((recipe, data),) = members
        self.recipe, self.data, self.device = recipe, data, data.device
        self.model = built(recipe, data.on_device.shape, data.on_device.classes)
        self.flat = FlatParameters(self.model, self.device)
        self.model.to(self.device)  # the buffers; the parameters are there
        first_weights(self.model, catalog.find("model", recipe["model"]).initial, data.seeds["init"], data.start)
        self.method = method_of(recipe)
        optimizer = recipe["optimizer"]
        self.optimiser = catalog.find("optimizer", optimizer["kind"]).load()(optimizer, self.flat.weights)
        self.pixels = Pixels.of(recipe, data.on_device)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.right = torch.zeros((), dtype=torch.int64, device=self.device)
        self.keeps_logits = False
        self.seen: Seen
        self.rates: Rates
        self.compiled = compile
        self.forward = compiled_or_eager(self.model) if compile else self.model

    @property
    def parameters(self) -> int:
        return self.flat.weights.numel()

    def begin(self, rates: Rates, *, afresh: bool) -> None:
        self.rates = rates
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
        self.seen = Seen(losses.detach().unsqueeze(0), logits.detach().unsqueeze(0))

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
                torch.split(each[0], EVALUATION_BATCH)[number].copy_(cross_entropies(logits, labels))
        return torch.stack((right.double(), loss)).unsqueeze(0)

    @torch.no_grad()
    def logits(self, held: list[Held]) -> list[Tensor]:
        (images,) = held
        self.model.eval()
        return [torch.cat([self.model(self.pixels(images.images[index])) for index, _ in pieces(images)])]

    def gradients(self, held: list[Held], losses: Losses, members: list[Tensor] | None = None) -> Tensor:
        (images,) = held
        was_training = self.model.training
        self.model.eval()
        self.flat.gradient.zero_()
        counted = repeat(None) if members is None else torch.split(members[0], EVALUATION_BATCH)
        for (index, labels), counts in zip(pieces(images), counted, strict=False):
            found = losses(self.model(self.pixels(images.images[index])), labels)
            total = found.sum() / len(images) if counts is None else (found * counts).sum()
            total.backward()  # type: ignore[no-untyped-call]
        self.model.train(was_training)
        gradient = self.flat.gradient.double().unsqueeze(0)
        return gradient if members is None else gradient / members[0].sum()  # on the device: nothing waits for it

    def snapshot(self) -> list[Tensor]:
        return [all_weights(self.model)]

    def weights(self) -> list[Tensor]:
        return [self.flat.weights]

    def norms(self) -> list[Tensor]:
        return [buffer for layer in self._norm_layers() for buffer in layer.buffers()]

    def _norm_layers(self) -> list[nn.modules.batchnorm._BatchNorm]:
        return [layer for layer in self.model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]

    @torch.no_grad()
    def estimate_norms(self, batches: Iterator[list[Batch]]) -> None:
        layers = self._norm_layers()
        if not layers:
            return
        moments = [layer.momentum for layer in layers]
        self.model.eval()  # all else is as it is evaluated
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over batches
            layer.train()
        for (batch,) in batches:
            self.model(self.pixels(self.data.pictures(batch.image, batch.shift)))
        for layer, momentum in zip(layers, moments, strict=True):
            layer.momentum = momentum
            layer.eval()

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
