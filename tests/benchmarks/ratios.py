"""Two ways to do the same work, timed in turn in one process: how many times as fast is the first?

A B A B …, so that another program on the machine slows both, and the median over the repeats. What is counted is this
process's time on a core: with one thread and nothing to wait for it is the time on the clock of a quiet machine, and on
a busy one it leaves out the turns of other programs (not what they do to caches and memory).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Size:
    """How much is timed. `share`: of the work of a full repeat; `compile`: whether torch.compile may be used."""

    repeats: int
    share: float
    compile: bool

    def of(self, count: int, least: int = 1) -> int:
        """So many of `count` steps, examples or files that a full repeat has."""
        return max(least, round(count * self.share))


FULL = Size(repeats=7, share=1.0, compile=True)
SHORT = Size(repeats=1, share=0.05, compile=False)  # for the tests: does it run, and is it right?


@dataclass(frozen=True)
class Side:
    """One of the two: `run` works through `amount` examples (or whatever is counted)."""

    run: Callable[[], None]
    amount: float


@dataclass(frozen=True)
class Readings:
    """One value a repeat, in the row's unit, and in words what it comes from."""

    values: list[float]
    words: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True)
class Goal:
    """What the median should come to."""

    sense: Literal["at least", "at most", "below"]
    value: float
    unit: str = "×"

    def met(self, value: float) -> bool:
        if self.sense == "at least":
            return value >= self.value
        return value < self.value if self.sense == "below" else value <= self.value

    def words(self) -> str:
        sign = {"at least": "≥", "at most": "≤", "below": "<"}[self.sense]
        return f"{sign} {quantity(self.value, self.unit)}"


@dataclass(frozen=True)
class Row:
    """A line of the table. `bound`: what a profile says holds it back, in words, for where the goal is missed."""

    number: int
    name: str  # unique: `3 fast`
    what: str
    goal: Goal
    measure: Callable[[Size], Readings]
    bound: str = ""


def quantity(value: float, unit: str) -> str:
    """`4.13×`, `0.52 %`."""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits}{unit}" if unit == "×" else f"{digits} {unit}"


def interleaved(first: Side, second: Side, repeats: int, *, warm: bool = True) -> list[tuple[float, float]]:
    """(amount a second of the first, of the second), a pair for each repeat. Both run once beforehand, untimed."""
    if warm:
        first.run()
        second.run()
    return [(_rate(first), _rate(second)) for _ in range(repeats)]


def _rate(side: Side) -> float:
    began = time.process_time()
    side.run()
    return side.amount / (time.process_time() - began)


def times_as_fast(pairs: list[tuple[float, float]], counted: str) -> Readings:
    """The first side's rate over the second's."""
    rates = [f"{statistics.median(column):,.0f}" for column in zip(*pairs, strict=True)]
    return Readings([first / second for first, second in pairs], f"{rates[0]} : {rates[1]} {counted}")
