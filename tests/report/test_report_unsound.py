"""A report on records that cannot be right says so, and is written all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lnbench.report import write_report
from tests.toys.report_world import World

pytestmark = pytest.mark.usefixtures("no_drawing")


@pytest.mark.parametrize("value", [92.3, None, -4.0])
def test_a_number_out_of_bounds_is_an_error_on_the_page(full: World, tmp_path: Path, value: Any) -> None:
    run = full.runs("mlp1", 10)[1]
    full.records[run.id]["outcome"]["curves"]["test_accuracy"] = [0.5, value]
    write_report(full.result(), tmp_path)
    page = (tmp_path / "report.md").read_text(encoding="utf-8").replace("\\", "")
    assert f"run {run.id}: test_accuracy after epoch 2 is" in page
    assert "a run failed" not in page


def test_runs_on_other_data_are_an_error_on_the_page(full: World, tmp_path: Path) -> None:
    run = full.runs("mlp1", 10)[1]
    full.records[run.id]["outcome"]["data_sha256"] = "cd" * 32
    result = full.result()
    assert {claim.verdict for claim in result.claims} == {"error"}
    write_report(result, tmp_path)
    assert f"cdcdcdcdcdcd… in 1 run ({run.id})" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("value", [None, 7.0])
def test_a_choice_that_rests_on_such_a_run_is_not_made(full: World, tmp_path: Path, value: Any) -> None:
    run = full.plan.choosing_runs[0]
    full.records[run.id]["outcome"]["curves"]["validation_accuracy"] = [0.5, value]
    result = full.result()
    assert len(result.choices) == len(full.plan.choices) - 1
    assert any(f"run {run.id}: validation_accuracy after epoch 2 is" in claim.why for claim in result.claims)
    assert "error" in {claim.verdict for claim in result.claims}
    write_report(result, tmp_path)
