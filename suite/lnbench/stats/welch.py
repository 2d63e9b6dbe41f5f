"""Our mean against a paper's: Welch's standard error and degrees of freedom (never pooled)."""

from __future__ import annotations

import math


def welch(se_a: float, df_a: float, se_b: float, df_b: float) -> tuple[float, float]:
    """Return (se, df): se² = seA² + seB², df = se⁴/(seA⁴/dfA + seB⁴/dfB) (Welch 1947, Satterthwaite 1946).

    seA, seB: standard errors of the two means. Both 0 gives df = dfA + dfB.
    """
    variance = se_a**2 + se_b**2
    # shares of the variance: tiny standard errors raised to the fourth would underflow
    if variance == 0:
        return 0.0, df_a + df_b
    share_a, share_b = se_a**2 / variance, se_b**2 / variance
    return math.sqrt(variance), 1.0 / (share_a**2 / df_a + share_b**2 / df_b)
