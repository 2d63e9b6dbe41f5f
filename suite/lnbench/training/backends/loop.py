"""How a step is computed. Every backend does the same arithmetic on the same numbers, in its own order.

`loop` runs one network as torch would, operation by operation. `stacked` (stacked.py) runs K dense networks at once.
`recorded` (recorded.py) has steps of K networks recorded once and replayed by a GPU. Tests hold each to `loop`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lnbench.methods.method import Method, Seen, cross_entropies, of_examples
from lnbench.training.backends.network import Network
from lnbench.training.backends.protocol import (
    EVALUATION_BATCH,
    EXAMPLE_GRADIENTS,
    EXAMPLES_AT_ONCE,
    Losses,
    Pass,
    Rates,
    at_once,
    pieces,
    precision_of,
)
from lnbench.training.batches import Batch, Held, Pixels, TrainingSet, method_of
from lnbench.training.gradient_noise import PLACES, GradientNoise
from lnbench.training.initial import all_weights
from lnbench.training.optimisers import GradientAt, Scalar


class Loop:
    """One run, step by step as torch runs it. The reference: what is on record was trained by it.

    It trains as many networks as the run's method has, on the same batches. Curves are of the method's `answer`; losses
    of training examples are the mean over the networks.
    """

    def __init__(self, members: list[tuple[dict[str, Any], TrainingSet]], compile: bool):
        ((recipe, data),) = members
        self.recipe, self.data, self.device = recipe, data, data.device
        self.method: Method = method_of(recipe)
        networks = self.method.networks
        starts = [None] * networks if data.start is None else np.array_split(data.start, networks)
        self.networks = [Network(recipe, data, number, starts[number], compile) for number in range(networks)]
        self.pixels = Pixels.of(recipe, data.on_device)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.right = torch.zeros((), dtype=torch.int64, device=self.device)
        self.keeps_logits = False
        self.gradient_noise: GradientNoise | None = None
        self.noise_row: Tensor | None = None  # its factors, and how many gradients have taken theirs
        self.gradients_made = 0
        self.rates: Rates
        self.compiled = compile
        self.method.begin(_Networks(self))

    @property
    def model(self) -> nn.Module:
        """Return the first network's module."""
        return self.networks[0].model

    @property
    def parameters(self) -> int:
        return self.networks[0].flat.count

    def begin(self, rates: Rates, *, afresh: bool) -> None:
        self.rates = rates
        if afresh:
            self.loss_sum.zero_()
            self.right.zero_()
        self._train_mode(True)

    def _train_mode(self, training: bool) -> None:
        for network in self.networks:
            network.model.train(training)

    def step(self, batches: list[Batch], number: int) -> list[Pass]:
        (batch,) = batches
        for network in self.networks:
            network.draw(self.rates.epoch * self.data.steps_an_epoch + number)
        rates = self.rates
        moved = (None if each is None else float(each[number, 0]) for each in (rates.momentum, rates.rho))
        return [self._step(batch, number, float(rates.lr[number, 0]), *moved)]

    def settle(self) -> list[Pass]:
        return []

    def _step(
        self, batch: Batch, number: int, lr: Scalar, momentum: Scalar | None = None, rho: Scalar | None = None
    ) -> Pass:
        seen = self.data.seen(batch.example, self.rates.epoch, number, batch.beside)
        inputs = self.pixels(self.data.shown(batch))
        passes = [self._answers(network, inputs, batch.label, seen) for network in self.networks]
        logits, losses = zip(*passes, strict=True)
        weights = self.method.weights(tuple(each.detach() for each in losses), seen)
        for place, network in enumerate(self.networks):
            own = None if weights is None else weights[place]
            gradient_at = self._gradient_at(network, losses[place], inputs, batch.label, seen, own)
            if self.gradient_noise is not None:
                gradient_at = self._with_noise(gradient_at, self.gradient_noise)
            network.optimiser.step(network.flat.weights, gradient_at, lr, momentum=momentum, rho=rho)
        with torch.no_grad():
            answer, loss = self.method.answer(logits), _mean(losses)
            self.loss_sum += loss.sum(dtype=torch.float64)
            self.right += (answer.argmax(1) == batch.label).sum()
        return Pass(loss.detach().unsqueeze(0), answer.detach().unsqueeze(0))

    def _answers(self, network: Network, inputs: Tensor, labels: Tensor, seen: Seen) -> tuple[Tensor, Tensor]:
        """Return (B, classes) float32, a network's logits, computed in the recipe's precision, and (B,), the losses."""
        with precision_of(self.recipe, self.device):
            logits = network.forward(inputs).float()
        return logits, self.method.losses(logits, labels, seen)

    def _gradient_at(
        self, network: Network, losses: Tensor, inputs: Tensor, labels: Tensor, seen: Seen, weights: Tensor | None
    ) -> GradientAt:
        """Return the gradient of the batch's loss at any weights of a network, as a function. The first, at the
        network's own, is of the pass that is made already (`losses`); any other makes a pass that batch normalisation
        does not learn from, with the same `weights` of the examples."""
        made: Tensor | None = losses

        def gradient_at(at: Tensor) -> Tensor:
            nonlocal made
            network.flat.gradient.zero_()
            if made is not None and at is network.flat.weights:
                now, made = made, None
                _total(now, weights).backward()  # type: ignore[no-untyped-call]
            else:
                with network.at(at):
                    _, again = self._answers(network, inputs, labels, seen)
                    _total(again, weights).backward()  # type: ignore[no-untyped-call]
            return network.flat.gradient

        return gradient_at

    def _with_noise(self, gradient_at: GradientAt, noise: GradientNoise) -> GradientAt:
        """Return the gradient with noise on each entry, other noise each time that it is asked for."""
        if self.noise_row is None:
            entries = torch.arange(len(self.networks[0].flat.weights) + PLACES, device=self.device)
            self.noise_row = noise.row(entries).float()
        row = self.noise_row

        def noisy(at: Tensor) -> Tensor:
            self.gradients_made += 1
            place = noise.place(self.gradients_made)
            gradient = gradient_at(at)
            return gradient.mul_(row[place : place + len(gradient)])

        return noisy

    def sums(self) -> Tensor:
        return torch.stack((self.right.double(), self.loss_sum)).unsqueeze(0)

    @torch.no_grad()
    def evaluate(self, held: list[Held], each: Tensor | None = None) -> Tensor:
        (images,) = held
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        loss = torch.zeros((), dtype=torch.float64, device=self.device)
        done = 0
        for index, labels in pieces(images):
            logits = self._answer(images, index)
            right += (logits.argmax(1) == labels).sum()
            loss += nn.functional.cross_entropy(logits, labels, reduction="sum").double()
            if each is not None:
                each[0, done : done + len(index)].copy_(cross_entropies(logits, labels))
            done += len(index)
        return torch.stack((right.double(), loss)).unsqueeze(0)

    @torch.no_grad()
    def logits(self, held: list[Held]) -> list[Tensor]:
        (images,) = held
        return [torch.cat([self._answer(images, index) for index, _ in pieces(images)])]

    def _answer(self, held: Held, index: Tensor) -> Tensor:
        """Return (n, classes) float32: what is evaluated, for images of `held`."""
        self._train_mode(False)
        inputs = self.pixels(held.images[index])
        return self.method.answer(tuple(network.model(inputs) for network in self.networks))

    def close(self, epoch: int) -> None:
        with torch.no_grad():
            self.method.close(epoch, _Networks(self))

    def gradients(self, held: list[Held], losses: Losses, members: list[Tensor] | None = None) -> Tensor:
        (images,) = held
        first = self.networks[0]
        was_training = first.model.training
        first.model.eval()
        first.flat.gradient.zero_()
        counted = repeat(None) if members is None else torch.split(members[0], at_once(images))
        for (index, labels), counts in zip(pieces(images), counted, strict=False):
            found = losses(first.model(self.pixels(images.images[index])), labels)
            total = found.sum() / len(images) if counts is None else (found * counts).sum()
            total.backward()  # type: ignore[no-untyped-call]
        first.model.train(was_training)
        gradient = first.flat.without_gaps(first.flat.gradient).double().unsqueeze(0)
        return gradient if members is None else gradient / members[0].sum()  # on the device: nothing waits for it

    def example_gradients(self, held: list[Held], losses: Losses) -> Iterator[Tensor]:
        """Yield them by torch.func: one gradient, mapped over the examples."""
        (images,) = held
        first = self.networks[0]
        model, flat = first.model, first.flat
        fixed = {name: tensor.detach() for name, tensor in (*model.named_parameters(), *model.named_buffers())}
        weights = {name: fixed.pop(name) for name in flat.names}

        def loss(weights: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
            logits = torch.func.functional_call(model, (weights, fixed), (image.unsqueeze(0),))
            return losses(logits, label.unsqueeze(0)).sum()

        each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))
        most = max(1, min(EXAMPLES_AT_ONCE, EXAMPLE_GRADIENTS // self.parameters))
        count = 1 << (most.bit_length() - 1)
        for index, labels in zip(torch.split(images.index, count), torch.split(images.labels, count), strict=True):
            was_training = model.training
            model.eval()
            with torch.no_grad():
                rows = flat.rows(each(weights, self.pixels(images.images[index]), labels))
            model.train(was_training)
            yield rows.unsqueeze(0)

    def snapshot(self) -> list[Tensor]:
        return [torch.cat([all_weights(network.model) for network in self.networks])]

    def weights(self) -> list[Tensor]:
        return [network.flat.weights for network in self.networks]

    def norms(self) -> list[Tensor]:
        return [buffer for layer in self._norm_layers() for buffer in layer.buffers()]

    def _norm_layers(self) -> list[nn.modules.batchnorm._BatchNorm]:
        layers = (layer for network in self.networks for layer in network.model.modules())
        return [layer for layer in layers if isinstance(layer, nn.modules.batchnorm._BatchNorm)]

    @torch.no_grad()
    def estimate_norms(self, batches: Iterator[list[Batch]]) -> None:
        layers = self._norm_layers()
        if not layers:
            return
        moments = [layer.momentum for layer in layers]
        self._train_mode(False)  # all else is as it is evaluated
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over batches
            layer.train()
        for (batch,) in batches:
            inputs = self.pixels(self.data.shown(batch))
            for network in self.networks:
                network.model(inputs)
        for layer, momentum in zip(layers, moments, strict=True):
            layer.momentum = momentum
            layer.eval()

    def connections(self) -> list[Tensor]:
        layers = (layer for network in self.networks for layer in network.model.modules())
        return [layer.weight.detach().unsqueeze(0) for layer in layers if isinstance(layer, nn.Conv2d | nn.Linear)]

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps. The first network's tensors have the names that the checkpoints of one
        network always had."""
        kept = {"loss_sum": self.loss_sum, "right": self.right}
        for number, network in enumerate(self.networks):
            before = f"network.{number}." if number else ""
            kept |= {before + name: tensor for name, tensor in network.tensors().items()}
        return kept | {f"method.{name}": tensor for name, tensor in self.method.state.items()}

    def restored(self) -> None:
        pass


class _Networks:
    """The networks of a loop as its method sees them (`lnbench.methods.method.Networks`)."""

    def __init__(self, loop: Loop):
        self._loop, self.device = loop, loop.device
        self.examples, self.epochs = loop.data.examples, loop.data.epochs
        self.classes = loop.data.on_device.classes
        self.seed = loop.data.method_seed
        self.inputs = loop.data.inputs

    def labels(self) -> tuple[Tensor, Tensor]:
        image, given = self._loop.data.given()
        return given, self._loop.data.labels[image]

    def held(self) -> list[list[Tensor]]:
        return [[network.flat.weights, *network.model.buffers()] for network in self._loop.networks]

    def input(self, name: str, array: str) -> Tensor:
        data = self._loop.data
        return of_examples(data.inputs, name, array, data.numbers)

    def features(self, example: Tensor) -> list[Tensor]:
        loop = self._loop
        loop._train_mode(False)
        image = loop.data.identity[loop.data.given()[0][example]]
        parts = [loop.pixels(loop.data.pictures(part, None)) for part in torch.split(image, EVALUATION_BATCH)]
        return [torch.cat([network.features(part) for part in parts]) for network in loop.networks]


def _mean(losses: tuple[Tensor, ...]) -> Tensor:
    """Return (B,): for one network its losses, for several their mean."""
    return losses[0] if len(losses) == 1 else torch.stack(losses).mean(0)


def _total(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Return what a network steps along the gradient of."""
    return losses.mean() if weights is None else (weights * losses).sum()
