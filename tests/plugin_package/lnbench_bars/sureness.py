"""The probe: how sure a trained network is of the classes that it names."""

from __future__ import annotations

from typing import Any

import torch

from lnbench.training.probes.probe import Probe


class Sureness(Probe):
    """Measure the mean, over the test images, of the largest probability after the last epoch."""

    found: list[float]

    def finish(self) -> None:
        """Look at each of the K networks that train together."""
        answers = self.training.backend.logits([data.test for data in self.training.sets])
        self.found = [float(torch.softmax(logits, dim=1).amax(1).mean()) for logits in answers]

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        """Return the metric of one run; null where it diverged."""
        return {"metrics": {"sureness": None if diverged else self.found[run]}}
