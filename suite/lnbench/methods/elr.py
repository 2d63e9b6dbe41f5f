"""Early-learning regularisation: hold on to what the network said of an example before it learned wrong labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lnbench.methods.method import Method, Networks, Seen, cross_entropies

LEAST = 1e-4  # probabilities are kept this far from 0 and 1, as in the authors' code


class EarlyLearning(Method):
    """Liu et al. 2020 (ELR), equation 6: for an example's probabilities p and its target t, a moving average of them,

        loss = cross-entropy + strength · log(1 − <p, t>),   t ← memory · t + (1 − memory) · p

    The target moves before the loss is taken, with p of that very pass, as in the authors' code; it starts at 0.
    `state`: `target` (n, m) float32.
    """

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.memory, self.strength = float(options["memory"]), float(options["strength"])
        self.moved: tuple[Seen | None, Tensor] = (None, torch.empty(0))  # the batch seen last, and its targets (B, m)

    def begin(self, networks: Networks) -> None:
        size = (networks.examples, networks.classes)
        self.state = {"target": torch.zeros(size, dtype=torch.float32, device=networks.device)}

    def losses(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        p = torch.softmax(logits, dim=1).clamp(LEAST, 1 - LEAST)
        if self.moved[0] is not seen:  # a second pass over the same batch has the target of the first
            own = p.detach() / p.detach().sum(dim=1, keepdim=True)
            self.moved = (seen, self.memory * self.state["target"][seen.example] + (1 - self.memory) * own)
        agreement = (p * self.moved[1]).sum(dim=1)
        return cross_entropies(logits, labels) + self.strength * torch.log1p(-agreement)

    def weights(self, losses: tuple[Tensor, ...], seen: Seen) -> None:
        self.state["target"][seen.example] = self.moved[1]
