"""Curves over steps: what a probe measures at each k-th step or at shares of the training, and metrics of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lnbench.training.probes.at_shares import PARTS, look_of, step_at
from lnbench.training.probes.entries import CURVE_SPANS
from lnbench.training.probes.probe import Probe, StepView, Training, curve


class Looks(Probe):
    """`curves` numbers at each k-th step, from step 0 on: before the update, or after it (`once_stepped`), with what
    the step's own forward pass has seen. On the device, (K, looks, curves) float32."""

    curves: tuple[str, ...]
    once_stepped = False

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        assert options is not None
        self.every: int = options["every"]
        self.marks: tuple[int, ...] = tuple(options.get("marks", ()))
        self.around: int = options.get("around") or 0
        self.steps = range(0, training.steps, self.every)
        shape = (training.replicas, len(self.steps), len(self.curves))
        self.values = torch.full(shape, torch.nan, device=training.device)

    def at(self, step: int) -> bool:
        return step % self.every == 0

    def numbers(self, view: StepView) -> tuple[Tensor, ...]:
        """Return (K,) for each of `curves`."""
        raise NotImplementedError

    def before(self, view: StepView) -> None:
        if not self.once_stepped:
            self._look(view)

    def after(self, view: StepView) -> None:
        if self.once_stepped:
            self._look(view)

    def _look(self, view: StepView) -> None:
        for place, now in enumerate(self.numbers(view)):
            self.values[:, view.step // self.every, place] = now

    def tensors(self, epoch: int) -> dict[str, Tensor]:
        return {self.curves[0]: self.values}

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        """Return the curves, and the means of each over spans of the looks and around the marks; what does not exist is
        left out of a mean. A run that diverged has no means, and one that ends before a mark has none there."""
        columns = self.values[run].double().cpu()
        metrics: dict[str, float | None] = {}
        for name, values in zip(self.curves, columns.unbind(1), strict=True):
            for part, looks in self._parts(len(values)):
                mean = values[looks].nanmean().item()
                metrics[f"{name}_{part}"] = None if diverged or mean != mean else mean
        curves = {
            name: curve("steps", self.steps, columns[:, place].tolist()) for place, name in enumerate(self.curves)
        }
        return {"metrics": metrics, "probe_curves": curves}

    def _parts(self, count: int) -> Iterator[tuple[str, slice]]:
        """Yield what is a metric of a curve with `count` looks, and which of these it is the mean of."""
        for span, (first, last, _) in CURVE_SPANS.items():
            yield span, slice(int(first * count), max(1, int(last * count)))
        for number, mark in enumerate(self.marks, 1):
            first, last = -((self.around - mark) // self.every), (mark + self.around) // self.every
            reached = mark <= self.training.steps
            yield f"mark_{number}", slice(max(0, first), last + 1 if reached else 0)


class Shares(Probe):
    """`count` numbers at a few shares of the training (`at_shares.AtShares`), for runs that train one at a time. On the
    device, (1, looks, count) float64."""

    name: str
    count: int

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        assert options is not None
        (self.data,) = training.sets
        self.shares: tuple[float, ...] = tuple(options["at"])
        self.steps = tuple(step_at(share, training.steps) for share in self.shares)
        self.places = {step: place for place, step in enumerate(self.steps)}  # few steps: two shares may have one
        shape = (1, len(self.shares), self.count)
        self.values = torch.full(shape, torch.nan, dtype=torch.float64, device=training.device)

    def at(self, step: int) -> bool:
        return step in self.places

    def numbers(self) -> Tensor:
        """Return (count,) float64, of the network as it is."""
        raise NotImplementedError

    def before(self, view: StepView) -> None:
        self._look(view.step)

    def finish(self) -> None:
        if self.training.steps in self.places:
            self._look(self.training.steps)

    def _look(self, step: int) -> None:
        now = self.numbers()
        for place, mark in enumerate(self.steps):
            if mark == step:
                self.values[0, place] = now

    def tensors(self, epoch: int) -> dict[str, Tensor]:
        return {self.name: self.values}

    def found(self, diverged: bool) -> Tensor:
        """Return (looks, count) float64 on the CPU: what was measured. A run that diverged was not looked at where it
        would have ended."""
        values = self.values[0].cpu()
        ended = torch.tensor([mark == self.training.steps for mark in self.steps])
        return torch.where(ended.unsqueeze(1) & torch.tensor(diverged), torch.nan, values)

    def curve(self, values: Sequence[float]) -> dict[str, Any]:
        """Return the curve of one number, given at each share."""
        return curve("steps", list(self.places), [values[place] for place in self.places.values()])

    def parts(self, values: Sequence[float], diverged: bool, *, but: str = "") -> dict[str, float | None]:
        """Return the number at the start, the half and the end of the training, as far as there is a look, and without
        the part `but`; null where the number does not exist or the run diverged."""
        places = {part: look_of(part, self.shares) for part in PARTS if part != but}
        read = {part: values[place] for part, place in places.items() if place is not None}
        return {part: None if diverged or not math.isfinite(value) else value for part, value in read.items()}
