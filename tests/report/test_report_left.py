"""What a report says of runs that are not there: which, how many, and roughly what they would cost."""

from __future__ import annotations

from pathlib import Path

from lnbench.cost import seconds_of
from lnbench.judge import judge
from lnbench.report import markdown, result_to_json
from loss_curves import world_in


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
    assert "## What is missing" in page and "3 runs are not there" in page
    assert "| mlp2 | 2 | " in page


def test_where_nothing_is_missing_nothing_is_said(tmp_path: Path) -> None:
    data = result_to_json(judge(world_in(tmp_path).evidence()))
    assert "left" not in data and "What is missing" not in markdown(data)


def test_a_choice_that_is_not_made_is_missing_too() -> None:
    from lnbench.report.folder import read_result

    data = read_result(Path(__file__).parents[2] / "reports" / "rolnick_mnist-full")
    waiting = [entry for entry in data["left"] if entry["what"] == "choice of optimizer.lr"]
    assert any(entry["point"]["model"] == "convnet4" and entry["runs"] == 4 for entry in waiting)
    assert "choice of optimizer.lr, convnet4, noise.alpha 100" in markdown(data)
