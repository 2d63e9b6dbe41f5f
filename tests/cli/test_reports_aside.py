"""A report is written by another process while the next study is trained or judged: the same report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lnbench import forked, report
from lnbench.errors import StoreError
from tests.toys.trained_study import Call


@pytest.fixture
def two(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trained study, and its like under another name; processes are forked as where torch is not imported."""
    text = (trained / "claims/toy.yaml").read_text().replace("TOY-0", "OTHER-0")
    (trained / "claims/other.yaml").write_text(text)
    monkeypatch.setattr(forked, "_has_threads", lambda: False)
    return trained


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("verb", ["verify", "report"])
def test_the_reports_are_those_of_one_process(
    two: Path, call: Call, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = report.write_report

    def noting(result: Any, folder: Path) -> list[Path]:
        with (two / "by").open("a") as out:
            out.write(f"{os.getpid()}\n")
        return honest(result, folder)

    monkeypatch.setattr(report, "write_report", noting)
    told = []
    for folder, threads in (("aside", False), ("alone", True)):
        monkeypatch.setattr(forked, "_has_threads", lambda threads=threads: threads)
        code, out, err = call(verb, "toy", "other", "--tier", "smoke", "-o", folder)
        assert code == 0, out + err
        lines = [line.replace(folder, "") for line in out.splitlines()]
        for study, claim in (("toy", "TOY-01"), ("other", "OTHER-01")):
            (verdict,) = (number for number, line in enumerate(lines) if f" {claim} " in line)
            assert lines.index(f"report: /{study}-smoke/report.md") > verdict
        told.append(sorted(lines))
    assert told[0] == told[1]
    first, second, *here = map(int, (two / "by").read_text().split())
    assert os.getpid() not in (first, second) and here == [os.getpid()] * 2
    assert files(two / "aside") == files(two / "alone") and "toy-smoke/report.md" in files(two / "aside")


def test_a_report_that_cannot_be_written_is_one_line(two: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(result: Any, folder: Path) -> list[Path]:
        raise StoreError(f"{folder}: cannot be written: No space left on device")

    monkeypatch.setattr(report, "write_report", full)
    code, out, err = call("report", "toy", "other", "--tier", "smoke", "-o", "aside")
    assert code == 6
    assert err == "lnbench: aside/toy-smoke: cannot be written: No space left on device\n"
    assert "report: aside" not in out
