"""What a report says of runs that are not there: which, how many, and roughly what they would cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.judge import gather, judge
from lnbench.plan import plan_runs, plan_study, seconds_of
from lnbench.report import markdown, result_to_json
from lnbench.report.result.missing import left_to_json
from lnbench.spec import load_study
from tests.toys.loss_curve_world import world_in
from tests.toys.report_world import World

BAD = {"perceptron": (0.80, 0.75), "mlp1": (0.90, 0.6), "convnet4": (0.97, 0.85)}
ONLY_N1_BAD = {"perceptron": (0.90, 0.3), "mlp1": (0.90, 0.6), "convnet4": (0.90, 0.85)}


def test_runs_that_are_missing_are_listed_with_their_cost(tmp_path: Path) -> None:
    world = world_in(tmp_path)
    for model, seed in (("mlp2", 0), ("mlp2", 3), ("mlp4", 1)):
        next((tmp_path / "store").rglob(f"{world.runs[model, seed].id}.json")).unlink()
    data = result_to_json(judge(world.evidence()))
    each = {model: round(seconds_of(world.runs[model, 0], "cpu"), 1) for model in ("mlp2", "mlp4")}
    assert data["left"] == [
        {"what": "", "point": {"model": "mlp2"}, "runs": 2, "seconds_each": each["mlp2"]},
        {"what": "", "point": {"model": "mlp4"}, "runs": 1, "seconds_each": each["mlp4"]},
    ]
    page = markdown(data)
    assert "## What is missing" in page and "3 runs are missing. Estimated time: " in page
    assert "| mlp2 | 2 | " in page


def test_where_nothing_is_missing_nothing_is_said(tmp_path: Path) -> None:
    data = result_to_json(judge(world_in(tmp_path).evidence()))
    assert "left" not in data and "What is missing" not in markdown(data)


@pytest.mark.parametrize("name", ["rolnick_structured", "rolnick_mnist", "rolnick_counts", "rolnick_repeated_images"])
def test_of_a_study_of_which_nothing_ran_every_run_of_its_plan_is_missing_once(name: str) -> None:
    plan = plan_study(load_study(Path(__file__).parents[2] / "claims" / f"{name}.yaml").tiers["cpu"])
    left = left_to_json(gather(plan, {}.get))
    assert sum(entry["runs"] for entry in left) == len(plan_runs(plan))


def test_alternatives_that_a_contradiction_was_not_held_against_are_listed_with_their_cost(full: World) -> None:
    full.run_all(BAD)
    data = full.json()
    assert [claim["verdict"] for claim in data["claims"]] == ["outside-as-run"] * 3 and "left" not in data
    plan = full.alternative()
    runs = [*plan.choosing_runs, *(job.run(0.1) for job in plan.jobs)]  # six cells of five seeds, two rates each to try
    seconds = pytest.approx(sum(seconds_of(run, "cpu") for run in runs), abs=0.1)
    claims = ["N1", "N.2", "n-2"]
    assert data["untried"] == [{"choice": "epochs", "claims": claims, "runs": 42, "seconds": seconds}]
    page = markdown(data)
    assert "N1, N.2 and n-2: outside the claimed range as run." in page
    assert "1 alternative has not been run. Estimated time: " in page and "roughly" not in page
    assert "| `epochs` | N1, N.2, n-2 | 42 | " in page


def test_of_an_alternative_only_what_its_claims_read_and_is_not_there_is_missing(full: World) -> None:
    full.run_all(ONLY_N1_BAD)
    before = full.json()["untried"]
    assert [(entry["claims"], entry["runs"]) for entry in before] == [(["N1"], 7)]  # five seeds and two rates
    full.run_all(ONLY_N1_BAD, full.alternative())
    assert "untried" not in result_to_json(full.result(full.tries()))
    read = [job for job in full.alternative().jobs if job.point == {"model": "mlp1", "noise.alpha": 10}]
    del full.records[next(run.id for rate in (0.1, 0.5) if (run := read[-1].run(rate)).id in full.records)]
    after = result_to_json(full.result(full.tries()))["untried"]
    assert [(entry["claims"], entry["runs"]) for entry in after] == [(["N1"], 1)]


def test_a_choice_that_is_not_made_is_missing_too() -> None:
    from lnbench.report.folder import read_result

    data = read_result(Path(__file__).parents[2] / "reports" / "rolnick_mnist-full")
    waiting = [entry for entry in data["left"] if entry["what"] == "choice of optimizer.lr"]
    assert any(entry["point"]["model"] == "convnet4" and entry["runs"] == 4 for entry in waiting)
    assert "choice of optimizer.lr, convnet4, noise.alpha 100" in markdown(data)
