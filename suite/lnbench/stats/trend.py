"""A tendency along an axis: slope or Kendall's τ of each seed, and Page's test."""

from __future__ import annotations

import numpy as np

from lnbench.stats.curves import Curves, as_curves
from lnbench.stats.seeds import Values
from lnbench.stats.steps import axis_levels, slope_weights


def slopes(levels: Values, curves: Curves) -> list[float]:
    """Return each seed's least-squares slope, in the metric's unit per unit of the axis. levels (L,), curves (n,
    L)."""
    weights = slope_weights(levels)
    return [float(s) for s in as_curves(curves, weights.size) @ weights]


def kendall_taus(levels: Values, curves: Curves) -> list[float]:
    """Return each seed's Kendall τ-a along the axis: (concordant - discordant)/(L(L - 1)/2), ties 0 (Kendall
    1938)."""
    x = axis_levels(levels)
    y = as_curves(curves, x.size)
    first, second = np.triu_indices(x.size, 1)
    direction = np.sign(x[second] - x[first])
    taus = np.mean(np.sign(y[:, second] - y[:, first]) * direction, axis=1)
    return [float(t) for t in taus]


def page_l_p(curves: Curves, *, rising: bool = True) -> float:
    """Return, for the record, p of Page's L test (1963) for an ordered alternative, (n, L) curves with columns in
    order.

    Raises ValueError on missing values, fewer than two seeds or fewer than three levels.
    """
    from scipy.stats import page_trend_test  # slow to import, and the verdict does not need it

    y = np.asarray(curves, dtype=np.float64)
    if not np.isfinite(y).all():
        raise ValueError("Page's L needs every point of every curve")
    return float(page_trend_test(y if rising else y[:, ::-1]).pvalue)
