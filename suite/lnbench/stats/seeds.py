"""What every check does to its seeds before any statistics: shape, missing values, seeds that do nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Values = Sequence[float] | Floats
Flags = Sequence[bool] | Mask

FEWEST_SEEDS = 3  # below this a spread says too little: `inconclusive`, both p = 1, no interval
TOO_FEW = f"fewer than {FEWEST_SEEDS} seeds: no interval, no decision"


def as_seeds(values: Values, name: str = "values") -> Floats:
    """Return (n,) float64. Raises ValueError if it is not one number per seed; None becomes NaN (a missing value)."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one number a seed, not an array of shape {array.shape}")
    return array


def as_mask(collapsed: Flags | None, n: int) -> Mask:
    """Return (n,) bool, all False for None. Raises ValueError if its length is not n."""
    if collapsed is None:
        return np.zeros(n, dtype=np.bool_)
    mask = np.asarray(collapsed, dtype=np.bool_)
    if mask.shape != (n,):
        raise ValueError(f"collapsed: expected {n} flags, one a seed, not shape {mask.shape}")
    return mask


def check_arguments(alpha: float, looks: int = 1, step: float = 0.0) -> None:
    """Raise ValueError unless 0 < alpha < .5, looks ≥ 1 and step is finite and ≥ 0."""
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and .5, not {alpha}")
    if looks != int(looks) or looks < 1:
        raise ValueError(f"looks must be a whole number of at least 1, not {looks}")
    if not (math.isfinite(step) and step >= 0):
        raise ValueError(f"step must be a finite number of at least 0, not {step}")


def nearly_equal(values: Floats) -> bool:
    """Return True if all are one number up to rounding (a difference of two equal pairs may differ in its last
    bits)."""
    return bool(np.ptp(values) <= 1e-12 * np.max(np.abs(values)))


def as_limits(limits: Values | None, n: int) -> Floats | None:
    """Return (n,) float64, what a censored value is known to lie beyond, NaN elsewhere; None where none is censored.
    Raises ValueError if its length is not n."""
    if limits is None:
        return None
    array = np.asarray(limits, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(f"limits: expected {n} numbers, one a seed, not shape {array.shape}")
    return None if np.isnan(array).all() else array


def data_problem(
    values: Floats, collapsed: Mask, step: float, name: str = "seeds", limits: Floats | None = None
) -> str | None:
    """Return why these seeds cannot be judged, or None.

    A collapsed seed may have no effect at all (a threshold never reached): NaN there is no problem.
    """
    if values.size == 0:
        return f"no {name}"
    kept = values[~collapsed]
    known = np.isfinite(kept) if limits is None else np.isfinite(kept) | ~np.isnan(limits[~collapsed])
    bad = int(np.count_nonzero(~known))
    if bad:
        return f"{bad} of {values.size} {name} have no finite value"
    if step == 0 and kept.size >= 2 and limits is None and nearly_equal(kept):
        return f"all {name} are identical: the seed does nothing"
    return None


def spread(values: Floats, step: float) -> tuple[float, float]:
    """Return (sd, sd_used): the n - 1 form, and max(sd, u/2), the largest spread of two neighbouring values.

    Without the floor, seeds that fall on one or two values of a coarse metric give intervals that miss the
    mean up to 99 % of the time. t(1 - α, n - 1)/(2√n) ≥ 1 - α^(1/n), so with it n equal seeds never prove
    more than they can.
    """
    sd = 0.0 if nearly_equal(values) else float(np.std(values, ddof=1))
    return sd, max(sd, step / 2)
