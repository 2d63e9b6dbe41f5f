"""The chain over a report's records, and the store's ledger as far as a report takes it along."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import StoreError
from lnbench.identity import canonical_json
from lnbench.report import markdown, report_differs, write_report
from lnbench.report.folder import chain_differs, json_text, load_ledger
from lnbench.report.result.chain import chain_head
from lnbench.report.result.result import result_to_json
from lnbench.store import make_record
from lnbench.store.record import envelope, opened
from tests.toys.records import training
from tests.toys.report_world import World

pytestmark = pytest.mark.usefixtures("no_drawing")


@pytest.fixture
def folder(full: World, tmp_path: Path) -> Path:
    write_report(full.result(), tmp_path / "report")
    return tmp_path / "report"


def chain(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())["records"]
    return found


def edit(folder: Path, change: Any) -> str:
    """Change the lines of records.jsonl; return the id of the second record."""
    file = folder / "records.jsonl"
    lines = file.read_text().splitlines()
    name: str = opened(lines[1])["id"]
    file.write_text("".join(f"{line}\n" for line in change(lines)))
    return name


def test_the_page_shows_the_head_of_the_chain_over_all_records(full: World, folder: Path) -> None:
    found = chain(folder)
    assert found["n"] == len(full.records) and list(found["sha256"]) == sorted(full.records)
    assert found["head"] == chain_head(found["sha256"])
    page = (folder / "report.md").read_text()
    assert f"The chain over {found['n']} records ends in `{found['head']}`" in page
    assert chain_differs(found, folder) == []
    assert report_differs(folder, full.result()) == []


def test_a_removed_record_is_named(full: World, folder: Path) -> None:
    name = edit(folder, lambda lines: [lines[0], *lines[2:]])
    assert chain_differs(chain(folder), folder) == [f"records.jsonl: record {name} was removed"]
    assert f"records.jsonl: record {name} was removed" in report_differs(folder, full.result())


def test_a_record_changed_with_all_its_checksums_is_named(folder: Path) -> None:
    def change(lines: list[str]) -> list[str]:
        record = opened(lines[1])
        other = make_record(record["content"], {**record["outcome"], "better": 1}, record["provenance"])
        return [lines[0], canonical_json(envelope(other)), *lines[2:]]

    name = edit(folder, change)
    assert chain_differs(chain(folder), folder) == [f"records.jsonl: record {name} was changed"]


def test_an_added_record_is_named(folder: Path) -> None:
    more = training(1)
    edit(folder, lambda lines: [*lines, canonical_json(envelope(more))])
    assert chain_differs(chain(folder), folder) == [f"records.jsonl: record {more['id']} is not in the chain"]


def test_an_edited_chain_does_not_end_in_its_hash(folder: Path) -> None:
    name = edit(folder, lambda lines: [lines[0], *lines[2:]])
    found = chain(folder)
    del found["sha256"][name]
    (line,) = chain_differs(found, folder)
    assert "does not end in its own hash" in line
    for broken in ({}, {"sha256": 3}, {"n": 1, "head": "x", "sha256": {"a": 1}}):
        assert chain_differs(broken, folder) != []
    assert chain_differs(None, folder) == []  # a report of before there were chains


def entry(n: int, event: str, record: str, outcome: str = "a" * 64, why: str = "") -> dict[str, Any]:
    return {
        "n": n, "event": event, "id": record, "kind": "training", "sha256": "b" * 64, "outcome": outcome,
        "time": f"2026-01-02T03:0{n}:05+00:00", "why": why, "before": "c" * 64,
    }  # fmt: skip


def test_what_was_removed_or_made_twice_is_on_the_page_and_stays_when_judged_again(full: World, tmp_path: Path) -> None:
    one, two, three = sorted(full.records)[:3]
    ledger = (
        entry(1, "made", one),
        entry(2, "made", two),
        entry(3, "removed", one, why="a wrong | rate"),
        entry(4, "made", one, outcome="d" * 64),
        entry(5, "made", three),
        entry(6, "made", three),
    )
    result = replace(full.result(), ledger=ledger)
    write_report(result, tmp_path)
    page = (tmp_path / "report.md").read_text()
    assert "**3 records of this study were removed from the store, or made more than once**" in page
    assert "(#removed-or-made-more-than-once)" in page and "## Removed, or made more than once" in page
    rows = [line for line in page.splitlines() if "(line " in line]
    assert len(rows) == 3
    assert "removed 2026-01-02 03:03 UTC (line 3): a wrong \\| rate<br>made" in rows[0]
    assert rows[0].endswith("(line 4), with another outcome |")
    assert rows[1].endswith("removed by hand since: no line says why |")
    assert rows[2].endswith("(line 6), with the same outcome |")
    again = replace(full.result(), ledger=load_ledger(tmp_path))
    assert json_text(result_to_json(again)) == (tmp_path / "result.json").read_text()
    assert report_differs(tmp_path, again) == []


def test_a_report_of_an_even_history_says_nothing_of_it(full: World) -> None:
    data = full.json()
    assert "ledger" not in data
    assert "made more than once" not in markdown(data)


def test_damaged_ledger_lines_are_told(full: World, tmp_path: Path) -> None:
    write_report(full.result(), tmp_path)
    file = tmp_path / "result.json"
    file.write_text(json_text({**json.loads(file.read_text()), "ledger": [{"n": 1}]}))
    with pytest.raises(StoreError, match="'ledger' holds what is no line"):
        load_ledger(tmp_path)
