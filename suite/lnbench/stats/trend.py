"""trend: a tendency along an axis (slope or Kendall's τ of each seed), and the stricter chain of adjacent
steps."""

from __future__ import annotations

import numpy as np

from lnbench.stats.curves import CurveFlags, Curves, any_level, as_curve_mask, as_curves
from lnbench.stats.order import chain
from lnbench.stats.rule import judge_mean
from lnbench.stats.seeds import Values
from lnbench.stats.steps import axis_levels, kendall_step, slope_step, slope_weights
from lnbench.stats.values import Check, Region


def slopes(levels: Values, curves: Curves) -> list[float]:
    """Each seed's least-squares slope, in the metric's unit per unit of the axis. levels (L,), curves (n,
    L)."""
    weights = slope_weights(levels)
    return [float(s) for s in as_curves(curves, weights.size) @ weights]


def kendall_taus(levels: Values, curves: Curves) -> list[float]:
    """Each seed's Kendall τ-a along the axis: (concordant - discordant)/(L(L - 1)/2), ties 0 (Kendall
    1938)."""
    x = axis_levels(levels)
    y = as_curves(curves, x.size)
    first, second = np.triu_indices(x.size, 1)
    direction = np.sign(x[second] - x[first])
    taus = np.mean(np.sign(y[:, second] - y[:, first]) * direction, axis=1)
    return [float(t) for t in taus]


def trend(
    levels: Values,
    curves: Curves,
    *,
    rising: bool = True,
    statistic: str = "slope",
    region: Region | None = None,
    metric_step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: CurveFlags | None = None,
) -> Check:
    """The metric rises (or falls) along the axis; it shows a tendency: a curve that peaks before the end
    passes.

    e_i = a seed's least-squares slope, or with statistic="kendall" its Kendall τ; region [0, ∞) or (-∞, 0]
    unless one is given. levels (L,), curves (n, L), metric_step the metric's own step u, collapsed (n, L) or
    (n,). Raises ValueError for another statistic or a wrong shape.
    """
    x = axis_levels(levels)
    y = as_curves(curves, x.size)
    if region is None:
        region = Region.at_least(0.0) if rising else Region.at_most(0.0)
    if statistic == "slope":
        effects, step = slopes(x, y), slope_step(x, metric_step)
    elif statistic == "kendall":
        # a τ moves in steps even where the metric does not
        effects, step = kendall_taus(x, y), kendall_step(x.size)
    else:
        raise ValueError(f"statistic must be 'slope' or 'kendall', not {statistic!r}")
    mask = any_level(as_curve_mask(collapsed, y.shape))
    check = judge_mean(effects, region, step=step, alpha=alpha, looks=looks, collapsed=mask, kind="trend")
    return check.with_details(statistic=statistic, mean_curve=_mean_curve(y))


def monotone(
    curves: Curves,
    *,
    rising: bool = True,
    metric_step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: CurveFlags | None = None,
) -> Check:
    """The metric rises (or falls) at every step of the axis: the chain of adjacent paired differences, all of
    them.

    curves (n, L), columns in the order of the axis; collapsed (n, L) or (n,).
    """
    y = np.asarray(curves, dtype=np.float64)
    if y.ndim != 2 or y.shape[1] < 2:
        raise ValueError(f"curves: expected one row of at least two levels a seed, not an array of shape {y.shape}")
    mask = as_curve_mask(collapsed, y.shape)
    differences = np.diff(y, axis=1) if rising else -np.diff(y, axis=1)
    either = mask[:, 1:] | mask[:, :-1]
    return chain(list(differences.T), step=metric_step, alpha=alpha, looks=looks, collapsed=list(either.T))


def page_l_p(curves: Curves, *, rising: bool = True) -> float:
    """For the record: p of Page's L test (1963) for an ordered alternative, (n, L) curves with columns in
    order.

    Raises ValueError on missing values, fewer than two seeds or fewer than three levels.
    """
    from scipy.stats import page_trend_test  # slow to import, and the verdict does not need it

    y = np.asarray(curves, dtype=np.float64)
    if not np.isfinite(y).all():
        raise ValueError("Page's L needs every point of every curve")
    return float(page_trend_test(y if rising else y[:, ::-1]).pvalue)


def _mean_curve(y: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[float] | None:
    return [float(v) for v in y.mean(axis=0)] if y.size and np.isfinite(y).all() else None
