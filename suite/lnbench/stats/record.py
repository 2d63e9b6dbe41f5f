"""Statistics for the record, beside a verdict and never in place of it: P(A > B), sign flips,
Mann–Whitney."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from lnbench.stats.correlation import average_ranks
from lnbench.stats.seeds import Values, as_seeds

_EXACT = 2**18  # arrangements enumerated before falling back to random ones


def probability_of_superiority(a: Values, b: Values, *, paired: bool = False) -> float:
    """P(A > B) + ½·P(A = B), over pairs of one seed or over all pairs (Bouthillier et al. 2021). NaN without
    seeds.

    Raises ValueError if paired and the lengths differ.
    """
    x, y = as_seeds(a, "a"), as_seeds(b, "b")
    if paired and x.size != y.size:
        raise ValueError(f"{x.size} seeds cannot be paired with {y.size}")
    if x.size == 0 or y.size == 0 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return math.nan
    difference = x - y if paired else x[:, None] - y[None, :]
    return float(np.mean((np.sign(difference) + 1) / 2))


def sign_flip_p(differences: Values, *, draws: int = 100_000, seed: int = 0) -> float:
    """One-sided p of the sign-flip test that the paired differences centre on 0 (Fisher 1935), against
    "above".

    Exact for up to 18 seeds (all 2ⁿ signs), else `draws` seeded random ones. It cannot be below 2⁻ⁿ, so n ≥ 5
    is needed at α = .05. NaN if a difference is missing.
    """
    d = as_seeds(differences, "differences")
    if d.size == 0 or not np.isfinite(d).all():
        return math.nan
    slack = 1e-9 * float(np.sum(np.abs(d)))
    if 2**d.size <= _EXACT:
        sums = np.zeros(1)
        for x in d:
            sums = np.concatenate([sums + x, sums - x])
        return float(np.mean(sums >= d.sum() - slack))
    signs = np.random.default_rng(seed).integers(0, 2, size=(draws, d.size), dtype=np.int8) * 2 - 1
    beyond = int(np.count_nonzero(signs @ d >= d.sum() - slack))
    return (beyond + 1) / (draws + 1)  # the data's own arrangement is one of them


def mann_whitney_p(a: Values, b: Values, *, draws: int = 100_000, seed: int = 0) -> float:
    """One-sided p of the Mann–Whitney test (1947) that A tends to lie above B, exact with ties (average
    ranks).

    All divisions of the pooled seeds up to 2¹⁸ of them, else `draws` seeded random ones. 3 against 3 stops at
    .05. NaN if a seed is missing.
    """
    x, y = as_seeds(a, "a"), as_seeds(b, "b")
    pooled = np.concatenate([x, y])
    if x.size == 0 or y.size == 0 or not np.isfinite(pooled).all():
        return math.nan
    ranks = average_ranks(pooled)
    seen = ranks[: x.size].sum() - 1e-9
    if math.comb(pooled.size, x.size) <= _EXACT:
        chosen = np.array(list(combinations(range(pooled.size), x.size)))
        return float(np.mean(ranks[chosen].sum(axis=1) >= seen))
    rng = np.random.default_rng(seed)
    sums = np.array([rng.permutation(ranks)[: x.size].sum() for _ in range(draws)])
    return (int(np.count_nonzero(sums >= seen)) + 1) / (draws + 1)
