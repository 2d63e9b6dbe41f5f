"""`lnbench results`: what it keeps, where it writes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

from tests.toys.trained_study import Call


def test_the_verb_filters_writes_and_refuses(trained: Path, call: Call) -> None:
    call("verify", "toy", "--tier", "full", "-o", "reports")
    code, out, _ = call("results", "--claim", "TOY-01", "--format", "json")
    assert code == 0 and [row["claim"] for row in json.loads(out)["rows"]] == ["TOY-01"]
    target = trained / "out.csv"
    assert call("results", "-o", target)[0] == 0 and target.read_text().startswith("paper,citation,study")
    code, _, err = call("results", "-o", target)
    assert code == 2 and "is there already" in err and "--replace" in err
    assert call("results", "-o", target, "--replace")[0] == 0
    for arguments, words in (
        (["--claim", "N99"], "--claim N99: no report in reports has it; known: TOY-01"),
        (["--tier", "cpu"], "known: full"),
        (["--format", "parquet"], "name a file with -o"),
        (["-o", trained, "--replace"], "is a folder"),
    ):
        code, out, err = call("results", *arguments)
        assert code == 2 and words in err and not out, err


def test_no_report_is_said(trained: Path, call: Call) -> None:
    (trained / "none").mkdir()
    code, out, err = call("results", "--reports", "none")
    assert code == 5 and "no verdict is stored" in err and not out
    assert call("results", "--reports", "nowhere")[0] == 2


def test_links_start_where_the_file_lies_and_a_half_report_is_named(trained: Path, call: Call) -> None:
    call("verify", "toy", "--tier", "full", "-o", "reports")
    (trained / "deep/er").mkdir(parents=True)
    assert call("results", "--format", "markdown", "-o", "deep/er/table.md")[0] == 0
    assert "(../../reports/toy-full/report.md)" in (trained / "deep/er/table.md").read_text()
    code, out, _ = call("results", "--format", "markdown", "-o", "-")
    assert code == 0 and "(reports/toy-full/report.md)" in out and not (trained / "-").exists()
    (trained / "reports/half").mkdir()
    (trained / "reports/half/report.md").write_text("x")
    code, out, err = call("results")
    assert code == 0 and "half: a report without its result.json" in err and "TOY-01" in out
