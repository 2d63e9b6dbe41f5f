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


def two_gaussians(values: Values, *, iterations: int = 500) -> Mixture:
    """The likeliest mixture of two Gaussians, by EM (Dempster et al. 1977) from five fixed splits of the
    sorted values.

    An sd is kept above 1e-3 of the whole, as a Gaussian on a single value has an infinite likelihood. Raises
    ValueError for fewer than 4 values or one that is not finite.
    """
    x = _sample(values)
    center, scale = float(x.mean()), float(x.std()) or 1.0
    z = (x - center) / scale
    fits = [_em(z, split, iterations) for split in (0.1, 0.3, 0.5, 0.7, 0.9)]
    weights, means, sds, log_likelihood = max(fits, key=lambda fit: fit[3])
    a, b = (0, 1) if means[0] <= means[1] else (1, 0)
    return Mixture(
        (float(weights[a]), float(weights[b])),
        (float(center + scale * means[a]), float(center + scale * means[b])),
        (float(scale * sds[a]), float(scale * sds[b])),
        log_likelihood - x.size * math.log(scale),
    )


def _em(z: Floats, split: float, iterations: int) -> tuple[Floats, Floats, Floats, float]:
    cut = min(max(1, round(split * z.size)), z.size - 1)
    belongs = np.zeros((2, z.size))  # (component, value)
    belongs[0, :cut], belongs[1, cut:] = 1.0, 1.0
    previous = log_likelihood = -math.inf
    for _ in range(iterations):
        mass = np.maximum(belongs.sum(axis=1), 1e-12)
        weights = mass / z.size
        means = belongs @ z / mass
        sds = np.sqrt(np.maximum((belongs * (z - means[:, None]) ** 2).sum(axis=1) / mass, 1e-6))
        log_density = (
            np.log(weights / sds)[:, None] - 0.5 * ((z - means[:, None]) / sds[:, None]) ** 2
        ) - 0.5 * math.log(2 * math.pi)
        total = np.logaddexp(log_density[0], log_density[1])
        log_likelihood = float(total.sum())
        belongs = np.exp(log_density - total)
        if log_likelihood - previous < 1e-8 * z.size:
            break
        previous = log_likelihood
    return weights, means, sds, log_likelihood


def delta_bic(values: Values) -> float:
    """BIC of one Gaussian less that of two (2 against 5 parameters; Schwarz 1978). Above 0 two fit better;
    above 10 is called very strong (Kass & Raftery 1995)."""
    x = _sample(values)
    variance = float(x.var())
    if variance == 0:
        return -3 * math.log(x.size)
    one = -0.5 * x.size * (math.log(2 * math.pi * variance) + 1)
    return 2 * (two_gaussians(x).log_likelihood - one) - 3 * math.log(x.size)


def ashman_d(mixture: Mixture) -> float:
    """D = √2·|μ1 - μ2|/√(σ1² + σ2²) (Ashman et al. 1994): above 2 the two modes are clearly apart."""
    return math.sqrt(2) * (mixture.means[1] - mixture.means[0]) / math.hypot(*mixture.sds)


def dip_p(values: Values, *, draws: int = 1000, seed: int = 0) -> float:
    """p of Hartigan's dip against the uniform, the worst unimodal case (Hartigan & Hartigan 1985), by seeded
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
    """(draws,) √n·dip of uniform samples."""
    rng = np.random.default_rng(seed)
    return math.sqrt(n) * np.array([dip(rng.random(n)) for _ in range(draws)])
