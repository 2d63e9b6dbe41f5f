"""What was run of an experiment, for result.json and for the page's table of runs."""

from __future__ import annotations

import statistics
from typing import Any

from lnbench.judge import Evidence
from lnbench.plan import Run
from lnbench.report.plain import Json, plain
from lnbench.spec import Cell, Effect, Study, point_key, points_of
from lnbench.store import Record

DRAWN = {  # the curves that figures show, of each experiment
    "linear_network": ("mean_norm", "alignment", "test_loss"),
    "ntk": ("train_loss", "test_loss", "linear_train_loss", "linear_test_loss", "norm_change"),
}


DIGITS = 6  # of what is drawn


def experiment_cell(cell: Cell, experiment: str, runs: dict[int, tuple[Run, Record]], evidence: Evidence) -> Json:
    """Return a cell of the grid: its scale, for every seed that is there the numbers that effects read, and what is
    drawn.

    `curves`: over the seeds that did not diverge, at each of `steps`, the mean and the range; `neurons`: those of the
    first such seed. The keys that cells of trainings have too mean the same.
    """
    seeds = sorted(runs)
    outcomes = [runs[seed][1]["outcome"] for seed in seeds]
    metrics = metrics_at(evidence.study).get(point_key(cell.point), [])
    members = {metric: evidence.members(Effect(metric=metric, at=dict(cell.point)))[0] for metric in metrics}
    whole = [outcome for outcome in outcomes if outcome["status"] == "ok"]
    return {
        "point": plain(cell.point),
        "experiment": experiment,
        "recipe": plain(cell.recipe.identity()),
        "epochs": 1,
        "chosen": {},
        "planned": len({job.seed for job in evidence.plan.jobs}),
        "done": len(seeds),
        "seeds": seeds,
        "metrics": {metric: plain(member.values) for metric, member in members.items()},
        "status": [outcome["status"] for outcome in outcomes],
        "collapsed": [outcome["status"] != "ok" for outcome in outcomes],
        "diverged_at": [outcome["diverged_at"] for outcome in outcomes],
        "seconds": [plain(runs[seed][1]["provenance"].get("seconds")) for seed in seeds],
        **_took([runs[seed][1] for seed in seeds]),
        "steps": whole[0]["steps"] if whole else [],
        "curves": {name: _band([_curve(outcome, name) for outcome in whole]) for name in DRAWN.get(experiment, ())},
        "change_points": [
            outcome["metrics"].get("change_point_step")
            for outcome in whole
            if "change_point_step" in outcome["metrics"]
        ],
        "neurons": whole[0].get("neurons") if whole else None,
    }


def _took(records: list[Record]) -> Json:
    """Return kind of work -> seconds, of each run that says so; nothing where none does."""
    known = [record["provenance"]["took"] for record in records if "took" in record["provenance"]]
    kinds = sorted({kind for took in known for kind in took})
    found = {kind: [plain(took[kind]) for took in known if kind in took] for kind in kinds}
    return {"took": found} if found else {}


def metrics_at(study: Study) -> dict[str, list[str]]:
    """Return point -> the metrics that some effect reads there, in the file's order."""
    found: dict[str, list[str]] = {}
    for effect in study.spec.effects.values():
        for point in points_of(study, effect):
            key = point_key(study.at(point).point)
            for metric in (effect.metric, effect.with_, effect.second):
                if metric is not None and metric not in found.setdefault(key, []):
                    found[key].append(metric)
    return found


def _curve(outcome: dict[str, Any], name: str) -> list[float]:
    """Return a curve of a run; `norm_change` is the mean norm minus its first value, by which seeds differ more."""
    curves: dict[str, list[float]] = outcome["curves"]
    if name != "norm_change":
        return curves[name]
    return [value - curves["norm_mean"][0] for value in curves["norm_mean"]]


def _band(curves: list[list[float]]) -> dict[str, list[float]]:
    """Return mean, lowest and highest at each step."""
    columns = list(zip(*curves, strict=True))
    return {
        "mean": [_short(statistics.fmean(column)) for column in columns],
        "low": [_short(min(column)) for column in columns],
        "high": [_short(max(column)) for column in columns],
    }


def _short(x: float) -> float:
    return float(f"{x:.{DIGITS}g}")
