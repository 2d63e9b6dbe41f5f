"""Small fake data sets in torchvision's layout, and a server that gives them and fails on demand."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import socket
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from lnbench.data.sources import Archive, DataFile, Source

SIDE, TRAIN, TEST = 28, 400, 100


def _md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def _idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@dataclass
class Fake:
    """A data set: its description, what a mirror serves (by file name) and its unpacked files (by path)."""

    source: Source
    served: dict[str, bytes]
    unpacked: dict[str, bytes]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def sources(self) -> dict[str, Source]:
        return {self.source.name: self.source}

    def put(self, root: Path) -> Path:
        """Lay the unpacked files down in `root`."""
        for path, content in self.unpacked.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        return root

    def put_packed(self, root: Path) -> Path:
        """Lay the archives down in `root`."""
        for archive in self.source.archives:
            (root / archive.path).parent.mkdir(parents=True, exist_ok=True)
            (root / archive.path).write_bytes(self.served[archive.url_name])
        return root


def _source(name: str, archives: list[Archive], arrays: dict[str, np.ndarray], torchvision: str) -> Source:
    digests = {key: hashlib.sha256(array.tobytes()).hexdigest() for key, array in arrays.items()}
    return Source(
        name, (1, SIDE, SIDE), 10, TRAIN, TEST, "none", "nobody", torchvision=torchvision,
        mirrors=("http://127.0.0.1:1/",), archives=tuple(archives), arrays=digests,
    )  # fmt: skip


@pytest.fixture(scope="session")
def fake_mnist() -> Fake:
    """400 + 100 random images, as four gzipped idx files."""
    numbers = np.random.default_rng(0)
    arrays, served, unpacked, archives = {}, {}, {}, []
    for split, prefix, count in (("train", "train", TRAIN), ("test", "t10k", TEST)):
        arrays[f"{split}_images"] = numbers.integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)
        arrays[f"{split}_labels"] = numbers.integers(0, 10, count, dtype=np.uint8)
        for kind, dims in (("images", 3), ("labels", 1)):
            raw = _idx(arrays[f"{split}_{kind}"])
            path = f"MNIST/raw/{prefix}-{kind}-idx{dims}-ubyte"
            packed = gzip.compress(raw, mtime=0)
            unpacked[path], served[path.rsplit("/", 1)[1] + ".gz"] = raw, packed
            member = DataFile(path, len(raw), _md5(raw))
            archives.append(Archive(f"{path}.gz", len(packed), _md5(packed), (member,)))
    return Fake(_source("mnist", archives, arrays, "MNIST"), served, unpacked, arrays)


@pytest.fixture(scope="session")
def fake_tar() -> Fake:
    """Two files in a tar, beside which it holds a stranger, a link and a path that leads outside."""
    numbers = np.random.default_rng(1)
    unpacked = {f"folder/{name}": numbers.bytes(300_000) for name in ("one", "two")}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, content in [*unpacked.items(), ("../outside", b"x"), ("folder/stranger", b"x")]:
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("folder/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    packed = buffer.getvalue()
    members = tuple(DataFile(path, len(content), _md5(content)) for path, content in unpacked.items())
    archive = Archive("folder.tar.gz", len(packed), _md5(packed), members)
    return Fake(_source("tarred", [archive], {}, "CIFAR10"), {"folder.tar.gz": packed}, unpacked)


@dataclass
class Server:
    """What is served and how. `faults[name]` are the faults of the next requests for that file, in turn.

    A fault: "drop" (reset after half of what is asked for), "short" (a full Content-Length, half the bytes,
    a clean end), "stall" (half, then silence), "wrong" (right length, wrong bytes), "other" (another file),
    "long" (no Content-Length, too many bytes), "redirect" (to an ftp address), or a status number. `always`
    is one for every request. `ranges` says whether Range is honoured. `requests` are (file name, Range).
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str | int]] = field(default_factory=dict)
    always: str | int | None = None
    ranges: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""
    release: threading.Event = field(default_factory=threading.Event)

    def next_fault(self, name: str) -> str | int | None:
        waiting = self.faults.get(name)
        return waiting.pop(0) if waiting else self.always

    def asked_for(self, name: str) -> list[str | None]:
        return [sought for asked, sought in self.requests if asked == name]


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            name = self.path.rsplit("/", 1)[1]
            server.requests.append((name, self.headers.get("Range")))
            fault = server.next_fault(name)
            if isinstance(fault, int) or name not in server.files:
                self.send_error(fault if isinstance(fault, int) else 404)
            elif fault == "redirect":
                self.send_response(302)
                self.send_header("Location", "ftp://127.0.0.1/" + name)
                self.end_headers()
            else:
                self.give(server.files[name], fault)

        def give(self, content: bytes, fault: str | None) -> None:
            if fault == "wrong":
                content = bytes(byte ^ 255 for byte in content)
            elif fault == "other":
                content = b"<html>log in first</html>"
            elif fault == "long":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content + b"more")
                return
            body = self.begin(content)
            if fault not in ("drop", "short", "stall"):
                self.wfile.write(body)
                return
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if fault == "stall":
                server.release.wait(10)
            if fault == "drop":
                # linger 0: the connection is reset, not closed
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

        def begin(self, content: bytes) -> bytes:
            sought = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if not sought or not server.ranges:
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                return content
            start = int(sought[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            return content[start:]

    return Handler


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what is being tested."""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Fake], Server]]:
    """serve(fake) starts a server of its files on a free port; all are stopped at the end of the test."""
    monkeypatch.setenv("no_proxy", "*")
    running: list[tuple[_QuietServer, Server]] = []

    def start(fake: Fake) -> Server:
        server = Server(files=dict(fake.served))
        listening = _QuietServer(("127.0.0.1", 0), _handler(server))
        server.url = f"http://127.0.0.1:{listening.server_address[1]}/data/"
        threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        running.append((listening, server))
        return server

    yield start
    for listening, server in running:
        server.release.set()
        listening.shutdown()
        listening.server_close()
