"""Fetching from a server that fails in every way there is."""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import shutil
import threading
from pathlib import Path
from typing import Any, NoReturn

import pytest

from lnbench.data import transfer
from lnbench.data.fetch import LOCK, fetch
from lnbench.data.transfer import Progress
from lnbench.errors import DataError

BIG = "train-images-idx3-ubyte.gz"
SMALL = "t10k-labels-idx1-ubyte.gz"


def get(fake: Any, root: Path, *mirrors: str, timeout: float = 5.0, **rest: Any) -> Any:
    name = fake.source.name
    return fetch(root, [name], mirrors, sources=fake.sources, timeout=timeout, backoff=0.001, **rest)


def failure(fake: Any, root: Path, *mirrors: str, timeout: float = 5.0) -> str:
    with pytest.raises(DataError) as error:
        get(fake, root, *mirrors, timeout=timeout)
    assert "\n" not in str(error.value)
    return str(error.value)


def assert_whole(fake: Any, root: Path) -> None:
    for path, content in fake.unpacked.items():
        assert (root / path).read_bytes() == content, path
    assert not list(root.rglob("*.part"))


def assert_nothing_half(fake: Any, root: Path) -> None:
    """Every file under its own name is whole."""
    packed = {archive.path: fake.served[archive.url_name] for archive in fake.source.archives}
    for path, content in {**packed, **fake.unpacked}.items():
        assert not (root / path).exists() or (root / path).read_bytes() == content, path


def test_fetch_downloads_checks_and_unpacks(fake_mnist: Any, serve: Any, tmp_path: Path) -> None:
    server = serve(fake_mnist)
    seen: list[Progress] = []
    (status,) = get(fake_mnist, tmp_path, server.url, progress=seen.append)
    assert (status.state, status.verified) == ("present", True)
    assert_whole(fake_mnist, tmp_path)
    assert len(server.requests) == 4
    assert {p.file for p in seen} == set(fake_mnist.served)
    assert all(p.done <= p.total and not p.note for p in seen)
    assert seen[-1].done == seen[-1].total


def test_a_second_fetch_asks_the_network_for_nothing(fake_mnist: Any, serve: Any, tmp_path: Path) -> None:
    server = serve(fake_mnist)
    get(fake_mnist, tmp_path, server.url)
    server.requests.clear()
    get(fake_mnist, tmp_path, server.url)
    assert server.requests == []


def test_an_archive_put_there_by_hand_is_unpacked_with_no_network(fake_tar: Any, tmp_path: Path) -> None:
    get(fake_tar, fake_tar.put_packed(tmp_path))
    assert_whole(fake_tar, tmp_path)


def test_only_the_listed_files_come_out_of_a_tar(fake_tar: Any, serve: Any, tmp_path: Path) -> None:
    root = tmp_path / "root"
    get(fake_tar, root, serve(fake_tar).url)
    assert_whole(fake_tar, root)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()}
    assert files == {f"root/{name}" for name in ("folder.tar.gz", "folder/one", "folder/two", LOCK)}


@pytest.mark.parametrize("fault", ["drop", "short", 503, 429, 500])
def test_a_fault_that_passes_is_tried_again(fake_mnist: Any, serve: Any, tmp_path: Path, fault: Any) -> None:
    server = serve(fake_mnist)
    server.faults = {BIG: [fault], SMALL: [fault]}
    notes: list[str] = []
    get(fake_mnist, tmp_path, server.url, progress=lambda p: notes.append(p.note))
    assert_whole(fake_mnist, tmp_path)
    assert len([note for note in notes if note]) == 2


def test_a_server_that_falls_silent_is_tried_again(fake_mnist: Any, serve: Any, tmp_path: Path) -> None:
    server = serve(fake_mnist)
    server.faults = {BIG: ["stall"]}
    get(fake_mnist, tmp_path, server.url, timeout=0.2)
    assert_whole(fake_mnist, tmp_path)


@pytest.mark.parametrize("fault", ["drop", "short"])
def test_what_is_left_is_asked_for_by_range(fake_mnist: Any, serve: Any, tmp_path: Path, fault: str) -> None:
    server = serve(fake_mnist)
    server.faults = {BIG: [fault, fault]}
    get(fake_mnist, tmp_path, server.url)
    whole = len(fake_mnist.served[BIG])
    first, second, third = server.asked_for(BIG)
    assert first is None
    if fault == "short":  # a reset may lose bytes that were on their way
        assert second == f"bytes={whole // 2}-"
    assert 0 < int(second.strip("bytes=-")) < int(third.strip("bytes=-")) < whole
    assert_whole(fake_mnist, tmp_path)


def test_a_server_without_range_sends_it_all_again(fake_mnist: Any, serve: Any, tmp_path: Path) -> None:
    server = serve(fake_mnist)
    server.ranges = False
    server.faults = {BIG: ["short"]}
    get(fake_mnist, tmp_path, server.url)
    assert len(server.asked_for(BIG)) == 2, "it takes the place of what came before"
    assert_whole(fake_mnist, tmp_path)


def test_an_interrupted_fetch_goes_on_where_it_stopped(fake_tar: Any, serve: Any, tmp_path: Path) -> None:
    server = serve(fake_tar)

    def interrupt(progress: Progress) -> None:
        if progress.done > 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(fake_tar, tmp_path, server.url, progress=interrupt)
    stopped = (tmp_path / "folder.tar.gz.part").stat().st_size
    assert_nothing_half(fake_tar, tmp_path)
    get(fake_tar, tmp_path, server.url)
    assert stopped > 0
    assert server.asked_for("folder.tar.gz") == [None, f"bytes={stopped}-"]
    assert_whole(fake_tar, tmp_path)


@pytest.mark.parametrize("left", [b"not the beginning of it", b"x" * 3_000_000], ids=["wrong", "too long"])
def test_a_part_file_of_something_else_is_thrown_away(fake_tar: Any, serve: Any, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "folder.tar.gz.part").write_bytes(left)
    get(fake_tar, tmp_path, serve(fake_tar).url)
    assert_whole(fake_tar, tmp_path)


def test_a_whole_part_file_needs_no_network(fake_tar: Any, serve: Any, tmp_path: Path) -> None:
    server = serve(fake_tar)
    (tmp_path / "folder.tar.gz.part").write_bytes(fake_tar.served["folder.tar.gz"])
    get(fake_tar, tmp_path, server.url)
    assert server.requests == []
    assert_whole(fake_tar, tmp_path)


def test_a_range_that_does_not_exist_begins_again(fake_tar: Any, serve: Any, tmp_path: Path) -> None:
    server = serve(fake_tar)
    server.faults = {"folder.tar.gz": [416]}
    (tmp_path / "folder.tar.gz.part").write_bytes(b"half")
    get(fake_tar, tmp_path, server.url)
    assert server.asked_for("folder.tar.gz") == ["bytes=4-", None]


def test_a_download_that_gets_further_each_time_is_not_given_up(
    fake_tar: Any, serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "FURTHER", 1000)
    server = serve(fake_tar)
    server.faults = {"folder.tar.gz": ["short"] * (transfer.ATTEMPTS + 2)}
    get(fake_tar, tmp_path, server.url)
    assert len(server.requests) > transfer.ATTEMPTS
    assert_whole(fake_tar, tmp_path)


def test_a_second_mirror_stands_in_for_the_first(fake_mnist: Any, serve: Any, tmp_path: Path) -> None:
    bad, good = serve(fake_mnist), serve(fake_mnist)
    bad.always = 404
    get(fake_mnist, tmp_path, bad.url, good.url)
    assert_whole(fake_mnist, tmp_path)


def test_a_mirror_with_other_bytes_does_not_spoil_the_next(fake_mnist: Any, serve: Any, tmp_path: Path) -> None:
    bad, good = serve(fake_mnist), serve(fake_mnist)
    bad.always = "wrong"
    get(fake_mnist, tmp_path, bad.url, good.url)
    assert_whole(fake_mnist, tmp_path)


def test_a_name_in_a_mirror_is_put_in(fake_mnist: Any, serve: Any, tmp_path: Path) -> None:
    get(fake_mnist, tmp_path, serve(fake_mnist).url + "{name}")
    assert_whole(fake_mnist, tmp_path)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (503, "the server answers 503"),
        (404, "the server answers 404"),
        ("wrong", "wrong file, MD5"),
        ("other", "another file, of 25 bytes and not"),
        ("long", "another file, of more than"),
        ("redirect", "which is not an http(s) address"),
    ],
)
def test_a_fault_that_lasts_is_one_clear_line(
    fake_mnist: Any, serve: Any, tmp_path: Path, fault: Any, says: str
) -> None:
    server = serve(fake_mnist)
    server.always = fault
    message = failure(fake_mnist, tmp_path, server.url)
    assert says in message
    assert server.url + BIG in message
    assert "run the command again" in message
    assert_nothing_half(fake_mnist, tmp_path)
    assert len(server.requests) == (transfer.ATTEMPTS if fault == 503 else 1)


@pytest.mark.parametrize("fault", ["drop", "short"])
def test_a_connection_that_always_breaks_ends_in_an_error(
    fake_tar: Any, serve: Any, tmp_path: Path, fault: str
) -> None:
    server = serve(fake_tar)
    server.always = fault
    assert "could not be downloaded" in failure(fake_tar, tmp_path, server.url)
    assert_nothing_half(fake_tar, tmp_path)
    server.always = None
    get(fake_tar, tmp_path, server.url)
    assert server.requests[-1][1] is not None, "what came before the error is kept"
    assert_whole(fake_tar, tmp_path)


def test_a_server_that_always_stalls_ends_in_an_error(fake_tar: Any, serve: Any, tmp_path: Path) -> None:
    server = serve(fake_tar)
    server.always = "stall"
    assert "no answer in time" in failure(fake_tar, tmp_path, server.url, timeout=0.1)


def test_no_server_at_all_is_an_error(fake_tar: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    assert "refused" in failure(fake_tar, tmp_path, "http://127.0.0.1:1/").lower()


@pytest.mark.parametrize("url", ["ftp://example.org/", "file:///etc/", "example.org", "http://", "http://a b/"])
def test_an_address_that_is_not_http_is_refused(fake_tar: Any, tmp_path: Path, url: str) -> None:
    assert "is not an http(s) address" in failure(fake_tar, tmp_path, url)


def test_a_damaged_file_is_mended(fake_mnist: Any, serve: Any, tmp_path: Path) -> None:
    server = serve(fake_mnist)
    get(fake_mnist, tmp_path, server.url)
    raw = tmp_path / "MNIST/raw"
    (raw / BIG).write_bytes(b"damaged")
    (raw / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
    server.requests.clear()
    get(fake_mnist, tmp_path, server.url)
    assert [name for name, _ in server.requests] == [BIG], "the other archive is whole: unpacked again, no more"
    assert_whole(fake_mnist, tmp_path)


def test_a_file_is_replaced_and_never_written_over(fake_tar: Any, tmp_path: Path) -> None:
    target = fake_tar.put_packed(tmp_path) / "folder/one"
    target.parent.mkdir()
    target.write_bytes(b"damaged")
    reader = tmp_path / "still open elsewhere"
    reader.hardlink_to(target)
    get(fake_tar, tmp_path)
    assert_whole(fake_tar, tmp_path)
    assert reader.read_bytes() == b"damaged"


def full_disk(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_while_unpacking_is_a_clear_error(
    fake_tar: Any, serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(fake_tar)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full_disk)
        message = failure(fake_tar, tmp_path, server.url)
    assert message.startswith("the disk is full: tarred takes 1 MB in ")
    assert_nothing_half(fake_tar, tmp_path)
    assert not list(tmp_path.rglob("*.part"))
    get(fake_tar, tmp_path, server.url)
    assert_whole(fake_tar, tmp_path)


def test_a_full_disk_while_downloading_is_a_clear_error(
    fake_tar: Any, serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Disk(io.FileIO):
        def write(self, block: Any) -> int:
            return super().write(block) if self.tell() + len(block) < 200_000 else full_disk()

    def on_it(path: Path, mode: str = "r", *rest: Any) -> Any:
        return io.BufferedWriter(Disk(path, mode)) if mode == "ab" else open(path, mode, *rest)

    server = serve(fake_tar)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", on_it)
        patch.setattr(transfer, "CHUNK", 10_000)
        message = failure(fake_tar, tmp_path, server.url)
    assert "the disk is full" in message
    assert_nothing_half(fake_tar, tmp_path)
    assert 0 < (tmp_path / "folder.tar.gz.part").stat().st_size < 200_000
    get(fake_tar, tmp_path, server.url)
    assert_whole(fake_tar, tmp_path)


def test_a_root_that_is_a_file_is_a_clear_error(fake_tar: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = failure(fake_tar, tmp_path / "file" / "data", "http://127.0.0.1:1/")
    assert "cannot be written (Not a directory)" in message
    assert "--data-dir" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_a_clear_error(fake_tar: Any, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    message = failure(fake_tar, tmp_path / "data", "http://127.0.0.1:1/")
    assert "cannot be written (Permission denied)" in message


def test_a_folder_that_may_not_be_written_is_a_clear_error(
    fake_tar: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    message = failure(fake_tar, tmp_path / "data", "http://127.0.0.1:1/")
    assert message.startswith(f"{tmp_path / 'data'} cannot be written (Permission denied)")


def test_a_read_only_root_with_all_its_data_is_no_error(
    fake_mnist: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fake_mnist.put(tmp_path)
    monkeypatch.setattr(Path, "mkdir", full_disk)
    (status,) = get(fake_mnist, root)
    assert status.usable
    assert not (root / LOCK).exists()


def test_an_unknown_name_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no data set 'minst'; there are mnist, fashion_mnist"):
        fetch(tmp_path, ["minst"])


def test_embedded_data_sets_have_nothing_to_fetch(tmp_path: Path) -> None:
    statuses = fetch(tmp_path / "none", ["digits", "synthetic_mnist"])
    assert [status.describe() for status in statuses] == [
        "digits: embedded, always there",
        "synthetic_mnist: embedded, always there",
    ]
    assert not (tmp_path / "none").exists()


def _fetch_in_a_process(fake: Any, root: Path, url: str) -> None:
    os.environ["no_proxy"] = "*"
    get(fake, root, url)


def test_two_processes_that_fetch_at_once_download_once(fake_tar: Any, serve: Any, tmp_path: Path) -> None:
    server = serve(fake_tar)
    server.faults = {"folder.tar.gz": ["short"]}
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_fetch_in_a_process, args=(fake_tar, tmp_path, server.url)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(server.requests) == 2, "one that breaks off, one for the rest: the other process waits"
    assert_whole(fake_tar, tmp_path)


def test_who_waits_for_the_lock_says_so_and_looks_again(fake_tar: Any, serve: Any, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    server = serve(fake_tar)
    notes: list[str] = []
    waiting = threading.Event()

    def progress(step: Progress) -> None:
        notes.append(step.note)
        waiting.set()

    with (tmp_path / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        options = {"progress": progress}
        thread = threading.Thread(target=get, args=(fake_tar, tmp_path, server.url), kwargs=options)
        thread.start()
        assert waiting.wait(10)
        fake_tar.put(tmp_path)  # what the holder of the lock was at
    thread.join(10)
    assert notes == [f"waiting for another process that is fetching into {tmp_path}"]
    assert server.requests == []
