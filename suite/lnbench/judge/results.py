"""Verdicts as objects: for a part, a claim, a study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lnbench.digits import digits_apart
from lnbench.judge.evidence import Evidence
from lnbench.judge.members import Member
from lnbench.plan import Choice
from lnbench.spec import Claim, Effect, Number, Part, Scalar, Study
from lnbench.spec.locks import History
from lnbench.stats import Check, Verdict


@dataclass(frozen=True)
class PartResult:
    """One part: what was measured, where its interval lies, and what that says."""

    name: str
    part: Part
    effect: Effect
    members: tuple[Member, ...]
    checks: tuple[Check, ...]  # one per member
    check: Check  # of all members together
    verdict: str
    why: str  # in words, where the interval does not say it: what is missing, what failed
    numbers: tuple[Number | None, ...]  # the printed number that each member is compared with
    seeds_to_decide: int | None
    beside: dict[str, Any] = field(default_factory=dict)  # shown, never judged: see `Kind.beside`

    @property
    def reference(self) -> Number | None:
        """Return the printed number that the part is about, if it is one for all members."""
        return self.numbers[0] if self.numbers and getattr(self.part, "reference", None) else None

    @property
    def direction_holds(self) -> bool:
        """Return whether every member's estimate is inside its region; of a table, as many as it asks for. Smoke asks
        for no more."""
        wanted = getattr(self.part, "at_least", None) or len(self.checks)
        return bool(self.checks) and sum(map(inside, self.checks)) >= wanted


@dataclass(frozen=True)
class DriftResult:
    """An effect against what lnbench itself measured before: of each of `seeds` the number `before` and `now`, and how
    far it may move; NaN where there is no such number."""

    effect: str
    member: Member
    seeds: tuple[int, ...]
    before: tuple[float, ...]
    now: tuple[float, ...]
    tolerances: tuple[float, ...]

    @property
    def worst(self) -> int:
        """Return the place, in `seeds`, of the one that moved furthest, counted in its own tolerance."""
        return max(range(len(self.seeds)), key=self._moved)

    @property
    def share(self) -> float:
        """Return how far that seed moved, over its tolerance: above 1 it has drifted."""
        return self._moved(self.worst)

    @property
    def drifted(self) -> bool:
        return self.share > 1.0

    @property
    def words(self) -> str:
        """Return what has moved, from what to what, and how far it might have."""
        at = self.worst
        pair = self.before[at], self.now[at]
        digits = max(digits_apart(one, 6, (other,)) for one, other in (pair, pair[::-1]))  # they are seen to differ
        before, now = (f"{value:.{digits}g}" if math.isfinite(value) else "none" for value in pair)
        limit = f"tolerance {self.tolerances[at]:.2g}"
        return f"{self.member.label} has drifted: seed {self.seeds[at]} gives {now}, was {before} ({limit})"

    def _moved(self, place: int) -> float:
        before, now, tolerance = self.before[place], self.now[place], self.tolerances[place]
        if before == now or (not math.isfinite(before) and not math.isfinite(now)) or math.isinf(tolerance):
            return 0.0
        moved = abs(now - before)
        return moved / tolerance if tolerance and math.isfinite(moved) else math.inf


@dataclass(frozen=True, slots=True)
class Look:
    """The planned look at which a claim was judged, and on how many seeds."""

    seeds: int
    number: int  # from 1
    of: int


@dataclass(frozen=True)
class ClaimResult:
    """One claim's verdict."""

    claim: Claim
    parts: dict[str, PartResult]
    check: Check
    p_contradicted: float  # Holm-adjusted over the study
    verdict: str
    why: str
    tried: dict[str, str]  # choice -> the verdict under its alternative
    under: dict[str, dict[str, PartResult]] = field(
        default_factory=dict
    )  # choice -> the deciding parts as run under it
    drift: tuple[DriftResult, ...] = ()
    look: Look | None = None  # None: the study has no looks, or this is smoke, whose seeds are fixed
    would_be: str = ""  # of a `post-hoc` claim: its verdict, had its terms been registered before its runs
    without: dict[int, str] = field(default_factory=dict)  # seed -> the verdict of all others, before any alternative

    @property
    def hangs_on(self) -> tuple[int, ...]:
        """Return the seeds without any one of which the claim would not be decided, or be decided otherwise."""
        return tuple(seed for seed, verdict in self.without.items() if verdict != self.alone)

    @property
    def alone(self) -> str:
        """Return what the seeds say as run, whatever the alternatives do: decided for, against, or not."""
        if self.check.p_reproduced <= self.check.alpha:
            return Verdict.REPRODUCED
        return Verdict.CONTRADICTED if self.p_contradicted <= self.check.alpha else Verdict.INCONCLUSIVE

    @property
    def open(self) -> bool:
        """Return whether another look could decide it. One whose contradiction an alternative takes back could not."""
        return Verdict(self.would_be or self.verdict).open and not self.tried


@dataclass(frozen=True)
class ChoiceResult:
    """A hyper-parameter as it was chosen: the scores, and how clear the choice was."""

    choice: Choice
    chosen: Scalar
    scores: tuple[float | None, ...]
    margin: float | None


@dataclass(frozen=True)
class StudyResult:
    """A study judged at one tier."""

    evidence: Evidence
    claims: tuple[ClaimResult, ...]
    choices: tuple[ChoiceResult, ...]
    notes: tuple[str, ...]
    tries: Mapping[str, Evidence]  # choice key -> the evidence under its alternative that was judged with
    ledger: tuple[dict[str, Any], ...] = ()  # the store's lines about runs that were removed or made more than once
    history: History | None = None  # what it was held against; None: nothing is said of its registration
    registration: Mapping[str, Any] = field(default_factory=dict)  # what `registered.compared` found

    @property
    def study(self) -> Study:
        return self.evidence.study


def inside(check: Check) -> bool:
    """Return whether the estimate is inside the region. (`agrees` gives its effect as the distance from the number.)"""
    if check.effect is None or check.region is None:
        return check.typical and check.p_reproduced < check.p_contradicted
    strict = check.region.edges == (0.0,)  # a tie is no order
    return check.region.contains(check.effect) and not (strict and check.effect == 0)
