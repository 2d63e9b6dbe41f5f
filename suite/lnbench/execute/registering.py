"""A study's lock, written before its first run is trained: what its verdicts will depend on, before anything is known.

The lock lies next to the study, or in the store where nothing can be written there. One process at a time adds an
entry, and the file is replaced whole: one that is killed leaves the lock as it was. What cannot be written is an error
before training.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import lnbench
from lnbench import resources
from lnbench.errors import StoreError
from lnbench.spec import Study
from lnbench.spec.locks import History, Lock, LockError, history_of, lock_path, read_lock, store_path
from lnbench.spec.registration import Json, registration
from lnbench.store import write_atomically
from lnbench.store.files import explained, try_lock

SECONDS_TO_WAIT = 30.0  # for another process: it writes one small file


@dataclass(frozen=True)
class Registered:
    """A study's history in which the last entry is the study as it stands. `added`: whether that entry is new; `path`:
    the file that has it."""

    lock: Lock
    path: Path
    before: Lock
    content: Json

    @property
    def added(self) -> bool:
        return len(self.lock.entries) > len(self.before.entries)

    def provenance(self, study: Study) -> Json:
        """Return what the records of a training say of it."""
        assert self.lock.last is not None, "it covers the study"
        return {"lock": study.key, "registered": self.lock.last.sha256}


def register(
    study: Study, store: Path | None = None, *, records_since: str | None = None, write: bool = True
) -> Registered:
    """Return a study's history, with an entry added where the last one is not the study as it stands. `store`: the
    folder that keeps it where nothing can be written next to the study; None to demand that it can. `records_since`:
    when the first record was made of those that are known. With `write=False` nothing is added.

    Raises LockError where a lock is damaged or cannot be written, or its last entry lies in the future.
    """
    content = registration(study.spec, study.baseline)
    history = _sound(study, store)
    path = _place(study, store, history)
    if history.lock.covers(content) or not write:
        return Registered(history.lock, path, history.lock, content)
    with _alone(path):
        history = _sound(study, store)  # another process may just have written it
        if history.lock.covers(content):
            return Registered(history.lock, path, history.lock, content)
        now = datetime.now(UTC).replace(microsecond=0)
        more = history.lock.with_entry(content, now, lnbench.__version__, records_since=records_since)
        try:
            write_atomically(path, more.text(study.name, study.tier).encode())
        except StoreError as error:
            raise LockError(_unwritten(path, error)) from None
        return Registered(more, path, history.lock, content)


def _sound(study: Study, store: Path | None) -> History:
    """Return what is known of a study's registration. Raises LockError where that cannot be read or lies in the
    future."""
    history = history_of(study, store)
    if history.problem:
        for place in (None, store):
            read_lock(study, place)  # which says in which file it is, and where there
        raise LockError(f"{history.lock.path}: {history.problem}")
    last = history.lock.last
    if last is not None and last.time > datetime.now(UTC):
        what = f"entry {len(history.entries)} is of {last.data['time']}, in the future (is a clock wrong?)"
        raise LockError(f"{history.lock.path}: {what}")
    return history


def _place(study: Study, store: Path | None, history: History) -> Path:
    """Return the file that an entry is added to."""
    beside = lock_path(study)
    if store is None or _writable(beside):
        return beside
    return store_path(study, store)


def _writable(file: Path) -> bool:
    """Return whether a lock may be written there: not in an installed package, whose files are the packager's."""
    if file.resolve().is_relative_to(resources.BUNDLED):
        return False
    folder = next(folder for folder in file.parents if folder.exists())
    return os.access(folder, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Let one process at a time work on a lock. Freed even by kill -9. Raises LockError."""
    try:
        with explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            folder = os.open(file.parent, os.O_RDONLY)
    except StoreError as error:
        raise LockError(_unwritten(file, error)) from None
    try:
        deadline = time.monotonic() + SECONDS_TO_WAIT
        while not try_lock(folder):
            if time.monotonic() > deadline:
                raise LockError(f"{file}: another process holds {file.parent}; give the same command again")
            time.sleep(0.02)
        for left in file.parent.glob(f".{file.name}.*"):  # of a process that was killed while writing
            with contextlib.suppress(OSError):
                left.unlink()
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_UN)
        os.close(folder)


def _unwritten(file: Path, error: StoreError) -> str:
    why = str(error).removeprefix(f"{file}: ").split(";")[0]
    return f"{file}: cannot be written: {why}"
