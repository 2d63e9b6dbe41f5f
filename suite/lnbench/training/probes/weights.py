"""The weights that a training ends with, for another to start from."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lnbench.training.probes.probe import Probe


class FinalWeights(Probe):
    """Keep the network's weights after the last step, with what its normalisations have learnt."""

    whole: list[Tensor]

    def finish(self) -> None:
        self.whole = self.training.backend.snapshot()

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        return {} if diverged else {"arrays": {"final_weights": self.whole[run].cpu().numpy()}}
