"""The step u of an effect: the most that one test example in one run can move it. In every formula s is at
least u/2."""

from __future__ import annotations

import numpy as np

from lnbench.stats.seeds import Floats, Values


def axis_levels(levels: Values, name: str = "levels") -> Floats:
    """Return (L,) numbers, finite, all different, at least two; raise ValueError otherwise."""
    x = np.asarray(levels, dtype=np.float64)
    if x.ndim != 1 or x.size < 2 or not np.isfinite(x).all() or np.unique(x).size != x.size:
        raise ValueError(f"{name}: expected at least two different finite numbers, not {levels!r}")
    return x


def slope_weights(levels: Values) -> Floats:
    """Return (L,) c with least-squares slope = Σ c_j·y_j: c_j = (x_j - x̄)/Σ(x - x̄)²."""
    x = axis_levels(levels)
    centred = x - x.mean()
    return np.asarray(centred / np.sum(centred**2), dtype=np.float64)


def area_weights(levels: Values) -> Floats:
    """Return (L,) w with the trapezoid area under a curve = Σ w_j·y_j."""
    x = axis_levels(levels)
    order = np.argsort(x)
    gaps = np.diff(x[order])
    weights = np.empty_like(x)
    weights[order] = (np.append(gaps, 0.0) + np.append(0.0, gaps)) / 2
    return weights


def accuracy_step(n_examples: int) -> float:
    """Return 1/N: the step of an accuracy (a fraction) on N test examples, or of a difference of two."""
    if n_examples < 1:
        raise ValueError(f"n_examples must be at least 1, not {n_examples}")
    return 1.0 / n_examples


def slope_step(levels: Values, metric_step: float) -> float:
    """Return max|c_j|·u of a least-squares slope over the levels, u the metric's own step."""
    return float(np.max(np.abs(slope_weights(levels)))) * metric_step


def area_step(levels: Values, metric_step: float) -> float:
    """Return max w_j·u of a trapezoid area."""
    return float(np.max(area_weights(levels))) * metric_step


def kendall_step(n_levels: int) -> float:
    """Return 4/(L(L - 1)): one example can swap one pair of neighbours, which moves τ by two of its L(L - 1)/2
    pairs."""
    if n_levels < 2:
        raise ValueError(f"n_levels must be at least 2, not {n_levels}")
    return 4.0 / (n_levels * (n_levels - 1))


def argmax_step(axis: Values, *, log2: bool = True) -> float:
    """Return the axis's largest gap, in octaves (log2) or in its own unit: one example can move an optimum by one
    place.

    Raises ValueError for an axis that is not positive where octaves are asked for.
    """
    x = np.sort(axis_levels(axis, "axis"))
    if log2:
        if x[0] <= 0:
            raise ValueError(f"an axis in octaves must be positive, not {x[0]}")
        x = np.log2(x)
    return float(np.max(np.diff(x)))
