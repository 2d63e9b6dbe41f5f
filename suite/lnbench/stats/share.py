"""Shares near 0 or 1: counts of a few examples, which no normal law describes, by the exact law of counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import bdtr, bdtrc

from lnbench.stats.collapse import clopper_pearson
from lnbench.stats.seeds import Floats
from lnbench.stats.values import Check, Interval, Region

FEW = 10  # examples a seed from 0 or from all, on average: with fewer a share's law is too skewed for Student's t


def counts_of(values: Floats, counted: Sequence[int]) -> tuple[int, int] | None:
    """Return (hits, examples) over all seeds of shares (n,) of `counted` (n,) examples each; None where the values are
    not such shares, or lie `FEW` examples or more from 0 and from 1."""
    totals = np.asarray(counted, dtype=np.float64)
    if totals.shape != values.shape or not np.all(totals > 0):
        return None
    hits = values * totals
    whole = np.rint(hits)
    if not np.allclose(hits, whole, rtol=0, atol=1e-3):
        return None
    found, examples = int(whole.sum()), int(totals.sum())
    return (found, examples) if min(found, examples - found) < FEW * values.size else None


def exact_p(hits: int, examples: int, region: Region, wide: Region | None = None) -> tuple[float, float]:
    """Return (p_reproduced, p_contradicted) of a share in a region, from the counts of all seeds together.

    p_reproduced: the largest, over the finite edges a, b, of P(Bin(N, a) ≥ K) and P(Bin(N, b) ≤ K); p_contradicted: the
    other tail of the edge (of `wide`, if given), with two finite edges twice the smaller (Clopper & Pearson 1934).
    """
    wide = region if wide is None else wide
    for_it, against = [], []
    for edge, wide_edge, inward in ((region.low, wide.low, 1), (region.high, wide.high, -1)):
        if math.isfinite(edge):
            for_it.append(_tail(hits, examples, edge, inward))
            against.append(_tail(hits, examples, wide_edge, -inward))
    return max(for_it), min(1.0, len(against) * min(against))


def _tail(hits: int, examples: int, rate: float, side: int) -> float:
    """Return P(Bin(N, rate) ≥ K) for side 1, ≤ K for -1; a rate beyond 0 or 1 is taken as that."""
    rate = min(1.0, max(0.0, rate))
    if side > 0:
        return 1.0 if hits <= 0 else float(bdtrc(hits - 1, examples, rate))
    return 1.0 if hits >= examples else float(bdtr(hits, examples, rate))


def with_share(
    check: Check,
    values: Floats,
    counted: Sequence[int] | None,
    region: Region,
    *,
    wide: Region | None = None,
    looks: int = 1,
) -> Check:
    """Return a check of shares that decides only where the exact law of their counts does too.

    Student's t errs in up to 10 % of studies within some five examples of 0 or 1, where shares are skewed and often
    equal. The examples of all seeds are counted together; seeds that differ by more than counts do are judged by t, as
    both p are the larger of the two rules'. Nothing changes where shares lie `FEW` examples or more from 0 and 1. The
    interval covers Clopper & Pearson's. details "share": (hits, examples).
    """
    counts = None if counted is None else counts_of(values, counted)
    if counts is None or check.region is None:
        return check
    p_for, p_against = exact_p(*counts, region, wide)
    exact = clopper_pearson(*counts, check.alpha / looks)
    interval = check.interval
    if interval is not None:
        moved = next(e - s for e, s in zip(region.bounds, check.region.bounds, strict=True) if math.isfinite(e))
        low, high = min(interval.low, exact.low - moved), max(interval.high, exact.high - moved)
        interval = Interval(low, high, interval.confidence)
    return replace(
        check,
        p_reproduced=max(check.p_reproduced, min(1.0, looks * p_for)),
        p_contradicted=max(check.p_contradicted, min(1.0, looks * p_against)),
        interval=interval,
    ).with_details(share=counts)
