"""Downloading one file over a network that fails.

The bytes go to `<file>.part`, which a later attempt resumes by HTTP Range; only a file with the right MD5
gets its own name. Faults that may pass (a dropped or refused connection, a timeout, 429 or 5xx) are tried
again, over all mirrors, with growing pauses; faults that will not (404, another file than expected) rule a
mirror out.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import stat
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import DataError, visible
from .sources import Archive
from .unpack import CHUNK, PART, md5_of

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 5  # a mirror, each without getting further
BACKOFF = 1.0  # seconds before the second attempt, doubled each time
FURTHER = 1 << 20  # bytes that count as getting further
WINDOW = 60.0  # seconds over which the least rate is asked for
LEAST = 1 << 16  # bytes in a window: a modem brings five times as many, a server that drips keeps us for ever
LENGTH = "[0-9]{1,18}"  # of a file that a disk may hold
MOST_SHOWN = 100  # letters of what a server says


@dataclass(frozen=True)
class Progress:
    """How far a download is: bytes `done` of `total` of `file` of data set `name`; `note` tells a fault."""

    name: str
    file: str
    done: int
    total: int
    note: str = ""


Report = Callable[[int, str], None]  # (bytes done, note)


class _Passing(Exception):
    """A fault that may pass."""


class _Lasting(Exception):
    """A fault that will not pass at this mirror."""


def download(
    archive: Archive,
    target: Path,
    mirrors: Sequence[str],
    report: Report,
    *,
    timeout: float = TIMEOUT,
    attempts: int = ATTEMPTS,
    backoff: float = BACKOFF,
) -> None:
    """Get `archive` from the first mirror that has it and put it at `target`; `mirrors` are base URLs.

    Raises DataError when no mirror gives it, OSError when it cannot be written. What came so far stays in the
    .part file, for the next call to go on with.
    """
    part = target.with_name(target.name + PART)
    urls = [_checked(mirror.rstrip("/") + "/" + archive.url_name) for mirror in mirrors]
    _own(part)
    faults: dict[str, str] = {}
    furthest, failures = _size(part), 0
    while urls and failures < attempts:
        for url in list(urls):
            try:
                _attempt(archive, url, part, report, timeout)
                part.replace(target)
                return
            except (_Passing, _Lasting) as fault:
                faults[url] = str(fault)
                report(_size(part), f"{url}: {fault}")
                if isinstance(fault, _Lasting):
                    urls.remove(url)
        failures = 0 if _size(part) >= furthest + FURTHER else failures + 1
        furthest = max(furthest, _size(part))
        if urls and failures < attempts:
            time.sleep(backoff * 2 ** max(0, failures - 1))
    tried = "; ".join(f"{url}: {fault}" for url, fault in faults.items()) or "no mirror is known"
    failed = f"{archive.url_name} could not be downloaded ({tried})"
    raise DataError(f"{failed}; run the command again to go on where it stopped, or put the file at {target}")


def _own(part: Path) -> None:
    """Remove what is there in place of a file of ours: bytes that are added to a link go to whatever it leads to.
    Raises DataError where it is a folder."""
    with contextlib.suppress(FileNotFoundError):
        found = part.lstat()
        if stat.S_ISDIR(found.st_mode):
            raise DataError(f"{part} is a folder; remove it, for the download is written there")
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            part.unlink()


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and re.fullmatch(r"[!-~]+", url)
    except ValueError:
        right = False
    if not right:
        raise DataError(f"'{url}' is not an http(s) address; give a mirror like https://example.org/data/")
    return url


def _attempt(archive: Archive, url: str, part: Path, report: Report, timeout: float) -> None:
    """Get the rest of the file into `part`; returns only when `part` is whole and right."""
    _own(part)
    start = _size(part)
    if start > archive.size:
        part.unlink()
        start = 0
    if start < archive.size:
        _receive(archive, url, part, start, report, timeout)
    if (found := md5_of(part)) != archive.md5:
        part.unlink()
        # what is wrong may be the beginning, from another mirror: only a file all from here convicts this one
        kind = _Passing if start else _Lasting
        raise kind(f"wrong file, MD5 {found} and not {archive.md5}")


def _receive(archive: Archive, url: str, part: Path, start: int, report: Report, timeout: float) -> None:
    headers = {"User-Agent": "lnbench", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with _answer(urllib.request.Request(url, headers=headers), part, timeout) as response:
        begin, total = _extent(response, start)
        if total is not None and total != archive.size:
            raise _Lasting(f"another file, of {total:,} bytes and not {archive.size:,}")
        _copy(response, archive, part, begin, report)
    if (got := _size(part)) < archive.size:
        raise _Passing(f"the connection ended after {got:,} of {archive.size:,} bytes")


def _answer(request: urllib.request.Request, part: Path, timeout: float) -> http.client.HTTPResponse:
    connections: list[http.client.HTTPConnection] = []
    opener = urllib.request.build_opener(_HttpOnly(), _Http(connections), _Https(connections))
    try:
        with _answered_within(2 * timeout, connections):
            response: http.client.HTTPResponse = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the rest that we ask for does not exist there: begin again
            part.unlink(missing_ok=True)
        kind = _Passing if error.code in (408, 416, 425, 429) or error.code >= 500 else _Lasting
        raise kind(f"the server answers {error.code} {_shown(error.reason)}") from error
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise _Passing(_reason(error)) from error
    except ValueError as error:  # a host name that cannot be encoded
        raise _Lasting(str(error)) from error
    return response


def _copy(response: http.client.HTTPResponse, archive: Archive, part: Path, begin: int, report: Report) -> None:
    done, since, then = begin, time.monotonic(), begin
    with part.open("ab") as file:
        file.truncate(begin)  # a server without Range sends the whole file again
        while block := _read(response):
            done += len(block)
            if time.monotonic() - since >= WINDOW:
                if done - then < LEAST:
                    raise _Passing(f"too slow: {done - then:,} bytes in {time.monotonic() - since:.0f} s")
                since, then = time.monotonic(), done
            if done > archive.size:
                file.truncate(0)
                raise _Lasting(f"another file, of more than {archive.size:,} bytes")
            file.write(block)
            report(done, "")


def _read(response: http.client.HTTPResponse) -> bytes:
    """Return the next bytes, b"" at the end. Network faults become _Passing: an OSError is then one of the disk."""
    try:
        return response.read1(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Passing(_reason(error)) from error


def _extent(response: http.client.HTTPResponse, start: int) -> tuple[int, int | None]:
    """Return (offset of the first byte that comes, size of the whole file or None where the server does not say)."""
    if response.status == 206:
        place = re.fullmatch(
            rf"bytes ({LENGTH})-{LENGTH}/({LENGTH}|\*)", response.headers.get("Content-Range", "").strip()
        )
        if place is None or int(place[1]) != start:
            raise _Lasting("the server answers another range than the one asked for")
        return start, None if place[2] == "*" else int(place[2])
    length = response.headers.get("Content-Length", "").strip()
    if length and not re.fullmatch(LENGTH, length):
        raise _Lasting(f"the server gives a length that no file has: {_shown(length)}")
    return 0, int(length) if length else None


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    return _shown(getattr(inner, "strerror", None) or inner or type(inner).__name__)


def _shown(said: object) -> str:
    """Return what a server says, on one line that a terminal only shows."""
    text = visible(str(said))
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextlib.contextmanager
def _answered_within(seconds: float, connections: list[http.client.HTTPConnection]) -> Iterator[None]:
    """Cut the connections where the body of this context takes longer: a server that drips its headers keeps every
    single byte's deadline."""

    def cut() -> None:
        for connection in connections:
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Http(urllib.request.HTTPHandler):
    """Opens http addresses, and keeps the connections at hand that it makes."""

    def __init__(self, connections: list[http.client.HTTPConnection]):
        super().__init__()
        self.connections = connections

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, **options: Any) -> http.client.HTTPConnection:
            self.connections.append(http.client.HTTPConnection(host, **options))
            return self.connections[-1]

        return self.do_open(connection, req)


class _Https(urllib.request.HTTPSHandler):
    """The same for https."""

    def __init__(self, connections: list[http.client.HTTPConnection]):
        super().__init__()
        self.connections = connections

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, **options: Any) -> http.client.HTTPConnection:
            self.connections.append(http.client.HTTPSConnection(host, **options))
            return self.connections[-1]

        return self.do_open(connection, req)


class _HttpOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to http(s) only: urllib would go on to ftp."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise _Lasting(f"the server points to '{_shown(newurl)}', which is not an http(s) address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
