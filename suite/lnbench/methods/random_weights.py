"""Random weights: each batch's losses are weighed by chance; what re-weighting does of itself."""

from __future__ import annotations

import torch
from torch import Tensor

from lnbench.methods.method import Method, Seen

SMALLEST = 1e-10  # added to the sum of a batch's weights


class RandomWeights(Method):
    """Ren et al. 2018, the baseline "random": for each example of a batch a number r, normal with mean 0 and deviation
    1, or 0 where that is below 0; its loss counts r over the batch's sum of them.

    New numbers at each visit, as an example is visited once an epoch. Where all are 0 the batch teaches nothing.
    """

    def weights(self, losses: tuple[Tensor, ...], seen: Seen) -> tuple[Tensor, ...]:
        rectified = torch.special.ndtri(seen.draw()).clamp(min=0)
        return ((rectified / (rectified.sum() + SMALLEST)).to(losses[0].dtype),)
