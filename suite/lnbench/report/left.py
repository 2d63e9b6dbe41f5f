"""What a study still lacks: the runs that are not there, and roughly what they would cost."""

from __future__ import annotations

from lnbench.cost import seconds_of
from lnbench.evidence import Evidence
from lnbench.plan import Run
from lnbench.report.names import place
from lnbench.report.plain import Json, plain
from lnbench.report.words import duration, escaped, table
from lnbench.selection import point_key


def left_to_json(evidence: Evidence) -> list[Json]:
    """One entry for each kind of run that is missing: which, how many, and seconds of one on one core of a CPU, a guess
    made of the recipe alone. Of a choice not made yet, its first candidate stands for what will be chosen."""
    plan, found = evidence.plan, []
    for derived in plan.inputs:
        found.append(_entry(f"input {derived.name}", {}, _absent(evidence, derived.runs)))
    for choice in plan.choices:
        runs = [run for _, candidates in choice.candidates for run in candidates]
        found.append(_entry(f"choice of {choice.key}", choice.point, _absent(evidence, runs)))
    for cell in evidence.study.cells:
        key = point_key(cell.point)
        jobs = [job for job in plan.jobs if point_key(job.point) == key and (key, job.seed) not in evidence.by_job]
        runs = [job.run(job.choice.candidates[0][0] if job.choice else None) for job in jobs]
        found.append(_entry("", cell.point, runs))
    return [entry for entry in found if entry["runs"]]


def _absent(evidence: Evidence, runs: tuple[Run, ...] | list[Run]) -> list[Run]:
    return [run for run in runs if run.id not in evidence.records]


def _entry(what: str, point: Json, runs: list[Run]) -> Json:
    each = round(seconds_of(runs[0], "cpu"), 1) if runs else 0.0
    return {"what": what, "point": plain(point), "runs": len(runs), "seconds_each": each}


def left_section(data: Json) -> list[str]:
    """The lines about it; none where all runs are there."""
    left = data.get("left")
    if not left:
        return []
    rows = [
        [
            escaped(", ".join(filter(None, (entry["what"], place(entry["point"]) if entry["point"] else "")))
                    or "all runs"),
            f"{entry['runs']:,}",
            duration(entry["seconds_each"]),
            duration(entry["runs"] * entry["seconds_each"]),
        ]
        for entry in left
    ]  # fmt: skip
    total = sum(entry["runs"] * entry["seconds_each"] for entry in left)
    intro = (
        f"{sum(entry['runs'] for entry in left):,} runs are not there; together they would take very roughly "
        f"{duration(total)} on one core of a small server (several cores share them; `docs/performance.md`)."
    )
    header = ["runs", "missing", "one run", "together"]
    return ["## What is missing", "", intro, "", *table(header, rows, right=(1, 2, 3)), ""]
