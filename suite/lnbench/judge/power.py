"""Can the planned seeds decide a claim? Asked before they are spent, from a pilot's spread.

A pilot is what is known of an effect's spread over seeds: runs of this tier that the store has, or the seeds recorded
in `baselines/measured/` for this tier, whichever are more; else the spread that the paper prints. A spread known from
n seeds is itself uncertain, so it enters at its 80 % upper limit (`stats.pilot_factor`; Browne 1995).
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import Any

from lnbench import stats
from lnbench.judge.drift import read_measured
from lnbench.judge.kinds import ALPHA, Kind, Pilot, kind_of
from lnbench.judge.members import Member
from lnbench.judge.results import StudyResult
from lnbench.spec import Number, Study
from lnbench.stats import Region


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
    """Return the power of every part of a study, claims in the file's order. `result`: the study as judged so far."""
    measured = read_measured(result.study.measured_path) if result.study.measured_path else {}
    seeds = result.study.spec.runs.seeds
    looks = (len(seeds.looks) if seeds.looks and result.study.tier != "smoke" else 1) * seeds.sets
    planned = len({job.seed for job in result.evidence.plan.jobs})
    found = []
    for claim in result.claims:
        for name, part in claim.parts.items():
            kind = kind_of(part.part)
            for member, number in zip(part.members, part.numbers, strict=True):
                before = [number for number, _ in measured.get((part.part.effect, member.label), {}).values()]
                pilot = _pilot(kind, member, before, number) if kind.sampled_by_seeds(part.part) else None
                prospect = kind.prospect(part.part, number, pilot, planned, looks)
                region, decisive = kind.region(part.part, number), name in claim.claim.verdict.of
                found.append(Power(claim.claim.id, name, decisive, member.label, region, planned, pilot, *prospect))
    return found


def _pilot(kind: Kind[Any], member: Member, before: list[float], number: Number | None) -> Pilot | None:
    """Return what is known of the member's spread, on the scale on which its numbers are averaged."""
    earlier = replace(member, values=tuple(before))
    known = [(member, "runs in the store"), (earlier, "seeds in baselines/measured")]
    there = [([v for v in kind.judged_values(one) if math.isfinite(v)], source) for one, source in known]
    values, source = max(there, key=lambda pair: len(pair[0]))
    if len(values) >= 3:
        scale = f", as {kind.scale}" if kind.scale else ""
        sd = max(statistics.stdev(values), member.step / 2)
        return Pilot(statistics.fmean(values), sd, len(values), f"{len(values)} {source}{scale}")
    if number is not None and number.spread is not None and number.spread_kind in ("sd", "unknown"):
        return Pilot(None, number.spread, number.n, "the paper's printed spread")
    return None


def weak_margins(study: Study, report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (claim, part, what is wrong) of margins that are too narrow for the planned seeds.

    Such a margin would be confirmed less than half the time even if the agreement were perfect, by the spread that a
    committed report of this tier (`result.json`) measured.
    """
    found = []
    seeds = study.spec.runs.seeds
    planned, looks = seeds.n, len(seeds.looks or (0,)) * seeds.sets
    for claim in report["claims"]:
        for part in claim["parts"]:
            if part.get("margin") is None:
                continue
            for member in part["members"]:
                half = member.get("margin", part["margin"])
                values = [value for value in member["values"] if value is not None]
                if not isinstance(half, float | int):  # a cell of a table that prints a word
                    continue
                if len(values) < 3 or any(member["collapsed"]):
                    continue
                sd = max(statistics.stdev(values), (member["step"] or 0.0) / 2)
                chance = stats.power_of(Region(-half, half), 0.0, sd, planned, alpha=ALPHA, looks=looks)
                if chance < 0.5:
                    what = (
                        f"margin {half:g}: {planned} seeds would confirm a perfect agreement only {chance:.0%} of the "
                        f"time (sd {sd:.4f}, measured in reports/{report['key']}); plan more seeds or state why"
                    )
                    found.append((claim["id"], part["name"], what))
    return found
