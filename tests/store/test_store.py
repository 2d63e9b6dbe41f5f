"""The store: whole files or none, nothing damaged ever read, nothing finished ever lost, two processes at peace."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import StoreError
from lnbench.identity import content_id, sha256
from lnbench.store import Record, Store, StoreUnwritable, default_path, make_record, write_atomically
from lnbench.store import files as files_module
from lnbench.store.record import envelope, opened
from tests.toys.records import training


@pytest.fixture
def warned() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warned: list[str]) -> Store:
    return Store(tmp_path / "store", warned.append)


def file_of(store: Store, one: Record) -> Path:
    return store.path / "records" / one["id"][:2] / f"{one['id']}.json"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


# ---- what is kept


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    one = training(1, 0.1 + 0.2)
    assert store.get(one["id"]) is None
    store.put(one)
    assert store.get(one["id"]) == one
    assert one["id"] == content_id(one["content"])
    assert files(store.path) == [store.path / "ledger.jsonl", file_of(store, one)]
    assert stat.S_IMODE(file_of(store, one).stat().st_mode) == 0o644


def test_a_record_is_never_changed(store: Store) -> None:
    store.put(training(1, 0.5))
    before = file_of(store, training(1)).read_bytes()
    store.put(training(1, 0.9))
    assert file_of(store, training(1)).read_bytes() == before


def test_records_come_in_order_of_their_ids(store: Store) -> None:
    for number in range(20):
        store.put(training(number))
    found = [one["id"] for one in store.records()]
    assert found == sorted(training(number)["id"] for number in range(20))


def test_an_outcome_with_a_number_that_is_none_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match=r"curves\.test_accuracy\.0: input should be a finite number"):
        store.put(training(1, float("nan")))
    assert files(store.path) == []


def test_the_place_can_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LNBENCH_STORE", raising=False)
    assert default_path() == Path(".lnbench")
    monkeypatch.setenv("LNBENCH_STORE", "/somewhere/else")
    assert default_path() == Path("/somewhere/else")


# ---- damage

INNER = {"id", "kind", "content", "outcome", "provenance"}


def forged(one: Record, **changes: Any) -> bytes:
    """An edited record whose checksum was computed anew."""
    edited = {key: value for key, value in {**one, **changes}.items() if value is not ...}
    return json.dumps({"format": 1, "checksum": sha256(edited), "record": edited}).encode()


def damaged(one: Record) -> dict[str, bytes]:
    whole = json.dumps(envelope(one), indent=1).encode()
    nan = json.dumps({**envelope(one), "record": {**one, "outcome": {"x": float("nan")}}}).encode()
    return {
        "empty": b"",
        "cut off": whole[: len(whole) // 2],
        "last byte lost": whole[:-1],
        "not text": b"\xff\xfe\x00\x01" * 10,
        "zeros": bytes(len(whole)),
        "edited outcome": whole.replace(b"0.5", b"0.6"),
        "edited content": whole.replace(b'"number": 1', b'"number": 2'),
        "content edited and checksum made anew": forged(one, content={"kind": "training", "number": 2}),
        "no outcome": forged(one, outcome=...),
        "an outcome that is no mapping": forged(one, outcome=[1]),
        "another kind": forged(one, kind="choice"),
        "no kind": forged(one, kind=...),
        "another key": forged(one, more=1),
        "no number": nan,
        "lone surrogate": forged_text(one),
        "a huge integer": whole.replace(b"0.5", b"9" * 5000),
        "very deep": b"[" * 100_000,
        "a list": b"[1, 2]",
        "no record": b'{"format": 1, "checksum": "x"}',
        "a record that is no mapping": b'{"format": 1, "checksum": "x", "record": 3}',
        "an older format": whole.replace(b'"format": 1', b'"format": 0'),
        "a format that is no number": whole.replace(b'"format": 1', b'"format": "1"'),
        "another record's": json.dumps(envelope(training(2))).encode(),
    }


def forged_text(one: Record) -> bytes:
    return json.dumps({"format": 1, "checksum": "x", "record": {**one, "outcome": {"x": "\ud800"}}}).encode()


@pytest.mark.parametrize("how", damaged(training(1)))
def test_a_damaged_file_is_set_aside_and_its_run_is_missing(store: Store, warned: list[str], how: str) -> None:
    one, other = training(1), training(3)
    store.put(one)
    store.put(other)
    data = damaged(one)[how]
    assert data != file_of(store, one).read_bytes()
    file_of(store, one).write_bytes(data)
    assert store.get(one["id"]) is None
    assert len(warned) == 1 and one["id"] in warned[0] and "set aside" in warned[0]
    aside = files(store.path / "set-aside")
    assert [path.read_bytes() for path in aside] == [data]  # nothing is thrown away
    assert [found["id"] for found in store.records()] == [other["id"]]
    store.put(one)
    assert store.get(one["id"]) == one and len(warned) == 1


def test_a_put_replaces_a_damaged_file(store: Store) -> None:
    file = file_of(store, training(1))
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half a rec")
    store.put(training(1))
    assert store.get(training(1)["id"]) == training(1)


def test_a_record_under_a_wrong_name_is_set_aside(store: Store, warned: list[str]) -> None:
    store.put(training(1))
    wrong = file_of(store, training(2))
    wrong.parent.mkdir(parents=True, exist_ok=True)
    os.replace(file_of(store, training(1)), wrong)
    assert store.get(training(2)["id"]) is None
    assert "another record" in warned[0]
    assert list(store.records()) == []


def test_files_that_are_no_records_are_left_and_told(store: Store, warned: list[str]) -> None:
    store.put(training(1))
    folder = file_of(store, training(1)).parent
    (folder / "notes.json").write_text("mine")
    strange = store.path / "records" / "zz"
    strange.mkdir()
    (strange / f"{training(1)['id']}.json").write_bytes(file_of(store, training(1)).read_bytes())
    assert [one["id"] for one in store.records()] == [training(1)["id"]]
    assert len(warned) == 2 and all("left as it is" in line for line in warned)
    assert (folder / "notes.json").read_text() == "mine"


def test_a_later_lnbenchs_record_is_neither_read_nor_moved_nor_trained_again(store: Store, warned: list[str]) -> None:
    store.put(training(1))
    file = file_of(store, training(1))
    later = file.read_bytes().replace(b'"format": 1', b'"format": 2')
    file.write_bytes(later)
    with pytest.raises(StoreError, match=r"later lnbench \(format 2; this one reads 1\).*update lnbench"):
        store.get(training(1)["id"])
    assert file.read_bytes() == later and warned == []


def test_damage_in_a_store_that_may_only_be_read_counts_as_missing(
    store: Store, warned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(training(1))
    file_of(store, training(1)).write_bytes(b"")
    monkeypatch.setattr(os, "replace", failing(errno.EROFS))
    assert store.get(training(1)["id"]) is None
    assert "cannot be set aside" in warned[0]
    assert file_of(store, training(1)).exists()


# ---- the file system says no


def failing(number: int) -> Any:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise OSError(number, os.strerror(number), str(arguments[0]))

    return fail


FULL = "the disk is full; free some space"
LOCKED = "may not be written; name a folder of yours with --store or LNBENCH_STORE"


@pytest.mark.parametrize("call", ["replace", "fsync", "chmod"])
@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, FULL), (errno.EDQUOT, FULL), (errno.EROFS, LOCKED), (errno.EACCES, LOCKED)],
    ids=["full", "quota", "read-only", "forbidden"],
)
def test_what_cannot_be_written_leaves_all_as_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch, call: str, number: int, words: str
) -> None:
    store.put(training(1))
    before = {path: path.read_bytes() for path in files(store.path)}
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(number))
        with pytest.raises(StoreUnwritable, match=words):
            store.put(training(2))
        with pytest.raises(StoreUnwritable, match=words):
            store.write(store.checkpoint_path(training(2)["id"]), b"state")
    assert {path: path.read_bytes() for path in files(store.path)} == before  # no temporary file either
    assert store.get(training(1)["id"]) == training(1)
    store.put(training(2))
    assert store.get(training(2)["id"]) == training(2)


def test_a_full_disk_while_writing_leaves_no_temporary_file(store: Store) -> None:
    """A real one: /dev/full cannot be a folder, so a limit on file size stands for it."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
        with pytest.raises(StoreError, match="File too large"):
            store.put(training(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert files(store.path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(store: Store) -> None:
    store.put(training(1))
    store.path.chmod(0o500)
    try:
        with pytest.raises(StoreUnwritable, match=LOCKED), store.lock("x"):
            pass
        assert store.get(training(1)["id"]) == training(1)
    finally:
        store.path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read_is_told(store: Store) -> None:
    store.put(training(1))
    file_of(store, training(1)).chmod(0)
    with pytest.raises(StoreError, match="cannot be read: no permission"):
        store.get(training(1)["id"])


def test_a_record_that_cannot_be_read_is_told_and_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(training(1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(errno.EIO))
        with pytest.raises(StoreError, match="cannot be read: Input/output error"):
            store.get(training(1)["id"])
    assert store.get(training(1)["id"]) == training(1)


@pytest.mark.parametrize("where", ["", "records", "records/xx", "checkpoints", "locks"])
def test_a_file_where_a_folder_should_be_is_told(store: Store, where: str) -> None:
    place = store.path / where.replace("xx", training(1)["id"][:2])
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a file")
    words = "a file,? where a folder is needed"
    with pytest.raises(StoreError, match=words):
        store.put(training(1))
        store.write(store.checkpoint_path("x"), b"")
        with store.lock("x"):
            pass
    assert place.read_text() == "a file"


@pytest.mark.parametrize("what", ["a folder", "a pipe", "far too large"])
def test_what_lies_in_the_place_of_a_record_and_is_no_file_of_ours_is_set_aside(
    store: Store, warned: list[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    place = file_of(store, training(1))
    place.parent.mkdir(parents=True)
    if what == "a folder":
        (place / "inside").mkdir(parents=True)
    elif what == "a pipe":
        os.mkfifo(place)  # to read it would wait for a writer
    else:
        monkeypatch.setattr("lnbench.store.folder.MOST_BYTES", 20_000)
        place.write_bytes(b" " * 20_001)
    assert store.get(training(1)["id"]) is None
    assert "not a record" in warned[0] and "set aside" in warned[0]
    assert len(list((store.path / "set-aside").iterdir())) == 1
    store.put(training(1))
    assert store.get(training(1)["id"]) == training(1)
    assert [one["event"] for one in map(json.loads, (store.path / "ledger.jsonl").read_text().splitlines())] == [
        "set aside",
        "made",
    ]


def test_no_name_leads_out_of_the_folder(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "precious.json"
    outside.write_text("precious")
    for name in ("../../precious", "../../../" + str(outside)[1:-5], str(outside)[:-5], "", "x", "A" * 32, "0" * 31):
        assert store.get(name) is None
    evil = {**training(1), "id": "../../precious"}
    line = json.dumps({"format": 1, "checksum": sha256(evil), "record": evil})
    (tmp_path / "evil.jsonl").write_text(line + "\n")
    new, known, refused = store.import_(tmp_path / "evil.jsonl")
    assert (new, known) == (0, 0) and "its id does not fit its content" in refused[0]
    assert outside.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir() if path != store.path) == ["evil.jsonl", "precious.json"]


# ---- several processes


def _write(path: Path, first: int, count: int, start: Any) -> None:
    start.wait()
    mine = Store(path, lambda line: sys.exit(line))
    for number in range(first, first + count):
        mine.put(training(number))
        if mine.get(training(number)["id"]) != training(number):
            sys.exit("not what was put")


def test_four_processes_write_the_same_and_other_records_at_once(store: Store, warned: list[str]) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Event()
    firsts = (0, 0, 25, 50)  # 100 records, half of them written by two or three
    members = [context.Process(target=_write, args=(store.path, first, 50, start)) for first in firsts]
    for member in members:
        member.start()
    start.set()
    for member in members:
        member.join(30)
        assert member.exitcode == 0
    found = list(store.records())
    assert sorted(one["content"]["number"] for one in found) == list(range(100))
    assert all(one == training(one["content"]["number"]) for one in found)
    assert warned == [] and len(files(store.path)) == 101  # the ledger, and no temporary file


def _hold(path: Path, held: Any, let_go: Any) -> None:
    with Store(path).lock("run") as mine:
        held.send(mine)
        let_go.wait(30)


def test_a_lock_keeps_others_out_until_it_is_let_go(store: Store) -> None:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    let_go = context.Event()
    holder = context.Process(target=_hold, args=(store.path, theirs, let_go))
    holder.start()
    assert ours.recv() is True
    with store.lock("run") as mine:
        assert mine is False
    with store.lock("another run") as mine:
        assert mine is True
    let_go.set()
    holder.join(10)
    with store.lock("run") as mine:
        assert mine is True
    assert files(store.path) == []  # locks leave nothing behind


def test_a_lock_is_freed_when_its_holder_is_killed(store: Store) -> None:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    holder = context.Process(target=_hold, args=(store.path, theirs, context.Event()))
    holder.start()
    assert ours.recv() is True
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(10)
    with store.lock("run") as mine:
        assert mine is True


def test_a_lock_is_freed_by_an_error_too(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.lock("run"):
        raise KeyboardInterrupt
    assert files(store.path) == []
    with store.lock("run") as mine:
        assert mine is True


def test_a_lock_whose_file_was_replaced_is_not_ours(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last holder removed the file between our opening and our locking it; somebody may hold a new one."""
    honest = files_module.try_lock

    def slow(descriptor: int) -> bool:
        (store.path / "locks" / "run").unlink()
        return honest(descriptor)

    monkeypatch.setattr("lnbench.store.folder.try_lock", slow)
    with store.lock("run") as mine:
        assert mine is False


def test_a_file_system_without_locks_is_worked_on_without(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module.fcntl, "flock", failing(errno.ENOLCK))
    with store.lock("run") as mine:
        assert mine is True


def _contend(path: Path, rounds: int, log: str) -> None:
    mine = Store(path)
    for _ in range(rounds):
        with mine.lock("run") as got:
            if got:
                descriptor = os.open(log, os.O_CREAT | os.O_EXCL)  # raises where two are in at once
                os.close(descriptor)
                time.sleep(0.0005)
                os.unlink(log)


def test_never_two_hold_one_lock(store: Store, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    arguments = (store.path, 150, str(tmp_path / "inside"))
    members = [context.Process(target=_contend, args=arguments) for _ in range(4)]
    for member in members:
        member.start()
    for member in members:
        member.join(30)
        assert member.exitcode == 0


# ---- how records travel


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz"])
def test_an_export_comes_back_whole(store: Store, tmp_path: Path, name: str) -> None:
    for number in range(10):
        store.put(training(number, number / 10))
    assert store.export(tmp_path / name) == 10
    other = Store(tmp_path / "other")
    assert other.import_(tmp_path / name) == (10, 0, [])
    assert list(other.records()) == list(store.records())
    assert other.import_(tmp_path / name) == (0, 10, [])
    assert other.export(tmp_path / f"again.{name}") == 10
    assert (tmp_path / f"again.{name}").read_bytes() == (tmp_path / name).read_bytes()  # to the byte, no date in it


def test_some_records_can_be_exported(store: Store, tmp_path: Path) -> None:
    for number in range(3):
        store.put(training(number))
    assert store.export(tmp_path / "some.jsonl", [training(1)["id"], "f" * 32]) == 1
    assert store.export(tmp_path / "none.jsonl", []) == 0
    assert not (tmp_path / "none.jsonl").exists()


def test_a_damaged_line_is_refused_alone(store: Store, tmp_path: Path) -> None:
    for number in range(3):
        store.put(training(number))
    store.export(tmp_path / "all.jsonl")
    lines = (tmp_path / "all.jsonl").read_bytes().splitlines()
    lines[1] = lines[1].replace(b"0.5", b"0.6")
    later = lines[2].replace(b'"format":1', b'"format":2')
    (tmp_path / "all.jsonl").write_bytes(b"\n".join([*lines, b"{", b"", later]))
    new, known, refused = (other := Store(tmp_path / "other")).import_(tmp_path / "all.jsonl")
    assert (new, known) == (2, 0)
    assert [line.split(": ", 1)[1] for line in refused] == [
        "its checksum does not fit (edited?)",
        "not whole JSON (cut off?)",
        "written by a later lnbench (format 2; this one reads 1)",
    ]
    assert [line.split(":")[1] for line in refused] == ["2", "4", "6"]
    assert len(list(other.records())) == 2


def test_a_record_that_differs_from_ours_is_refused(store: Store, tmp_path: Path) -> None:
    store.put(training(1, 0.5))
    other = Store(tmp_path / "other")
    other.put(training(1, 0.6))
    other.export(tmp_path / "other.jsonl")
    new, known, refused = store.import_(tmp_path / "other.jsonl")
    assert (new, known) == (0, 0) and "differs from the record in the store, which stays" in refused[0]
    assert store.get(training(1)["id"]) == training(1, 0.5)


def test_an_equal_outcome_made_elsewhere_is_the_same_record(store: Store, tmp_path: Path) -> None:
    store.put(training(1))
    other = Store(tmp_path / "other")
    other.put({**training(1), "provenance": {"seconds": 99.0}})
    other.export(tmp_path / "other.jsonl")
    assert store.import_(tmp_path / "other.jsonl") == (0, 1, [])


@pytest.mark.parametrize("damage", ["missing", "cut off", "no gzip", "flipped", "garbled"])
def test_an_export_that_cannot_be_read_is_one_clear_error(store: Store, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "all.jsonl.gz"
    if damage != "missing":
        for number in range(10):
            store.put(training(number))
        store.export(file)
        data = bytearray(file.read_bytes())
        if damage == "flipped":
            data[len(data) // 2] ^= 0xFF
        garbled = data[:10] + b"\xff" + data[11:]  # no block that zlib knows
        kinds = {"cut off": data[:-20], "no gzip": b"{}\n", "flipped": data, "garbled": garbled}
        file.write_bytes(kinds[damage])
    with pytest.raises(StoreError, match=r"all.jsonl.gz: cannot be read: "):
        Store(tmp_path / "other").import_(file)


def test_an_export_into_a_pipe_does_not_replace_it(store: Store, tmp_path: Path) -> None:
    store.put(training(1))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert store.export(pipe) == 1
        assert opened(os.read(reader, 1 << 16)) == training(1)
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_an_export_onto_a_folder_is_told(store: Store, tmp_path: Path) -> None:
    store.put(training(1))
    with pytest.raises(StoreError, match="it is a folder, where a file is needed"):
        store.export(tmp_path)
    assert not [path for path in tmp_path.parent.iterdir() if path.name.startswith(f".{tmp_path.name}")]


def test_the_status_counts_what_is_there(store: Store) -> None:
    empty = store.status()
    assert (empty.records, empty.bytes, empty.checkpoints, empty.set_aside) == ({}, 0, 0, 0)
    for number in range(3):
        store.put(training(number))
    content = {
        "kind": "choice",
        "key": "optimizer.lr",
        "by": "test_accuracy",
        "candidates": [[0.1, []]],
        "versions": {},
    }
    store.put(make_record(content, {"status": "ok", "chosen": 0.1, "scores": [0.5], "margin": None}, {}))
    store.write(store.checkpoint_path("a" * 32), b"123")
    file_of(store, training(0)).write_bytes(b"")
    found = store.status()
    assert found.records == {"training": 2, "choice": 1}
    assert (found.checkpoints, found.set_aside) == (1, 1)
    assert found.bytes == sum(path.stat().st_size for path in files(store.path))


def test_dropping_a_checkpoint_takes_its_half_written_ones_along(store: Store) -> None:
    for name in ("a" * 32, "b" * 32):
        store.write(store.checkpoint_path(name), b"123")
        (store.path / "checkpoints" / f".{name}.npz.k1ll3d").write_bytes(b"12")
    store.drop_checkpoint("a" * 32)
    assert [path.name for path in files(store.path)] == [f".{'b' * 32}.npz.k1ll3d", f"{'b' * 32}.npz"]
    store.drop_checkpoint("c" * 32)


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "file", b"one and more")
    write_atomically(tmp_path / "new" / "file", b"two")
    assert (tmp_path / "new" / "file").read_bytes() == b"two"
    assert len(files(tmp_path)) == 1
