"""One network on a GPU, its step captured once as a CUDA graph and replayed: no launch waits for Python.

untested: no GPU has run this yet, so nothing uses it unless it is asked for by name.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lnbench.methods.method import Loss
from lnbench.training.backends.loop import Loop
from lnbench.training.backends.protocol import Pass
from lnbench.training.batches import Batch, TrainingSet

WARM_UP = 3  # steps that libraries need to choose and allocate before a capture; their effects are undone


class Graph(Loop):
    """As `Loop`: a batch is copied to fixed places, the graph replayed. An epoch's last, smaller batch runs eagerly."""

    def __init__(self, members: list[tuple[dict[str, Any], TrainingSet]], compile: bool):
        super().__init__(members, compile)
        if self.device.type != "cuda":
            raise ValueError("the graph backend needs a CUDA device")
        if not isinstance(self.method, Loss):  # what a step of another method does may differ from step to step
            raise ValueError(f"{self.recipe['method']}: the graph backend is for methods that are a loss; use loop")
        self.size = self.recipe["batch_size"]
        self.graph: torch.cuda.CUDAGraph | None = None
        self.lr = torch.zeros((), device=self.device)
        self.momentum, self.rho = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        self.batch: Batch | None = None
        self.captured: Pass

    def step(self, batches: list[Batch], number: int) -> None:
        (batch,) = batches
        self._draw(number)
        self.lr.fill_(float(self.rates.lr[number, 0]))
        moved = self._moved(number)
        if len(batch) < self.size:
            self._step(batch, number, self.lr, *moved)
            return
        if self.graph is None or self.batch is None:
            self._capture(batch, number, moved)
        assert self.graph is not None and self.batch is not None
        for fixed, now in zip(_tensors(self.batch), _tensors(batch), strict=True):
            fixed.copy_(now)
        self.graph.replay()
        self.seen = self.captured

    def _moved(self, number: int) -> list[Tensor | None]:
        """Return momentum and rho at step `number` of the epoch, each in its fixed place; None for what no schedule
        moves."""
        given = ((self.momentum, self.rates.momentum), (self.rho, self.rates.rho))
        return [None if values is None else place.fill_(float(values[number, 0])) for place, values in given]

    def _capture(self, batch: Batch, number: int, moved: list[Tensor | None]) -> None:
        """Record a step on copies of this batch; the warm-up's steps leave no trace."""
        shift = None if batch.shift is None else batch.shift.clone()
        self.batch = Batch(batch.example.clone(), batch.image.clone(), batch.label.clone(), shift)
        before = {name: tensor.clone() for name, tensor in self.tensors().items()}
        stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._step(self.batch, number, self.lr, *moved)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        for name, tensor in self.tensors().items():
            tensor.copy_(before[name])
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self._step(self.batch, number, self.lr, *moved)
        self.captured = self.seen  # a replay writes there again


def _tensors(batch: Batch) -> list[Tensor]:
    return [batch.example, batch.image, batch.label, *([] if batch.shift is None else [batch.shift])]
