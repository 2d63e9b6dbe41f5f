"""Where a single run's curve is read, and what it says by itself, as numbers: does it fall, where does it rise?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lnbench.experiments.draws import Floats


def spaced(last: int, count: int) -> list[int]:
    """Return at most `count` different steps from 1 to `last`, evenly in their logarithm, `last` among them."""
    steps = np.unique(np.round(np.geomspace(1, last, max(2, count))).astype(np.int64))
    return [int(step) for step in steps]


def mann_kendall(values: Any) -> tuple[float, float]:
    """Return (τ against time, one-sided p for "it falls") of a curve (Mann 1945; Kendall 1975, Normal with continuity).

    The p takes the points for independent, which the points of one trajectory are not: it says how steadily the
    curve falls, and nothing of other seeds.
    """
    y = np.asarray(values, dtype=np.float64)
    n = len(y)
    score = float(np.sign(y[None, :] - y[:, None])[np.triu_indices(n, 1)].sum())
    _, ties = np.unique(y, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18.0
    if variance <= 0:
        return 0.0, 1.0
    z = (score + 1.0) / math.sqrt(variance) if score < 0 else (score - 1.0) / math.sqrt(variance) if score > 0 else 0.0
    return 2.0 * score / (n * (n - 1)), 0.5 * math.erfc(-z / math.sqrt(2.0))


def ramp(x: Any, y: Any) -> tuple[float, float, float, float]:
    """Return (begin, end, low, high): the least-squares fit of "flat, then linear in x, then flat" to a curve.

    x (n,) rising, y (n,). Knots are points of x. Of equal fits the first.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    best = (math.inf, float(x[0]), float(x[-1]), float(y[0]), float(y[-1]))
    for first in range(len(x) - 1):
        begins = x[first]
        ends = x[first + 1 :, None]
        shape: Floats = np.clip((x[None, :] - begins) / (ends - begins), 0.0, 1.0)  # (knots, n)
        centred = shape - shape.mean(axis=1, keepdims=True)
        size = (centred**2).sum(axis=1)
        slope = (centred @ (y - y.mean())) / size
        misfit = ((y - y.mean()) ** 2).sum() - slope**2 * size
        last = int(np.argmin(misfit))
        if misfit[last] < best[0] * (1 - 1e-12):
            low = float(y.mean() - slope[last] * shape[last].mean())
            best = (float(misfit[last]), float(begins), float(ends[last, 0]), low, low + float(slope[last]))
    return best[1:]
