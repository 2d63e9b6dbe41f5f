"""Half: the training of one of the two runs of a round of INCV, on what is selected and on half of the candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lnbench.methods.method import Examples, Method
from lnbench.randomness import METHOD, permutation_at


class Half(Method):
    """Chen et al. 2019: cross-entropy on S and on one half of C. The run is watched on the other half.

    C is shuffled by the seed of the labels and the number of the round, which both runs of a round share, and other
    runs of the same labels, too; its first ⌊n / 2⌋ are half 0, the rest is half 1. In the first round all examples are
    candidates. The authors' code starts every run from the same first weights; here each run draws its own.
    """

    def __init__(self, options: Mapping[str, Any]):
        super().__init__(dict(options))
        self.half, self.input = int(options["half"]), options["input"]

    def picks(self, examples: Examples) -> Tensor:
        selected, halves = self._parts(examples)
        picked: Tensor = torch.cat((selected, halves[self.half])).sort().values
        if not len(picked):
            raise ValueError(f"half: nothing is selected, and half {self.half} of the candidates is empty")
        return picked

    def left_out(self, examples: Examples) -> Tensor:
        """Return the other half of the candidates: what earlier rounds discarded says nothing."""
        _, halves = self._parts(examples)
        return halves[1 - self.half]

    def _parts(self, examples: Examples) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        every = examples.number
        if self.input is None:
            return every[:0], halves_of(every, examples.seed, 1)
        selected, candidates = (every[examples.input(self.input, array)] for array in ("kept", "candidates"))
        return selected, halves_of(candidates, examples.seed, examples.inputs[self.input]["round"] + 1)


def halves_of(candidates: Tensor, seed: int, number: int) -> tuple[Tensor, Tensor]:
    """Return the halves of `candidates` (n,) int64 in round `number`, from 1: the ⌊n / 2⌋ that a shuffle puts first,
    and the others, each rising."""
    count = len(candidates)
    if count < 2:  # no shuffle of nothing
        return candidates[:0], candidates
    place = permutation_at(seed, METHOD, number, count, torch.arange(count, device=candidates.device))
    shuffled = candidates[place]
    first, second = (part.sort().values for part in (shuffled[: count // 2], shuffled[count // 2 :]))
    return first, second
