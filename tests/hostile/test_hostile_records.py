"""Records that are none, with checksums that fit: refused when they are imported and when they are read, and no other
error; exports that are none, or are far larger than they look."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import StoreError
from lnbench.store import Record, Store, exports, make_record, read_export
from lnbench.store.record import opened
from lnbench.store.schema import fault, out_of_bounds
from tests.hostile.json_mutations import edited_text, enveloped, forged
from tests.toys.records import OUTCOME, content, training

REPORTS = Path(__file__).parents[2] / "reports"


def _of_every_kind() -> dict[str, Record]:
    """A committed record of each kind, experiment and reading, the smallest of those in small reports."""
    found: dict[str, Record] = {}
    for file in sorted(REPORTS.glob("*/records.jsonl")):
        for line in file.read_bytes().splitlines()[:60]:
            record = opened(line)
            recipe = record["content"].get("recipe", {})
            name = f"{record['kind']} {record['content'].get('reading', recipe.get('experiment', ''))}".strip()
            if name not in found or len(str(record)) < len(str(found[name])):
                found[name] = record
    return found


KINDS = _of_every_kind()


def test_there_is_a_committed_record_of_nearly_every_kind() -> None:
    assert {"training", "choice", "reading detection", "training ntk", "training linear_network"} <= KINDS.keys()


def _hold_against_the_schema(record: Record, seed: int, count: int, folder: Path) -> None:
    store, file = Store(folder / "store"), folder / "export.jsonl"
    lines = [(words, enveloped(made)) for words, made in itertools.islice(forged(record, seed), count)]
    lines += [
        (words, raw.replace(b"\n", b" "))
        for words, raw in itertools.islice(edited_text(enveloped(record), seed), count)
    ]
    file.write_bytes(b"\n".join(line for _, line in lines) + b"\n")
    new, known, refused = store.import_(file)
    blank = sum(not line.strip() for _, line in lines)
    assert new + known + len(refused) + blank == len(lines)
    for line in refused:
        assert len(line) < 1000 and "\n" not in line
    for kept in store.records():
        assert fault(kept) == out_of_bounds(kept) == ""
        assert json.dumps(kept, allow_nan=False)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_forged_records_are_taken_whole_or_refused(kind: str, tmp_path: Path) -> None:
    _hold_against_the_schema(KINDS[kind], 0, 15, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_thousands_of_forged_records_are_taken_whole_or_refused(kind: str, tmp_path: Path) -> None:
    _hold_against_the_schema(KINDS[kind], 1, 200, tmp_path)


def _changed(**outcome: Any) -> Record:
    return make_record(content(1), {**OUTCOME, "curves": {"test_accuracy": [0.5]}, **outcome}, {})


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (_changed(status="fine"), "outcome.status: input should be 'ok' or 'diverged'"),
        (_changed(curves={"test_accuracy": [0.5, 0.6]}), "outcome.curves.test_accuracy has 2 values"),
        (_changed(curves={"test_accuracy": []}), "outcome.curves.test_accuracy has 0 values, and the run has 1"),
        (_changed(curves={"test_accuracy": [None]}), "outcome.curves.test_accuracy.0: input should be a valid number"),
        (_changed(curves={"test_accuracy": [True]}), "outcome.curves.test_accuracy.0: input should be a valid number"),
        (_changed(curves={"test_accuracy": ["0.5"]}), "outcome.curves.test_accuracy.0: input should be a valid number"),
        (_changed(curves=[]), "outcome.curves: input should be a valid dict"),
        (_changed(classes=0), "outcome.classes: input should be greater than or equal to 1"),
        (_changed(examples={"train": 1}), "outcome.examples.validation: field required"),
        (_changed(metrics={"x": "0.5"}), "outcome.metrics.x: input should be a valid number"),
        (_changed(data_sha256=None), "outcome.data_sha256: input should be a valid string"),
        (make_record({**content(1), "recipe": None}, OUTCOME, {}), "content.recipe: input should be a valid dict"),
        (make_record({**content(1), "recipe": {}}, OUTCOME, {}), "content.recipe.epochs is no number of epochs"),
        (make_record({"kind": "opinion"}, {}, {}), "'opinion' is no kind of record"),
        (make_record(content(1), OUTCOME, {"seconds": "long"}), "provenance.seconds: input should be a valid number"),
        (make_record(content(1), OUTCOME, {"finished": 7}), "provenance.finished: input should be a valid string"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_checksum_makes_no_record(record: Record, words: str, tmp_path: Path) -> None:
    line = enveloped(record)
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        opened(line)
    with pytest.raises(StoreError, match="what was computed is no record"):
        Store(tmp_path / "store").put(record)
    store = Store(tmp_path / "store", warn=(told := []).append)
    place = store.path / "records" / record["id"][:2] / f"{record['id']}.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(line)
    assert store.get(record["id"]) is None and words in told[0]


@pytest.mark.parametrize(
    ("name", "value"), [("test_accuracy", 92.3), ("test_loss", -0.1), ("gradient_cosine_end", 1.5)]
)
def test_a_number_that_no_metric_can_be_is_not_imported(tmp_path: Path, name: str, value: float) -> None:
    """What is trained here and lies outside is an error of the verdict: training it again would give the same."""
    record = _changed(metrics={name: value}) if name.startswith("gradient") else _changed(curves={name: [value]})
    (tmp_path / "all.jsonl").write_bytes(enveloped(record) + b"\n" + enveloped(training(2)) + b"\n")
    new, known, refused = Store(tmp_path / "store").import_(tmp_path / "all.jsonl")
    assert (new, known) == (1, 0) and f"is {value:g}, and {name} lies from" in refused[0]
    store = Store(tmp_path / "own")
    store.put(record)
    assert store.get(record["id"]) == record


# ---- exports


def test_a_small_file_that_unpacks_to_far_more_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST_BYTES", 100_000)
    file = tmp_path / "all.jsonl.gz"
    file.write_bytes(gzip.compress(bytes(1_000_000)))
    with pytest.raises(StoreError, match=r"all\.jsonl\.gz: cannot be read: line 1 is longer than"):
        Store(tmp_path / "store").import_(file)
    file.write_bytes(gzip.compress((b"\n" * 99) * 10_000))
    with pytest.raises(StoreError, match="it holds more than"):
        list(read_export(file, most=100_000))
    sound = enveloped(training(1)) + b"\n"
    file.write_bytes(gzip.compress(sound + b"\n" * 200_000))
    with pytest.raises(StoreError, match="it holds more than"):
        next(read_export(file, most=100_000))  # before the first record is given out


def test_a_long_file_of_anything_else_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "all.jsonl").write_bytes(b"{\n" * 5000)
    with pytest.raises(StoreError, match=r"more than 1,000 lines are no records; is it an export\?"):
        Store(tmp_path / "store").import_(tmp_path / "all.jsonl")


@pytest.mark.parametrize("what", ["a pipe", "/dev/zero", "a folder"])
def test_what_is_no_file_is_not_imported_and_not_waited_for(tmp_path: Path, what: str) -> None:
    place = tmp_path / "all.jsonl"
    if what == "a pipe":
        os.mkfifo(place)
    elif what == "a folder":
        place.mkdir()
    with pytest.raises(StoreError, match=r"a pipe or a device|it is a folder"):
        Store(tmp_path / "store").import_(Path(what) if what.startswith("/") else place)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """An export of three records that lies where one is written to."""
    store = Store(tmp_path / "three")
    for number in range(3):
        store.put(training(number))
    store.export(tmp_path / "backup.jsonl")
    return tmp_path / "backup.jsonl"


def test_an_export_of_nothing_writes_nothing(backup: Path, tmp_path: Path) -> None:
    before = backup.read_bytes()
    assert Store(tmp_path / "empty").export(backup) == 0
    assert Store(tmp_path / "empty").export(backup, replace=True) == 0
    assert backup.read_bytes() == before


def test_an_export_that_would_lose_records_is_refused_unless_that_is_asked_for(backup: Path, tmp_path: Path) -> None:
    before, other = backup.read_bytes(), Store(tmp_path / "other")
    other.put(training(1))
    with pytest.raises(StoreError, match=r"has 2 records that are not among the 1 to write; .* or --replace"):
        other.export(backup)
    assert backup.read_bytes() == before
    for number in range(4):
        other.put(training(number))
    assert other.export(backup) == 4  # all that was there is in it
    other.remove(training(3)["id"], "gone")
    assert other.export(backup, replace=True) == 3


@pytest.mark.parametrize("text", [b"my thesis", b"\x89PNG\r\n", b"{}\n", b'{"format": 1}\n'])
def test_a_file_that_is_no_export_is_never_written_over_unasked(tmp_path: Path, text: bytes) -> None:
    store, file = Store(tmp_path / "store"), tmp_path / "thesis.txt"
    store.put(training(1))
    file.write_bytes(text)
    with pytest.raises(StoreError, match="is there already, and is no whole export"):
        store.export(file)
    assert file.read_bytes() == text
    assert store.export(file, replace=True) == 1


@pytest.mark.parametrize("where", ["ledger.jsonl", "records/new.jsonl", "link"])
def test_nothing_is_exported_into_the_store_itself(tmp_path: Path, where: str) -> None:
    store = Store(tmp_path / "store")
    store.put(training(1))
    record = store.path / "records" / training(1)["id"][:2] / f"{training(1)['id']}.json"
    target = tmp_path / "link" if where == "link" else store.path / where
    if where == "link":
        target.symlink_to(record)
    for place in (target, record):
        with pytest.raises(StoreError, match="lies in the store's own folder"):
            store.export(place, replace=True)
    assert store.get(training(1)["id"]) == training(1)
