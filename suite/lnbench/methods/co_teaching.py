"""Co-teaching: two networks, each of which picks the examples that the other learns from."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from lnbench.methods.method import Method, Seen


class CoTeaching(Method):
    """Han et al. 2018, algorithm 1. In a batch of B each network picks its ⌊R(e)·B⌋ examples of smallest
    cross-entropy (one at least; of equal ones the earlier), and the other steps along the mean over these. With e
    epochs finished:

        R(e) = 1 − forget_rate · min(e / gradual, 1)

    Both networks see the same batches in the same order; they differ in their first weights alone.
    """

    networks: ClassVar[int] = 2

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.forget_rate, self.gradual = float(options["forget_rate"]), int(options["gradual"])
        self.mean = options["answer"] == "mean"

    def kept(self, epoch: int, count: int) -> int:
        """Return how many of a batch of `count` examples are learnt from when `epoch` epochs are finished."""
        share = 1 - self.forget_rate * min(epoch / self.gradual, 1.0)
        return max(1, math.floor(share * count + 1e-9))  # 0.8 · 10 is 8, however a float rounds

    def weights(self, losses: tuple[Tensor, ...], seen: Seen) -> tuple[Tensor, ...]:
        return exchanged(losses, self.kept(seen.epoch, len(seen.example)))

    def answer(self, logits: tuple[Tensor, ...]) -> Tensor:
        """Return the first network's logits; with `answer: mean`, the log of the two softmaxes' mean."""
        return mean_of(logits) if self.mean else logits[0]


def exchanged(losses: tuple[Tensor, ...], kept: int) -> tuple[Tensor, ...]:
    """Return for each of two networks (B,): 1 / kept at the `kept` examples of smallest loss under the other network,
    of equal ones the earlier; 0 elsewhere."""
    picked = []
    for own in losses:
        weight = torch.zeros_like(own)
        picked.append(weight.index_fill_(0, own.argsort(stable=True)[:kept], 1.0 / kept))
    first, second = picked
    return second, first


def mean_of(logits: tuple[Tensor, ...]) -> Tensor:
    """Return the log of the mean of the networks' softmaxes."""
    both = torch.stack([torch.log_softmax(each, dim=1) for each in logits])
    return torch.logsumexp(both, dim=0) - math.log(len(logits))
