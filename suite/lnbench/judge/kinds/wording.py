"""Counts and p values in words, shared by the kinds and the report."""

from __future__ import annotations

from lnbench.digits import counted as counted
from lnbench.digits import digits_apart


def p_is(p: float) -> str:
    """Return "p = 0.0287", "p < 0.0001"."""
    words = p_words(p)
    return f"p {words}" if words[0] in "<>" else f"p = {words}"


def p_words(p: float, edge: float = 0.05) -> str:
    """Return a p value with three significant digits, "< 0.0001" or "> 0.999" at the ends; with more digits where
    rounding would put it on `edge`, the level that it is held against."""
    if p < 0.0001:
        return "< 0.0001"
    if 0.9995 <= p < 1:
        return "> 0.999"
    return f"{p:.{digits_apart(p, 3, (edge,))}g}"
