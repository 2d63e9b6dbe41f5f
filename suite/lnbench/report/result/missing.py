"""What a study still lacks: its runs that are not there, those of alternatives that a contradiction must survive, and
roughly what they would cost."""

from __future__ import annotations

from collections.abc import Iterator

from lnbench.judge import Evidence, StudyResult, alternatives, gather
from lnbench.plan import Run, plan_study, seconds_of
from lnbench.report.plain import Json, plain
from lnbench.spec import needed_points, point_key, variant
from lnbench.stats import Verdict


def left_to_json(evidence: Evidence) -> list[Json]:
    """Return one entry for each kind of run that is missing: which, how many, and the seconds of one on one core of a
    CPU, guessed from the recipe alone. A choice not made yet is priced by its first candidate."""
    every = {point_key(cell.point) for cell in evidence.study.cells}
    return [
        {"what": what, "point": plain(point), "runs": len(runs), "seconds_each": round(seconds_of(runs[0], "cpu"), 1)}
        for what, point, runs in _lacking(evidence, every)
    ]


def untried_to_json(result: StudyResult) -> list[Json]:
    """Return one entry for each alternative that a claim, contradicted as run, was not yet tested under: which claims,
    how many runs are missing, and seconds of all of them as above."""
    found = []
    for key in alternatives(result.study):
        claims = [
            claim
            for claim in result.claims
            if claim.tried.get(key) == Verdict.NOT_RUN and claim.alone == Verdict.CONTRADICTED
        ]
        if not claims:
            continue
        all_seeds = len({job.seed for job in result.evidence.plan.jobs})
        seeds = max(claim.look.seeds if claim.look else all_seeds for claim in claims)
        records = dict(result.evidence.records)
        if key in result.tries:
            records |= result.tries[key].records
        there = gather(plan_study(variant(result.study, key), seeds), records.get)
        wanted = needed_points(result.study, {claim.claim.id for claim in claims})
        runs = [run for _, _, runs in _lacking(there, wanted) for run in runs]
        seconds = round(sum(seconds_of(run, "cpu") for run in runs), 1)
        ids = [claim.claim.id for claim in claims]
        found.append({"choice": key, "claims": ids, "runs": len(runs), "seconds": seconds})
    return found


def _lacking(evidence: Evidence, wanted: set[str]) -> Iterator[tuple[str, Json, list[Run]]]:
    """Yield (what, point, runs) of each kind of run that is missing at the points asked for, inputs first; a run that
    several points share is given with the first."""
    seen: set[str] = set()
    for what, point, runs in _of_each_kind(evidence, wanted):
        new = {run.id: run for run in runs if run.id not in seen}
        seen |= new.keys()
        if new:
            yield what, point, list(new.values())


def _of_each_kind(evidence: Evidence, wanted: set[str]) -> Iterator[tuple[str, Json, list[Run]]]:
    plan = evidence.plan
    jobs = [job for job in plan.jobs if point_key(job.point) in wanted]
    choices = {job.choice.id for job in jobs if job.choice}
    for name in dict.fromkeys(derived.name for derived in evidence.inputs):
        behind = [run for derived in evidence.inputs if derived.name == name for run in derived.runs]
        yield f"input {name}", {}, _absent(evidence, behind)
    for choice in plan.choices:
        candidates = [run for _, runs in choice.candidates for run in runs]
        if choice.id in choices:
            yield f"choice of {choice.key}", choice.point, _absent(evidence, candidates)
    for cell in evidence.study.cells:
        key = point_key(cell.point)
        left = [job for job in jobs if point_key(job.point) == key and (key, job.seed) not in evidence.by_job]
        yield "", cell.point, [job.run(job.choice.candidates[0][0] if job.choice else None) for job in left]


def _absent(evidence: Evidence, runs: tuple[Run, ...] | list[Run]) -> list[Run]:
    return [run for run in runs if run.id not in evidence.records]
