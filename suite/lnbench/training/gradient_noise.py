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

from lnbench.randomness import GRADIENT, u32

SPREAD = math.sqrt(12.0)  # one over the sd of a uniform number in [0, 1)


@dataclass(frozen=True)
class GradientNoise:
    """Multiplicative noise of sd `size`, uniform, its draws under `seed`: another seed is another repeat."""

    size: float
    seed: int

    def of(self, run: int) -> GradientNoise:
        """Return the noise of one run, from one of the run's own seeds, so that no two runs share their draws."""
        return GradientNoise(self.size, int(u32(self.seed, GRADIENT, 0, run)))

    def factors(self, number: int, entry: Any) -> Any:
        """Return 1 + size · ε for entries `entry` (int64 array or tensor) of gradient number `number` of the run."""
        return 1.0 + (u32(self.seed, GRADIENT, number, entry) / 4294967296.0 - 0.5) * (SPREAD * self.size)
