"""The seam between a training and what is measured in it: the engine knows a list of probes and nothing of any.

A probe is a name of the catalog (kind "probe") that a recipe's `probes` may ask for. It is made before the first step,
is asked at each step whether it wants to look, hears of the end of each epoch and of the training, and gives parts of
each run's outcome. No probe changes a number of the training: it draws nothing and leaves the networks as they were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from lnbench.methods.method import cross_entropies
from lnbench.training.backends.protocol import Backend, Losses, Pass
from lnbench.training.batches import Batch, Held, TrainingSet


@dataclass(frozen=True)
class Training:
    """The training of K runs that probes look at. `probes`: those made so far, by name."""

    backend: Backend
    sets: Sequence[TrainingSet]
    epochs: int
    steps_an_epoch: int
    probes: dict[str, Probe] = field(default_factory=dict)

    @property
    def replicas(self) -> int:
        """K."""
        return len(self.sets)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * self.steps_an_epoch

    @property
    def device(self) -> torch.device:
        return self.sets[0].device


@dataclass
class StepView:
    """One step, as a probe sees it: before the weights move, and, with `seen`, after.

    step: from 0, counted over the whole training. batches: of each of the K replicas what it trains on, B examples;
    those that come beside the run's own (`methods.Beside`) are not shown.
    """

    training: Training
    step: int
    batches: Sequence[Batch]
    seen: Pass | None = None

    @property
    def epoch(self) -> int:
        """Return the epoch's number, from 0."""
        return self.step // self.training.steps_an_epoch

    @cached_property
    def examples(self) -> Tensor:
        """Return (K, B) int64: the examples, by their place among those that the run trains on."""
        return torch.stack([batch.example for batch in self.batches])

    @cached_property
    def labels(self) -> Tensor:
        """Return (K, B) int64: the labels as given, which the step trains on."""
        return torch.stack([batch.label for batch in self.batches])

    @cached_property
    def clean(self) -> Tensor:
        """Return (K, B) bool: the examples whose given label is the true one."""
        pairs = zip(self.training.sets, self.batches, strict=True)
        return torch.stack([data.true(batch.image) == batch.label for data, batch in pairs])

    @property
    def losses(self) -> Tensor:
        """Return (K, B) float32: the losses of the step's own forward pass. Only after the step."""
        return self._seen.losses[:, : len(self.batches[0])]

    @property
    def logits(self) -> Tensor:
        """Return (K, B, classes) float32, of the same pass. Only after the step, and for a probe with
        `needs_logits`."""
        logits = self._seen.logits
        if logits is None:
            raise ValueError("a probe reads logits that it did not ask for; set needs_logits = True in its class")
        return logits[:, : len(self.batches[0])]

    @property
    def _seen(self) -> Pass:
        if self.seen is None:
            raise ValueError("a probe reads losses or logits before the step has given any; do it in `after`")
        return self.seen

    @cached_property
    def gradient(self) -> Tensor:
        """Return (K, P) float64: the gradient of the batch's mean cross-entropy, as the network is evaluated. Two
        probes that look at the same step share it. Only before the step."""
        return self.gradient_of(None)

    def gradient_of(self, members: Tensor | None, losses: Losses = cross_entropies) -> Tensor:
        """Return (K, P) float64: the gradient of the mean loss on the batch's examples, or on its `members` (K, B)
        bool; NaN where a replica has none. The images are those that the step trains on, cropped and flipped as
        there."""
        if self.seen is not None:
            raise ValueError("a probe asks for the gradient of a step whose weights have moved; do it in `before`")
        held = []
        for data, batch in zip(self.training.sets, self.batches, strict=True):
            every = torch.arange(len(batch), device=data.device)
            held.append(Held(data.shown(batch), every, batch.label))
        return self.training.backend.gradients(held, losses, None if members is None else list(members))


class Probe:
    """What all probes share: each does nothing unless a subclass says what.

    options: as the recipe gives them; None of a probe that has none. Nothing may be asked of the device between two
    epochs' ends, so what is measured stays there, in tensors. Raise nothing: what cannot be measured is NaN.
    """

    needs_logits = False  # whether `after` reads the view's logits
    needs_network = True  # whether a look reads more than the view's batches, losses and logits; if not, `after` may
    # be called some steps later, in the order of the steps, and `before` is not to be used

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        self.training, self.options = training, options

    def at(self, step: int) -> bool:
        """Return whether to look at step number `step`, from 0 over the whole training: a function of the number
        alone."""
        return False

    def before(self, view: StepView) -> None:
        """Look at a step before the weights move."""

    def after(self, view: StepView) -> None:
        """Look at a step after it, with what its own forward pass has seen."""

    def each(self, split: str, epoch: int) -> Tensor | None:
        """Return (K, n) float32: where the cross-entropy of each image of a split ("test", "validation") goes when the
        epoch is over; None where nobody asked."""
        return None

    def close(self, epoch: int) -> None:
        """Look at the networks after an epoch, from 0."""

    def finish(self) -> None:
        """Look at the networks after the last step that was trained."""

    def tensors(self, epoch: int) -> dict[str, Tensor]:
        """Return what a checkpoint within epoch number `epoch` must keep, by names that no other probe has; the first
        axis is the replicas'. They are filled from the checkpoint where a training resumes."""
        return {}

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        """Return what a run's outcome has of this probe, after `epochs` finished epochs: `metrics`, `arrays` (numpy)
        and `probe_curves` are put together with those of other probes, by names; other keys are its own."""
        return {}


def curve(axis: str, at: Sequence[int], values: Sequence[float]) -> dict[str, Any]:
    """Return a curve that carries its axis: "steps" (finished before the look) or "epochs" (finished). What is not
    finite is null in the record."""
    return {"axis": axis, "at": list(at), "values": [value if math.isfinite(value) else None for value in values]}
