"""The scoreboard: one row for a claim and tier, with the sentence of that tier and a link to its section."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from lnbench.report import read_results, replace_between_markers, scoreboard, write_report
from lnbench.report.paper_rows import study_only
from tests.toys.report_world import World


def test_each_claim_and_tier_has_a_row_with_the_sentence_of_that_tier(full: World, smoke: World) -> None:
    reduced = smoke.json()
    reduced["claims"][0]["says"] = "On digits the MLP stays above 70 %."
    table = scoreboard([reduced, full.json()])
    assert "[full](./nothing-full/report.md)" in table
    assert "✅ 3 reproduced" in table
    assert "| claim | tier | what was tested at this tier | verdict | range registered |" in table
    first = (
        "| [N1](./nothing-full/report.md#claim-n1) | full | The MLP stays above 70 % \\| with noise, "
        "at the learning rate chosen on 1 seed. | ✅ repro"
    )
    second = "| [N1](./nothing-smoke/report.md#claim-n1) | smoke | On digits the MLP stays above 70 %. |"
    assert f"{first}duced | – |\n{second}" in table  # the tiers of a claim follow each other
    assert table == scoreboard([full.json(), reduced])


def test_what_is_no_papers_claim_is_counted_apart(full: World) -> None:
    data = full.json()
    data["claims"][0] |= {"standing": "surrogate", "verdict": "held"}
    data["claims"][1] |= {"standing": "hypothesis", "verdict": "failed", "p_contradicted": 0.001}
    table = scoreboard([data])
    assert "| ✅ 1 reproduced | Surrogates: 🟩 1 held<br>Hypotheses of lnbench: 🟥 1 failed |" in table
    papers, surrogates, hypotheses = (table.index(f"**{name}") for name in ("Claims of papers", "Surr", "Hypotheses"))
    assert papers < table.index("[n-2](") < surrogates < table.index("[N1](") < hypotheses < table.index("[N.2](")
    assert "never counted as the paper's" in table


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


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"status": "before", "records_since": None}, "before the runs"),
        ({"status": "before", "records_since": "2026-01-01"}, "before these runs; earlier ones were known"),
        ({"status": "late", "records_since": None, "registered": "2026-01-03"}, "after the first run"),
        ({"status": "late", "records_since": None, "registered": None}, "not registered"),
        ({"status": "changed", "records_since": None}, "changed after the first run"),
        ({"status": "unknown", "records_since": None}, "–"),
    ],
)
def test_a_row_says_when_its_range_was_registered(full: World, found: dict[str, Any], words: str) -> None:
    data = full.json()
    data["registration"] = {"claims": [{"id": "N1", "first_record": "2026-01-02", **found}]}
    assert f"✅ reproduced | {words} |" in scoreboard([data])
    data["registration"]["claims"][0]["first_record"] = None
    row = next(line for line in scoreboard([data]).splitlines() if line.startswith("| [N1]("))
    assert row.endswith("| ✅ reproduced | – |")


# ---- a paper is many studies


def refuted(world: World, study: str, p: list[float], tier: str = "full") -> dict[str, Any]:
    """A report whose claims are contradicted where their p says so alone, as if each were its study's only claim."""
    data = copy.deepcopy(world.json())
    data |= {"study": study, "key": f"{study}-{tier}", "tier": tier}
    for claim, value in zip(data["claims"], p, strict=True):
        claim |= {"p_contradicted": value, "verdict": "contradicted" if value <= 0.05 else "inconclusive"}
    return data


def test_a_contradiction_is_held_against_all_rows_of_its_paper(full: World) -> None:
    """3 studies of 3 claims: 0.004 · 9 = 0.036 stands, then 0.007 · 8 = 0.056 does not, nor does what follows it."""
    every = ([0.004, 0.5, 1], [0.007, 1, 1], [0.04, 1, 1])
    results = [refuted(full, f"s{number}", p) for number, p in enumerate(every)]
    table = scoreboard(results)
    only = "❌ contradicted in its study, but not among the 9 rows of its paper (Holm)"
    rows = {row.split("/")[1]: row for row in table.splitlines() if row.startswith("| [N1](")}
    assert "| ❌ contradicted |" in rows["s0-full"]
    assert only in rows["s1-full"] and only in rows["s2-full"]
    assert table.count(only) == 2
    assert "| ➖ 2 inconclusive, ❌ 1 contradicted in its study only |" in table
    assert "| ❌ 1 contradicted, ➖ 2 inconclusive |" in table
    (row,) = [line for line in table.splitlines() if line.startswith("| Nobody") and line.endswith("| 1 | 2 |")]
    assert "| 9 | 9 | 0 | 0.45 | 1 | 2 |" in row
    assert study_only(results) == {("s1-full", "N1"): 9, ("s2-full", "N1"): 9}


def test_a_study_alone_and_another_papers_rows_change_nothing(full: World) -> None:
    one = refuted(full, "s0", [0.016, 0.5, 1])  # 3 · 0.016 = 0.048
    other = refuted(full, "s1", [0.016, 0.5, 1])
    other["paper"] = {**other["paper"], "id": "someone2021", "citation": "Someone 2021, Else"}
    assert study_only([one]) == study_only([one, other]) == {}
    assert "contradicted in its study" not in scoreboard([one, other])
    assert set(study_only([one, refuted(full, "s1", [1, 1, 1])])) == {("s0-full", "N1")}


def test_what_was_not_run_counts_with_p_1_and_smoke_does_not_count(full: World, smoke: World) -> None:
    data = refuted(full, "s0", [0.016, 0.5, 1])
    more = refuted(full, "s1", [0.001, 0.001, 0.001])
    for claim in more["claims"]:
        claim["verdict"] = "not-run"
    assert study_only([data, refuted(full, "s1", [1, 1, 1], tier="smoke")]) == {}
    assert study_only([data, more]) == {("s0-full", "N1"): 6}
    table = scoreboard([data, more])
    assert "| 6 | 3 | 0 | 0.15 | 0 | 1 |" in table  # rows, judged, reproduced, expected false, contradicted, study only
    assert "Error rates over a whole paper" not in scoreboard([smoke.json()])


def test_no_committed_contradiction_is_its_studys_only(repository: Path) -> None:
    assert study_only(read_results(repository / "reports")) == {}
