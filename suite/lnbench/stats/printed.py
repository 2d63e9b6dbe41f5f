"""What a paper printed: a number, its spread as stated, and how lucky the paper may have been."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lnbench.stats.normal_order import expected_range_of_normals

SPREAD_KINDS = ("unknown", "sd", "sd_sample", "se", "ci95", "range")
_DF_OF_UNKNOWN_N = 2.0  # as of three runs, the usual number where a paper does not say


@dataclass(frozen=True, slots=True, kw_only=False)
class Printed:
    """A number as printed, in the metric's unit: "23.2 ± 0.2" is Printed(23.2, .1, .2, .1, "sd", 4).

    mean; unit: its last digit (.1 for "23.2"). spread, spread_unit: as printed and its last digit (default:
    `unit`). kind: "sd" (divided by n0, as numpy's std does), "sd_sample" (stated with n0 - 1), "se", "ci95"
    (half-width), "range" (max - min) or "unknown". n: runs behind it, None if unknown. reading_error: for a
    value read off a figure, stands for half a last digit. Raises ValueError on what cannot have been printed.
    """

    mean: float
    unit: float
    spread: float | None = None
    spread_unit: float | None = None
    kind: str = "unknown"
    n: int | None = None
    reading_error: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean):
            raise ValueError(f"a printed mean must be finite, not {self.mean}")
        for name in ("unit", "spread", "spread_unit", "reading_error"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and at least 0, not {value}")
        if self.kind not in SPREAD_KINDS:
            raise ValueError(f"unknown spread kind {self.kind!r}; one of {', '.join(SPREAD_KINDS)}")
        if self.n is not None and self.n < 1:
            raise ValueError(f"n must be at least 1 or None, not {self.n}")
        if self.spread is not None and self.n == 1:
            raise ValueError("one run has no spread: n = 1 next to a printed spread")

    @property
    def half_digit(self) -> float:
        """Return u0/2, or the reading error of a value read off a figure."""
        return self.unit / 2 if self.reading_error is None else self.reading_error


@dataclass(frozen=True, slots=True)
class PaperLuck:
    """S0, the standard error of a printed mean, and its df.

    `ours` is set for a lone number: then S0 = ours·s1 and it has no df of its own.
    """

    S0: float
    df: float
    ours: float | None = None
    notes: tuple[str, ...] = ()


def paper_luck(printed: Printed, sd_ours: float) -> PaperLuck:
    """Return S0 of a printed number. v = spread, u its last digit (so an sd of "0.0" counts as u/2), df0 = n0 - 1 or
    2.

    sd: (v + u/2)/√(n0 - 1); sd_sample: (v + u/2)/√n0; se: v + u/2; ci95: (v + u/2)/1.96; range: (v +
    u)/(d2·√n0), d2 the expected range of n0 unit normals. Kind unknown, or sd or range with n0 unknown: v +
    u/2, larger than any reading. No spread: 2·s1/√n0 (n0 = 1 if unknown), safe for a paper whose runs vary up
    to twice as much as ours.
    """
    n0 = printed.n
    if printed.spread is None:
        factor = 2 / math.sqrt(n0 or 1)
        note = "no spread printed: the paper's runs are allowed to vary twice as much as ours"
        return PaperLuck(factor * sd_ours, math.nan, factor, (note,))
    unit = printed.unit if printed.spread_unit is None else printed.spread_unit
    cautious = printed.spread + unit / 2
    df = float(n0 - 1) if n0 is not None else _DF_OF_UNKNOWN_N
    if printed.kind == "se":
        return PaperLuck(cautious, df)
    if printed.kind == "ci95":
        return PaperLuck(cautious / 1.96, df)
    if printed.kind == "unknown":
        return PaperLuck(cautious, df, notes=("the kind of the printed spread is unknown: taken at its widest",))
    if n0 is None:
        note = f"{printed.kind} of an unknown number of runs: the printed spread is taken at its widest"
        return PaperLuck(cautious, df, notes=(note,))
    if printed.kind == "sd":
        return PaperLuck(cautious / math.sqrt(n0 - 1), df)
    if printed.kind == "sd_sample":
        return PaperLuck(cautious / math.sqrt(n0), df)
    return PaperLuck((printed.spread + unit) / (expected_range_of_normals(n0) * math.sqrt(n0)), df)
