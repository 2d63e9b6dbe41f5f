"""How many digits a number needs so that a reader sees on which side of another number it lies.

Every number that a page, a terminal or a figure writes next to an edge gets its digits here: `1.0000003`, and not
`1.00`, where it must be at most 1. Counts with their noun are here too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

SAME = 1e-12  # relative: numbers that are closer differ by what computing in floats leaves
MOST_DIGITS = 13  # significant ones: numbers that are not `same` differ in these


def counted(n: int, one: str, many: str | None = None) -> str:
    """Return "1 seed", "5 seeds", "1,200 runs"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def same(a: float, b: float, noise: float = 0.0) -> bool:
    """Return whether two numbers are equal but for rounding. `noise`: what may be left of a difference that is 0."""
    return a == b or math.isclose(a, b, rel_tol=SAME, abs_tol=noise if 0 in (a, b) else 0.0)


def places_apart(
    x: float, fewest: int, edges: Iterable[float] = (), near: Iterable[float] = (), noise: float = 0.0
) -> int:
    """Return the fewest decimal places, at least `fewest`, with which x is seen where it is.

    edges: numbers that are written in full. Rounded, x lies on the same side of each as it does truly; x equal to one
    is written equal to it. near: numbers that are rounded as x is; they look different from x, unless they are `same`.
    Rounding keeps the order or makes numbers equal, so "not equal when both are rounded" is all that must hold.
    """
    if not math.isfinite(x):
        return fewest
    edges, near = ([other for other in others if math.isfinite(other)] for others in (edges, near))
    on = [edge for edge in edges if same(x, edge, noise)]
    off = [other for other in (*edges, *near) if not same(x, other, noise)]
    sizes = [max(abs(x), abs(other)) for other in (*off, *on)]
    most = max([fewest, *(MOST_DIGITS - 1 - math.floor(math.log10(size)) for size in sizes if size > 0)])
    for places in range(fewest, most):
        shown = round(x, places)
        if all(same(shown, edge) for edge in on) and all(shown != round(other, places) for other in off):
            return places
    return most


def places_of(x: float, digits: int) -> int:
    """Return the decimal places that show so many significant digits of x, and none before the point away; more where
    rounding would put x on the next power of ten: 0.9996 is not 1.00."""
    if x == 0 or not math.isfinite(x):
        return 0
    order = math.floor(math.log10(abs(x)))
    places = max(0, digits - 1 - order)
    for more in range(4):
        shown = round(x, places + more)
        if shown == x or not places or (shown and math.floor(math.log10(abs(shown))) == order):
            return places + more
    return places


def digits_apart(x: float, fewest: int, edges: Iterable[float] = ()) -> int:
    """Return the fewest significant digits, at least `fewest`, with which x is on its own side of every edge."""
    off = [edge for edge in edges if math.isfinite(edge) and not same(x, edge)]
    for digits in range(fewest, MOST_DIGITS):
        if all(float(f"{x:.{digits}g}") != float(f"{edge:.{digits}g}") for edge in off):
            return digits
    return MOST_DIGITS
