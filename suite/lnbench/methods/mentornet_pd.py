"""MentorNet PD: a predefined curriculum that leaves out examples of large loss, against a moving threshold."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from lnbench.methods.method import Method, Networks, Seen

BURN_IN = 18  # per cent of the steps up to which every example counts
SOFT_FROM = 90  # per cent from which the weight falls linearly above the threshold, and not at once
LESS_DROPPED_FROM = 17  # per cent from which the smaller share is dropped


class MentorNetPD(Method):
    """Jiang et al. 2018, the predefined curriculum as the authors' code has it (`vstar_mentornet_pd`), without the
    network that imitates it there. For the loss l of an example and its distance d = l − threshold the weight is

        1 in the first 18 % of the steps;  1 if d ≤ 0, else 0;  from 90 % on min(max(1 − d, 0), 1)

    divided by the batch's size. In each step the threshold becomes decay · itself + (1 − decay) · the `percentile` of
    the batch's losses, from 0 on. Then a share `dropout_first` of the batch (`dropout`, after 17 %) is dropped at
    random, so that ⌊(1 − share) · B⌋ examples are left.
    """

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.percentile, self.decay = float(options["percentile"]), float(options["decay"])
        self.dropped = (float(options["dropout_first"]), float(options["dropout"]))

    def begin(self, networks: Networks) -> None:
        self.state = {"threshold": torch.zeros((), dtype=torch.float32, device=networks.device)}

    def weights(self, losses: tuple[Tensor, ...], seen: Seen) -> tuple[Tensor, ...]:
        (own,) = losses
        percent = 100 * seen.step // seen.steps
        highest = torch.quantile(own, self.percentile, interpolation="nearest")
        threshold = self.state["threshold"].mul_(self.decay).add_(highest * (1 - self.decay))
        if percent <= BURN_IN:
            weight = torch.ones_like(own)
        elif percent < SOFT_FROM:
            weight = (own <= threshold).to(own.dtype)
        else:
            weight = (1 - (own - threshold)).clamp(0, 1)
        share = self.dropped[percent >= LESS_DROPPED_FROM]
        left = math.floor((1 - share) * len(own) + 1e-9)
        gone = seen.draw().argsort(stable=True)[left:]
        return (weight.index_fill(0, gone, 0.0) / len(own),)
