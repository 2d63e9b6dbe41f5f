"""A study of lnbench's own gets no paper's words; a number has the same unit on page, terminal and in power."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lnbench.cli.commands.tables import measured
from lnbench.judge import judge
from lnbench.judge.power import powers
from lnbench.report import markdown, result_to_json
from lnbench.report.explain import explain
from lnbench.report.numbers import significant
from lnbench.report.page.background import core_seconds
from lnbench.report.power import power_words
from lnbench.report.result.result import part_to_json
from lnbench.report.words import of_no_paper, part_line, tier_words
from tests.toys.report_world import World


@pytest.fixture
def own(full: World) -> dict[str, Any]:
    """The toy's result as if all its claims were lnbench's own."""
    data = full.json()
    for claim in data["claims"]:
        claim |= {"standing": "hypothesis", "quote": None, "verdict": "held"}
        for part in claim["parts"]:
            part["ours"] = False
    return data


def test_a_study_without_a_papers_claim_has_no_papers_words(own: dict[str, Any], full: World) -> None:
    page = markdown(own)
    for words in ("paper is silent", "the paper prints", "paper does not say these", "What the paper leaves open"):
        assert words not in page
    assert "## What is left open" in page and "the scale that this study sets" in page
    assert "are called `held`; the chance of any false `failed`" in page
    assert "Interval inside the range: `held`; wholly outside: `failed`" in page
    assert "ours, not the paper's" not in page
    paper = markdown(full.json())
    assert "## What the paper leaves open" in paper and "are called `reproduced`" in paper
    assert "extra check (ours, not the paper's)" in paper


def test_full_is_a_papers_scale_only_where_there_is_one(own: dict[str, Any], full: World) -> None:
    assert of_no_paper(own) and tier_words(own) == "the scale that this study sets"
    data = full.json()
    assert not of_no_paper(data) and "where the paper states it" in tier_words(data)
    data["paper"]["authors"] = []
    assert tier_words(data) == "the scale that this study sets"


def test_a_claims_standings_are_not_mixed_up(own: dict[str, Any]) -> None:
    own["claims"][0]["standing"] = "paper"
    assert "are called `reproduced` or `held`; the chance of any false `contradicted` or `failed`" in markdown(own)


def test_terminal_explanation_power_and_page_show_the_same_number_in_the_same_unit(full: World) -> None:
    result = full.result()
    claim = result.claims[0]
    told = part_to_json(claim.parts["above"], claim, result)
    line = part_line(told)
    number = line.partition(": ")[2].partition(" [")[0]
    assert number.endswith(" %") and line.endswith("; required: at least 70 %")
    assert measured(claim.parts["above"], told) == line
    assert f"measured {number} (90 % interval" in markdown(result_to_json(result))
    assert f"so: measured {number} (90 % interval" in explain(result, "N1")
    row = next(row for row in powers(result) if (row.claim, row.part) == ("N1", "above"))
    words = power_words(row, claim.parts["above"], claim, result)
    assert words.known.startswith(f"{number}, sd ") and words.required == "at least 70 %"
    assert "points, up to " in words.known and words.now == "inside"


def test_a_difference_is_explained_in_points_and_a_margin_too(full: World) -> None:
    result = full.result()
    words = explain(result, "N.2")
    assert "in points: " in words and "Reason for this margin of 5 points: " in words and "beforehand" not in words
    assert "required: within ±5 points" in words and "±0.05" not in words
    printed = explain(result, "N1")
    effect = full.json()["claims"][0]["parts"][0]["members"][0]["check"]["effect"]
    assert f"effect = mean = {significant(100 * effect, 5)}; standard deviation s = " in printed
    assert "Printed number: 80.0 ± 1.0 % (Table 1); reference t1/mlp-alpha10." in printed
    assert "effect = mean − printed number = " in printed and "within ±3 points of the printed number" in printed


def test_a_smoke_explanation_speaks_of_directions(smoke: World) -> None:
    words = explain(smoke.result(), "N1")
    assert "  -> direction holds\n" in words and "-> inside" not in words


def test_cpu_time_is_seconds_times_threads_and_only_where_all_runs_say_both(full: World) -> None:
    data = full.json()
    (entry,) = data["environments"]
    assert core_seconds([{**entry, "threads": 2}]) == pytest.approx(2 * entry["seconds"])
    assert core_seconds([entry, {**entry, "threads": None}]) is None
    assert core_seconds([{**entry, "device": "cuda"}]) is None
    data["environments"] = [{**entry, "threads": 2}]
    assert "63 seconds of training (at most 2.1 minutes of CPU time: seconds × threads of each run)" in markdown(data)


def test_the_page_says_how_to_judge_it_wherever_it_lies(full: World) -> None:
    assert "\nlnbench judge FOLDER    # of a report in lnbench's repository: reports/nothing-full\n" in markdown(
        full.json()
    )


def test_a_regime_is_told_with_the_verdict(full: World) -> None:
    data = full.json()
    data["claims"][0]["requires"] = {"printed": "train longer"}
    page = markdown(data)
    assert "The claim can be tested only where this holds:\n\n- `printed` (inside): measured " in page


def test_a_plan_without_runs_is_told_too(empty: Any, tmp_path: Path) -> None:
    result = judge(empty("full").evidence())
    for row in powers(result):
        claim = next(claim for claim in result.claims if claim.claim.id == row.claim)
        words = power_words(row, claim.parts[row.part], claim, result)
        assert words.now == "not run" and (words.known.startswith("nothing yet") or "printed" in words.known)
