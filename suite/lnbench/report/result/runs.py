"""What was run for a result: every cell of the grid, the cost, the data and the machines, from the records
alone."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from lnbench import catalog
from lnbench.data.sources import source_of
from lnbench.identity import canonical_json
from lnbench.judge import Evidence
from lnbench.plan import Run
from lnbench.report.page.experiments import experiment_examples
from lnbench.report.plain import Json, in_order, plain, without_paths
from lnbench.report.result.experiments import experiment_cell
from lnbench.spec import Cell, Effect, ExperimentRecipe, Recipe
from lnbench.store import Record

STEP_POINTS = 60  # of a curve over steps, at most: a run may have thousands of looks


def cells_to_json(evidence: Evidence) -> list[Json]:
    """Return each cell of the grid: its recipe's scale, and for every seed that is there what it came to.

    `metrics` holds, for each metric that an effect reads (and the test accuracy), one value per seed by the
    recipe's selection rule; a diverged run has its stand-in there and is marked in `collapsed` and `status`.
    """
    named = [effect.metric for effect in evidence.study.spec.effects.values() if not _elsewhere(effect)]
    metrics = list(dict.fromkeys(["test_accuracy", *named]))
    by_point: dict[str, dict[int, tuple[Run, Record]]] = {}
    for (point, seed), found in evidence.by_job.items():
        by_point.setdefault(point, {})[seed] = found
    return [
        _cell(cell, by_point.get(canonical_json(dict(cell.point)), {}), metrics, evidence)
        for cell in evidence.study.cells
    ]


def _elsewhere(effect: Effect) -> bool:
    """Return whether a metric is shown elsewhere: an experiment's, or one that is read from arrays."""
    about = catalog.find("metric", effect.metric).value
    return bool(about.experiments or about.reading)


def _cell(cell: Cell, runs: dict[int, tuple[Run, Record]], metrics: list[str], evidence: Evidence) -> Json:
    if isinstance(cell.recipe, ExperimentRecipe):
        return experiment_cell(cell, cell.recipe.experiment, runs, evidence)
    seeds = sorted(runs)
    outcomes = [runs[seed][1]["outcome"] for seed in seeds]
    about = {name: catalog.find("metric", name).value for name in metrics}
    own = [name for name in metrics if about[name].probe in ("", *cell.recipe.probe_names)]
    own = [name for name in own if not about[name].key or getattr(cell.recipe, about[name].key) is not None]
    measured = {metric: evidence.members(Effect(metric=metric, at=dict(cell.point)))[0] for metric in own}
    choose = evidence.study.spec.runs.choose
    chosen = [_at(runs[seed][0].recipe, choose.key) for seed in seeds[:1]] if choose else []
    return {
        "point": plain(cell.point),
        "dataset": cell.recipe.dataset.name,
        "model": cell.recipe.model,
        "epochs": cell.recipe.epochs,
        "precision": cell.recipe.precision,
        "selection": cell.recipe.selection,
        "chosen": {choose.key: chosen[0]} if choose and chosen else {},
        "planned": measured["test_accuracy"].planned,
        "done": len(seeds),
        "seeds": seeds,
        "metrics": {metric: plain(member.values) for metric, member in measured.items()},
        "collapsed": list(measured["test_accuracy"].collapsed),
        "status": [outcome["status"] for outcome in outcomes],
        "classes": outcomes[0]["classes"] if outcomes else None,
        "examples": in_order(outcomes[0]["examples"]) if outcomes else None,
        "parameters": outcomes[0].get("parameters") if outcomes else None,
        "noise": _noise(outcomes),
        "seconds": [plain(_seconds(runs[seed][1])) for seed in seeds],
        "curves": {
            "test_accuracy": [
                plain(outcome["curves"].get("test_accuracy", [])) if seed in measured["test_accuracy"].seeds else []
                for seed, outcome in zip(seeds, outcomes, strict=True)
            ]
        },
        **({"step_curves": steps} if (steps := step_curves(outcomes, metrics)) else {}),
    }


def step_curves(outcomes: list[dict[str, Any]], metrics: list[str]) -> Json:
    """Return the curves over steps of a cell's runs that a metric is read off, by name: of each seed {at, values}, at
    most STEP_POINTS points, each the mean over as many looks (None where there is nothing to average)."""
    found: Json = {}
    for outcome in outcomes:
        for name, curve in outcome.get("probe_curves", {}).items():
            if curve["axis"] == "steps" and any(metric.startswith(f"{name}_") for metric in metrics):
                found.setdefault(name, []).append(_thinned(curve["at"], curve["values"]))
    return found


def _thinned(at: list[int], values: list[float | None]) -> Json:
    """Return a curve with at most STEP_POINTS points: means over blocks of looks, at the middle of each block."""
    size = -(-len(at) // STEP_POINTS)
    blocks = [slice(start, start + size) for start in range(0, len(at), max(1, size))]
    there = [[value for value in values[block] if value is not None] for block in blocks]
    means = [statistics.fmean(block) if block else None for block in there]
    return {"at": [statistics.fmean(at[block]) for block in blocks], "values": plain(means)}


def _noise(outcomes: list[dict[str, Any]]) -> Json:
    """Return the nominal share of wrong labels, and of each seed's draw the realised share (among the examples that are
    trained on, where an input keeps some of them) and the label vector's checksum."""
    facts = [outcome.get("noise") or {} for outcome in outcomes]
    return {
        "nominal_wrong": plain(facts[0].get("nominal_wrong")) if facts else None,
        "realised_wrong": [plain(fact.get("kept_wrong", fact.get("realised_wrong"))) for fact in facts],
        "labels_sha256": [fact.get("labels_sha256") for fact in facts],
    }


def runs_to_json(evidence: Evidence) -> Json:
    """Return how many runs were planned and what became of them, and what they cost, the choosing runs included."""
    records = trainings(evidence)
    verdict_runs = [record for _, record in evidence.by_job.values()]
    own = {run.id for run, _ in evidence.by_job.values()} | {run.id for run in evidence.plan.provisional_runs()}
    choosing = evidence.plan.choosing_runs
    behind = [run for run in evidence.input_runs if run.id not in own]  # an input may be made of a run of the grid
    flags = [record["outcome"]["status"] == "diverged" for record in verdict_runs if _experiment(record)] + [
        flag
        for cell in evidence.study.cells
        if isinstance(cell.recipe, Recipe)
        for flag in evidence.members(Effect(metric="test_accuracy", at=dict(cell.point)))[0].collapsed
    ]
    diverged = sum(record["outcome"]["status"] == "diverged" for record in verdict_runs)
    possible = _possible_ids(evidence)
    finished = sorted(record["provenance"]["finished"] for record in records if "finished" in record["provenance"])
    return {
        "planned": len(evidence.plan.jobs) + len(choosing) + len(behind),
        "planned_choosing": len(choosing),
        "done": len(evidence.by_job) + sum(run.id in evidence.records for run in [*choosing, *behind]),
        "done_choosing": sum(run.id in evidence.records for run in choosing),
        "missing": evidence.missing,
        "failed": [
            {"id": run_id, "message": without_paths(message)}
            for run_id, message in sorted(evidence.failures.items())
            if run_id in possible
        ],
        "diverged": diverged,
        "diverged_choosing": sum(_diverged(evidence.records.get(run.id)) for run in choosing),
        "collapsed": sum(flags) - diverged,  # at chance with a finite loss
        "seconds": plain(round(sum(_seconds(record) for record in records), 3)),
        "examples": sum(_examples_seen(record) for record in records),
        "resumed": sum(bool(record["provenance"].get("resumed")) for record in records),
        "first_finished": finished[0] if finished else None,
        "last_finished": finished[-1] if finished else None,
    }


def _diverged(record: Record | None) -> bool:
    return record is not None and record["outcome"]["status"] == "diverged"


def _possible_ids(evidence: Evidence) -> set[str]:
    """Return the ids of all runs that the plan could ask for, whatever is chosen."""
    if not evidence.failures:
        return set()
    plan = evidence.plan
    ids = {run.id for run in [*plan.choosing_runs, *evidence.input_runs]} | {one.id for one in evidence.inputs}
    for job in plan.jobs:
        candidates = [value for value, _ in job.choice.candidates] if job.choice else [None]
        ids |= {job.run(value).id for value in candidates}
    return ids


def data_to_json(evidence: Evidence) -> list[Json]:
    """Return every data set behind the result, known by the checksum of its decoded arrays."""
    found: dict[str, Json] = {}
    for record in trainings(evidence):
        outcome, recipe = record["outcome"], record["content"]["recipe"]
        if "data_sha256" not in outcome:
            continue
        about = {"name": recipe["dataset"]} if _experiment(record) else recipe["dataset"]
        name, source = about["name"], source_of(about)
        entry = {
            "name": name,
            "sha256": outcome["data_sha256"],
            "classes": outcome.get("classes", source.classes),
            "test": outcome["examples"]["test"] if "examples" in outcome else source.test,
        }
        found.setdefault(canonical_json(entry), {**entry, "runs": 0})["runs"] += 1
    return [found[key] for key in sorted(found)]


def environments_to_json(evidence: Evidence) -> list[Json]:
    """Return every machine and set of versions that runs came from, with how many and their time."""
    found: dict[str, Json] = {}
    for record in trainings(evidence):
        provenance = record["provenance"]
        entry = {
            "environment": in_order(plain(provenance.get("environment", {}))),
            "device": provenance.get("device"),
            "backend": provenance.get("backend"),
            "threads": provenance.get("threads"),
            **({"plugins": in_order(plain(provenance["plugins"]))} if "plugins" in provenance else {}),
        }
        here = found.setdefault(canonical_json(entry), {**entry, "runs": 0, "seconds": 0.0})
        here["runs"] += 1
        here["seconds"] = round(here["seconds"] + _seconds(record), 3)
    return [found[key] for key in sorted(found)]


def trainings(evidence: Evidence) -> list[Record]:
    """Return the records of all trainings behind the result, each once, in order of id."""
    return [record for _, record in sorted(evidence.records.items()) if record["kind"] == "training"]


def _seconds(record: Record) -> float:
    return float(record["provenance"].get("seconds") or 0.0)


def _experiment(record: Record) -> bool:
    return "experiment" in record["content"]["recipe"]


def _examples_seen(record: Record) -> int:
    outcome = record["outcome"]
    if _experiment(record):
        return experiment_examples(record)
    epochs = max((len(curve) for curve in outcome["curves"].values()), default=0)
    return int(outcome["examples"]["train"]) * epochs


def _at(tree: dict[str, Any], dotted: str) -> Any:
    for key in dotted.split("."):
        tree = tree[key]
    return tree


def all_records(evidences: Iterable[Evidence]) -> list[Record]:
    """Return every record that any of these used, each once, in order of id."""
    found = {run_id: record for evidence in evidences for run_id, record in evidence.records.items()}
    return [record for _, record in sorted(found.items())]
