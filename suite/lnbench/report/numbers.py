"""Numbers as a reader is to see them: no `1e-05`, a power of ten written out, thousands with commas."""

from __future__ import annotations

import math

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SMALLEST, LARGEST = 1e-4, 1e9  # of a number that is written without a power of ten
DIGITS = 3


def power_of_ten(exponent: int) -> str:
    """Return "10⁻⁵"."""
    return f"10{str(exponent).translate(SUPERSCRIPTS)}"


def exponent_of(*numbers: float) -> int:
    """Return the power of ten that all the numbers are written with: 0 unless the largest is very small or large."""
    most = max((abs(x) for x in numbers if math.isfinite(x)), default=0.0)
    if most == 0 or SMALLEST <= most < LARGEST:
        return 0
    return int(f"{most:.{DIGITS - 1}e}".partition("e")[2])


def significant(x: float, digits: int = DIGITS) -> str:
    """Return significant digits, and all of a whole number's: "0.00201", "12.3", "12,265", "7.30 × 10⁻⁵"."""
    exponent = exponent_of(x)
    if exponent:
        return f"{_minus(_rounded(x / 10.0**exponent, digits))} × {power_of_ten(exponent)}"
    return _minus(_rounded(x, digits))


def scaled(x: float, exponent: int, digits: int = DIGITS) -> str:
    """Return x / 10**exponent with significant digits, for numbers that share a power of ten written once."""
    return _minus(_rounded(x / 10.0**exponent, digits))


def as_written(x: float) -> str:
    """Return a number that somebody wrote into a file, with the digits it was written with, six at most behind the
    point: "0.95", "2,500,000", "10⁻⁸", "5 × 10⁻⁵"."""
    exponent = exponent_of(x)
    if not exponent:
        return _minus(f"{x + 0.0:,.6f}".rstrip("0").rstrip("."))
    factor = f"{x / 10.0**exponent:.10g}"
    return power_of_ten(exponent) if factor == "1" else f"{_minus(factor)} × {power_of_ten(exponent)}"


def _rounded(x: float, digits: int) -> str:
    if x == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(x))))
    for more in range(4):  # 0.9996 is not 1.00: rounding puts no number on the next power of ten
        shown = round(x, decimals + more)
        if math.floor(math.log10(abs(shown))) == math.floor(math.log10(abs(x))) or shown == x or not decimals:
            return f"{shown + 0.0:,.{decimals + more}f}"
    return f"{x:,.{decimals}f}"


def _minus(text: str) -> str:
    return text.replace("-", "−")
