"""What a group keeps of every epoch, where its recipe's `probes` ask for it: an array (epochs, n) a run.

Everything lies on the device until the runs end, in float32: four bytes a number. What nobody asked for is not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from lnbench.training.backends.protocol import Backend
from lnbench.training.batches import Held, TrainingSet
from lnbench.training.probes.visits import Visits

EXAMPLE_LOSS = "example_loss"
EXAMPLE_MARGIN = "example_margin"
EXAMPLE_LOSS_EVAL = "example_loss_eval"
HELD_LOSS = "held_loss"
SUSPECTS = "suspects"
TEST_PROBABILITIES = "test_probabilities"
WHILE_TRAINING = (EXAMPLE_LOSS, EXAMPLE_MARGIN)  # written step by step; all else when an epoch is over
SHEET = 64  # suspects that are kept


class History:
    """`rows`: name of an array -> (K, epochs, n) float32, one row an epoch. `answers`: of each run (n, classes)
    float32, its probabilities for the test images after the last epoch; empty before."""

    def __init__(self, probes: Sequence[str], sets: Sequence[TrainingSet], epochs: int):
        self.probes, self.sets, self.epochs = probes, sets, epochs
        self.answers: list[torch.Tensor] = []
        data = sets[0]
        lengths = {name: data.examples for name in (*WHILE_TRAINING, EXAMPLE_LOSS_EVAL) if name in probes}
        if HELD_LOSS in probes:
            held = {"test": data.test, "validation": data.validation}
            lengths |= {_held_name(split): len(images) for split, images in held.items() if len(images)}
        self.rows = {
            name: torch.zeros((len(sets), epochs, length), dtype=torch.float32, device=data.device)
            for name, length in lengths.items()
        }

    def visits(self, epoch: int) -> Visits:
        """Where the steps of an epoch write."""
        return Visits(self._row(EXAMPLE_LOSS, epoch), self._row(EXAMPLE_MARGIN, epoch))

    def held(self, split: str, epoch: int) -> torch.Tensor | None:
        """(K, n): where the loss of each of a split's images after an epoch goes."""
        return self._row(_held_name(split), epoch)

    def close(self, backend: Backend, epoch: int) -> None:
        """After an epoch: the loss of each training example, on its whole image, under the label of that epoch. After
        the last one: the probabilities that the networks give the test images."""
        if TEST_PROBABILITIES in self.probes and epoch == self.epochs - 1:
            found = backend.logits([data.test for data in self.sets])
            self.answers = [torch.softmax(logits, dim=1) for logits in found]
        row = self._row(EXAMPLE_LOSS_EVAL, epoch)
        if row is None:
            return
        images = [Held(data.on_device.images, data.identity, data.labels) for data in self.sets]
        for place, (data, logits) in enumerate(zip(self.sets, backend.logits(images), strict=True)):
            image, label = data.given(epoch)
            row[place].copy_(backend.method.losses(logits[image], label))

    def tensors(self, epoch: int) -> dict[str, torch.Tensor]:
        """What a checkpoint within this epoch keeps: the rows that hold something; the first axis is the replicas'."""
        return {name: rows[:, : epoch + (name in WHILE_TRAINING)] for name, rows in self.rows.items()}

    def arrays(self, run: int, epochs: int) -> dict[str, np.ndarray[Any, Any]]:
        """One run's arrays of its finished epochs; with `example_loss`, what its examples are. A run that diverged has
        no probabilities."""
        found: dict[str, np.ndarray[Any, Any]] = {
            name: rows[run, :epochs].cpu().numpy() for name, rows in self.rows.items()
        }
        if EXAMPLE_LOSS in found:
            found |= described(self.sets[run])
        if SUSPECTS in self.probes:
            found |= suspects(self.sets[run], found[EXAMPLE_LOSS])
        if self.answers and epochs == self.epochs:
            found[TEST_PROBABILITIES] = self.answers[run].cpu().numpy()
        return found

    def _row(self, name: str, epoch: int) -> torch.Tensor | None:
        return self.rows[name][:, epoch] if name in self.rows else None


def _held_name(split: str) -> str:
    return f"{split}_example_loss"


def described(data: TrainingSet) -> dict[str, np.ndarray[Any, Any]]:
    """Of each example, (N,): the label that it carries in epoch 0, int16; the true one, int16; and its image's number
    in the data set, int32."""
    image, label = data.given()
    true, identity = data.labels[image], data.identity[image]
    return {
        "example_label": label.cpu().numpy().astype(np.int16),
        "example_true": true.cpu().numpy().astype(np.int16),
        "example_image": identity.cpu().numpy().astype(np.int32),
    }


def suspects(data: TrainingSet, losses: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The SHEET examples of highest summed loss (epochs, N), the highest first, the lower number first of equals:
    their numbers, int32, and their whole images (n, C, H, W) uint8. None of a run that finished no epoch."""
    highest = np.argsort(-losses.sum(0, dtype=np.float64), kind="stable")[: SHEET if len(losses) else 0]
    example = torch.from_numpy(highest).to(data.device)
    pictures = data.on_device.images[data.identity[data.noise.images(example)]]
    return {
        "suspect_images": np.ascontiguousarray(pictures.movedim(-1, 1).cpu().numpy()),
        "suspect_examples": highest.astype(np.int32),
    }
