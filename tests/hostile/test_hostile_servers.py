"""Servers that want to keep a fetch for ever, fill its terminal, or have it write somewhere else."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench.data import transfer
from lnbench.data.fetch import fetch
from lnbench.errors import DataError, visible

Answer = Callable[[socket.socket, threading.Event], None]


@contextlib.contextmanager
def raw_server(answer: Answer) -> Iterator[str]:
    """Yield the address of a server that answers each connection with `answer(connection, over)`."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                connection.recv(65_536)
                answer(connection, over)

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=run, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        over.set()
        with contextlib.suppress(OSError):  # wakes the thread that accepts
            listening.shutdown(socket.SHUT_RDWR)


def says(text: bytes) -> Answer:
    """Return an answer of these bytes, and no more."""
    return lambda connection, over: connection.sendall(text)


def drips(first: bytes, drop: bytes) -> Answer:
    """Return an answer that goes on for ever, a drop at a time."""

    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(first)
        while not over.wait(0.005):
            connection.sendall(drop)

    return answer


def failure(fake: Any, root: Path, url: str, timeout: float = 5.0) -> str:
    with pytest.raises(DataError) as error:
        fetch(root, [fake.source.name], [url], sources=fake.sources, timeout=timeout, backoff=0.0)
    message = str(error.value)
    assert visible(message) == message and len(message) < 2000
    return message


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


LENGTHS = ("9" * 5000, "-1", "²", "٣٤", "1e9", "0x10", "99999999999999999999", "1, 2", "NaN", "\x1b[31m")


@pytest.mark.parametrize("length", LENGTHS, ids=range(len(LENGTHS)))
def test_a_length_that_no_file_has_is_one_line(fake_tar: Any, tmp_path: Path, length: str) -> None:
    """A length of 5,000 digits, or in other digits than ours, was a traceback."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
    with raw_server(says(head.encode("utf-8") + b"x" * 50)) as url:
        assert "could not be downloaded" in failure(fake_tar, tmp_path, url)
    for said in (f"bytes 0-9/{length}", f"bytes {length}-9/10", length):
        (tmp_path / "folder.tar.gz.part").write_bytes(b"begun")
        head = f"HTTP/1.1 206 Partial\r\nContent-Range: {said}\r\n\r\n"
        with raw_server(says(head.encode("utf-8") + b"x" * 50)) as url:
            assert "could not be downloaded" in failure(fake_tar, tmp_path, url)


def test_a_server_that_drips_is_left(fake_tar: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte came in time, so it was waited for, for months."""
    monkeypatch.setattr(transfer, "WINDOW", 0.05)
    size = fake_tar.source.archives[0].size
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    with raw_server(drips(head, b"x")) as url:
        assert "too slow: " in failure(fake_tar, tmp_path, url)


def test_a_server_that_drips_its_headers_is_left(fake_tar: Any, tmp_path: Path) -> None:
    with raw_server(drips(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n")) as url:
        assert "could not be downloaded" in failure(fake_tar, tmp_path, url, timeout=0.1)
    with raw_server(drips(b"HTTP/1.1 200 OK\r\nX: ", b"y")) as url:
        assert "could not be downloaded" in failure(fake_tar, tmp_path, url, timeout=0.05)


def test_a_fast_server_is_not_called_slow(
    fake_tar: Any,
    serve: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transfer, "WINDOW", 0.0)
    monkeypatch.setattr(transfer, "LEAST", 1)
    monkeypatch.setattr(transfer, "CHUNK", 1000)
    fetch(tmp_path, ["tarred"], [serve(fake_tar).url], sources=fake_tar.sources)


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://a/b", "data:text/plain,x", "gopher://a", "//", "jar:x", "\x1b]0;x"]
)
def test_redirects_to_other_schemes_are_refused(fake_tar: Any, tmp_path: Path, to: str) -> None:
    with raw_server(says(f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())) as url:
        failure(fake_tar, tmp_path, url, timeout=1.0)
    assert not (tmp_path / "folder.tar.gz").exists()


def test_a_redirect_to_itself_ends(fake_tar: Any, tmp_path: Path) -> None:
    with raw_server(says(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")) as url:
        assert "could not be downloaded" in failure(fake_tar, tmp_path, url)


def test_what_a_server_says_is_shown_and_not_obeyed(fake_tar: Any, tmp_path: Path) -> None:
    with raw_server(says(b"HTTP/1.1 404 \x1b[2J\x9b31m" + b"gone" * 10_000 + b"\r\n\r\n")) as url:
        assert "the server answers 404" in failure(fake_tar, tmp_path, url)


def test_noise_in_place_of_http_is_one_line(fake_tar: Any, tmp_path: Path) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        with raw_server(says([b"", b"HTTP/1.1 200 OK\r\n"][seed % 2] + rng.bytes(300))) as url:
            failure(fake_tar, tmp_path, url, timeout=1.0)


@pytest.mark.parametrize("what", ["link", "hard link", "broken link", "pipe"])
def test_a_part_that_is_no_file_of_ours_is_not_written_through(
    fake_tar: Any,
    serve: Any,
    tmp_path: Path,
    what: str,
) -> None:
    """What came was added to whatever the link leads to."""
    root, other = tmp_path / "root", tmp_path / "other"
    root.mkdir()
    part = root / "folder.tar.gz.part"
    if what != "broken link":
        other.write_bytes(b"mine")
    if what == "pipe":
        os.mkfifo(part)
    elif what == "hard link":
        os.link(other, part)
    else:
        part.symlink_to(other)
    fetch(root, ["tarred"], [serve(fake_tar).url], sources=fake_tar.sources)
    assert other.read_bytes() == b"mine" if what != "broken link" else not other.exists()
    assert (root / "folder.tar.gz").read_bytes() == fake_tar.served["folder.tar.gz"] and not part.exists()


def test_a_part_that_is_a_folder_is_one_line(fake_tar: Any, tmp_path: Path) -> None:
    (tmp_path / "folder.tar.gz.part").mkdir()
    with raw_server(says(b"")) as url:
        assert "is a folder; remove it" in failure(fake_tar, tmp_path, url)
