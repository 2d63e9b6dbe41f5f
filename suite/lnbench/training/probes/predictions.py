"""What a trained network takes its own training images for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lnbench.training.batches import Held, TrainingSet
from lnbench.training.probes.probe import Probe


class FinalPredictions(Probe):
    """After the last epoch, the class that the network predicts of each training example's whole image, in evaluation
    mode and float32.

    The array `final_predictions` (N,) int16 is by the examples' numbers, of all N of the noise, also of those that the
    run does not train on. Copies of an image have one prediction. The outcome's `final_predictions` says how many
    examples there are, for how many the prediction differs from the label as given (that of the first epoch), and for
    how many it is the true class. Nothing of a run that diverged.
    """

    predicted: list[Tensor]

    def finish(self) -> None:
        answers = self.training.backend.logits([_every_image(data) for data in self.training.sets])
        self.predicted = [logits.argmax(1).to(torch.int16) for logits in answers]

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        if diverged:
            return {"metrics": dict.fromkeys(("predictions_changed", "predictions_right"))}
        data = self.training.sets[run]
        image, label = data.given_to(torch.arange(data.noise.size, device=data.device))
        predicted = self.predicted[run][image]
        changed, right = int((predicted != label).sum()), int((predicted == data.labels[image]).sum())
        count = len(predicted)
        shares = {"predictions_changed": changed / count, "predictions_right": right / count}
        return {
            "arrays": {"final_predictions": predicted.cpu().numpy()},
            "final_predictions": {"examples": count, "changed": changed, "right": right},
            "metrics": shares,
            "counted": dict.fromkeys(shares, count),
        }


def _every_image(data: TrainingSet) -> Held:
    """Return the images of all examples, each once, in the order of `TrainingSet.identity`."""
    return Held(data.on_device.images, data.identity, data.labels)
