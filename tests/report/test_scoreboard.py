"""The scoreboard: every claim once, its verdict at every tier, with a link that leads to its section."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from lnbench.report import read_results, replace_between_markers, scoreboard, write_report
from tests.toys.report_world import World


def test_each_claim_has_a_row_and_each_tier_a_column(full: World, smoke: World) -> None:
    table = scoreboard([smoke.json(), full.json()])
    assert "[full](reports/nothing-full/report.md)" in table
    assert "✅ 3" in table
    assert "| claim | what it says | full | smoke |" in table
    assert table.count("[✅ reproduced](reports/nothing-full/report.md#claim-n1)") == 1
    assert "(reports/nothing-smoke/report.md#claim-n1)" in table
    assert "The MLP stays above 70 % \\| with noise." in table
    assert table == scoreboard([full.json(), smoke.json()])


def test_claims_of_two_papers_on_one_question_stand_side_by_side(full: World) -> None:
    data = full.json()
    other = copy.deepcopy(data)
    other["paper"] |= {"id": "someone2021", "citation": "Someone 2021, Else"}
    other |= {"study": "else", "key": "else-full"}
    assert "how-robust" not in scoreboard([data])
    table = scoreboard([data, other])
    assert table.count("| `how-robust` |") == 2


def test_reports_are_found_in_their_folder(full: World, tmp_path: Path) -> None:
    assert scoreboard(read_results(tmp_path)) == "No report is stored yet."
    write_report(full.result(), tmp_path / "nothing-full")
    (found,) = read_results(tmp_path)
    assert found["key"] == "nothing-full"


def test_only_what_is_between_the_markers_changes() -> None:
    text = "a\n<!-- scoreboard:begin -->\nold\n<!-- scoreboard:end -->\nb\n"
    new = replace_between_markers(text, "scoreboard", "new")
    assert new == "a\n<!-- scoreboard:begin -->\nnew\n<!-- scoreboard:end -->\nb\n"
    assert replace_between_markers(new, "scoreboard", "new") == new


@pytest.mark.parametrize(
    "text",
    ["no markers", "<!-- s:end --><!-- s:begin -->", "<!-- s:begin --><!-- s:begin --><!-- s:end -->"],
)
def test_missing_or_doubled_markers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected one <!-- s:begin -->"):
        replace_between_markers(text, "s", "new")
