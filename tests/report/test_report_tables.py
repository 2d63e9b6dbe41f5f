"""A table on the page, in the figures and in result.json: a letter for each cell, and short."""

from __future__ import annotations

import dataclasses
import re
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lnbench.cli.commands.tables import measured, print_verdicts
from lnbench.judge import StudyResult, judge
from lnbench.report import markdown, report_differs, result_to_json, write_report
from lnbench.report.figures.all import draw_all
from lnbench.report.matrix import LETTERS, legend
from lnbench.report.names import figures_of
from lnbench.report.result.result import part_to_json
from tests.toys.table_world import SIDES, TABLE, as_printed, evidence_of, jitter, table_study

METHODS = ("standard", "random_weights", "reed_hard", "mentornet_pd", "co_teaching", "d2l", "incv", "aul", "oracle")
ARMS = tuple(f"{data}_{noise}" for data in ("c10", "c100") for noise in ("u20", "u40", "u60", "u80", "p40"))
PARTS = f"      claim: {{{TABLE}, cells: *cells}}\n      sides: {{{SIDES}, cells: *cells}}\n"
OFF = {("aul", "c10_u20")}  # ten points above the print
NEAR = {("aul", "c10_u40")}  # at the margin's edge
LATE = {("incv", "c10_u60"), ("incv", "c10_u80")}  # not run


def prints(method: str, arm: str) -> tuple[str, str]:
    if method == "d2l" and arm.endswith("u80"):
        return "Diverged", "none"
    if method == "mentornet_pd" and arm.endswith(("u60", "p40")):
        return "—", "none"
    return f"{10 + 5 * METHODS.index(method) + ARMS.index(arm) / 2:.1f}", "0.5"


def result_of(folder: Path, *, late: bool = True) -> StudyResult:
    study = table_study(folder, methods=METHODS, arms=ARMS, prints=prints, parts=PARTS)
    usual = as_printed(study)

    def error(method: str, arm: str, seed: int) -> float | None:
        there = usual(method, arm, seed)
        if there is None:
            return None
        return there + 0.1 * ((method, arm) in OFF) + (0.02 + jitter(method, arm, seed, 0.02)) * ((method, arm) in NEAR)

    lacks = (lambda point, seed: (point["method"], point["arm"]) in LATE) if late else None
    return judge(evidence_of(study, error, lacks))


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    """Nine methods by ten columns, two cells of which are not run."""
    return result_of(tmp_path_factory.mktemp("big"))


@pytest.fixture(scope="module")
def data(big: StudyResult) -> dict[str, Any]:
    return result_to_json(big)


def cells_of(data: dict[str, Any], part: int = 0) -> dict[tuple[str, str], dict[str, Any]]:
    matrix = data["claims"][0]["parts"][part]["matrix"]
    return {(cell["row"], cell["column"]): cell for cell in matrix["cells"]}


def test_every_cell_has_the_letter_of_its_own_verdict(data: dict[str, Any]) -> None:
    cells = cells_of(data)
    assert len(cells) == 90
    said = {place: cell["says"] for place, cell in cells.items()}
    assert {place for place, word in said.items() if word == "disagrees"} == OFF
    assert {place for place, word in said.items() if word == "open"} == NEAR
    assert {place for place, word in said.items() if word == "not-run"} == LATE
    assert {place for place, word in said.items() if word == "nothing"} == {
        ("mentornet_pd", arm) for arm in ARMS if arm.endswith(("u60", "p40"))
    }
    assert said["d2l", "c10_u80"] == "agrees" and cells["d2l", "c10_u80"]["collapsed"] == 5
    members = data["claims"][0]["parts"][0]["members"]
    checks = {member["reference"]["id"]: member["check"] for member in members}
    for cell in cells.values():
        if cell["says"] == "agrees":
            assert checks[cell["reference"]]["p_reproduced"] <= 0.05


def test_the_numbers_of_a_cell_are_those_of_its_check(data: dict[str, Any]) -> None:
    cell = cells_of(data)["aul", "c10_u20"]
    member = next(
        one for one in data["claims"][0]["parts"][0]["members"] if one["at"] == {"method": "aul", "arm": "c10_u20"}
    )
    mean = sum(member["values"]) / 5
    assert cell["ours"] == pytest.approx(mean) and cell["effect"] == pytest.approx(mean) and cell["n"] == 5
    assert cell["interval"]["low"] < mean < cell["interval"]["high"]
    assert cell["margin"] == pytest.approx(0.02)


def test_sides_show_the_difference_and_the_cells_compared_with_hold_nothing(data: dict[str, Any]) -> None:
    cells = cells_of(data, 1)
    assert {cells["standard", arm]["says"] for arm in ARMS} == {"nothing"}
    assert cells["standard", "c10_u20"]["effect"] is None and cells["standard", "c10_u20"]["ours"] is not None
    assert cells["oracle", "c10_u20"]["effect"] == pytest.approx(0.4, abs=0.005)
    assert cells["oracle", "c10_u20"]["side"] == "above"


def test_the_page_of_ninety_cells_is_short_outside_what_opens_on_a_click(data: dict[str, Any]) -> None:
    page = markdown(data)
    claim = page.split("## Claims, one by one")[1].split("## Deviations")[0]
    visible = re.sub(r"<details>.*?</details>", "", claim, flags=re.S)
    lines = [line for line in visible.splitlines() if line.strip()]
    assert len(lines) < 60, f"{len(lines)} lines for two tables"
    assert visible.count("\n- ") < 12, "a bullet for each cell"
    assert "| aul | 45.0 / 55.0 D |" in page or re.search(r"\| aul \| 45\.0 / 5\d\.\d D \|", page)
    assert "— / – –" in page and "Diverged / 5/5 collapsed A" in page
    assert "Margin: the larger of 2 points and 2 printed spreads; here 2 points." in page
    assert "2 of 90 cells lack runs: 10 runs" in page
    assert len(page.split("## What is missing")[1].split("\n## ")[0].splitlines()) < 12


def test_many_missing_cells_are_added_up_row_by_row(tmp_path: Path) -> None:
    study = table_study(tmp_path, methods=METHODS, arms=ARMS, prints=prints, parts=PARTS)
    result = judge(evidence_of(study, as_printed(study), lambda point, seed: point["method"] != "standard"))
    page = markdown(result_to_json(result))
    missing = page.split("## What is missing")[1].split("\n## ")[0]
    assert "| 10 cells, method incv | 50 |" in missing and len(missing.splitlines()) < 20
    assert "380 runs are missing" in missing


def test_the_command_line_has_one_line_for_a_table(big: StudyResult, capsys: pytest.CaptureFixture[str]) -> None:
    (claim,) = big.claims
    part = claim.parts["claim"]
    assert measured(part, part_to_json(part, claim, big)) == "84 of 86 cells have all their runs"
    print_verdicts(big)
    assert len(capsys.readouterr().out.splitlines()) < 16


def test_a_table_that_is_all_run_says_how_many_agree(tmp_path: Path) -> None:
    (claim,) = (result := result_of(tmp_path, late=False)).claims
    told = part_to_json(claim.parts["claim"], claim, result)
    assert measured(claim.parts["claim"], told, smoke=True) == (
        "84 of 86 cells agree with their number to within the larger of 2 points and 2 printed spreads, 1 do not, "
        "1 are open or lack runs; required: at least 86"
    )


def test_the_forest_plot_leaves_the_cells_to_the_matrix(data: dict[str, Any]) -> None:
    figures = figures_of(data)
    assert figures.claims == {} and figures.forest is None
    assert list(figures.matrices.values()) == ["claim-tb-01-table-0.png", "claim-tb-01-table-1.png"]


def test_the_figure_is_drawn_alike_and_fits_the_page(data: dict[str, Any]) -> None:
    first, second = (draw_all(data)["claim-tb-01-table-0.png"] for _ in range(2))
    assert first == second
    width, height = struct.unpack(">II", first[16:24])
    assert (width, height < 1000) == (1350, True)


def test_letters_are_told_apart_without_colour_and_colours_by_how_light_they_are() -> None:
    assert len({one.letter for one in LETTERS.values()}) == len(LETTERS)

    def lightness(colour: str) -> float:
        red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2

    judged = sorted(lightness(LETTERS[says].colour) for says in ("agrees", "disagrees", "open"))
    assert min(b - a for a, b in pairwise(judged)) > 0.1


def test_a_legend_names_what_is_in_the_picture(data: dict[str, Any]) -> None:
    matrix = data["claims"][0]["parts"][0]["matrix"]
    assert [label for _, label in legend(matrix)] == [
        "A agrees", "D does not agree", "o open", "– nothing to hold", "· not run, or not all seeds",
    ]  # fmt: skip


def test_a_report_with_tables_gives_the_same_again(big: StudyResult, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write_report(big, folder)
    assert report_differs(folder, big) == []
    text = (folder / "result.json").read_text(encoding="utf-8")
    (folder / "result.json").write_text(text.replace('"says": "disagrees"', '"says": "agrees"', 1), encoding="utf-8")
    assert any("says" in line for line in report_differs(folder, big))


def test_a_cell_that_cannot_be_judged_or_compared_has_a_letter_of_its_own(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    evidence = evidence_of(study, as_printed(study))
    key = next(iter(evidence.by_job))
    evidence.unsound[evidence.by_job[key][1]["id"]] = "it cannot be right"
    cells = cells_of(result_to_json(judge(evidence)))
    assert [cell["says"] for cell in cells.values()].count("error") == 1
    reference = study.baseline.references["t1/oracle-u20"]
    other = reference.model_copy(update={"estimand": reference.estimand.model_copy(update={"noise": "pair_flip"})})
    baseline = study.baseline.model_copy(update={"references": {**study.baseline.references, "t1/oracle-u20": other}})
    apart = dataclasses.replace(study, baseline=baseline)
    cells = cells_of(result_to_json(judge(evidence_of(apart, as_printed(study)))))
    assert cells["oracle", "u20"]["says"] == "not-comparable"
