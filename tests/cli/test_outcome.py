"""How verbs that judge end: totals, --json, GitHub's step summary, and --fail-on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lnbench import pipeline
from tests.toys.trained_study import Call

ABOVE = "reports/toy-full"


@pytest.fixture
def reports(trained: Path, call: Call) -> Path:
    """Return the folder with a report of the toy study at full."""
    call("verify", "toy", "--tier", "full", "-o", "reports")
    return trained / "reports"


def test_verify_and_judge_write_the_same_verdicts_as_json(trained: Path, call: Call, reports: Path) -> None:
    file = trained / "verdicts.json"
    code, out, _ = call("verify", "toy", "--tier", "full", "--json", "verdicts.json")
    assert code == 0 and "the verdicts -> verdicts.json" in out
    code, out, _ = call("judge", ABOVE, "--json", "-")
    assert code == 0 and json.loads(out) == json.loads(file.read_text())
    assert json.loads(out)["schema"] == "lnbench-results/1"
    assert [(row["claim"], row["verdict"]) for row in json.loads(out)["rows"]] == [
        ("TOY-01", "reproduced"),
        ("TOY-02", "reproduced"),
    ]


def test_several_results_end_in_one_line_of_totals(call: Call, reports: Path) -> None:
    code, out, _ = call("judge", ABOVE, ABOVE)
    assert code == 0 and out.splitlines()[-1] == "4 claims of 1 study: 4 reproduced"
    assert "claims of 1 study" not in call("judge", ABOVE)[1]


def test_every_line_of_a_part_names_its_metric(call: Call, reports: Path) -> None:
    assert "(test_accuracy): " in " ".join(call("judge", ABOVE)[1].split())


def test_fail_on_says_which_verdicts_fail_a_build(trained: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = "inconclusive"
    monkeypatch.setattr("lnbench.cli.commands.outcome.exit_code", lambda *_: 4 if verdict == "inconclusive" else 1)
    base = ("verify", "toy", "--tier", "full", "-o", "reports")
    assert call(*base)[0] == call(*base, "--fail-on", "open")[0] == 4
    assert call(*base, "--fail-on", "contradicted")[0] == 0
    verdict = "contradicted"
    assert call(*base, "--fail-on", "contradicted")[0] == 1
    assert call("judge", "reports/toy-full", "--fail-on", "contradicted")[0] == 1


def test_github_shows_the_verdicts_of_a_step(
    trained: Path, call: Call, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = trained / "summary.md"
    page.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    assert call("judge", ABOVE)[0] == 0
    assert page.read_text().startswith("before\n### lnbench\n\n2 claims of 1 study: 2 reproduced\n\n| claim | tier |")
    assert "| TOY-01 | full | " in page.read_text()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(trained))  # a folder
    code, _, err = call("judge", ABOVE)
    assert code == 0 and "cannot be written" in err  # no verdict is lost for it


def test_json_that_cannot_be_written_is_said_before_the_work(trained: Path, call: Call, reports: Path) -> None:
    for arguments, words in (
        (("verify", "toy", "--tier", "full", "--json", "no/such/folder.json"), "there is no folder"),
        (("verify", "toy", "--tier", "full", "--json", "-"), "name a file"),
        (("verify", "toy", "--tier", "full", "--shard", "1/2", "--json", "a.json"), "--shard judges nothing"),
        (("judge", "reports/toy-full", "--check", "--json", "a.json"), "--check judges nothing"),
        (("list", "--json", "no/such/folder.json"), "there is no folder"),
    ):
        code, _, err = call(*arguments)
        assert code in (2, 6) and words in err and "Traceback" not in err, err
    assert not (trained / "a.json").exists()


def test_list_and_plan_are_data_on_request(trained: Path, call: Call, reports: Path) -> None:
    code, out, _ = call("list", "--json", "-")
    found = json.loads(out)
    assert code == 0 and found["schema"] == "lnbench-claims/1"
    assert [(one["id"], one["study"]) for one in found["claims"]] == [("TOY-01", "toy"), ("TOY-02", "toy")]
    code, out, _ = call("plan", "toy", "--tier", "full", "--json", "-")
    plan = json.loads(out)
    assert code == 0 and plan["schema"] == "lnbench-plan/1" and (plan["study"], plan["tier"]) == ("toy", "full")
    assert plan["runs"] and all(run["in_store"] for run in plan["runs"])
    assert {run["role"] for run in plan["runs"]} <= {"input", "choosing", "run"}
    code, out, _ = call("plan", "toy", "--tier", "full", "--json", "plan.json")
    assert code == 0 and "toy-full: " in out and json.loads((trained / "plan.json").read_text()) == plan


def test_a_run_that_failed_is_an_exit_code_though_no_verdict_needs_it(
    trained: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds beyond the plan are trained and not judged: that one of them failed is no success."""
    base = ("verify", "toy", "--tier", "full")
    assert call(*base, "--fail-on", "contradicted")[0] == 0
    verified = pipeline.verify_study

    def with_a_failure(*arguments: Any, **options: Any) -> Any:
        result = verified(*arguments, **options)
        return replace(result, evidence=replace(result.evidence, failures={"run": "it broke"}))

    monkeypatch.setattr(pipeline, "verify_study", with_a_failure)
    code, _, err = call(*base, "--fail-on", "contradicted")
    assert code == 3 and "a run failed: it broke" in err
