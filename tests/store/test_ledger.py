"""The store's ledger: what came and went, in a chain; nothing removed or changed by hand stays unseen."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import StoreError
from lnbench.store import Record, Store
from lnbench.store.ledger import FIRST, LEDGER, Ledger
from tests.toys.records import training


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    for number in range(3):
        made.put(training(number))
    return made


def file_of(store: Store, one: Record) -> Path:
    return store.path / "records" / one["id"][:2] / f"{one['id']}.json"


def lines(store: Store) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (store.path / LEDGER).read_text().splitlines()]


def wrong(store: Store) -> list[tuple[str, str]]:
    """(id, what is wrong) of a check with new eyes."""
    return [(found.record, found.what) for found in Ledger(store.path).check().findings if found.wrong]


def notes(store: Store) -> list[tuple[str, str]]:
    return [(found.record, found.what) for found in Ledger(store.path).check().findings if not found.wrong]


def test_each_record_has_a_line_chained_to_the_one_before(store: Store) -> None:
    found = lines(store)
    assert [line["n"] for line in found] == [1, 2, 3]
    assert [line["id"] for line in found] == [training(number)["id"] for number in range(3)]
    assert {line["event"] for line in found} == {"made"} and {line["kind"] for line in found} == {"training"}
    assert found[0]["before"] == FIRST and len({line["before"] for line in found}) == 3
    assert wrong(store) == notes(store) == []
    assert Ledger(store.path).check().entries == 3


def test_a_record_that_is_there_already_gets_no_second_line(store: Store) -> None:
    store.put(training(1, 0.9))
    assert len(lines(store)) == 3


def test_a_record_removed_by_hand_is_named(store: Store) -> None:
    file_of(store, training(1)).unlink()
    ((name, what),) = wrong(store)
    assert name == training(1)["id"] and what.startswith("was removed by hand: line 2 (")


@pytest.mark.parametrize("cut", [True, False], ids=["damaged", "a sound record of another outcome"])
def test_a_record_changed_by_hand_is_named(store: Store, cut: bool) -> None:
    file = file_of(store, training(1))
    other = Store(store.path.parent / "other")
    other.put(training(1, 0.9))
    file.write_bytes(b"{}" if cut else file_of(other, training(1)).read_bytes())
    ((name, what),) = wrong(store)
    assert name == training(1)["id"] and what.startswith("was changed: line 2 (")


@pytest.mark.parametrize("how", ["changed", "removed", "moved"])
def test_a_line_changed_removed_or_moved_breaks_the_chain(store: Store, how: str) -> None:
    file = store.path / LEDGER
    one, two, three = file.read_bytes().splitlines(keepends=True)
    new = {"changed": [one, two.replace(b'"made"', b'"found"'), three], "removed": [one, three],
           "moved": [two, one, three]}  # fmt: skip
    file.write_bytes(b"".join(new[how]))
    assert any("does not follow the line before it" in what for _, what in wrong(store))


def test_a_removal_keeps_its_reason_and_is_nothing_wrong(store: Store) -> None:
    one = training(1)["id"]
    store.remove(store.find(one[:6]), "trained with the wrong data")
    assert store.get(one) is None
    assert wrong(store) == []
    ((name, what),) = notes(store)
    assert name == one and "was removed at line 4" in what and what.endswith("trained with the wrong data")
    with pytest.raises(StoreError, match="has no record"):
        store.remove(one, "again")
    with pytest.raises(StoreError, match="no such record"):
        store.find("0123")
    with pytest.raises(StoreError, match="no such record"):
        store.find("")


@pytest.mark.parametrize("said", [True, False], ids=["removed with a reason", "removed by hand"])
@pytest.mark.parametrize("value", [0.5, 0.9], ids=["same outcome", "another outcome"])
def test_a_run_made_twice_is_named_with_what_came_of_it(store: Store, said: bool, value: float) -> None:
    one = training(1)
    if said:
        store.remove(one["id"], "to see it again")
    else:
        file_of(store, one).unlink()
    Store(store.path).put(training(1, value))
    outcome = "the same" if value == 0.5 else "another"
    told = [what for name, what in [*wrong(store), *notes(store)] if name == one["id"] and "made twice" in what]
    assert len(told) == 1 and f"with {outcome} outcome" in told[0]
    assert ("no line says" in told[0]) is not said
    assert bool(wrong(store)) is (not said and value == 0.9)  # another outcome, and nobody says why


def test_a_damaged_record_is_set_aside_with_a_line(store: Store) -> None:
    file_of(store, training(1)).write_bytes(b"half a rec")
    assert store.get(training(1)["id"]) is None
    last = lines(store)[-1]
    assert (last["event"], last["id"]) == ("set aside", training(1)["id"]) and "not whole JSON" in last["why"]
    assert wrong(store) == []
    store.put(training(1))
    assert wrong(store) == []


def test_an_old_store_gets_its_ledger_at_the_first_write(store: Store) -> None:
    (store.path / LEDGER).unlink()
    assert [what for _, what in notes(store)] == ["is not in the ledger yet; the next write adds it as found"] * 3
    Store(store.path).put(training(7))
    assert [line["event"] for line in lines(store)] == ["found", "found", "found", "made"]
    assert wrong(store) == notes(store) == []


def test_imported_records_say_so(store: Store, tmp_path: Path) -> None:
    store.export(tmp_path / "all.jsonl")
    other = Store(tmp_path / "other")
    other.import_(tmp_path / "all.jsonl")
    assert {line["event"] for line in lines(other)} == {"imported"}


def _die_between(path: Path) -> None:
    store = Store(path)
    store.ledger.add = lambda *arguments, **options: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    store.put(training(9))


def test_what_a_killed_process_left_without_a_line_is_found_by_the_next_write(store: Store) -> None:
    process = multiprocessing.get_context("fork").Process(target=_die_between, args=(store.path,))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert training(9)["id"] not in {line["id"] for line in lines(store)}
    Store(store.path).put(training(10))
    assert [(line["event"], line["id"]) for line in lines(store)[3:]] == [
        ("found", training(9)["id"]),
        ("made", training(10)["id"]),
    ]
    assert wrong(store) == notes(store) == []


def test_a_torn_last_line_is_removed_and_its_record_found(store: Store) -> None:
    file = store.path / LEDGER
    whole = file.read_bytes()
    file.write_bytes(whole[:-40])
    Store(store.path).put(training(10))
    assert [line["event"] for line in lines(store)] == ["made", "made", "found", "made"]
    assert wrong(store) == []


def _put_many(path: Path, first: int) -> None:
    store = Store(path)
    for number in range(first, first + 40):
        store.put(training(number))


def test_several_processes_write_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    members = [context.Process(target=_put_many, args=(tmp_path / "store", first)) for first in (0, 0, 20, 40)]
    for member in members:
        member.start()
    for member in members:
        member.join(60)
        assert member.exitcode == 0
    store = Store(tmp_path / "store")
    found = lines(store)
    assert len(found) == len({line["id"] for line in found}) == 80
    assert wrong(store) == notes(store) == []
    assert not list((store.path / "locks").iterdir())


def test_what_a_report_takes_along_is_what_left_or_came_twice(store: Store) -> None:
    ids = [training(number)["id"] for number in range(3)]
    assert store.ledger.about(ids) == []
    store.remove(ids[0], "why not")
    file_of(store, training(1)).unlink()
    told = store.ledger.about(ids)
    assert [(entry["event"], entry["id"]) for entry in told] == [
        ("made", ids[0]), ("made", ids[1]), ("removed", ids[0])
    ]  # fmt: skip
    assert store.ledger.about(ids[2:]) == []
