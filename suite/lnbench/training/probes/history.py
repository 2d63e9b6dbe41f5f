"""Arrays of every epoch: a number of each training example or held-out image, (epochs, n) a run.

Everything lies on the device until the runs end, in float32: four bytes a number. What nobody asked for is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lnbench.training.batches import Held, TrainingSet
from lnbench.training.probes.probe import Probe, StepView, Training

SHEET = 64  # suspects that are kept
Arrays = dict[str, np.ndarray[Any, Any]]


class _AtEachVisit(Probe):
    """A number of each example at its one visit of each epoch, from the very forward pass that trained it."""

    name: str
    needs_network = False

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        self.rows = _rows(training, training.sets[0].examples)

    def at(self, step: int) -> bool:
        return True

    def numbers(self, view: StepView) -> Tensor:
        """Return (K, B) float32, of the batch's examples."""
        raise NotImplementedError

    def after(self, view: StepView) -> None:
        self.rows[:, view.epoch].scatter_(1, view.examples, self.numbers(view))

    def tensors(self, epoch: int) -> dict[str, Tensor]:
        """Return the rows that hold something: the current epoch's is being filled."""
        return {self.name: self.rows[:, : epoch + 1]}

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        return {"arrays": {self.name: self.rows[run, :epochs].cpu().numpy()}}


class ExampleLoss(_AtEachVisit):
    """Each example's loss, and what the examples are."""

    name = "example_loss"

    def numbers(self, view: StepView) -> Tensor:
        return view.losses

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        found = super().outcome(run, epochs, diverged)
        found["arrays"] |= described(self.training.sets[run])
        return found


class ExampleMargin(_AtEachVisit):
    """Each example's margin."""

    name = "example_margin"
    needs_logits = True

    def numbers(self, view: StepView) -> Tensor:
        return margins(view.logits, view.labels)


class ExampleLossEval(Probe):
    """After each epoch the method's loss of each training example, on its whole image, under that epoch's label."""

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        self.rows = _rows(training, training.sets[0].examples)

    def close(self, epoch: int) -> None:
        backend, sets = self.training.backend, self.training.sets
        images = [Held(data.on_device.images, data.identity, data.labels) for data in sets]
        for place, (data, logits) in enumerate(zip(sets, backend.logits(images), strict=True)):
            image, label = data.given(epoch)
            seen = data.seen(torch.arange(data.examples, device=data.device), epoch, data.steps_an_epoch)
            self.rows[place, epoch].copy_(backend.method.losses(logits[image], label, seen))

    def tensors(self, epoch: int) -> dict[str, Tensor]:
        return {"example_loss_eval": self.rows[:, :epoch]}

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        return {"arrays": {"example_loss_eval": self.rows[run, :epochs].cpu().numpy()}}


class HeldLoss(Probe):
    """After each epoch the cross-entropy of each held-out image, from the pass that gives the curves."""

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        held = {"test": training.sets[0].test, "validation": training.sets[0].validation}
        self.rows = {split: _rows(training, len(images)) for split, images in held.items() if len(images)}

    def each(self, split: str, epoch: int) -> Tensor | None:
        return self.rows[split][:, epoch] if split in self.rows else None

    def tensors(self, epoch: int) -> dict[str, Tensor]:
        return {f"{split}_example_loss": rows[:, :epoch] for split, rows in self.rows.items()}

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        arrays = {f"{split}_example_loss": rows[run, :epochs].cpu().numpy() for split, rows in self.rows.items()}
        return {"arrays": arrays}


class Suspects(Probe):
    """The examples of highest summed loss, with their images. Needs the probe `example_loss`."""

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        losses = self.training.probes["example_loss"].outcome(run, epochs, diverged)["arrays"]["example_loss"]
        return {"arrays": suspects(self.training.sets[run], losses)}


def _rows(training: Training, length: int) -> Tensor:
    """Return (K, epochs, length) float32 on the device."""
    shape = (training.replicas, training.epochs, length)
    return torch.zeros(shape, dtype=torch.float32, device=training.device)


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Return (…): the logit of the label less the largest other one, of logits (…, classes) and labels (…) int64.

    The margin of Pleiss et al. 2020, as their package `aum` computes it: its mean over epochs is an example's AUM.
    """
    classes = torch.arange(logits.shape[-1], device=logits.device)
    own = classes == labels.unsqueeze(-1)
    other = logits.masked_fill(own, -torch.inf).amax(-1)
    return logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1) - other


def described(data: TrainingSet) -> Arrays:
    """Describe each example, (N,): the label that it carries in epoch 0, int16; the true one, int16; and its image's
    number in the data set, int32. Of a run that trains on some examples only, their numbers among all, int32, too."""
    image, label = data.given()
    numbers = {} if data.kept is None else {"example_number": data.kept.cpu().numpy().astype(np.int32)}
    true, identity = data.labels[image], data.identity[image]
    return {
        "example_label": label.cpu().numpy().astype(np.int16),
        "example_true": true.cpu().numpy().astype(np.int16),
        "example_image": identity.cpu().numpy().astype(np.int32),
        **numbers,
    }


def suspects(data: TrainingSet, losses: np.ndarray[Any, Any]) -> Arrays:
    """Return the SHEET examples of highest summed loss (epochs, N), the highest first, the lower number first of
    equals: their numbers, int32, and their whole images (n, C, H, W) uint8. None of a run that finished no epoch."""
    highest = np.argsort(-losses.sum(0, dtype=np.float64), kind="stable")[: SHEET if len(losses) else 0]
    example = torch.from_numpy(highest).to(data.device)
    pictures = data.on_device.images[data.identity[data.given()[0][example]]]
    return {
        "suspect_images": np.ascontiguousarray(pictures.movedim(-1, 1).cpu().numpy()),
        "suspect_examples": highest.astype(np.int32),
    }
