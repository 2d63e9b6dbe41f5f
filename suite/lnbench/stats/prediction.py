"""Where a printed number predicts the mean of our runs, were luck all that differs: shown, and never judged."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lnbench.stats.printed import Printed, paper_luck
from lnbench.stats.rule import quantile
from lnbench.stats.welch import welch

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Prediction:
    """An interval for the mean of n new runs, in the metric's unit."""

    low: float
    high: float
    confidence: float

    def holds(self, mean: float) -> bool:
        """Return whether a mean lies inside."""
        return self.low <= mean <= self.high


def prediction(
    printed: Printed, sd: float, n: int, *, like_ours: bool = False, confidence: float = CONFIDENCE
) -> Prediction:
    """Return where the mean of our n runs lies with that confidence if paper and we measure one quantity, and only the
    luck of the paper's runs and of ours differs: x0 ± (t·√(s²/n + S0²) + u0/2), t of Welch's df.

    A prediction interval for a mean (Spence & Stanley 2016). S0 as `printed.paper_luck` reads the paper: at its widest
    where it does not say what it prints. like_ours: for a number without a spread, S0 of runs that vary as ours do, in
    place of twice as much. sd: of our runs, after the floor. Raises ValueError for fewer than two runs.
    """
    if n < 2:
        raise ValueError(f"a spread needs at least 2 runs, not {n}")
    luck, se = paper_luck(printed, sd), sd / math.sqrt(n)
    if luck.ours is not None:
        wide, df = math.hypot(se, luck.S0 / 2 if like_ours else luck.S0), float(n - 1)
    else:
        wide, df = welch(se, n - 1, luck.S0, luck.df) if luck.S0 else (se, float(n - 1))
    return predicted(printed.mean, wide, df, printed.half_digit, confidence)


def predicted(x0: float, se: float, df: float, half_digit: float, confidence: float = CONFIDENCE) -> Prediction:
    """Return the same from the standard error of the difference, as `agrees` keeps it: `wide_se` and `wide_df`."""
    reach = float(quantile((1 + confidence) / 2, df)) * se + half_digit
    return Prediction(x0 - reach, x0 + reach, confidence)
