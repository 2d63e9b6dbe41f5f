"""K dense networks of one shape in one step: stacked matrices, the whole step compiled where that pays.

Weights of a layer are (K, inputs, outputs), so that their gradient comes in the layout in which they lie. A batch of
each replica's own images goes through all of them by batched matrix products, the gradient by torch.func, the
optimiser by its formula on each tensor. A step is a function of tensors that ends with writing its results where they
lay, so that torch.compile makes two or three passes over memory of it. Replica k's numbers do not depend on K
(to the bit on the CPU, compiled or not: a test holds it).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lnbench import catalog
from lnbench.methods.method import Loss, cross_entropies
from lnbench.training.backends.bfloat import baddbmm
from lnbench.training.backends.compiling import compiled_or_eager
from lnbench.training.backends.protocol import (
    EVALUATION_BATCH,
    Losses,
    Pass,
    Rates,
    built,
    pieces,
)
from lnbench.training.batches import Batch, Held, Pixels, TrainingSet, method_of
from lnbench.training.initial import first_weights
from lnbench.training.optimisers import Optimiser, given

Parts = list[Tensor]


class Stacked:
    """K networks made of dense layers and ReLUs only, that share every option but rate and decay."""

    def __init__(self, members: list[tuple[dict[str, Any], TrainingSet]], compile: bool):
        (recipe, data), self.replicas = members[0], len(members)
        self.members, self.device, self.compiled = members, data.device, compile
        self.classes, self.batch = data.on_device.classes, recipe["batch_size"]
        self.low = recipe["precision"] == "fast"
        method = method_of(recipe)
        if not isinstance(method, Loss):
            raise ValueError(
                f"{recipe['method']}: the stacked backend is for methods that are a loss; use the loop backend"
            )
        self.method = method
        self.optimiser = catalog.find("optimizer", recipe["optimizer"]["kind"]).load()
        self.options = recipe["optimizer"]
        require_one_gradient(self.optimiser, self.options)
        self.pixels = Pixels.of(recipe, data.on_device)
        self.parts = [part.to(self.device) for part in self._first_weights()]
        self.states = [self.optimiser.first_state(self.options, part.flatten(1)) for part in self.parts]
        decay = np.array([[float(recipe["optimizer"]["weight_decay"]) for recipe, _ in members]])
        self.decay = self._on_device(decay)[0] if decay.any() else 0.0
        self.shadow = [part.to(torch.bfloat16) for part in self.parts] if self.low else []
        self.loss_sum = torch.zeros(self.replicas, dtype=torch.float64, device=self.device)
        self.right = torch.zeros(self.replicas, dtype=torch.int64, device=self.device)
        self.whole = self._weight(self.batch)
        self.keeps_logits = False
        self.lr: Tensor
        self.momentum: Tensor | None
        self.run_step = compiled_or_eager(self._step) if compile else self._step

    def _first_weights(self) -> Parts:
        """Return each replica's first weights as the loop draws them: a list of (K, inputs, outputs) and (K, outputs)
        in turn."""
        replicas = []
        for recipe, data in self.members:
            module = built(recipe, data.on_device.shape, self.classes)
            require_dense(module, recipe["model"])
            first_weights(module, catalog.find("model", recipe["model"]).initial, data.seeds["init"], data.start)
            replicas.append([parameter.detach() for parameter in module.parameters()])
        stacks = [torch.stack(copies) for copies in zip(*replicas, strict=True)]
        return [part.transpose(1, 2).contiguous() if part.dim() == 3 else part for part in stacks]

    @property
    def parameters(self) -> int:
        return sum(part[0].numel() for part in self.parts)

    def _on_device(self, values: np.ndarray) -> Tensor:
        """Return (S, K) as (S, K, 1) float32: one column per step, that broadcasts against (K, P)."""
        moved = torch.from_numpy(values.astype(np.float32)).unsqueeze(2)
        return moved.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else moved

    def _weight(self, count: int) -> Tensor:
        """Return (B,) float32: 1/count for the first `count` examples of a batch, 0 for what fills it up."""
        weight = torch.zeros(self.batch, device=self.device)
        weight[:count] = 1.0 / count
        return weight

    def begin(self, rates: Rates, *, afresh: bool) -> None:
        self.lr = self._on_device(rates.lr)
        self.momentum = None if rates.momentum is None else self._on_device(rates.momentum)
        if afresh:
            self.loss_sum.zero_()
            self.right.zero_()

    def step(self, batches: list[Batch], number: int) -> list[Pass]:
        images = torch.stack(
            [data.pictures(batch.image, batch.shift) for (_, data), batch in zip(self.members, batches, strict=True)]
        )
        labels = torch.stack([batch.label for batch in batches])
        count = labels.shape[1]
        if count < self.batch:  # an epoch's last: filled up with examples of weight 0, as shapes must not change
            images = F.pad(images, (0, 0) * (images.dim() - 2) + (0, self.batch - count))
            labels = F.pad(labels, (0, self.batch - count))
        weight = self.whole if count == self.batch else self._weight(count)
        with torch.no_grad():
            losses, logits = self.run_step(
                self.parts, self.states, self.shadow, self.loss_sum, self.right,
                images, labels, weight, self.lr[number], None if self.momentum is None else self.momentum[number],
                self.keeps_logits,
            )  # fmt: skip
        return [Pass(losses[:, :count], None if logits is None else logits[:, :count])]

    def settle(self) -> list[Pass]:
        return []

    def _step(
        self,
        parts: Parts,
        states: list[dict[str, Tensor]],
        shadow: Parts,
        loss_sum: Tensor,
        right: Tensor,
        images: Tensor,
        labels: Tensor,
        weight: Tensor,
        lr: Tensor,
        momentum: Tensor | None,
        keeps_logits: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Do one step; the first five arguments are changed. images (K, B, H, W, C) uint8, labels (K, B), weight (B,).

        The losses (K, B) and, where they are wanted, the logits (K, B, classes): a compiled step keeps none otherwise.
        """
        inputs = self.pixels(images).flatten(2)

        def loss(weights: Parts) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            logits = self._forward(weights, inputs).float()
            losses = self.method.loss(logits.flatten(0, 1), labels.flatten()).view(labels.shape)
            return (losses * weight).sum(), (losses, logits)

        gradients, (losses, logits) = torch.func.grad(loss, has_aux=True)(shadow or parts)
        new = [
            self.optimiser.update(
                part.flatten(1), given(gradient.float().flatten(1)), state, self.options,
                lr=lr, weight_decay=self.decay, momentum=momentum,
            )
            for part, gradient, state in zip(parts, gradients, states, strict=True)
        ]  # fmt: skip
        loss_sum += (losses * (weight > 0)).sum(1, dtype=torch.float64)
        right += ((logits.argmax(2) == labels) & (weight > 0)).sum(1)
        for number, (weights, state) in enumerate(new):
            parts[number].copy_(weights.view(parts[number].shape))
            if shadow:
                shadow[number].copy_(weights.view(parts[number].shape))
            for name, tensor in state.items():
                states[number][name].copy_(tensor)
        return losses, logits if keeps_logits else None

    def _forward(self, parts: Parts, inputs: Tensor) -> Tensor:
        """Return (K, B, classes) for inputs (K, B, D), in the parts' precision."""
        values = inputs.to(parts[0].dtype)
        for layer in range(0, len(parts), 2):
            if layer:
                values = F.relu(values)
            values = baddbmm(parts[layer + 1].unsqueeze(1), values, parts[layer])
        return values

    def sums(self) -> Tensor:
        return torch.stack((self.right.double(), self.loss_sum), dim=1)

    @torch.no_grad()
    def evaluate(self, held: list[Held], each: Tensor | None = None) -> Tensor:
        if self.device.type == "cuda":
            return self._evaluated_together(held, each)
        results = []
        for replica, images in enumerate(held):
            parts = [part[replica : replica + 1] for part in self.parts]
            right = torch.zeros((), dtype=torch.int64, device=self.device)
            loss = torch.zeros((), dtype=torch.float64, device=self.device)
            for number, (index, labels) in enumerate(pieces(images)):
                inputs = self.pixels(images.images[index]).flatten(1).unsqueeze(0)
                logits = self._forward(parts, inputs).squeeze(0)
                right += (logits.argmax(1) == labels).sum()
                loss += F.cross_entropy(logits, labels, reduction="sum").double()
                if each is not None:
                    torch.split(each[replica], EVALUATION_BATCH)[number].copy_(cross_entropies(logits, labels))
            results.append(torch.stack((right.double(), loss)))
        return torch.stack(results)

    def _evaluated_together(self, held: list[Held], each: Tensor | None) -> Tensor:
        """Return what `evaluate` does. On a GPU all replicas' images go through at once, as launching each replica's
        operations would take longer than they do; on a CPU one after the other, as their weights stay in the cache."""
        right = torch.zeros(self.replicas, dtype=torch.int64, device=self.device)
        loss = torch.zeros(self.replicas, dtype=torch.float64, device=self.device)
        for number, parts in enumerate(zip(*map(pieces, held), strict=True)):
            images = [one.images[index] for one, (index, _) in zip(held, parts, strict=True)]
            labels = torch.stack([labels for _, labels in parts])
            logits = self._forward(self.parts, self.pixels(torch.stack(images)).flatten(2))
            losses = cross_entropies(logits.flatten(0, 1), labels.flatten()).view(labels.shape)
            right += (logits.argmax(2) == labels).sum(1)
            loss += losses.sum(1).double()
            if each is not None:
                torch.split(each, EVALUATION_BATCH, dim=1)[number].copy_(losses)
        return torch.stack((right.double(), loss), dim=1)

    @torch.no_grad()
    def logits(self, held: list[Held]) -> list[Tensor]:
        results = []
        for replica, images in enumerate(held):
            parts = [part[replica : replica + 1] for part in self.parts]
            inputs = (self.pixels(images.images[index]).flatten(1).unsqueeze(0) for index, _ in pieces(images))
            results.append(torch.cat([self._forward(parts, each).squeeze(0) for each in inputs]))
        return results

    def close(self, epoch: int) -> None:
        """Do nothing: a loss of logits and labels changes no network."""

    def gradients(self, held: list[Held], losses: Losses, members: list[Tensor] | None = None) -> Tensor:
        raise NotImplementedError("the stacked backend compares no gradients (groups.py gives such runs to the loop)")

    def example_gradients(self, held: list[Held], losses: Losses) -> Iterator[Tensor]:
        raise NotImplementedError("the stacked backend compares no gradients (groups.py gives such runs to the loop)")

    def snapshot(self) -> list[Tensor]:
        parts = [part.transpose(1, 2) if part.dim() == 3 else part for part in self.parts]  # as a module has them
        return list(torch.cat([part.flatten(1) for part in parts], dim=1))

    def weights(self) -> list[Tensor]:
        return self.parts

    def norms(self) -> list[Tensor]:
        return []

    def estimate_norms(self, batches: Iterator[list[Batch]]) -> None:
        """Dense networks have none."""

    def connections(self) -> list[Tensor]:
        return [part for part in self.parts if part.dim() == 3]

    def tensors(self) -> dict[str, Tensor]:
        kept = {"loss_sum": self.loss_sum, "right": self.right}
        for number, (part, state) in enumerate(zip(self.parts, self.states, strict=True)):
            kept[f"weights.{number}"] = part
            kept |= {f"optimiser.{name}.{number}": tensor for name, tensor in state.items()}
        return kept

    def restored(self) -> None:
        """Let the bfloat16 copies follow the weights that a checkpoint has put back."""
        for copy, part in zip(self.shadow, self.parts, strict=bool(self.shadow)):
            copy.copy_(part)


def require_one_gradient(optimiser: type[Optimiser], options: dict[str, Any]) -> None:
    """Raises ValueError for an optimiser that asks for several gradients a step: a stack has only one to give."""
    asked: list[Tensor] = []

    def gradient_at(weights: Tensor) -> Tensor:
        asked.append(weights)
        return torch.ones_like(weights)

    weights = torch.ones(1, 1)
    optimiser.update(weights, gradient_at, optimiser.first_state(options, weights), options, lr=1.0, weight_decay=0.0)
    if len(asked) != 1:
        raise ValueError(f"{options['kind']}: it asks for {len(asked)} gradients a step; use the loop backend")


def require_dense(module: nn.Module, name: str) -> None:
    """Raises ValueError unless the network is dense layers with ReLUs between them."""
    kinds = [type(layer) for layer in module.children()]
    expected = [nn.Flatten, *[nn.Linear, nn.ReLU] * sum(kind is nn.Linear for kind in kinds)][:-1]
    if not isinstance(module, nn.Sequential) or kinds != expected:
        raise ValueError(f"{name}: the stacked backend is for networks of dense layers; use the loop backend")
