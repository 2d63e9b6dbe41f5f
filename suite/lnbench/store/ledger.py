"""The store's ledger: what became part of the store and what left it, one line each, chained by hashes.

A line of `ledger.jsonl` is canonical JSON:

    n        1, 2, 3, …
    event    "made" (trained, chosen, read from arrays), "imported", "found" (a record that was there without a line:
             made before stores had ledgers, copied in, or its process was killed between record and line),
             "removed" (by `lnbench store remove`) or "set aside" (its file was damaged)
    id, kind     of the record; kind is "" where the file could not be read
    sha256       of the bytes of the record's file
    outcome      sha256 of the outcome alone: equal for equal runs, whenever and wherever they were made
    time         when the line was written
    why          the reason, of what left
    before       sha256 of the line before; 64 zeros for the first

A record is written first, its line after it, both under one lock. So a process that is killed leaves at most a record
without a line, which the next write finds, and a torn last line, which the next write removes. What this shows: a
record removed or changed by hand, a run made more than once, a line changed, removed or moved. What it cannot show: a
last line cut off together with its record, and a ledger written again from its first line on.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lnbench.errors import StoreError
from lnbench.identity import canonical_json, sha256
from lnbench.store.files import explained, waiting_lock
from lnbench.store.record import ID, MOST_BYTES, opened
from lnbench.untrusted import Denied, Missing, Unreadable, bytes_of, reason

LEDGER = "ledger.jsonl"
MOST_LEDGER = 1 << 30  # bytes: three million lines
FIRST = "0" * 64
CAME, LEFT = ("made", "imported", "found"), ("removed", "set aside")
KEYS = {"n", "event", "id", "kind", "sha256", "outcome", "time", "why", "before"}

Entry = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """Something that the ledger and the store's files do not agree on. `wrong`: false for what is only worth
    knowing."""

    what: str
    wrong: bool = True
    record: str = ""


@dataclass(frozen=True)
class Checked:
    """What a check of a store found: `entries` lines, the hash of the last one, and what is amiss."""

    entries: int
    head: str
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        return not any(finding.wrong for finding in self.findings)


class Ledger:
    """The ledger of the store in a folder."""

    def __init__(self, store: Path):
        self.file, self.records, self._lock = store / LEDGER, store / "records", store / "locks" / "ledger"
        self._known: set[str] | None = None  # ids with a line; None until this object has read the ledger

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the ledger's lock, and give every record without a line one, marked as found. Raises StoreError."""
        with waiting_lock(self._lock):
            self._catch_up()
            yield

    def add(self, event: str, record_id: str, data: bytes, why: str = "") -> None:
        """Append a line about a record's file of these bytes. Only while the lock is held. Raises StoreError."""
        self._append([_about(event, record_id, data, why)])

    def _catch_up(self) -> None:
        """Find records without a line, once for each object: other processes write lines for what they make."""
        if self._known is not None:
            return
        self._mend()
        known = {entry["id"] for _, entry in self._lines() if entry is not None}
        lost = [file for file in record_files(self.records) if file.stem not in known]
        found = []
        for file in lost:
            with contextlib.suppress(OSError, ValueError):  # damaged: set aside when somebody asks for it
                data = bytes_of(file, MOST_BYTES)
                opened(data)
                found.append(_about("found", file.stem, data))
        self._append(found)
        self._known = known | {entry["id"] for entry in found}

    def _bytes(self) -> bytes:
        """Return the whole file; b"" where there is none. Raises StoreError."""
        try:
            return bytes_of(self.file, MOST_LEDGER)
        except Missing:
            return b""
        except Unreadable as error:
            raise StoreError(f"{self.file}: cannot be read: {error}") from None

    def _mend(self) -> None:
        """Remove a last line without its end: its process was killed while writing it."""
        data = self._bytes()
        if data and not data.endswith(b"\n"):
            with explained(self.file):
                os.truncate(self.file, data.rfind(b"\n") + 1)

    def _append(self, entries: list[Entry]) -> None:
        if not entries:
            return
        with explained(self.file), open(self.file, "ab+") as handle:
            last = _last_line(handle)
            number, before = (_number(last), _hash(last)) if last else (0, FIRST)
            lines = []
            for entry in entries:
                number += 1
                line = canonical_json({**entry, "n": number, "before": before}).encode()
                before = _hash(line)
                lines.append(line + b"\n")
            handle.write(b"".join(lines))
            handle.flush()
            os.fsync(handle.fileno())

    def _lines(self) -> Iterator[tuple[bytes, Entry | None]]:
        """Yield every line with its entry; None where it is not one."""
        for line in self._bytes().split(b"\n"):
            if line:
                yield line, _entry(line)

    def about(self, ids: Iterable[str]) -> list[Entry]:
        """Return the lines about these records that a reader should know of: all lines of each record that was
        removed (by hand too), set aside, or made more than once. In the ledger's order. Raises StoreError."""
        wanted, there = set(ids), {file.stem for file in record_files(self.records)}
        lines: dict[str, list[Entry]] = {}
        for _, entry in self._lines():
            if entry is not None and entry["id"] in wanted:
                lines.setdefault(entry["id"], []).append(entry)
        told = [entry for name, found in lines.items() if len(found) > 1 or name not in there for entry in found]
        return sorted(told, key=lambda entry: int(entry["n"]))

    def check(self) -> Checked:
        """Compare the ledger with itself and with the record files; nothing is written. Raises StoreError."""
        findings: list[Finding] = []
        history: dict[str, list[Entry]] = {}
        before, number, entries = FIRST, 0, 0
        for line, entry in self._lines():
            entries += 1
            if entry is None:
                findings.append(Finding(f"line {entries} is not a line of a ledger; what it said is lost"))
            else:
                number += 1
                if entry["before"] != before or entry["n"] != number:
                    what = f"line {entries} does not follow the line before it: a line was changed, removed or moved"
                    findings.append(Finding(what, record=entry["id"]))
                    number = entry["n"]
                history.setdefault(entry["id"], []).append(entry)
            before = _hash(line)
        files = {file.stem: file for file in record_files(self.records)}
        for record_id, lines in history.items():
            findings += _of_record(record_id, lines, files.get(record_id))
        findings += [
            Finding("is not in the ledger yet; the next write adds it as found", wrong=False, record=record_id)
            for record_id in files
            if record_id not in history
        ]
        return Checked(entries, before, tuple(findings))


def json_files(folder: Path) -> list[Path]:
    """Return what lies in a store's `records` folder under the names of JSON files, in order. Raises StoreError where
    a folder may not be read: its records would be taken for missing."""
    places = [place for place in listed(folder) if len(place.name) == 2 and place.is_dir()]
    return [file for place in places for file in listed(place) if file.suffix == ".json"]


def listed(folder: Path) -> list[Path]:
    """Return what lies in a folder, in order of name; nothing where there is none. Raises StoreError."""
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder}: cannot be read: {reason(error)}") from None


def record_files(folder: Path) -> list[Path]:
    """Return the record files of a store's `records` folder, in order of id. Raises StoreError."""
    return [file for file in json_files(folder) if ID.fullmatch(file.stem) and file.parent.name == file.stem[:2]]


def _of_record(record_id: str, lines: list[Entry], file: Path | None) -> Iterator[Finding]:
    """Yield what is to be said of one record, from its lines and its file."""
    last = lines[-1]
    there = last["event"] in CAME
    if there and file is None:
        what = f"was removed by hand: line {last['n']} ({last['time']}) has it, its file is gone, and no line says why"
        yield Finding(what, record=record_id)
    elif there and file is not None:
        try:
            found = _hash(bytes_of(file, MOST_BYTES))
        except Denied as error:
            raise StoreError(f"{file}: cannot be read: {error}") from None
        except Unreadable:  # a folder, a pipe: no record of ours in any case
            found = ""
        if found != last["sha256"]:
            what = f"was changed: line {last['n']} ({last['time']}) has other bytes than its file"
            yield Finding(what, record=record_id)
    elif file is not None:
        what = f"is there again without a line, after line {last['n']} ({last['event']})"
        yield Finding(what, record=record_id)
    for line in lines:
        if line["event"] in LEFT:
            what = f"was {line['event']} at line {line['n']} ({line['time']}): {line['why']}"
            yield Finding(what, wrong=False, record=record_id)
    yield from _made_again(record_id, lines)


def _made_again(record_id: str, lines: list[Entry]) -> Iterator[Finding]:
    """Yield what a second record of one run says: the same outcome, or another."""
    earlier: Entry | None = None
    gone = False  # whether a line says that the earlier record left
    for line in lines:
        if line["event"] in LEFT:
            gone = True
            continue
        if earlier is not None:
            other = line["outcome"] != earlier["outcome"]
            came = f"was made twice (lines {earlier['n']} and {line['n']})"
            how = "" if gone else "; no line says that the first was removed"
            what = f"{came}, with {'another' if other else 'the same'} outcome{how}"
            yield Finding(what, wrong=other and not gone, record=record_id)
        earlier, gone = line, False


def _about(event: str, record_id: str, data: bytes, why: str = "") -> Entry:
    try:
        record: Mapping[str, Any] = opened(data)
    except ValueError:
        record = {"kind": "", "outcome": None}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {
        "event": event,
        "id": record_id,
        "kind": record["kind"],
        "sha256": _hash(data),
        "outcome": sha256(record["outcome"]) if record["outcome"] is not None else "",
        "time": now,
        "why": why,
    }


def _last_line(handle: Any) -> bytes:
    """Return the last line of an open file, without its end; b"" of an empty one."""
    size, block = handle.seek(0, os.SEEK_END), 4096
    while True:
        start = max(0, size - block)
        handle.seek(start)
        lines: list[bytes] = handle.read(size - start).rstrip(b"\n").split(b"\n")
        if len(lines) > 1 or start == 0:
            return lines[-1]
        block *= 4


def _number(line: bytes) -> int:
    entry = _entry(line)
    return int(entry["n"]) if entry else 0


def _entry(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if is_entry(entry) else None


def is_entry(value: Any) -> bool:
    """Return whether a value has the form of a ledger's line."""
    if not isinstance(value, dict) or set(value) != KEYS or type(value["n"]) is not int:
        return False
    return all(isinstance(value[key], str) for key in KEYS - {"n"})


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
