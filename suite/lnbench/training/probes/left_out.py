"""What a training predicts of the examples that its method leaves out (`Method.left_out`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lnbench.methods.method import cross_entropies
from lnbench.training.batches import Held, TrainingSet
from lnbench.training.probes.probe import Probe, Training, curve

EPOCHS = ("last", "best")


class LeftOut(Probe):
    """After each epoch the accuracy on the left-out examples, by their labels as given, on whole images in evaluation
    mode. Of the last epoch and of that with the highest accuracy (the first of equals), what is predicted of each.

    Arrays (N,), of all N examples of the noise: `left_out_label`, `left_out_true`, the classes given and true, and
    `left_out_last`, `left_out_best`, those predicted, int16, -1 where an example was not left out;
    `left_out_last_loss`, `left_out_best_loss`, their cross-entropy in nats, float32, 0 there; and
    `left_out_confusion` (K, K) int32, how many of a class as given (row) are predicted as another, at the best epoch.
    The accuracy is a curve of `probe_curves`; it has no value where nothing was left out. Nothing of a run that
    diverged.
    """

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        self.held = [_held(data) for data in training.sets]
        most = max(len(held) for held in self.held)
        shape = (training.replicas, most)
        self.right = torch.zeros((training.replicas, training.epochs), dtype=torch.int64, device=training.device)
        self.most = torch.full((training.replicas, 1), -1, dtype=torch.int64, device=training.device)
        self.predicted = {at: torch.zeros(shape, dtype=torch.int16, device=training.device) for at in EPOCHS}
        self.losses = {at: torch.zeros(shape, dtype=torch.float32, device=training.device) for at in EPOCHS}

    def close(self, epoch: int) -> None:
        if not any(map(len, self.held)):
            return
        for place, logits in enumerate(self.training.backend.logits(self.held)):
            labels, count = self.held[place].labels, len(self.held[place])
            predicted, losses = logits.argmax(1), cross_entropies(logits, labels)
            right = (predicted == labels).sum()
            better = right > self.most[place]
            self.right[place, epoch] = right
            self.most[place] = torch.maximum(self.most[place], right)
            for at, now in (("last", torch.ones_like(better)), ("best", better)):
                kept = self.predicted[at][place, :count]
                kept.copy_(torch.where(now, predicted.to(torch.int16), kept))
                loss = self.losses[at][place, :count]
                loss.copy_(torch.where(now, losses, loss))

    def tensors(self, epoch: int) -> dict[str, Tensor]:
        kept = {"left_out_right": self.right[:, :epoch], "left_out_most": self.most}
        kept |= {f"left_out_{at}": tensor for at, tensor in self.predicted.items()}
        return kept | {f"left_out_{at}_loss": tensor for at, tensor in self.losses.items()}

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        if diverged:
            return {}
        data, count = self.training.sets[run], len(self.held[run])
        number = data.left_out.cpu().numpy()
        image, label = data.given_to(data.left_out)
        classes = {"left_out_label": label, "left_out_true": data.labels[image]}
        classes |= {f"left_out_{at}": tensor[run, :count] for at, tensor in self.predicted.items()}
        arrays = {}
        for name, values in classes.items():
            arrays[name] = np.full(data.noise.size, -1, dtype=np.int16)
            arrays[name][number] = values.cpu().numpy()
        for at, losses in self.losses.items():
            arrays[f"left_out_{at}_loss"] = np.zeros(data.noise.size, dtype=np.float32)
            arrays[f"left_out_{at}_loss"][number] = losses[run, :count].cpu().numpy()
        size = data.on_device.classes
        confusion = np.zeros((size, size), dtype=np.int32)
        np.add.at(confusion, (arrays["left_out_label"][number], arrays["left_out_best"][number]), 1)
        right = self.right[run, :epochs].tolist() if count else []
        accuracy = curve("epochs", range(1, len(right) + 1), [each / count for each in right])
        found = {"left_out_accuracy": accuracy} if count else {}
        return {"arrays": {**arrays, "left_out_confusion": confusion}, "probe_curves": found}


def _held(data: TrainingSet) -> Held:
    """Return the left-out examples: their images, with their labels as given."""
    image, label = data.given_to(data.left_out)
    return Held(data.on_device.images, data.identity[image], label)
