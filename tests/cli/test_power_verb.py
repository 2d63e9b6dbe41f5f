"""`lnbench power`: the same numbers as the report, its own spread explained, and where runs come from."""

from __future__ import annotations

from pathlib import Path

from tests.toys.trained_study import Call


def test_power_shows_the_reports_units_and_what_is_judged_now(trained: Path, call: Call) -> None:
    code, out, _ = call("power", "TOY-01", "--tier", "full")
    assert code == 0
    words = " ".join(out.split())
    assert "at least 30 %" in words and "points, up to" in words and "inside" in words
    assert "“judged now” with the sd as measured, as the report does." in words
    assert "estimated time:" in words and "roughly" not in words


def test_an_empty_store_is_told_where_runs_are(trained: Path, call: Call) -> None:
    _, out, _ = call("power", "TOY-01", "--tier", "full", "--store", "nothing")
    assert "The store nothing has no runs of toy-full.\n" in out
    assert "To train some: lnbench verify toy --tier full --seeds 3 --store nothing\n" in out
    assert call("verify", "toy", "--tier", "full", "-o", "reports")[0] == 0
    _, out, _ = call("power", "TOY-01", "--tier", "full", "--store", "nothing")
    line = "To use them: lnbench store import reports/toy-full/records.jsonl --store nothing\n"
    assert line in out
    assert call("store", "import", "reports/toy-full/records.jsonl", "--store", "nothing")[0] == 0
    _, out, _ = call("power", "TOY-01", "--tier", "full", "--store", "nothing")
    assert "has no runs" not in out and "up to" in out and "nothing yet" not in out


def test_a_report_of_other_seeds_is_none_to_take_runs_from(trained: Path, call: Call) -> None:
    assert call("verify", "toy", "--tier", "full", "-o", "reports")[0] == 0
    result = trained / "reports/toy-full/result.json"
    result.write_text(result.read_text().replace('"seeds": {', '"seeds": {\n  "fresh": 1,', 1))
    _, out, _ = call("power", "TOY-01", "--tier", "full", "--store", "nothing")
    assert "To train some: lnbench verify toy --tier full --seeds 3 --store nothing\n" in out


def test_verify_names_the_folder_to_judge_again_and_that_it_can_be_stopped(home: Path, call: Call) -> None:
    code, out, _ = call("verify", "toy", "--tier", "smoke", "-o", "elsewhere")
    assert code == 0
    assert "You can stop it at any time; the same command resumes.\n" in out
    assert "to judge its records again, all claims of the study: lnbench judge elsewhere/toy-smoke\n" in out
    assert call("judge", "--check", "elsewhere/toy-smoke")[0] == 0
