"""Counts and p values in words, shared by the kinds and the report."""

from __future__ import annotations


def counted(n: int, one: str, many: str | None = None) -> str:
    """Return "1 seed", "5 seeds", "1,200 runs"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def p_words(p: float, edge: float = 0.05) -> str:
    """Return a p value with three significant digits, "< 0.0001" for a smaller one; with more digits where rounding
    would put it on `edge`, the level that it is held against."""
    if p < 0.0001:
        return "< 0.0001"
    digits = next((n for n in range(3, 7) if float(f"{p:.{n}g}") not in (edge, 1.0)), 7)
    return f"{p:.{3 if p in (edge, 1.0) else digits}g}"
