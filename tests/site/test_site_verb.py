"""`lnbench site`: what it builds of a folder of reports, and the one line that it says where it cannot."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lnbench import forked
from lnbench.cli.main import cli
from lnbench.errors import LnbenchError
from lnbench.pipeline import judge_records
from lnbench.report import write_report
from tests.toys.html_pages import pages_of
from tests.toys.project import write_project
from tests.toys.report_world import BASELINE, STUDY, World


def site(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["site", *arguments])


@pytest.fixture
def checkout(full: World, no_drawing: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one study and its report; the working directory."""
    folder = full.study.path.parent.parent
    write_report(judge_records(full.study, full.records.get), folder / "reports" / full.study.key)
    monkeypatch.chdir(folder)
    return folder


def test_a_site_of_the_reports_is_built(checkout: Path) -> None:
    done = site("-o", "out")
    assert done.exit_code == 0, done.output
    assert done.output == f"1 reports -> {len(list(Path('out').rglob('*.html')))} pages in out; open out/index.html\n"
    files = {file.relative_to("out").as_posix(): file.read_bytes() for file in Path("out").rglob("*") if file.is_file()}
    pages = pages_of(files)
    assert {"index.html", "claims/n1.html", "papers/nobody2020.html", "assets/site.css"} <= files.keys()
    assert "lnbench judge reports/nothing-full --check" in pages["claims/n1.html"].text
    before = {file: file.read_bytes() for file in Path("out").rglob("*") if file.is_file()}
    assert site("-o", "out").exit_code == 0
    assert {file: file.read_bytes() for file in Path("out").rglob("*") if file.is_file()} == before


def says(done: Result, *words: str) -> None:
    """The verb ended with one clear error that has these words, and wrote nothing."""
    assert isinstance(done.exception, LnbenchError), done.output
    assert "\n" not in str(done.exception)
    for word in words:
        assert word in str(done.exception)
    assert not Path("out").exists()


def test_a_report_that_does_not_judge_is_named(checkout: Path) -> None:
    report = checkout / "reports/nothing-full"
    whole = (report / "result.json").read_text(encoding="utf-8")
    (report / "result.json").write_text(whole.replace('"verdict": "post-hoc"', '"verdict": "reproduced"', 1))
    says(site("-o", "out"), "reports/nothing-full: differs from what its records give", "--write")
    (report / "result.json").write_text("{")
    says(site("-o", "out"), "reports/nothing-full/result.json", "not JSON")
    (report / "result.json").unlink()
    says(site("-o", "out"), "reports/nothing-full: a report without its result.json")
    (report / "result.json").write_text(whole, encoding="utf-8")
    (report / "records.jsonl").unlink()
    says(site("-o", "out"), "reports/nothing-full/records.jsonl")


def test_several_processes_build_the_same_site_and_bring_back_what_is_wrong(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, paper = STUDY, BASELINE
    for claim in ("N1", "N.2", "n-2"):
        study = study.replace(f"- id: {claim}\n", f"- id: other-{claim}\n")
    write_project(checkout, study, paper, name="other", paper="nobody2020")
    assert site("-o", "alone").exit_code == 0
    asked: list[int] = []
    monkeypatch.setattr(forked, "available_cores", lambda: 2)
    monkeypatch.setattr(forked, "THINGS_EACH", 1)
    fork = multiprocessing.get_context("fork")
    pool = fork.Pool
    monkeypatch.setattr(fork, "Pool", lambda processes, *rest: (asked.append(processes), pool(processes, *rest))[1])
    assert site("-o", "together").exit_code == 0
    assert asked == [2]
    files = sorted(file.relative_to("alone") for file in Path("alone").rglob("*") if file.is_file())
    assert files and all(
        (Path("alone") / file).read_bytes() == (Path("together") / file).read_bytes() for file in files
    )

    report = checkout / "reports/nothing-full/result.json"
    whole = report.read_text(encoding="utf-8")
    report.write_text(whole.replace('"verdict": "post-hoc"', '"verdict": "reproduced"', 1), encoding="utf-8")
    says(site("-o", "out"), "reports/nothing-full: differs from what its records give")
    report.write_text(whole, encoding="utf-8")
    (checkout / "claims/other.yaml").write_text(study.replace("schema: 1", "schema: one"), encoding="utf-8")
    says(site("-o", "out"), "claims/other.yaml:1:")


def test_a_report_under_the_name_of_another_is_named(checkout: Path) -> None:
    os.rename("reports/nothing-full", "reports/something-full")
    says(site("-o", "out"), "reports/something-full: is the report of another study or tier")


def test_a_report_of_no_known_study_is_named(checkout: Path) -> None:
    shutil.copytree("reports/nothing-full", "reports/gone-full")
    data = json.loads(Path("reports/gone-full/result.json").read_text(encoding="utf-8"))
    data |= {"study": "gone", "key": "gone-full"}
    Path("reports/gone-full/result.json").write_text(json.dumps(data), encoding="utf-8")
    says(site("-o", "out"), "no study is named 'gone'")


def test_no_report_and_no_folder_are_one_line(checkout: Path) -> None:
    Path("none").mkdir()
    says(site("-o", "out", "--reports", "none"), "none: there is no report in it", "lnbench verify")
    says(site("-o", "out", "--reports", "nowhere"), "nowhere: no such folder")


def test_a_folder_of_somebody_else_is_refused_before_anything_is_read(checkout: Path) -> None:
    (checkout / "mine").mkdir()
    (checkout / "mine/notes.txt").write_text("mine")
    says(site("-o", "mine", "--reports", "nowhere"), "mine: is not a site of lnbench: notes.txt")
    assert os.listdir("mine") == ["notes.txt"]


def test_no_site_is_put_among_the_reports(checkout: Path) -> None:
    for place in ("reports/site", "reports/nothing-full/site"):
        done = site("-o", place)
        assert isinstance(done.exception, LnbenchError) and "lies in the folder of reports" in str(done.exception)
        assert not (checkout / place).exists()
