"""What the paper's own runs say of ours is in `explain`, with every assumption, and never judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lnbench.judge import PartResult, StudyResult, judge
from lnbench.judge.kinds import kind_of
from lnbench.report import markdown, result_to_json
from lnbench.report.explain import explain
from lnbench.report.result.result import part_to_json
from lnbench.report.telescopes import assumption, page_prediction, telescope_lines
from lnbench.report.units import metric_unit
from lnbench.spec import Number
from lnbench.stats.telescope import telescope
from tests.judge.test_not_comparable import loaded
from tests.report.test_report_kinds import result_of
from tests.toys.judged_world import World as JudgedWorld
from tests.toys.judged_world import from_table
from tests.toys.report_world import World


def lines_of(result: StudyResult, claim: int, part: str, number: Number | None) -> list[str]:
    told_claim = result.claims[claim]
    found: PartResult = told_claim.parts[part]
    told = part_to_json(found, told_claim, result)
    unit = metric_unit(told["effect"], 0.0)
    return [*telescope_lines(told, told["members"][0], found.checks[0], kind_of(found.part), number, unit)]


def test_a_printed_number_with_runs_and_spread_predicts_ours_without_an_assumption(full: World) -> None:
    words = explain(full.result(), "N1")
    line = next(line for line in words.splitlines() if "prediction (not judged): were luck" in line)
    assert "the mean of 5 seeds such as ours would lie in [7" in line and "% (95 %); ours lies inside" in line
    assert "Assumed" not in line and "as alike as ours" not in words
    assert "prediction (not judged): none, as the paper prints a bound (above 70), no estimate" in words
    assert "not judged: were luck all that differs, the mean of 5 seeds" in markdown(full.json())


def test_what_the_paper_does_not_say_is_assumed_aloud(tmp_path: Path) -> None:
    words = explain(result_of("agrees", tmp_path), "EX-01")
    assert "Assumed, as neither spread nor number of runs is printed: one run, that varies twice as" in words
    assert "were its runs as alike as ours: [" in words


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ({"n": 3, "spread": "none", "spread_kind": "unknown"}, "no spread is printed: its 3 runs vary twice"),
        ({"n": 1, "spread": "0.2", "spread_kind": "epochs"}, "no spread is printed: its run varies twice"),
        ({"n": 4, "spread": "0.2", "spread_kind": "unknown"}, "what ± 0.2 is: the standard error of a mean of 4 runs"),
        ({"n": "unknown", "spread": "0.2", "spread_kind": "sd"}, "± 0.2 is the standard error of a mean of three runs"),
        ({"n": "unknown", "spread": "0.2", "spread_kind": "se"}, "the number of runs is not printed: three"),
    ],
)
def test_each_gap_has_its_assumption(reference: dict[str, object], words: str) -> None:
    assert words in assumption(reference)
    assert assumption({"n": 4, "spread": "0.2", "spread_kind": "sd"}) == ""


def test_a_direction_is_held_against_what_few_runs_see(tmp_path: Path) -> None:
    result = result_of("ordered", tmp_path)
    words = explain(result, "EX-01")
    assert "small telescopes (not judged; Simonsohn 2015): ours lies" in words
    assert "The paper prints no number of runs and no spread for this. If ours is the truth, runs that vary as" in words
    assert "1 run: never, it has no spread; 2 runs: " in words and "; 5 runs: over 99 %." in words
    assert "ours is not clearly smaller" in words
    assert "small telescopes" not in markdown(result_to_json(result))


@pytest.mark.parametrize("kind", ["equivalent", "every_run", "can_reach", "agrees", "table"])
def test_what_has_no_direction_or_no_mean_gets_none(kind: str, tmp_path: Path) -> None:
    assert "small telescopes" not in explain(result_of(kind, tmp_path), "EX-01")


def test_runs_and_spread_that_the_paper_prints_are_taken(full: World) -> None:
    """The MLP lies some 10 points above 70 %: two runs with an sd of 20 points would hardly have shown that."""
    result = full.result()
    check = result.claims[0].parts["above"].checks[0]
    number = Number(0.7, 0.01, 0.2, 0.01, "sd_sample", 2, None)
    assert check.effect is not None and check.sd_used is not None
    found = telescope(check.effect - 0.7, check.sd_used, 5, 2, sd0=0.2)
    head, line = lines_of(result, 0, "above", number)
    assert "points inside its edge" in head
    shows = f"{100 * found.power:.0f} % of the time"
    assert f"The paper's 2 runs, with the spread it prints, would show ours {shows}" in line
    assert "ours is clearly smaller (p < 0.0001)" in line
    _, missing, power, *_ = lines_of(result, 0, "above", replace(number, spread=None))
    assert "The paper had 2 runs for this; it does not print how they vary." in missing
    assert "this often: 2 runs: over 99 %." in power
    _, missing, *_ = lines_of(result, 0, "above", replace(number, n=None))
    assert "prints a spread for this, and not of how many runs" in missing


def test_smoke_and_what_collapsed_predict_nothing(full: World, smoke: World) -> None:
    assert "prediction" not in explain(smoke.result(), "N1")
    assert "telescopes" not in explain(smoke.result(), "N1")
    full.collapse("mlp1", 10, 1)
    assert "prediction (not judged): none, as our runs have no mean with a spread" in explain(full.result(), "N1")
    claim = full.json()["claims"][0]
    assert [page_prediction(part, part["members"][0]) for part in claim["parts"]] == ["", "", ""]


def test_a_number_of_something_else_predicts_nothing(tmp_path: Path) -> None:
    study = loaded(tmp_path, "selection: best_test")
    result = judge(JudgedWorld(study, from_table).evidence(study))
    claim = result.claims[0]
    words = explain(result, claim.claim.id)
    assert "prediction (not judged): none, as it is not of what our runs measure" in words
    assert "would lie in" not in words and "small telescopes" not in words.split("Part every")[0]
    assert "it decides nothing, as the printed number is not of what our runs measure" in words
    assert "luck all that differs" not in markdown(result_to_json(result))


def test_a_claim_below_its_edge_has_its_direction_too(empty: Callable[[str], World]) -> None:
    result = empty("full").run_all().result()
    head, *_ = lines_of(result, 2, "low", None)  # the perceptron at 40 %, to be below 50 %
    assert "points inside its edge" in head
