"""Can the planned seeds decide a claim? Asked before they are spent, from a pilot's spread.

A pilot is what is known of an effect's spread over seeds: runs of this tier that the store has, or the seeds recorded
in `baselines/measured/` for this tier, whichever are more; else the spread that the paper prints. A spread known from
n seeds is itself uncertain, so it enters at its 80 % upper limit (`stats.pilot_factor`; Browne 1995).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lnbench import stats
from lnbench.judge.checks import ALPHA, judged_region, judged_values, region_of
from lnbench.judge.drift import read_measured
from lnbench.judge.members import Member
from lnbench.judge.results import StudyResult
from lnbench.spec import CanReach, Correlation, EveryRun, Number, Part, Study
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
    seeds = result.study.spec.runs.seeds
    looks = len(seeds.looks) if seeds.looks and result.study.tier != "smoke" else 1
    planned = len({job.seed for job in result.evidence.plan.jobs})
    found = []
    for claim in result.claims:
        for name, part in claim.parts.items():
            for member, number in zip(part.members, part.numbers, strict=True):
                before = measured.get(f"{part.part.effect}|{member.label}")
                power = _power(part.part, member, _pilot(part.part, member, before, number), number, planned, looks)
                found.append(Power(claim.claim.id, name, name in claim.claim.verdict.of, member.label, *power))
    return found


def _pilot(part: Part, member: Member, before: dict[int, float] | None, number: Number | None) -> Pilot | None:
    earlier = replace(member, values=tuple((before or {}).values()))
    known = [(member, "runs in the store"), (earlier, "seeds in baselines/measured")]
    there = [([v for v in judged_values(part, one) if math.isfinite(v)], source) for one, source in known]
    values, source = max(there, key=lambda pair: len(pair[0]))
    if len(values) >= 3:
        scale = ", as logs" if part.kind == "ratio" else ", as atanh(r)" if isinstance(part, Correlation) else ""
        sd = max(statistics.stdev(values), member.step / 2)
        return Pilot(statistics.fmean(values), sd, len(values), f"{len(values)} {source}{scale}")
    if number is not None and number.spread is not None and number.spread_kind in ("sd", "unknown"):
        return Pilot(None, number.spread, number.n, "the paper's printed spread")
    return None


Figures = tuple[Region, int, Pilot | None, float | None, float | None, int | None, float | None]


def _power(part: Part, member: Member, pilot: Pilot | None, number: Number | None, planned: int, looks: int) -> Figures:
    """The last seven fields of a Power. Each look is taken for the only one: over all the chance is a little higher."""
    shown, alpha = region_of(part, number), ALPHA / looks
    if isinstance(part, Correlation) and part.unit == "point":  # more seeds are no more points
        return shown, planned, None, None, None, None, None
    if isinstance(part, EveryRun):  # where truly every run does
        chance = 1.0 if part.pi**planned <= alpha else 0.0
        return shown, planned, pilot, _truth(pilot), chance, math.ceil(math.log(alpha) / math.log(part.pi)), None
    if isinstance(part, CanReach):  # where truly none does: one that does decides at once
        needed = math.ceil(part.best_of * math.log(alpha) / math.log(0.5))
        return shown, planned, pilot, _truth(pilot), 1.0 if planned >= needed else 0.0, needed, None
    region = judged_region(part, number)
    two_sided = len(region.edges) == 2
    largest = _largest_sd(region, planned, looks) if two_sided else None
    truth = (region.low + region.high) / 2 if two_sided else None
    if pilot is not None and pilot.effect is not None:
        truth = pilot.effect
    if pilot is None or truth is None or truth in region.edges:
        return shown, planned, pilot, truth, None, None, largest
    sd, true = pilot.cautious_sd, truth

    def power(n: int) -> float:
        return stats.power_of(region, true, sd, n, alpha=ALPHA, looks=looks)

    needed = next((n for n in _ladder() if power(n) >= TARGET), 0)
    return shown, planned, pilot, truth, power(planned) if planned >= 3 else 0.0, needed, largest


def _truth(pilot: Pilot | None) -> float | None:
    return pilot.effect if pilot is not None else None


def _ladder() -> Iterator[int]:
    """3 to 30 one by one, then in steps of a tenth: nobody plans 347 seeds."""
    n = 3
    while n <= MOST:
        yield n
        n = n + 1 if n < 30 else math.ceil(n * 1.1)


def _largest_sd(region: Region, planned: int, looks: int) -> float | None:
    """By bisection: the spread at which a truth at the region's centre is confirmed with power 80 %."""
    if planned < 3:
        return None
    half = (region.high - region.low) / 2
    centre = (region.high + region.low) / 2
    low, high = half / 1000, half * 10
    for _ in range(60):
        middle = math.sqrt(low * high)
        if stats.power_of(region, centre, middle, planned, alpha=ALPHA, looks=looks) >= TARGET:
            low = middle
        else:
            high = middle
    return low


def weak_margins(study: Study, report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(claim, part, what is wrong) of margins that the planned seeds would confirm less than half the time even if the
    agreement were perfect, by the spread that a committed report of this tier (`result.json`) measured."""
    found = []
    planned, looks = study.spec.runs.seeds.n, len(study.spec.runs.seeds.looks or (0,))
    for claim in report["claims"]:
        for part in claim["parts"]:
            if part["kind"] not in ("agrees", "equivalent", "table") or part["margin"] is None:
                continue
            half = part["margin"]
            for member in part["members"]:
                values = member["values"]
                if len(values) < 3 or any(member["collapsed"]):
                    continue
                sd = max(statistics.stdev(values), member["step"] / 2)
                chance = stats.power_of(Region(-half, half), 0.0, sd, planned, alpha=ALPHA, looks=looks)
                if chance < 0.5:
                    what = (
                        f"margin {half:g}: {planned} seeds would confirm a perfect agreement only {chance:.0%} of the "
                        f"time (sd {sd:.4f}, measured in reports/{report['key']}); plan more seeds or state why"
                    )
                    found.append((claim["id"], part["name"], what))
    return found
