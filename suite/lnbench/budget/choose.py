"""Which verdicts to go for first, when time is short: the most for each minute, counting runs that several need once.

A `Want` is a verdict: it names the pieces of work that it lacks, which are runs, but nothing here knows that. Wants of
one `group` are asked for by one command. Work is done group after group; what was done for one is there for all.

Taken is, again and again, what gives the most verdicts for the time that it adds, of all that still fits: a want, or a
whole group, with the wants that must come before it, and whatever else comes for nothing with it. What is left of the
time is filled in the same way with what is small enough. No order of the best is promised (it is a knapsack), but the
same wants give the same order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

Key = tuple[str, str]  # of a want: its group, and its name there


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work: its seconds on one worker, those of them that workers cannot share (a GPU is one), and the
    seconds until it is done where it waits for others."""

    seconds: float
    alone: float = 0.0
    chain: float = 0.0


@dataclass(frozen=True)
class Want:
    """A verdict to be had: `pieces` are those that are missing; `after`: wants (their keys) that must come first."""

    key: Key
    pieces: Mapping[str, Piece]
    after: tuple[Key, ...] = ()

    @property
    def group(self) -> str:
        return self.key[0]


@dataclass(frozen=True, slots=True)
class Step:
    """One command: the wants of a group that it gives, and the seconds that it adds to those before it."""

    group: str
    wants: tuple[Key, ...]
    seconds: float


def choose(wants: Sequence[Want], seconds: float, workers: int = 1) -> list[Step]:
    """Return the steps that fit into a time, in the order in which to take them. `wants`: none without a piece; where
    two are equally good the earlier is taken."""
    work = _Work(wants, workers)
    steps: list[Step] = []
    while True:
        offers = [offer for offer in work.offers() if offer.seconds <= seconds]
        if not offers:
            return _joined(steps, work.places)
        best = min(offers, key=lambda offer: offer.rank)
        seconds -= best.seconds
        steps += best.steps
        work.take(best)


def alone(want: Want, wants: Iterable[Want], workers: int = 1) -> float:
    """Return the seconds of a want by itself, with those that must come before it."""
    by_key = {one.key: one for one in wants}
    return sum(step.seconds for step in _steps(_with_earlier([want], by_key), workers))


@dataclass(frozen=True)
class _Offer:
    """What could be taken next. `rank`: the smaller the better."""

    steps: tuple[Step, ...]
    pieces: frozenset[str]
    place: int

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)

    @property
    def rank(self) -> tuple[float, float, int]:
        gained = sum(len(step.wants) for step in self.steps)
        return self.seconds / gained, self.seconds, self.place


@dataclass
class _Work:
    """The wants that are left, with the pieces that they still lack."""

    wants: Sequence[Want]
    workers: int
    left: dict[Key, Want] = field(default_factory=dict)
    known: dict[tuple[Key, ...], _Offer] = field(default_factory=dict)  # offers that nothing has changed since

    def __post_init__(self) -> None:
        self.left = {want.key: want for want in self.wants}
        self.places = {want.key: place for place, want in enumerate(self.wants)}
        self.first = {want.group: place for place, want in reversed([*enumerate(self.wants)])}
        self.who: dict[str, list[Key]] = {}  # piece -> the wants that lack it
        for want in self.wants:
            for piece in want.pieces:
                self.who.setdefault(piece, []).append(want.key)

    def offers(self) -> list[_Offer]:
        """Return what each want that is left, and each group of them, would add."""
        groups: dict[str, list[Want]] = {}
        for want in self.left.values():
            groups.setdefault(want.group, []).append(want)
        asked = [[want] for want in self.left.values()]
        asked += [group for group in groups.values() if len(group) > 1]
        offers = []
        for together in asked:
            key = tuple(want.key for want in together)
            if key not in self.known:
                self.known[key] = self._offer(together)
            offers.append(self.known[key])
        return offers

    def _offer(self, together: list[Want]) -> _Offer:
        asked = _with_earlier(together, self.left)
        pieces = frozenset(piece for want in asked for piece in want.pieces)
        found = Counter(key for piece in pieces for key in self.who[piece] if key in self.left)
        given = [self.left[key] for key, count in found.items() if count == len(self.left[key].pieces)]
        there = {want.key for want in asked}
        more = [want for want in given if want.key not in there and all(self._comes(one, there) for one in want.after)]
        more.sort(key=lambda want: (want.group != asked[-1].group, self.first[want.group], self.places[want.key]))
        place = min(self.places[want.key] for want in together)
        return _Offer(tuple(_steps([*asked, *more], self.workers)), pieces, place)

    def _comes(self, key: Key, there: set[Key]) -> bool:
        return key in there or key not in self.left

    def take(self, offer: _Offer) -> None:
        """Do all the pieces of an offer."""
        taken = {key for step in offer.steps for key in step.wants}
        near = {key for piece in offer.pieces for key in self.who[piece] if key in self.left} | taken
        near |= {key for key, want in self.left.items() if taken & set(want.after)}
        pieces = {piece for key in near for piece in self.left[key].pieces}
        for key in near - taken:
            want = self.left[key]
            rest = {piece: cost for piece, cost in want.pieces.items() if piece not in offer.pieces}
            self.left[key] = replace(want, pieces=rest)
        for key in taken:
            del self.left[key]
        self.known = {key: one for key, one in self.known.items() if not (near & set(key) or one.pieces & pieces)}


def _with_earlier(wants: Iterable[Want], left: Mapping[Key, Want]) -> list[Want]:
    """Return wants, each behind those that must come before it and are left; those with such first, so that a group
    stays together."""
    found: dict[Key, Want] = {}
    for want in sorted(wants, key=lambda one: not one.after):
        if want.key not in found:
            earlier = [left[key] for key in want.after if key in left and key != want.key]
            found |= {one.key: one for one in _with_earlier(earlier, left) if one.key not in found}
            found[want.key] = want
    return list(found.values())


def _steps(wants: Sequence[Want], workers: int) -> list[Step]:
    """Return the steps of wants in the order in which they come, each with the time that it adds."""
    done: set[str] = set()
    steps = []
    for group, members in groupby(wants, key=lambda want: want.group):
        together = list(members)
        pieces = {piece: cost for want in together for piece, cost in want.pieces.items() if piece not in done}
        done |= set(pieces)
        steps.append(Step(group, tuple(want.key for want in together), _seconds(pieces.values(), workers)))
    return steps


def _seconds(pieces: Iterable[Piece], workers: int) -> float:
    """Return how long workers take for some pieces: they share them, but not the device, nor what waits."""
    costs = list(pieces)
    shared, device = sum(one.seconds for one in costs) / workers, sum(one.alone for one in costs)
    return max([shared, device, *(max(one.seconds, one.chain) for one in costs)], default=0.0)


def _joined(steps: Sequence[Step], places: Mapping[Key, int]) -> list[Step]:
    """Return the steps, neighbours of one group as one, each with its wants in the order given."""
    found = []
    for group, members in groupby(steps, key=lambda step: step.group):
        together = list(members)
        wants = sorted((key for step in together for key in step.wants), key=lambda key: places[key])
        found.append(Step(group, tuple(wants), sum(step.seconds for step in together)))
    return found
