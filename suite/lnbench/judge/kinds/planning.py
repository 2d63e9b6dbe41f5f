"""Can so many seeds decide a region? From a pilot's mean and spread, by the exact power of the rule."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from lnbench import stats
from lnbench.stats import Region

TARGET = 0.8
MOST = 1000


@dataclass(frozen=True)
class Pilot:
    """What is known of an effect before its seeds are run: its mean (None: not known) and its spread."""

    effect: float | None
    sd: float  # as measured or printed
    n: int | None  # seeds behind it; None: unknown, the spread is taken as it is
    source: str

    @property
    def cautious_sd(self) -> float:
        """Return the spread's 80 % upper limit."""
        return self.sd * (stats.pilot_factor(self.n) if self.n is not None and self.n >= 2 else 1.0)


class Prospect(NamedTuple):
    """What the planned seeds can do. See `judge.power.Power`."""

    truth: float | None = None
    chance: float | None = None
    needed: int | None = None
    largest_sd: float | None = None


def prospect(region: Region, pilot: Pilot | None, planned: int, looks: int, alpha: float) -> Prospect:
    """Return the chance that the planned seeds decide a mean, and the seeds that would. `region` and `pilot` are on
    the scale of the mean. Each look is taken for the only one: over all the chance is a little higher."""
    two_sided = len(region.edges) == 2
    largest = _largest_sd(region, planned, looks, alpha) if two_sided else None
    truth = (region.low + region.high) / 2 if two_sided else None
    if pilot is not None and pilot.effect is not None:
        truth = pilot.effect
    if pilot is None or truth is None or truth in region.edges:
        return Prospect(truth, None, None, largest)
    sd, true = pilot.cautious_sd, truth

    def power(n: int) -> float:
        return stats.power_of(region, true, sd, n, alpha=alpha, looks=looks)

    needed = next((n for n in _ladder() if power(n) >= TARGET), 0)
    return Prospect(truth, power(planned) if planned >= 3 else 0.0, needed, largest)


def prospect_of_share(pi: float, truth: float | None, planned: int, alpha: float) -> Prospect:
    """Return the chance that so many runs show that a share `pi` of them does, where truly every run does."""
    chance = 1.0 if pi**planned <= alpha else 0.0
    return Prospect(truth, chance, math.ceil(math.log(alpha) / math.log(pi)))


def _ladder() -> Iterator[int]:
    """Yield 3 to 30 one by one, then in steps of a tenth: nobody plans 347 seeds."""
    n = 3
    while n <= MOST:
        yield n
        n = n + 1 if n < 30 else math.ceil(n * 1.1)


def _largest_sd(region: Region, planned: int, looks: int, alpha: float) -> float | None:
    """Return, by bisection, the spread at which a truth at the region's centre is confirmed with power 80 %."""
    if planned < 3:
        return None
    half = (region.high - region.low) / 2
    centre = (region.high + region.low) / 2
    low, high = half / 1000, half * 10
    for _ in range(60):
        middle = math.sqrt(low * high)
        if stats.power_of(region, centre, middle, planned, alpha=alpha, looks=looks) >= TARGET:
            low = middle
        else:
            high = middle
    return low
