"""Has a distribution of per-sample scores two modes? One v two Gaussians, Ashman's D, Hartigan's dip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lnbench.stats.dip import dip
from lnbench.stats.seeds import Floats, Values, as_seeds


@dataclass(frozen=True, slots=True)
class Mixture:
    """Two Gaussians, the lower mean first: weights, means, sds of shape (2,); log_likelihood of the
    values."""

    weights: tuple[float, float]
    means: tuple[float, float]
    sds: tuple[float, float]
    log_likelihood: float


def _sample(values: Values) -> Floats:
    x = np.sort(as_seeds(values))
    if x.size < 4 or not np.isfinite(x).all():
        raise ValueError(
            f"expected at least 4 finite values, not {x.size} with {np.count_nonzero(~np.isfinite(x))} bad"
        )
    return x


def ashman_d(mixture: Mixture) -> float:
    """Return D = √2·|μ1 - μ2|/√(σ1² + σ2²) (Ashman et al. 1994): above 2 the two modes are clearly apart."""
    return math.sqrt(2) * (mixture.means[1] - mixture.means[0]) / math.hypot(*mixture.sds)


def dip_p(values: Values, *, draws: int = 1000, seed: int = 0) -> float:
    """Return p of Hartigan's dip against the uniform, the worst unimodal case (Hartigan & Hartigan 1985), by seeded
    simulation.

    (1 + how often a uniform sample's √n·dip is at least ours)/(1 + draws). Above 500 values the uniform
    samples have 500: √n·dip has reached its limit law there.
    """
    x = _sample(values)
    seen = math.sqrt(x.size) * dip(x)
    reference = _uniform_dips(min(int(x.size), 500), draws, seed)
    return (1 + int(np.count_nonzero(reference >= seen * (1 - 1e-12)))) / (1 + draws)


@lru_cache(maxsize=16)
def _uniform_dips(n: int, draws: int, seed: int) -> Floats:
    """Return (draws,) √n·dip of uniform samples."""
    rng = np.random.default_rng(seed)
    return math.sqrt(n) * np.array([dip(rng.random(n)) for _ in range(draws)])
