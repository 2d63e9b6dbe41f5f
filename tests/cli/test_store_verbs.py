"""`lnbench store check` and `remove`, and what a report then says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from lnbench.store import Store
from lnbench.store.record import opened
from tests.toys.trained_study import Call


def some_run(trained: Path) -> str:
    """The id of one of the runs that the verdicts are made of."""
    runs = [one for one in Store(trained / ".lnbench").records() if one["kind"] == "training"]
    return str(next(one["id"] for one in runs if not one["content"]["recipe"]["dataset"]["validation"]))


def test_a_sound_store_is_0_and_shows_its_head(trained: Path, call: Call) -> None:
    code, out, err = call("store", "check")
    last = (trained / ".lnbench" / "ledger.jsonl").read_bytes().splitlines()[-1]
    assert code == 0 and err == ""
    assert "the records are what the ledger says" in out
    assert (
        f"{json.loads(last)['n']} lines in the ledger, the last has the hash {hashlib.sha256(last).hexdigest()}" in out
    )


def test_a_record_removed_by_hand_is_7_and_named(trained: Path, call: Call) -> None:
    run = some_run(trained)
    (trained / ".lnbench" / "records" / run[:2] / f"{run}.json").unlink()
    code, out, err = call("store", "check")
    assert code == 7
    assert err.startswith(f"{run}: was removed by hand") and "1 not as it should be" in out


def test_a_removal_with_a_reason_reaches_the_report_which_stays_what_its_records_give(
    trained: Path, call: Call
) -> None:
    run = some_run(trained)
    assert call("store", "remove", run[:8])[0] == 2  # without a reason
    assert call("store", "remove", run[:8], "--why", " ")[0] == 2
    assert call("store", "remove", run[:8], "--why", "a power cut")[0] == 0
    code, out, _ = call("store", "check")
    assert code == 0 and "a power cut" in out
    call("verify", "toy", "--tier", "full")  # whatever its verdicts
    folder = trained / ".lnbench" / "reports" / "toy-full"
    page = (folder / "report.md").read_text()
    assert "**1 record of this study was removed from the store, or made more than once**" in page
    assert "a power cut" in page and "with the same outcome" in page
    assert call("judge", "--check", str(folder))[0] == 0
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    call("judge", "--write", str(folder))
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text("".join(line for line in lines if opened(line)["id"] != run))
    code, _, err = call("judge", "--check", str(folder))
    assert code == 1 and f"records.jsonl: record {run} was removed" in err


def test_an_unknown_record_is_told(trained: Path, call: Call) -> None:
    code, _, err = call("store", "remove", "zz", "--why", "x")
    assert code == 6 and "has no such record" in err
