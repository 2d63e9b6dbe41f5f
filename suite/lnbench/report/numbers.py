"""Numbers as a reader is to see them: no `1e-05`, a power of ten written out, thousands with commas."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lnbench.digits import MOST_DIGITS, places_apart, places_of, same

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SMALLEST, LARGEST = 1e-4, 1e9  # of a number that is written without a power of ten
DIGITS = 3
WRITTEN_DIGITS = 6  # of a number that somebody wrote; one with more was computed


def power_of_ten(exponent: int) -> str:
    """Return "10⁻⁵"."""
    return f"10{str(exponent).translate(SUPERSCRIPTS)}"


def exponent_of(*numbers: float) -> int:
    """Return the power of ten that all the numbers are written with: 0 unless the largest is very small or large."""
    most = max((abs(x) for x in numbers if math.isfinite(x)), default=0.0)
    if most == 0 or SMALLEST <= most < LARGEST:
        return 0
    return max(-300, int(f"{most:.{DIGITS - 1}e}".partition("e")[2]))  # 10.0**-324 is 0


def significant(x: float, digits: int = DIGITS, edges: Iterable[float] = ()) -> str:
    """Return significant digits, and all of a whole number's: "0.00201", "12.3", "12,265", "7.30 × 10⁻⁵"; more where
    x would be put on one of the edges."""
    exponent = exponent_of(x)
    words = scaled(x, exponent, digits, edges)
    return f"{words} × {power_of_ten(exponent)}" if exponent else words


def scaled(
    x: float, exponent: int, digits: int = DIGITS, edges: Iterable[float] = (), near: Iterable[float] = ()
) -> str:
    """Return x / 10**exponent with significant digits, for numbers that share a power of ten written once; with more
    where x would be put on an edge, or look like a number `near` it (`digits.places_apart`)."""
    size = 10.0**exponent
    shown = x / size
    edges, near = ([other / size for other in others] for others in (edges, near))
    return fixed(shown, places_apart(shown, places_of(shown, digits), edges, near))


def fixed(x: float, places: int) -> str:
    """Return a number with so many decimals: "12,265.30", "−0.5", "0"."""
    return "0" if x == 0 and not places else f"{round(x, places) + 0.0:,.{places}f}".replace("-", "−")


def as_written(x: float) -> str:
    """Return a number that somebody wrote into a file, with the digits it was written with, six at most behind the
    point: "0.95", "2,500,000", "10⁻⁸", "5 × 10⁻⁵"."""
    return _written(x, 6)


def edge_as_written(x: float) -> str:
    """Return an edge with all the digits it was written with: an end next to it is compared with these."""
    whole = len(str(int(abs(x)))) if abs(x) >= 1 else 0
    return _written(x, max(0, MOST_DIGITS - whole))


def _written(x: float, decimals: int) -> str:
    exponent = exponent_of(x)
    if not exponent:
        text = f"{x + 0.0:,.{decimals}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
    factor = f"{x / 10.0**exponent:.{MOST_DIGITS}g}"
    return power_of_ten(exponent) if factor == "1" else f"{factor.replace('-', '−')} × {power_of_ten(exponent)}"


def computed_edge(x: float, beside: Iterable[float] = (), digits: int = DIGITS) -> str:
    """Return an edge that nobody wrote down (1 − ½^⅓, the log of 3): with as many digits as keep it on its side of the
    numbers `beside` it, as these are written; in full where it was written down after all, or a number is on it."""
    beside = [*beside]
    if x == 0 or same(x, float(f"{x:.{WRITTEN_DIGITS}g}")) or any(same(x, other) for other in beside):
        return edge_as_written(x)
    return significant(x, digits, beside)
