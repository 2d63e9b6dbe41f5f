"""Hartigan's dip: how far a sample is from the nearest unimodal distribution."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from lnbench.stats.seeds import Values, as_seeds


def _minorant_links(x: list[float]) -> list[int]:
    """Return for each point the knot before it on the greatest convex minorant of the points (x_j, j) up to it."""
    links = [0] * len(x)
    for j in range(1, len(x)):
        k = j - 1
        while k > 0 and (x[j] - x[k]) * (k - links[k]) >= (x[k] - x[links[k]]) * (j - k):
            k = links[k]
        links[j] = k
    return links


def _steepest(x: list[float], knots: list[int], sign: int) -> float:
    """Return the largest distance, in counts, between the steps of the sample and the line through neighbouring
    knots.

    knots ascend; sign 1: the steps above a convex minorant, -1: below a concave majorant.
    """
    largest = 0.0
    for begin, end in pairwise(knots):
        worst = 1.0
        if end - begin > 1 and x[end] > x[begin]:
            rise = (end - begin) / (x[end] - x[begin])
            worst = max(worst, max(sign * (j - begin - (x[j] - x[begin]) * rise) + 1 for j in range(begin, end + 1)))
        largest = max(largest, worst)
    return largest


def dip(values: Values) -> float:
    """Return the dip (Hartigan & Hartigan 1985): the smallest, over unimodal F, of the largest |F_n - F|; between
    1/(2n), 1/4.

    By their algorithm (AS 217): the modal interval [low, high] shrinks to where the greatest convex minorant
    on its left and the least concave majorant on its right are furthest apart, until that gap is smaller than
    the dip found. Raises ValueError for no value or one that is not finite.
    """
    sample = np.sort(as_seeds(values))
    n = int(sample.size)
    if n == 0 or not np.isfinite(sample).all():
        raise ValueError("a dip needs finite values")
    x: list[float] = sample.tolist()
    if n < 2 or x[0] == x[-1]:
        return 1 / (2 * n)
    convex = _minorant_links(x)
    # the concave majorant is the convex minorant of the sample turned about
    concave = [n - 1 - k for k in reversed(_minorant_links([-v for v in reversed(x)]))]
    low, high, best = 0, n - 1, 1.0
    while True:
        minorant = [high]  # knots, descending
        while minorant[-1] > low:
            minorant.append(convex[minorant[-1]])
        majorant = [low]  # knots, ascending
        while majorant[-1] < high:
            majorant.append(concave[majorant[-1]])
        gap, left, right = _widest_gap(x, minorant, majorant)
        if gap < best:
            break
        lower = sorted(k for k in minorant if k <= left)
        upper = [k for k in majorant if k >= right]
        best = max(best, _steepest(x, lower, 1), _steepest(x, upper, -1))
        if (low, high) == (left, right):
            break
        low, high = left, right
    return best / (2 * n)


def _widest_gap(x: list[float], minorant: list[int], majorant: list[int]) -> tuple[float, int, int]:
    """Return (gap, left, right): the largest distance in counts of majorant over minorant, and the knots either side
    of it."""
    gap, left, right = 0.0, minorant[-1], majorant[-1]
    if len(minorant) == 2 and len(majorant) == 2:
        return 1.0, left, right
    ix, iv = len(minorant) - 2, 1
    while True:
        g, m = minorant[ix], majorant[iv]
        if g > m:  # the next knot is the majorant's
            before = minorant[ix + 1]
            distance = (m - before + 1) - (x[m] - x[before]) * (g - before) / (x[g] - x[before])
            iv += 1
            if distance >= gap:
                gap, left, right = distance, minorant[ix + 1], majorant[iv - 1]
        else:
            before = majorant[iv - 1]
            distance = (x[g] - x[before]) * (m - before) / (x[m] - x[before]) - (g - before - 1)
            ix -= 1
            if distance >= gap:
                gap, left, right = distance, minorant[ix + 1], majorant[iv]
        ix, iv = max(ix, 0), min(iv, len(majorant) - 1)
        if minorant[ix] == majorant[iv]:
            return gap, left, right
