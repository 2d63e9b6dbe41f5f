"""Seeds that give a curve, not a number: shapes and masks shared by trend and shift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lnbench.stats.seeds import Floats, Mask, Values

Curves = Sequence[Values] | Floats
CurveFlags = Sequence[bool] | Sequence[Sequence[bool]] | Mask


def as_curves(curves: Curves, n_levels: int, name: str = "curves") -> Floats:
    """Return (n, L) float64, one row per seed. Raises ValueError if it is not; a missing point is NaN."""
    array = np.asarray(curves, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != n_levels:
        raise ValueError(f"{name}: expected one row of {n_levels} levels a seed, not an array of shape {array.shape}")
    return array


def as_curve_mask(collapsed: CurveFlags | None, shape: tuple[int, ...]) -> Mask:
    """Return (n, L) bool from one flag per run (n, L), one per seed (n,), or None. Raises ValueError for another
    shape."""
    if collapsed is None:
        return np.zeros(shape, dtype=np.bool_)
    mask = np.asarray(collapsed, dtype=np.bool_)
    if mask.shape == shape:
        return mask
    if mask.shape == shape[:1]:
        return np.repeat(mask[:, None], shape[1], axis=1)
    raise ValueError(f"collapsed: expected shape {shape} or {shape[:1]}, not {mask.shape}")


def any_level(mask: Mask) -> Mask:
    """Return (n,) from (n, L): a seed of which any run collapsed."""
    return np.asarray(mask.any(axis=1), dtype=np.bool_)
