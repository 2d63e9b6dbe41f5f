"""The small immutable values of the rule: an effect's interval, the region of a claim, and what a check
found.

A claim is a region, a verdict is where the interval falls. Everything here is plain data: no arrays, no
randomness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lnbench.verdict import Verdict as Verdict


def _check_edges(low: float, high: float) -> None:
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"an edge is NaN: [{low}, {high}]")
    if low > high:
        raise ValueError(f"the edges are the wrong way round: [{low}, {high}]")


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval [low, high] of an effect; `confidence` is 1 - 2α (.90 at α = .05).

    Raises ValueError on a NaN edge, on low > high and on a confidence that is not between 0 and 1.
    """

    low: float
    high: float
    confidence: float

    def __post_init__(self) -> None:
        _check_edges(self.low, self.high)
        if not 0.0 < self.confidence < 1.0:
            raise ValueError(f"confidence must lie between 0 and 1, not {self.confidence}")

    def contains(self, x: float) -> bool:
        return self.low <= x <= self.high

    def shift(self, by: float) -> Interval:
        return replace(self, low=self.low + by, high=self.high + by)

    def map(self, f: Callable[[float], float]) -> Interval:
        """Return the interval on another scale; `f` must rise (exp, tanh)."""
        return replace(self, low=f(self.low), high=f(self.high))

    def describe(self, digits: int = 4) -> str:
        return f"[{self.low:.{digits}g}, {self.high:.{digits}g}]"


@dataclass(frozen=True, slots=True)
class Region:
    """Where the effect lies if the claim is true: one closed interval, an edge may be infinite.

    Raises ValueError on a NaN edge and on low > high.
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        _check_edges(self.low, self.high)

    @classmethod
    def at_least(cls, x: float) -> Region:
        return cls(low=x)

    @classmethod
    def at_most(cls, x: float) -> Region:
        return cls(high=x)

    @classmethod
    def from_margin(cls, center: float, margin: float) -> Region:
        """Return [center - margin, center + margin]; ValueError if the margin is negative or not finite."""
        if not (math.isfinite(margin) and margin >= 0):
            raise ValueError(f"a margin must be a finite number of at least 0, not {margin}")
        return cls(center - margin, center + margin)

    @property
    def bounds(self) -> tuple[float, float]:
        """Return both edges, lower first, infinite ones too."""
        return self.low, self.high

    @property
    def edges(self) -> tuple[float, ...]:
        """Return the finite edges, lower first."""
        return tuple(edge for edge in self.bounds if math.isfinite(edge))

    def contains(self, x: float) -> bool:
        return self.low <= x <= self.high

    def shift(self, by: float) -> Region:
        return Region(self.low + by, self.high + by)

    def widen(self, by: float) -> Region:
        """Return the region with both edges moved outwards by `by`."""
        return Region(self.low - by, self.high + by)

    def map(self, f: Callable[[float], float]) -> Region:
        """Return the region on another scale; `f` must rise. Infinite edges stay where they are."""
        low = f(self.low) if math.isfinite(self.low) else self.low
        high = f(self.high) if math.isfinite(self.high) else self.high
        return Region(low, high)

    def holds(self, interval: Interval) -> bool:
        """Return True if the interval lies wholly inside."""
        return self.low <= interval.low and interval.high <= self.high

    def excludes(self, interval: Interval) -> bool:
        """Return True if the interval lies wholly outside."""
        return interval.high < self.low or interval.low > self.high

    def describe(self, unit: str = "") -> str:
        """Return the region in words: "at least 0.9", "between 0.89 and 0.93", "above 0"."""
        low, high = f"{self.low:g}{unit}", f"{self.high:g}{unit}"
        if math.isinf(self.low) and math.isinf(self.high):
            return "anything"
        if math.isinf(self.high):
            # a difference or slope of 0 has no direction: "at least 0" would read as if a tie were enough
            return "above 0" if self.low == 0 else f"at least {low}"
        if math.isinf(self.low):
            return "below 0" if self.high == 0 else f"at most {high}"
        return f"exactly {low}" if self.low == self.high else f"between {low} and {high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one check found. Bad data never raises: it is a check with `error` set and both p at 1.

    effect, interval, region are on one scale, the one the rule was applied on (`details` holds other scales).
    p_reproduced, p_contradicted: already multiplied by the number of planned looks, not yet Holm-adjusted. n:
    seeds (pairs, points). sd: n - 1 form; sd_used: after the
    floor. step: the most that one test example in one run can move the effect. contradiction_interval: where
    contradiction uses a wider interval than reproduction (`agrees`). collapsed: seeds whose run collapsed;
    typical: sign tests on the median were used because of that. alpha: the error rate that `interval` was
    drawn for and that `verdict` uses unless told otherwise.
    """

    kind: str
    effect: float | None = None
    interval: Interval | None = None
    region: Region | None = None
    p_reproduced: float = 1.0
    p_contradicted: float = 1.0
    n: int = 0
    sd: float | None = None
    sd_used: float | None = None
    se: float | None = None
    df: float | None = None
    step: float = 0.0
    contradiction_interval: Interval | None = None
    collapsed: int = 0
    typical: bool = False
    error: str | None = None
    alpha: float = 0.05
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("p_reproduced", "p_contradicted"):
            p = getattr(self, name)
            if not 0.0 <= p <= 1.0:  # also catches NaN
                raise ValueError(f"{name} must lie between 0 and 1, not {p}")

    def verdict(self, alpha: float | None = None, p_contradicted: float | None = None) -> Verdict:
        """Return reproduced if p_reproduced ≤ α, contradicted if p_contradicted ≤ α, else inconclusive (or error).

        `p_contradicted` lets the caller pass the Holm-adjusted one. An error does not hide a decision: its
        own p are 1, and a composite that is decided by its other parts stands.
        """
        alpha = self.alpha if alpha is None else alpha
        against = self.p_contradicted if p_contradicted is None else p_contradicted
        if self.p_reproduced <= alpha:
            return Verdict.REPRODUCED
        if against <= alpha:
            return Verdict.CONTRADICTED
        return Verdict.INCONCLUSIVE if self.error is None else Verdict.ERROR

    def with_notes(self, *notes: str) -> Check:
        return replace(self, notes=self.notes + notes)

    def with_details(self, **details: Any) -> Check:
        return replace(self, details={**self.details, **details})


def unjudged(kind: str, error: str, *, region: Region | None = None, n: int = 0, **fields: Any) -> Check:
    """Return a check that cannot be judged: verdict `error`, both p at 1, and why."""
    return Check(kind=kind, error=error, region=region, n=n, **fields)
