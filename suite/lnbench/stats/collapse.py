"""Collapsed runs: counted and shown, never averaged, never dropped; with one, the claim is about the typical
seed."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import bdtr, bdtrc, betaincinv

from lnbench.stats.seeds import Floats, Mask, check_arguments
from lnbench.stats.signs import signs_of
from lnbench.stats.values import Check, Interval, Region


def collapse_limit(chance: float, n_examples: int) -> float:
    """Return c + 3√(c(1 - c)/N): the accuracy up to which a run does no better than chance c on N test examples."""
    if not 0.0 <= chance < 1.0:
        raise ValueError(f"chance must lie in [0, 1), not {chance}")
    if n_examples < 1:
        raise ValueError(f"n_examples must be at least 1, not {n_examples}")
    return chance + 3 * math.sqrt(chance * (1 - chance) / n_examples)


def is_collapsed(accuracy: float, chance: float, n_examples: int, *, diverged: bool = False) -> bool:
    """Return True if the run diverged (loss not finite) or its accuracy, a fraction, is at most `collapse_limit`.

    An accuracy that is itself not finite counts as collapsed.
    """
    limit = collapse_limit(chance, n_examples)
    return diverged or not math.isfinite(accuracy) or accuracy <= limit


def binomial_at_most(count: int, n: int, rate: float) -> float:
    """Return P(Bin(n, rate) ≤ count)."""
    return 1.0 if count >= n else float(bdtr(count, n, rate))


def binomial_at_least(count: int, n: int, rate: float) -> float:
    """Return P(Bin(n, rate) ≥ count)."""
    return 1.0 if count <= 0 else float(bdtrc(count - 1, n, rate))


def clopper_pearson(count: int, n: int, alpha: float = 0.05) -> Interval:
    """Return the exact interval of a rate at confidence 1 - 2α (Clopper & Pearson 1934), from `count` of n.

    Raises ValueError unless 0 ≤ count ≤ n and n ≥ 1.
    """
    check_arguments(alpha)
    if n < 1 or not 0 <= count <= n:
        raise ValueError(f"expected 0 ≤ count ≤ n and n ≥ 1, not {count} of {n}")
    low = 0.0 if count == 0 else float(betaincinv(count, n - count + 1, alpha))
    high = 1.0 if count == n else float(betaincinv(count + 1, n - count, 1 - alpha))
    return Interval(low, high, 1 - 2 * alpha)


def judge_typical(
    values: Floats,
    collapsed: Mask,
    region: Region,
    *,
    contradiction_region: Region | None = None,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    kind: str = "mean",
    limits: Floats | None = None,
) -> Check:
    """Judge the claim about a typical seed: both p are sign tests on the median, B ~ Binomial(n, ½).

    p_reproduced: the largest, over the finite edges, of P(B ≥ seeds strictly on the good side); a collapsed
    seed is on no good side. p_contradicted: P(B ≥ seeds strictly beyond the edge), with two finite edges
    twice the smaller; a collapsed seed is beyond if its effect is. values (n,); NaN is allowed where
    collapsed. A censored seed (value -inf or inf, with its limit in `limits`, NaN elsewhere) is on a side of an edge
    only where its limit shows it. No interval is given. `contradiction_region` is the wider one that `agrees` needs.
    """
    n = int(values.size)
    signs = signs_of(values, region, wide=contradiction_region, step=step, collapsed=collapsed, limits=limits)
    count = int(np.count_nonzero(collapsed))
    rate = clopper_pearson(count, n, alpha)
    median = _median(values)
    censored = 0 if limits is None else int(np.count_nonzero(~np.isnan(limits)))
    typical = "the claim is about a typical run, judged by sign tests on the median"
    notes = []
    if censored:
        notes.append(
            f"{censored} of {n} seeds {'lies' if censored == 1 else 'lie'} beyond the levels that were run: {typical}"
        )
    if count or not censored:
        notes.append(f"{count} of {n} runs collapsed (rate between {rate.low:.2g} and {rate.high:.2g}): {typical}")
    return Check(
        kind=kind,
        effect=median,
        region=region,
        p_reproduced=min(1.0, signs.p_reproduced * looks),
        p_contradicted=min(1.0, signs.p_contradicted * looks),
        n=n,
        step=step,
        collapsed=count,
        typical=True,
        alpha=alpha,
        notes=tuple(notes),
        details={
            "seed_effects": values.tolist(),
            "looks": looks,
            "design": "signs",
            "seeds_good": signs.good,
            "seeds_beyond": signs.outside,
            "edges": signs.edges,
            "collapse_rate": (rate.low, rate.high),
            **({"censored": censored} if censored else {}),
        },
    )


def _median(values: Floats) -> float | None:
    """Return the median, where it is a number: seeds without one, or censored, may leave it open."""
    if np.isnan(values).any():
        return None
    middle = float(np.median(values))
    return middle if math.isfinite(middle) else None
