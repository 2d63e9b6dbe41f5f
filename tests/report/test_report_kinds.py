"""Every kind of part in a report: whole pages, the right units, figures, and files that are what their records give."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lnbench.judge import StudyResult, judge
from lnbench.pipeline import judge_records
from lnbench.report import junit, load_report, markdown, report_differs, result_to_json, write_report
from lnbench.report.explain import explain
from lnbench.report.folder import draw, json_text
from lnbench.report.units import metric_unit, shown
from lnbench.spec.locks import history_of
from tests.report.test_report_page import assert_tables_are_whole
from tests.toys.claims_page import believable, blocks, evidence_of, load_in_frame
from tests.toys.registered import register_long_ago

EXAMPLES = {name: example for name, example in blocks().items() if name != "frame"}
Metrics = Callable[[dict[str, Any], int], dict[str, float] | None]


def dying(recipe: dict[str, Any], seed: int) -> dict[str, float] | None:
    """The believable world, but every second seed diverges or never gets anywhere under noise."""
    if seed == 1:
        return None
    found = believable(recipe, seed)
    return {**found, "test_accuracy": 0.2} if seed == 3 and recipe["noise"]["alpha"] else found


WORLDS: dict[str, tuple[Metrics, tuple[int, ...]]] = {
    "as it should be": (believable, ()),
    "runs die": (dying, ()),
    "a seed is missing": (believable, (2,)),
    "nothing was run": (believable, tuple(range(10))),
}


def result_of(name: str, folder: Path, metrics: Metrics = believable, without: tuple[int, ...] = ()) -> StudyResult:
    return judge(evidence_of(load_in_frame(folder, EXAMPLES[name]), metrics, without=without))


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("world", WORLDS)
def test_the_page_is_whole_whatever_became_of_the_runs(name: str, world: str, tmp_path: Path) -> None:
    result = result_of(name, tmp_path, *WORLDS[world])
    data = result_to_json(result)
    page = markdown(data)
    assert_tables_are_whole(page)
    for text in (page, explain(result, "EX-01"), junit(data)):
        assert "nan" not in text.lower().split()
        assert "None" not in text
        assert " inf" not in text
    assert json_text(data)  # no number that JSON does not know


@pytest.mark.parametrize("name", ["table", "ratio", "monotone", "correlation", "within"])
def test_a_report_is_what_its_records_give(name: str, tmp_path: Path, no_drawing: None) -> None:
    result = result_of(name, tmp_path, dying)
    register_long_ago(result.study)
    history = history_of(result.study)
    result = judge(result.evidence, history=history)
    write_report(result, tmp_path / "report")
    _, _, _, get = load_report(tmp_path / "report")
    again = judge_records(result.study, get, history=history)
    assert report_differs(tmp_path / "report", again) == []


@pytest.mark.parametrize("name", ["can_reach", "shift", "scaling"])
@pytest.mark.parametrize("world", ["as it should be", "runs die"])
def test_a_figure_is_drawn(name: str, world: str, tmp_path: Path) -> None:
    figures = draw(result_to_json(result_of(name, tmp_path, *WORLDS[world])))
    assert figures["claim-ex-01.png"].startswith(b"\x89PNG")


def view_of(name: str, folder: Path, part: str = "claim") -> tuple[Any, dict[str, Any]]:
    data = result_to_json(result_of(name, folder))
    found = next(one for one in data["claims"][0]["parts"] if one["name"] == part)
    return shown(found, found["members"][0]), found


def test_a_ratio_is_shown_as_a_ratio(tmp_path: Path) -> None:
    view, part = view_of("ratio", tmp_path)
    check = part["members"][0]["check"]
    assert view.effect == pytest.approx(math.exp(check["effect"]))
    assert view.interval == pytest.approx([math.exp(check["interval"][end]) for end in ("low", "high")])
    assert view.region == (3, 7)
    assert view.values == pytest.approx([math.exp(value) for value in part["members"][0]["values"]])


def test_a_correlation_is_shown_as_r(tmp_path: Path) -> None:
    view, part = view_of("correlation", tmp_path)
    assert view.effect == pytest.approx(math.tanh(part["members"][0]["check"]["effect"]))
    assert view.region[0] == 0.5
    points, _ = view_of("correlation", tmp_path, "points")
    assert points.effect is not None and points.effect < 1


def test_a_shift_is_shown_in_octaves_and_a_step_in_points(tmp_path: Path) -> None:
    assert view_of("shift", tmp_path)[0].unit.name == "octaves"
    assert view_of("monotone", tmp_path)[0].unit.name == "points"


@pytest.mark.parametrize(
    ("name", "part", "unit"),
    [
        ("trend", "claim", "points per unit"),
        ("trend", "by-rank", ""),
        ("scaling", "claim", ""),
        ("within", "claim", ""),
    ],
)
def test_what_an_axis_is_reduced_to_has_a_unit_of_its_own(name: str, part: str, unit: str, tmp_path: Path) -> None:
    effect = view_of(name, tmp_path, part)[1]["effect"]
    assert metric_unit(effect).name == unit


def test_a_table_shows_each_cell_against_its_own_number_and_the_quota(tmp_path: Path) -> None:
    data = result_to_json(result_of("table", tmp_path))
    part = data["claims"][0]["parts"][0]
    assert part["region"] is None and part["reference"] is None
    assert [member["reference"]["printed"] for member in part["members"]] == ["40", "91"]
    view = shown(part, part["members"][0])
    assert view.effect == pytest.approx(100 * sum(part["members"][0]["values"]) / 5)  # as printed, not the distance
    page = markdown(data)
    assert "at least 2 of its 2 cells must agree" in page
    assert "between 35 % and 45 %" in page and "between 86 % and 96 %" in page
    assert "40 % (§3.1, Figure 1)" in page and "91 % (Figure 1 (caption))" in page
    assert "of 2 cells, each judged alone: 2 agree" in page
    assert "Kendall's tau of our order against the printed one, by noise.alpha: 100: 1.00" in page


def test_what_stands_beside_a_verdict_says_that_it_is_not_judged(tmp_path: Path) -> None:
    assert "not judged: Page's test of an order along the axis" in markdown(
        result_to_json(result_of("trend", tmp_path))
    )
    shift = markdown(result_to_json(result_of("shift", tmp_path)))
    assert re.search(r"not judged: slope of the difference .* log2 of the axis: −4\.0\d+ points per octave", shift)


def test_runs_that_get_there_are_counted_against_how_often_they_must(tmp_path: Path) -> None:
    page = markdown(result_to_json(result_of("can_reach", tmp_path)))
    assert "5 of 5 runs reached at least 90 % (our best run: 91.11 %)" in page
    assert "required: at least 20.6 % of runs, so many that the best of 3 reaches it at least half the time" in page


def test_a_study_without_new_kinds_has_no_new_keys(tmp_path: Path) -> None:
    """Reports that were written before stay what their records give."""
    data = result_to_json(result_of("above", tmp_path))
    (claim,) = data["claims"]
    assert "look" not in claim and "looks" not in data["seeds"]
    for part in claim["parts"]:
        assert "beside" not in part
        assert not {"inner", "over", "with", "crossing"} & set(part["effect"])
        assert not {"region", "reference"} & set(part["members"][0])


def test_a_censored_seed_is_shown_with_the_side_that_is_known(tmp_path: Path) -> None:
    """`within`'s example is a crossing: two seeds need fewer images than the fewest, and one more than the most."""
    study = load_in_frame(tmp_path, blocks()["within"])
    sizes = study.spec.runs.vary["dataset.clean"]
    above = {0: 0.99, 1: 0.99, 2: 0.1 + 0.4}  # the accuracy of a seed at every size: past the goal, or never there

    def number(recipe: dict[str, Any], seed: int) -> dict[str, float]:
        found = believable(recipe, seed)
        return {**found, "test_accuracy": above.get(seed, found["test_accuracy"])}

    data = result_to_json(judge(evidence_of(study, number)))
    (member,) = data["claims"][0]["parts"][0]["members"]
    assert member["censored"] == [
        {"seed": 0, "side": "below", "limit": min(sizes)},
        {"seed": 1, "side": "below", "limit": min(sizes)},
        {"seed": 2, "side": "above", "limit": max(sizes)},
    ]
    page = markdown(data)
    assert f"| < {min(sizes):,} | < {min(sizes):,} | > {max(sizes):,} |" in page
    assert "3 of 5 seeds lie beyond the levels that were run, so no mean is taken" in page
