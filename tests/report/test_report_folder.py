"""A report's folder: complete, inside its bounds, and checkable from its own records alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import StoreError
from lnbench.judge import gather, judge
from lnbench.plan import plan_study
from lnbench.report import load_failures, load_report, read_result, report_differs, write_report
from lnbench.store.record import opened
from tests.toys.report_world import World

pytestmark = pytest.mark.usefixtures("no_drawing")

BAD = {"perceptron": (0.80, 0.75), "mlp1": (0.90, 0.6), "convnet4": (0.97, 0.85)}


def test_all_files_are_in_the_folder_and_none_elsewhere(full: World, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "nothing-full"
    files = write_report(full.result(), folder)
    found = {file for file in (tmp_path / "out").rglob("*") if file.is_file()}
    assert set(files) == found
    names = {str(file.relative_to(folder)) for file in found}
    figures = ("forest", "curves", "training", "claim-n1", "claim-n2", "claim-n-2")
    assert names == {
        "report.md", "result.json", "junit.xml", "records.jsonl",
        *(f"figures/{name}.{form}" for name in figures for form in ("png", "svg")),
    }  # fmt: skip


def test_records_are_one_checked_line_each_sorted_by_id(full: World, tmp_path: Path) -> None:
    write_report(full.result(), tmp_path)
    lines = (tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines()
    ids = [opened(line)["id"] for line in lines]
    assert ids == sorted(full.records)
    write_report(full.result(), tmp_path / "without", records=False)
    assert not (tmp_path / "without" / "records.jsonl").exists()


def test_every_figure_of_the_page_is_there(full: World, tmp_path: Path) -> None:
    write_report(full.result(), tmp_path)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    linked = {part.split(")")[0] for part in page.split("](figures/")[1:]}
    assert linked == {file.name for file in (tmp_path / "figures").glob("*.png")}


def test_writing_again_changes_no_byte_and_removes_only_figures_that_went(full: World, tmp_path: Path) -> None:
    files = write_report(full.result(), tmp_path)
    before = {file: file.read_bytes() for file in files}
    (tmp_path / "figures" / "mine.png").write_bytes(b"kept")
    (tmp_path / "figures" / "claim-that-was.png").write_bytes(b"removed")
    (tmp_path / "figures" / "claim-that-was.svg").write_bytes(b"removed")
    (tmp_path / "notes.txt").write_text("kept")
    write_report(full.result(), tmp_path)
    assert {file: file.read_bytes() for file in files} == before
    assert (tmp_path / "figures" / "mine.png").exists()
    assert (tmp_path / "notes.txt").exists()
    assert not list((tmp_path / "figures").glob("claim-that-was.*"))


def judged_again(world: World, folder: Path) -> list[str]:
    """What `lnbench judge FOLDER --check` does."""
    name, tier, seeds, get = load_report(folder)
    assert (name, tier) == (world.study.name, world.study.tier)
    evidence = gather(plan_study(world.study, seeds), get, load_failures(folder))
    return report_differs(folder, judge(evidence, {"epochs": gather(world.alternative(), get)}))


def test_a_report_is_what_its_own_records_give(full: World, tmp_path: Path) -> None:
    write_report(full.result(), tmp_path)
    assert judged_again(full, tmp_path) == []


def test_a_contradiction_is_judged_again_with_what_was_tried(full: World, tmp_path: Path) -> None:
    full.run_all(BAD).run_all(BAD, full.alternative())
    result = full.result(full.tries())
    assert [claim.verdict for claim in result.claims] == ["contradicted"] * 3
    write_report(result, tmp_path / "with")
    assert judged_again(full, tmp_path / "with") == []
    write_report(replace(result, tries={}), tmp_path / "without")  # without their records contradictions cannot stand
    assert any("claims[0].verdict: 'outside-as-run'" in line for line in judged_again(full, tmp_path / "without"))


def test_collapses_and_failures_are_judged_again_alike(full: World, tmp_path: Path) -> None:
    full.collapse("mlp1", 10, 1)
    full.collapse("perceptron", 10, 1, diverged=True)
    run = full.runs("convnet4", 0)[0]
    del full.records[run.id]
    full.failures = {run.id: "RuntimeError: /home/me/x.py went wrong"}
    write_report(full.result(), tmp_path)
    assert judged_again(full, tmp_path) == []


def test_an_edited_verdict_number_or_sentence_is_found(full: World, tmp_path: Path) -> None:
    write_report(full.result(), tmp_path)
    file = tmp_path / "result.json"
    whole = file.read_text(encoding="utf-8")
    data = json.loads(whole)
    data["claims"][0]["parts"][0]["members"][0]["values"][0] += 0.001
    data["claims"][1]["verdict"] = "contradicted"
    file.write_text(json.dumps(data), encoding="utf-8")
    lines = judged_again(full, tmp_path)
    assert any(line.startswith("result.json: claims[0].parts[0].members[0].values[0]: ") for line in lines)
    assert "result.json: claims[1].verdict: 'reproduced', was 'contradicted'" in lines

    file.write_text(whole, encoding="utf-8")
    page = tmp_path / "report.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("✅ 3 reproduced", "✅ 2 reproduced"), encoding="utf-8")
    (line,) = judged_again(full, tmp_path)
    assert line.startswith("report.md: ")
    assert "was" in line


def test_a_missing_figure_and_a_page_that_is_gone_are_found(full: World, tmp_path: Path) -> None:
    write_report(full.result(), tmp_path)
    (tmp_path / "figures" / "forest.png").unlink()
    (tmp_path / "report.md").unlink()
    assert judged_again(full, tmp_path) == [
        "report.md: cannot be read: no such file",
        "figures/forest.png: missing",
    ]


def test_a_damaged_record_or_result_is_one_clear_error(full: World, tmp_path: Path) -> None:
    write_report(full.result(), tmp_path)
    records = tmp_path / "records.jsonl"
    records.write_text(records.read_text(encoding="utf-8").replace('"ok"', '"no"', 1), encoding="utf-8")
    with pytest.raises(StoreError, match=r"records.jsonl:1: its checksum does not fit"):
        load_report(tmp_path)
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(StoreError, match="not JSON"):
        read_result(tmp_path)
    (tmp_path / "result.json").write_text('{"schema": 99}')
    with pytest.raises(StoreError, match="schema 99; this lnbench reads 1"):
        read_result(tmp_path)
    with pytest.raises(StoreError, match=r"is .* the folder of a report"):
        read_result(tmp_path / "nowhere")


@pytest.mark.parametrize("seeds", [{"n": 10**9}, {"n": 10**400}, {"n": 0}, {"n": True}, {"n": "five"}, {}, 10**400])
def test_seeds_that_no_study_can_have_are_one_clear_error(full: World, tmp_path: Path, seeds: Any) -> None:
    write_report(full.result(), tmp_path)
    file = tmp_path / "result.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**data, "seeds": seeds}), encoding="utf-8")
    with pytest.raises(StoreError, match=r"result\.json: (seeds|a number in it has more than 40 digits)"):
        load_report(tmp_path)


def test_a_result_nested_too_deeply_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("[" * 100_000)
    with pytest.raises(StoreError, match="not JSON"):
        read_result(tmp_path)


def test_two_records_of_one_id_are_refused(full: World, tmp_path: Path) -> None:
    write_report(full.result(), tmp_path)
    records = tmp_path / "records.jsonl"
    lines = records.read_text(encoding="utf-8").splitlines(keepends=True)
    records.write_text("".join([*lines, lines[0]]), encoding="utf-8")
    with pytest.raises(StoreError, match=rf"records.jsonl:{len(lines) + 1}: a second record of [0-9a-f]{{12}}; which"):
        load_report(tmp_path)


def test_a_stored_result_without_a_part_differs_and_does_not_crash(full: World, tmp_path: Path) -> None:
    write_report(full.result(), tmp_path)
    file = tmp_path / "result.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    del data["claims"][0]["parts"]
    file.write_text(json.dumps(data), encoding="utf-8")
    assert "report.md: cannot be compared, for result.json is not whole" in judged_again(full, tmp_path)
