"""table: K cells that each agree with a printed number, the headline by a quota."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lnbench.stats.compose import partial_conjunction
from lnbench.stats.rule import quantile
from lnbench.stats.seeds import Values, as_seeds
from lnbench.stats.values import Check, Verdict


def outside_prediction(cell: Check, confidence: float = 0.95) -> bool | None:
    """Return True if our mean lies outside the interval that the printed number predicts for it; None if that is
    unknown.

    |ê| > t·√(s1²/n1 + S0²) + u0/2, df as of the contradiction. Shown, not judged: it has no margin.
    """
    if cell.effect is None or "wide_se" not in cell.details:
        return None
    reach = float(quantile((1 + confidence) / 2, cell.details["wide_df"])) * float(cell.details["wide_se"])
    return abs(cell.effect) > reach + float(cell.details["half_digit"])


def kendall_tau_b(ours: Values, printed: Values) -> float:
    """Return τ-b of two columns (Kendall 1945): (C - D)/√((C + D + ties in ours)(C + D + ties in printed)).

    NaN where a column does not vary or a cell is missing. Raises ValueError if the lengths differ.
    """
    x, y = as_seeds(ours, "ours"), as_seeds(printed, "printed")
    if x.size != y.size:
        raise ValueError(f"{x.size} cells of ours against {y.size} printed")
    first, second = np.triu_indices(x.size, 1)
    dx, dy = np.sign(x[first] - x[second]), np.sign(y[first] - y[second])
    scale = np.sqrt(np.sum(dx != 0) * np.sum(dy != 0))
    if not np.isfinite(x + y).all() or scale == 0:
        return float("nan")
    return float(np.sum(dx * dy) / scale)


def table(cells: Sequence[Check], at_least: int | None = None) -> Check:
    """Check that at least q of the K cells agree (default: all). See `compose.partial_conjunction`.

    Next to the verdict, in details: "cells" by verdict, and "outside_prediction", how many of the cells whose
    prediction interval is known ("predicted") lie outside it. The cells share draws, so that count has no p:
    at correlation .6 Binomial(K, .05) understates its tail 3.6 times.
    """
    check = partial_conjunction(cells, at_least, kind="table")
    outside = [outside_prediction(cell) for cell in cells]
    verdicts = [cell.verdict() for cell in cells]
    return check.with_details(
        cells={verdict.value: verdicts.count(verdict) for verdict in Verdict if verdict in verdicts},
        outside_prediction=sum(1 for flag in outside if flag),
        predicted=sum(1 for flag in outside if flag is not None),
    )
