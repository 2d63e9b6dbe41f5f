"""Gaussian and uniform draws from the counter hash, in float64: the same for every chunk, worker and resumed run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from lnbench.randomness import u32

Floats = npt.NDArray[np.float64]


def uniform(bits: Any) -> Floats:
    """Return the middle of one of the 2^32 steps of (0, 1), chosen by 32 bits: never 0, never 1."""
    return (np.asarray(bits, dtype=np.float64) + 0.5) / 2.0**32


def gaussian(seed: int, stream: int, what: int, shape: tuple[int, ...]) -> Floats:
    """Return standard normal draws by Box & Muller 1958. `what` (an epoch of the hash) tells one array from another.

    Draw number i takes the hash's numbers i of the epochs 2·what and 2·what + 1, in C order of `shape`; so a longer
    array begins with the shorter one. The tails end at 6.8 sd, where 2^-33 lies.
    """
    counter = np.arange(math.prod(shape), dtype=np.int64)
    radius = np.sqrt(-2.0 * np.log(uniform(u32(seed, stream, 2 * what, counter))))
    angle = 2.0 * np.pi * uniform(u32(seed, stream, 2 * what + 1, counter))
    return (radius * np.cos(angle)).reshape(shape)
