"""Can the planned seeds decide a claim? Asked before they are spent, from a pilot's spread.

A pilot is what is known of an effect's spread over seeds: runs of this tier that the store has, or the seeds recorded
in `baselines/measured/` for this tier, whichever are more; else the spread that the paper prints. A spread known from
n seeds is itself uncertain, so it enters at its 80 % upper limit (`stats.pilot_factor`; Browne 1995).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lnbench import stats
from lnbench.evidence import Member
from lnbench.judge import ALPHA, StudyResult, read_measured, region_of
from lnbench.references import Number
from lnbench.spec import Agrees, Equivalent, EveryRun, Part, Study
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
        """The spread's 80 % upper limit."""
        return self.sd * (stats.pilot_factor(self.n) if self.n is not None and self.n >= 2 else 1.0)


@dataclass(frozen=True)
class Power:
    """One effect of one part: the chance that the planned seeds decide it, and the seeds that would.

    `chance`, `needed`: None where there is no pilot, or only a region's centre to take for the truth; `needed` is 0
    where over 1000 seeds would be wanted. `largest_sd`: with a two-sided margin, the largest spread at which the
    planned seeds confirm a true agreement four times in five.
    """

    claim: str
    part: str
    decisive: bool
    label: str
    region: Region
    planned: int
    pilot: Pilot | None
    truth: float | None
    chance: float | None
    needed: int | None
    largest_sd: float | None


def powers(result: StudyResult) -> list[Power]:
    """The power of every part of a study, claims in the file's order. `result`: the study as judged so far."""
    measured = read_measured(result.study.measured_path) if result.study.measured_path else {}
    found = []
    for claim in result.claims:
        for name, part in claim.parts.items():
            for member in part.members:
                before = measured.get(f"{part.part.effect}|{member.label}")
                pilot = _pilot(member, before, part.reference)
                found.append(
                    _power(
                        claim.claim.id, name, name in claim.claim.verdict.of, part.part, member, pilot, part.reference
                    )
                )
    return found


def _pilot(member: Member, before: dict[int, float] | None, number: Number | None) -> Pilot | None:
    known = [(member.values, "runs in the store"), (tuple((before or {}).values()), "seeds in baselines/measured")]
    values, source = max(known, key=lambda pair: len(pair[0]))
    if len(values) >= 3:
        sd = max(statistics.stdev(values), member.step / 2)
        return Pilot(statistics.fmean(values), sd, len(values), f"{len(values)} {source}")
    if number is not None and number.spread is not None and number.spread_kind in ("sd", "unknown"):
        return Pilot(None, number.spread, number.n, "the paper's printed spread")
    return None


def _power(
    claim: str, name: str, decisive: bool, part: Part, member: Member, pilot: Pilot | None, number: Number | None
) -> Power:
    region, planned = region_of(part, number), member.planned
    two_sided = isinstance(part, Agrees | Equivalent)
    largest = _largest_sd(region, planned) if two_sided else None
    truth = (region.low + region.high) / 2 if two_sided else None
    if pilot is not None and pilot.effect is not None:
        truth = pilot.effect
    chance: float | None = None
    needed: int | None = None
    if isinstance(part, EveryRun):
        chance = 1.0 if part.pi**planned <= ALPHA else 0.0  # where truly every run does
        needed = math.ceil(math.log(ALPHA) / math.log(part.pi))
    elif pilot is not None and truth is not None and truth not in region.edges:
        sd = pilot.cautious_sd
        chance = stats.power_of(region, truth, sd, planned, alpha=ALPHA) if planned >= 3 else 0.0
        needed = next((n for n in _ladder() if stats.power_of(region, truth, sd, n, alpha=ALPHA) >= TARGET), 0)
    return Power(claim, name, decisive, member.label, region, planned, pilot, truth, chance, needed, largest)


def _ladder() -> Iterator[int]:
    """3 to 30 one by one, then in steps of a tenth: nobody plans 347 seeds."""
    n = 3
    while n <= MOST:
        yield n
        n = n + 1 if n < 30 else math.ceil(n * 1.1)


def _largest_sd(region: Region, planned: int) -> float | None:
    """By bisection: the spread at which a truth at the region's centre is confirmed with power 80 %."""
    if planned < 3:
        return None
    half = (region.high - region.low) / 2
    centre = (region.high + region.low) / 2
    low, high = half / 1000, half * 10
    for _ in range(60):
        middle = math.sqrt(low * high)
        if stats.power_of(region, centre, middle, planned, alpha=ALPHA) >= TARGET:
            low = middle
        else:
            high = middle
    return low


def weak_margins(study: Study, report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(claim, part, what is wrong) of margins that the planned seeds would confirm less than half the time even if the
    agreement were perfect, by the spread that a committed report of this tier (`result.json`) measured."""
    found = []
    planned = study.spec.runs.seeds.n
    for claim in report["claims"]:
        for part in claim["parts"]:
            region = part["region"]
            if part["kind"] not in ("agrees", "equivalent") or region["low"] is None or region["high"] is None:
                continue
            for member in part["members"]:
                values = member["values"]
                if len(values) < 3 or any(member["collapsed"]):
                    continue
                sd = max(statistics.stdev(values), member["step"] / 2)
                half = (region["high"] - region["low"]) / 2
                chance = stats.power_of(Region(-half, half), 0.0, sd, planned, alpha=ALPHA)
                if chance < 0.5:
                    what = (
                        f"margin {half:g}: {planned} seeds would confirm a perfect agreement only {chance:.0%} of the "
                        f"time (sd {sd:.4f}, measured in reports/{report['key']}); plan more seeds or state why"
                    )
                    found.append((claim["id"], part["name"], what))
    return found
