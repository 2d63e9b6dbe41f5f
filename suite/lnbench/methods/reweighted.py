"""Re-weighting: how much an example's loss counts was found by another training, before this one began."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lnbench.methods.method import Method, Networks, Seen

SMALLEST = 1e-8  # what a batch's weights are taken to sum up to at least


class Reweighted(Method):
    """The AUL paper, section 4.2: with the trust w in [0, 1] in each label, as an input gives it, a batch's loss is

        sum(w · loss) / max(sum(w), 1e-8)

    from first weights of its own. A batch of which nothing is trusted teaches nothing.
    """

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.name: str = options["input"]
        self.trust: Tensor  # (n,) float32; no part of `state`, as it does not change

    def begin(self, networks: Networks) -> None:
        self.trust = networks.input(self.name, "trust").float()

    def weights(self, losses: tuple[Tensor, ...], seen: Seen) -> tuple[Tensor, ...]:
        trusted = self.trust[seen.example]
        return (trusted / torch.clamp(trusted.sum(), min=SMALLEST),)
