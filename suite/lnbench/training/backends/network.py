"""One network in training: its module, its weights as one vector, its optimiser."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lnbench import catalog
from lnbench.models.torch_dropout import Dropout
from lnbench.randomness import DROPOUT, METHOD, u32
from lnbench.training.backends.compiling import compiled_or_eager
from lnbench.training.backends.protocol import built
from lnbench.training.batches import TrainingSet
from lnbench.training.flat import FlatParameters
from lnbench.training.initial import first_weights

SWAPPED = 1 << 16  # how many weights change places at a time: what a core's cache holds


class Network:
    """Network number `number` of a run: the first starts from the run's own `init` seed, each further one from a seed
    that is derived from it; or all from weights that another run ended with, `start` (W,) float32."""

    def __init__(
        self, recipe: dict[str, Any], data: TrainingSet, number: int, start: np.ndarray[Any, Any] | None, compile: bool
    ):
        self.model = built(recipe, data.on_device.shape, data.on_device.classes)
        self.flat = FlatParameters(self.model, data.device)
        self.model.to(data.device)  # the buffers; the parameters are there
        law, seed = catalog.find("model", recipe["model"]).initial, init_seed(data.seeds["init"], number)
        first_weights(self.model, law, seed, start)
        optimizer = recipe["optimizer"]
        kind = catalog.find("optimizer", optimizer["kind"]).load()
        self.optimiser = kind(optimizer, self.flat.weights, self.flat.biases)
        self.forward = compiled_or_eager(self.model) if compile else self.model
        self.dropouts = [layer for layer in self.model.modules() if isinstance(layer, Dropout)]
        for place, layer in enumerate(self.dropouts):
            layer.start(u32(data.seeds["order"], DROPOUT, number, place), data.device)

    def draw(self, step: int) -> None:
        """Set what the network drops out in step number `step` of the training, from 0. A function of the run and the
        step: nothing of it is in a checkpoint, and every pass of the step drops the same."""
        for layer in self.dropouts:
            layer.draw(step)

    @contextlib.contextmanager
    def at(self, weights: Tensor) -> Iterator[None]:
        """Put `weights` (P,) in place of the network's own for a while; meanwhile those lie in `weights`, so that no
        third copy is needed. Afterwards both are what they were, and so are the network's buffers, the running
        statistics of batch normalisation among them, whatever passes are made meanwhile."""
        buffers = list(self.model.buffers())
        before = [tensor.clone() for tensor in buffers]
        _swap(self.flat.weights, weights)
        try:
            yield
        finally:
            _swap(self.flat.weights, weights)
            for tensor, kept in zip(buffers, before, strict=True):
                tensor.copy_(kept)

    @torch.no_grad()
    def features(self, inputs: Tensor) -> Tensor:
        """Return what the last dense layer reads, (n, F) float32, of inputs (n, C, H, W). Raises ValueError where there
        is no such layer."""
        dense = [layer for layer in self.model.modules() if isinstance(layer, nn.Linear)]
        if not dense:
            raise ValueError("the method measures what the last dense layer reads, and this network has none")
        read: list[Tensor] = []
        handle = dense[-1].register_forward_pre_hook(lambda layer, given: read.append(given[0]))
        try:
            self.model(inputs)
        finally:
            handle.remove()
        return read[0]

    def tensors(self) -> dict[str, Tensor]:
        """Return all that a step reads and changes."""
        return {
            "weights": self.flat.weights,
            **{f"buffer.{name}": buffer for name, buffer in self.model.named_buffers()},
            **{f"optimiser.{name}": tensor for name, tensor in self.optimiser.state.items()},
        }


@torch.no_grad()
def _swap(one: Tensor, other: Tensor) -> None:
    """Let two vectors (P,) change places, a piece at a time."""
    for here, there in zip(torch.split(one, SWAPPED), torch.split(other, SWAPPED), strict=True):
        kept = here.clone()
        here.copy_(there)
        there.copy_(kept)


def init_seed(seed: int, number: int) -> int:
    """Return the seed of the first weights of a run's network `number`, from the run's `init` seed."""
    return seed if number == 0 else int(u32(seed, METHOD, number, 0))
