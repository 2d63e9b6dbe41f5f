"""A measured effect: one number per seed, and what it was made from."""

from __future__ import annotations

from dataclasses import dataclass

from lnbench.judge.reduce import Reading
from lnbench.spec import Point, Scalar


@dataclass(frozen=True)
class Member:
    """One effect (of a family, perhaps) as measured: one number for each seed that has all its runs.

    `values` (n,) in the effect's own unit: the metric's, the axis's, octaves of a shift, the log of a ratio; NaN where
    a curve never gets to the level that it should cross. `collapsed` (n,) whether a run behind the number is at chance
    or diverged, or there is no such number; `limits` (n,) what a censored value (-inf or inf) is known to lie beyond,
    NaN for any other; `step` the most that one test example in one run moves a value; `missing`
    planned seeds that lack a run. `counted` (n,) of how many things each value is a plain share, k of n, 0 for a seed
    that has no number; () where the effect is not one such share of one run (a difference, a ratio, a loss, a mean
    along an axis), or a record does not say how many there were.

    What the values were made from, where there is such a thing: `arms`, the numbers at both points of a comparison,
    (n,) each; `levels` (L,) of the axis, `curves` (n, L) along it, and `others` (n, L) those of the other point, or of
    the other metric of a correlation.
    """

    label: str
    at: Point
    minus: Point | None  # for a ratio: what it is divided by
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    collapsed: tuple[bool, ...]
    step: float
    planned: int
    limits: tuple[float, ...] = ()
    counted: tuple[int, ...] = ()
    failures: tuple[str, ...] = ()  # why seeds have no number: their runs failed, or records that cannot be right
    same: str = ""  # what two seeds have in common that no two draws have: then nothing is judged
    arms: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    levels: tuple[float, ...] = ()
    curves: tuple[tuple[float, ...], ...] = ()
    others: tuple[tuple[float, ...], ...] = ()
    curve_step: float = 0.0  # the most that one test example moves a curve at one level

    @property
    def missing(self) -> int:
        return self.planned - len(self.values)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of an axis, its levels rising (names: in the order of the file), and what becomes of it."""

    axis: str
    reducer: str
    levels: tuple[Scalar, ...]

    @property
    def numbers(self) -> list[float]:
        """Return the levels as numbers; of names, their places."""
        if not all(isinstance(level, int | float) for level in self.levels):
            return [float(place) for place in range(len(self.levels))]
        return [float(level) for level in self.levels]  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Found:
    """A seed's number, and what it was made of: the numbers of both arms and their curves along the last axis."""

    reading: Reading
    arms: tuple[float, ...] = ()
    curve: tuple[float, ...] = ()
    other: tuple[float, ...] = ()
    curve_step: float = 0.0
