"""`lnbench lock`: entries are added and never rewritten; what is no sound lock is one line with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lnbench.identity import sha256
from tests.toys.edited_study import edited
from tests.toys.trained_study import STUDY, Call

LOCK = Path("claims/locks/toy-full.json")


def entries() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(LOCK.read_text())["entries"]
    return found


def edit(*edits: tuple[str, str]) -> None:
    Path("claims/toy.yaml").write_text(edited(STUDY, *edits))


def test_it_registers_every_tier_but_smoke_and_says_when_nothing_changed(home: Path, call: Call) -> None:
    code, out, _ = call("lock")
    assert (code, out) == (0, f"toy-full: entry 1 -> {home / LOCK}\n")
    assert [file.name for file in LOCK.parent.iterdir()] == ["toy-full.json"]
    before = LOCK.read_bytes()
    code, out, _ = call("lock", "toy")
    assert code == 0 and out.startswith("toy-full: registered as it stands since 20")
    assert LOCK.read_bytes() == before
    assert entries()[0]["claims"]["TOY-01"]["parts"]["learns"]["region"] == "at least 0.3"


def test_an_edited_region_is_not_registered_until_lock_is_run_and_the_history_keeps_it(home: Path, call: Call) -> None:
    call("lock")
    edit(("threshold: 0.3", "threshold: 0.25"))
    code, out, _ = call("lock", "--check")
    assert code == 1
    assert out.splitlines() == [
        "toy-full: not registered as it stands; run `lnbench lock toy --tier full`",
        "  TOY-01: region of learns: was “at least 0.3”, is “at least 0.25”",
    ]
    first = entries()
    assert len(first) == 1, "--check writes nothing"
    assert call("lock")[0] == 0
    assert entries()[:1] == first and len(entries()) == 2
    assert entries()[1]["previous"] == sha256(first[0])
    assert call("lock", "--check")[:2] == (0, "1 study at a tier: registered as it stands\n")


def test_check_names_a_study_that_was_never_registered(home: Path, call: Call) -> None:
    code, out, _ = call("lock", "--check")
    assert (code, out) == (1, "toy-full: not registered as it stands; run `lnbench lock toy --tier full`\n")
    assert not LOCK.exists()


def test_other_wording_needs_no_entry(home: Path, call: Call) -> None:
    call("lock")
    edit(("says: Noise costs accuracy.", "says: Noise costs some accuracy."))
    assert call("lock", "--check")[0] == 0


def test_seeds_alternatives_claims_and_runs_are_named(home: Path, call: Call) -> None:
    call("lock")
    one_claim = STUDY[: STUDY.index("  - id: TOY-02")] + STUDY[STUDY.index("tiers:") :]
    unused = ("  drop: {metric: test_accuracy, along: {noise.alpha: drop}}\n", "")
    edits = (("seeds: {n: 4", "seeds: {n: 5"), ("times: 2", "times: 3"), ("epochs: 2\n", "epochs: 4\n"), unused)
    Path("claims/toy.yaml").write_text(edited(one_claim, *edits))
    assert call("lock", "--check")[1].splitlines()[1:] == [
        "  TOY-02: not in the study any more",
        "  seeds: was “4”, is “5”",
        "  alternatives: was “epochs {\"times\": 2}”, is “epochs {\"times\": 3}”",
        "  the runs are others",
    ]  # fmt: skip


def test_a_folder_of_studies_has_its_locks_beside_them(home: Path, call: Call) -> None:
    (home / "elsewhere").mkdir()
    (home / "elsewhere" / "mine.yaml").write_text(STUDY)
    assert call("lock", "--claims", "elsewhere")[0] == 0
    assert (home / "elsewhere" / "locks" / "mine-full.json").is_file() and not LOCK.exists()
    assert call("lock", "mine", "--claims", "elsewhere", "--tier", "full", "--check")[0] == 0
    (home / "elsewhere" / "locks" / "mine-full.json").unlink()
    assert "run `lnbench lock elsewhere/mine.yaml --tier full`" in call("lock", "--claims", "elsewhere", "--check")[1]
    (home / "empty").mkdir()
    assert call("lock", "--claims", "empty")[0] == 5


def test_smoke_and_what_does_not_exist_are_one_line(home: Path, call: Call) -> None:
    assert call("lock", "--tier", "smoke")[::2] == (
        2, "lnbench: smoke is not registered: it says nothing about a paper\n"
    )  # fmt: skip
    assert "toy has no tier cpu" in call("lock", "toy", "--tier", "cpu")[2]
    assert "no study is named 'nothing'" in call("lock", "nothing")[2]
    assert call("lock", "--tier", "cpu")[0] == 5


Damage = Callable[[dict[str, Any]], Any]


def region_edited(data: dict[str, Any]) -> None:
    data["entries"][0]["claims"]["TOY-01"]["parts"]["learns"]["check"]["threshold"] = 0.1


def hash_too(data: dict[str, Any]) -> None:
    """Edit the first entry as a whole; the second still holds the hash of what it was."""
    data["entries"][0]["lnbench"] = "9.9"


BROKEN: list[tuple[Damage | str, str]] = [
    ("", ":1:1: not a lock: not JSON"),
    ("{", ":1:1: not a lock: not JSON"),
    ("[]", ": not a lock: it needs schema, study, tier and entries"),
    ('{"schema": 1, "study": "toy", "tier": "full"}', ": not a lock: it needs"),
    (lambda data: data.update(schema=2), ": schema 2; this lnbench reads 1"),
    (lambda data: data.update(study="other"), ": it is the lock of 'other' at 'full', not of toy-full"),
    (lambda data: data["entries"].insert(0, 7), ": entry 1: not an entry"),
    (lambda data: data["entries"][0].update(time="yesterday"), ": entry 1: time 'yesterday' is no time"),
    (lambda data: data["entries"][0].update(records_since=7), ": entry 1: records_since 7 is no time"),
    (lambda data: data["entries"][0].pop("lnbench"), ": entry 1: it does not say which version"),
    (lambda data: data["entries"].pop(0), ": entry 1: the entry above is not the one"),
    (lambda data: data["entries"][0].pop("claims"), ": entry 1: it needs runs, seeds, tries, claims"),
    (
        lambda data: data["entries"][0]["claims"].update({"TOY-01": 3}),
        ": entry 1: claims.TOY-01: input should be a valid",
    ),
    (region_edited, ": entry 1: the sha256 of claim TOY-01 does not fit what it says (edited?)"),
    (hash_too, ": entry 2: the entry above is not the one"),
    (lambda data: data["entries"][1].update(time="2001-01-01T00:00:00+00:00"), ": entry 2: its time, 2001-01-01"),
    (lambda data: data["entries"][1].update(time="2999-01-01T00:00:00+00:00"), ": entry 2 is of 2999-01-01"),
]


@pytest.mark.parametrize("damage, what", BROKEN, ids=[what for _, what in BROKEN])
@pytest.mark.parametrize("option", [(), ("--check",)], ids=["lock", "check"])
def test_a_damaged_lock_is_one_line_with_its_place(
    home: Path, call: Call, damage: Damage | str, what: str, option: tuple[str, ...]
) -> None:
    call("lock")
    edit(("threshold: 0.3", "threshold: 0.25"))
    call("lock")
    if isinstance(damage, str):
        LOCK.write_text(damage)
    else:
        data = json.loads(LOCK.read_text())
        damage(data)
        LOCK.write_text(json.dumps(data))
    before = LOCK.read_bytes()
    code, _, err = call("lock", *option)
    assert code == 2
    assert len(err.splitlines()) == 1 and err.startswith(f"lnbench: {home / LOCK}{what}")
    assert LOCK.read_bytes() == before


def test_what_cannot_be_read_or_written_is_one_line(home: Path, call: Call) -> None:
    LOCK.parent.write_text("a file")
    code, _, err = call("lock")
    assert (code, err) == (
        2, f"lnbench: {home / LOCK}: cannot be written: there is a file where a folder is needed\n"
    )  # fmt: skip
    LOCK.parent.unlink()
    LOCK.mkdir(parents=True)
    assert call("lock")[::2] == (2, f"lnbench: {home / LOCK}: not a lock: it is a folder, where a file is needed\n")
    LOCK.rmdir()
    LOCK.write_bytes(b"\xff\xfe")
    assert call("lock")[::2] == (
        2,
        f"lnbench: {home / LOCK}:1:1: not a lock: not JSON (expected value at line 1 column 1)\n",
    )


def test_an_entry_says_since_when_a_report_had_records_and_later_entries_keep_it(home: Path, call: Call) -> None:
    call("lock")
    report = home / "reports" / "toy-full" / "result.json"
    report.parent.mkdir(parents=True)
    for number, (first, threshold) in enumerate([("2026-01-05", "0.25"), ("2026-01-09", "0.2")], start=1):
        report.write_text(json.dumps({"schema": 1, "runs": {"first_finished": f"{first}T00:00:00+00:00"}}))
        edit(("threshold: 0.3", f"threshold: {threshold}"))
        call("lock")
        assert entries()[number]["records_since"] == "2026-01-05T00:00:00+00:00"
    assert entries()[0]["records_since"] is None
    report.write_text("{")
    edit(("threshold: 0.3", "threshold: 0.1"))
    assert call("lock")[0] == 0 and entries()[3]["records_since"] == "2026-01-05T00:00:00+00:00"


def test_a_lock_that_is_damaged_stops_no_judging_and_the_report_says_so(trained: Path, call: Call) -> None:
    LOCK.write_text("{")
    code, _, err = call("report", "toy", "--tier", "full", "-o", "reports")
    assert code == 4 and "Traceback" not in err, err
    page = Path("reports/toy-full/report.md").read_text()
    assert "The history of what was registered cannot be read: toy-full.json:1:1: not a lock" in page
    assert "🕓 2 post hoc" in page
    LOCK.unlink()
    assert call("judge", "--check", "reports/toy-full")[0] == 0, "the report says what was wrong when it was judged"
