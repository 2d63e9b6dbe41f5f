"""Gradients that are a little off: how far a run's numbers move where its arithmetic is not quite the same.

Another processor, another library, another number of threads sum in another order: every gradient differs in its last
digits, training lets that grow, and how far depends on the run. `lnbench measure` finds out: it trains each run again
with every entry of every gradient multiplied by 1 + size · ε, and drift is judged by how far the run's numbers moved
(docs/drift.md). No recipe can ask for it and no store keeps such a run; a training without it does nothing more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lnbench.randomness import GRADIENT, below, u32

SPREAD = math.sqrt(12.0)  # one over the sd of a uniform number in [0, 1)
PLACES = 1 << 16  # at which a gradient's factors may begin


@dataclass(frozen=True)
class GradientNoise:
    """Multiplicative noise of sd `size`, uniform, its draws under `seed`: another seed is another repeat.

    A run draws one row of factors, and each of its gradients takes a stretch of it that begins at a place of its own:
    drawn again for every gradient, they would cost as much as a step.
    """

    size: float
    seed: int

    def of(self, run: int) -> GradientNoise:
        """Return the noise of one run, from one of the run's own seeds, so that no two runs share their draws."""
        return GradientNoise(self.size, int(u32(self.seed, GRADIENT, 0, run)))

    def row(self, entry: Any) -> Any:
        """Return 1 + size · ε at places `entry` of the row (int64 array or tensor, below 2^32)."""
        return 1.0 + (u32(self.seed, GRADIENT, 1, entry) / 4294967296.0 - 0.5) * (SPREAD * self.size)

    def place(self, number: int) -> int:
        """Return where in the row the factors of gradient number `number` of the run begin."""
        return int(below(u32(self.seed, GRADIENT, 2, number), PLACES))
