"""Two outcomes of one run, number by number, each difference in units of the spread over the cell's seeds.

A run is a pure function of its recipe, its seeds and the data, down to the last bit where processor, device, versions,
threads and backend are the same. Elsewhere sums are taken in another order; their rounding grows along a training, at
worst until the run ends as far from its record as another seed would. So three limits hold there, for each number that
verdicts are made of (the metrics, and each curve's last value), in standard deviations over the cell's seeds:

    at most FRACTION     it passes. FRACTION is ours, half a standard deviation: a record with another seed's numbers
                         passes with probability 0.28 for one normal number, and with less for several
    above `seed_limit`   it differs by more than another seed would: the limit that the difference of two seeds passes
                         with probability LEVEL, over all these numbers together (Bonferroni, t with the seeds' degrees
                         of freedom)
    between them         open: growth of rounding explains it, and so does a record of another seed

What does not depend on rounding (counts, checksums of labels and data, whether a run diverged) must be equal.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lnbench.identity import canonical_json
from lnbench.report.compare import same_number

FRACTION = 0.5
LEVEL = 0.01
FEWEST_SEEDS = 3  # that a standard deviation is taken from
MEASURED = ("curves", "metrics", "probe_curves")
CHECKSUMS = ("arrays", "inputs", "packages")  # texts in which runs on two machines may differ

Outcome = dict[str, Any]


class Fate(StrEnum):
    """What came of a run that was to be trained again."""

    IDENTICAL = "identical"
    WITHIN = "differs, within the limit"
    UNEXPECTED = "differs, where equal bits are expected"
    BEYOND = "differs by more than another seed would"
    OPEN = "differs as another seed might"
    UNKNOWN = "differs, too few seeds to say how much"
    NOT_TRAINED = "could not be trained"

    @property
    def passes(self) -> bool:
        return self in (Fate.IDENTICAL, Fate.WITHIN)

    @property
    def open(self) -> bool:
        """Return whether it neither passes nor shows that the record is wrong."""
        return self in (Fate.OPEN, Fate.UNKNOWN)


@dataclass(frozen=True)
class Difference:
    """One place in which two outcomes differ.

    `sd`: over the cell's seeds in the report; None where it is not known. `counts`: whether a verdict is made of it.
    `fact`: whether it may not differ at all.
    """

    where: str
    then: Any
    now: Any
    sd: float | None = None
    seeds: int = 0
    counts: bool = False
    fact: bool = False

    @property
    def size(self) -> float | None:
        """Return the absolute difference; None of what is no number."""
        return abs(self.now - self.then) if _number(self.then) and _number(self.now) else None

    @property
    def in_sd(self) -> float | None:
        """Return the difference in standard deviations of the cell's seeds. Where these do not differ: infinite, or 0
        for the same six digits."""
        if self.size is None or self.sd is None:
            return None
        if self.sd == 0:
            return 0.0 if same_number(float(self.then), float(self.now)) else math.inf
        return self.size / self.sd


def compare(then: Outcome, now: Outcome, cell: Sequence[Outcome]) -> list[Difference]:
    """Return every place in which an outcome differs from its record's. `cell`: the outcomes of all seeds of the
    record's cell in the report, its own included."""
    if canonical_json(then) == canonical_json(now):
        return []
    before, after, others = dict(_leaves(then)), dict(_leaves(now)), [dict(_leaves(one)) for one in cell]
    last = {path for path in before if _is_last(path, then)}
    found = []
    for path in [*before, *(path for path in after if path not in before)]:
        old, new = before.get(path, "not there"), after.get(path, "not there")
        if type(old) is type(new) and old == new:
            continue
        values = [float(one[path]) for one in others if _number(one.get(path))]
        known = len(values) >= FEWEST_SEEDS and _number(old) and _number(new)
        found.append(
            Difference(
                ".".join(map(str, path)),
                old,
                new,
                sd=statistics.stdev(values) if known else None,
                seeds=len(values),
                counts=path[0] == "metrics" or path in last,
                fact=_is_fact(path, old, new),
            )
        )
    return found


def fate_of(differences: Sequence[Difference], same_setup: bool) -> Fate:
    """Return what the differences come to. `same_setup`: whether all is said to be the same that decides the bits."""
    if not differences:
        return Fate.IDENTICAL
    if any(one.fact for one in differences):
        return Fate.BEYOND
    counting = [one for one in differences if one.counts]
    known = [(one.in_sd, seed_limit(one.seeds, len(counting))) for one in counting if one.in_sd is not None]
    if any(size > limit for size, limit in known):
        return Fate.BEYOND
    if same_setup:
        return Fate.UNEXPECTED
    if len(known) < len(counting) or all(one.size is None for one in differences):
        return Fate.UNKNOWN
    return Fate.OPEN if any(size > FRACTION for size, _ in known) else Fate.WITHIN


def seed_limit(seeds: int, numbers: int) -> float:
    """Return what the difference of two seeds exceeds with probability LEVEL in any of so many numbers, in standard
    deviations estimated from so many seeds: √2 times a quantile of t, by Bonferroni's rule."""
    from scipy.stats import t

    return float(math.sqrt(2) * t.ppf(1 - LEVEL / (2 * numbers), seeds - 1))


def largest(differences: Sequence[Difference]) -> Difference | None:
    """Return the difference to show first: a fact, else the largest that counts in units of the spread, else any."""

    def order(one: Difference) -> tuple[bool, bool, float, float]:
        return one.fact, one.counts, one.in_sd if one.in_sd is not None else -1.0, one.size or 0.0

    return max(differences, key=order, default=None)


def _is_fact(path: tuple[str | int, ...], old: Any, new: Any) -> bool:
    """Return whether rounding cannot explain a difference: counts, checksums of data and labels, what is not there."""
    if path[0] in CHECKSUMS:
        return path[0] == "arrays" and (len(path) < 3 or path[2] != "sha256")
    if path[0] in ("examples", "classes", "parameters", "data_sha256", "noise", "status"):
        return True
    return not (_number(old) and _number(new))


def _is_last(path: tuple[str | int, ...], outcome: Outcome) -> bool:
    """Return whether a leaf is the last value of a curve."""
    if len(path) != 3 or path[0] not in MEASURED or not isinstance(path[2], int):
        return False
    return path[2] == len(outcome[str(path[0])][path[1]]) - 1


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _leaves(tree: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(tree, dict | list) and tree:
        items: Any = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in items:
            yield from _leaves(value, (*path, key))
    elif not isinstance(tree, dict | list):
        yield path, tree
