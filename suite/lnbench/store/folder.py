"""Finished runs on disk: one file per record, named by its content, written whole or not at all.

A record is `{id, kind, content, outcome, provenance}`: `content` is what the id is the hash of, `outcome` what came
of it (equal for equal runs on one machine), `provenance` when, where and how long. Records are never changed, so two
processes on one store cannot hurt each other; one lock per run keeps them from training the same one at once. A file
that is damaged or was edited is set aside with a message, and its run is simply missing. What came and what left
stands in the store's ledger (`ledger.py`).
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lnbench.errors import Exit, StoreError
from lnbench.identity import canonical_json
from lnbench.store import sidefiles
from lnbench.store.exports import demand_no_loss, demand_outside, demand_place, read_export, write_through
from lnbench.store.files import explained, same_file, size_of, try_lock, write_atomically, written
from lnbench.store.ledger import Ledger, json_files, listed, record_files
from lnbench.store.record import ID, MOST_BYTES, LaterFormat, Record, envelope, opened
from lnbench.store.schema import fault, out_of_bounds
from lnbench.untrusted import Denied, Missing, Unreadable, bytes_of, kind_of, shown


def default_path() -> Path:
    """Return LNBENCH_STORE, else `.lnbench/` in the working directory."""
    return Path(os.environ.get("LNBENCH_STORE") or ".lnbench")


class NoStore(StoreError):
    """There is no store where one was named."""

    exit_code = Exit.USAGE


def checked_place(path: Path, *, there: bool = False) -> Path:
    """Return the folder of a store. Raises NoStore where it is no folder, or cannot be looked into, or, with `there`,
    where nothing is there: what only reads takes a mistyped name for an empty store otherwise."""
    try:
        found = kind_of(path)
        if found == "folder":
            listed(path)
    except Unreadable as error:
        raise NoStore(f"{shown(path)}: is no store: {error}; {_ANOTHER}") from None
    except StoreError as error:
        raise NoStore(f"{error}; {_ANOTHER}") from None
    if found not in ("folder", "nothing") or (found == "nothing" and _below_a_file(path)):
        raise NoStore(f"{path}: is no store: there is a file where a folder is needed; {_ANOTHER}")
    if found == "nothing" and there:
        raise NoStore(f"{path}: no store is there; {_ANOTHER}")
    return path


_ANOTHER = "name the folder of one with --store or LNBENCH_STORE"


def _below_a_file(path: Path) -> bool:
    return any(above.is_file() for above in path.parents)


@dataclass(frozen=True)
class StoreStatus:
    """What is in a store."""

    path: Path
    records: dict[str, int]  # kind -> how many
    bytes: int
    checkpoints: int
    set_aside: int


class Store:
    """A folder of records. `warn` is called with a line when something had to be set aside."""

    def __init__(self, path: Path, warn: Callable[[str], None] = lambda line: None):
        self.path, self.warn = path, warn
        self.ledger = Ledger(path)

    def _file(self, record_id: str) -> Path:
        return Path(f"{self.path}/records/{record_id[:2]}/{record_id}.json")

    def get(self, record_id: str) -> Record | None:
        """Return the record, or None where there is no sound one (a damaged file is set aside). Raises StoreError."""
        if not ID.fullmatch(record_id):
            return None  # no id, so no file of ours: it could name one anywhere
        file = self._file(record_id)
        try:
            text = bytes_of(file, MOST_BYTES)
        except Missing:
            return None
        except Denied as error:
            raise StoreError(f"{file}: cannot be read: {error}") from None
        except Unreadable as error:  # a folder, a pipe, or far too large
            self._set_aside(file, f"not a record: {error}")
            return None
        try:
            record = opened(text)
            if record["id"] != record_id:
                raise ValueError("it holds another record")
        except LaterFormat as error:
            raise StoreError(f"{file}: {error}; update lnbench, or name another folder with --store") from None
        except ValueError as error:
            self._set_aside(file, str(error))
            return None
        return record

    def put(self, record: Record, arrays: Mapping[str, sidefiles.Array] | None = None, *, event: str = "made") -> None:
        """Keep a record; a sound one of the same id that is already there stays as it is. Raises StoreError.

        Its arrays are written first: what a record describes is there, and never replaced by another training's. Its
        line in the ledger is written after it. `event`: what that line says, "made" or "imported". Raises StoreError
        for what is no record of its kind (`schema.py`), too: it could not be read again.
        """
        if what := fault(record):
            raise StoreError(f"{record['id']}: what was computed is no record: {what}")
        if self.get(record["id"]) is None:
            file = self._file(record["id"])
            text = json.dumps(envelope(record), indent=1, ensure_ascii=False, allow_nan=False).encode()
            if arrays:
                self.write(_side_file(file), sidefiles.packed(arrays))
            with self.ledger.held():
                if not _sound(file):  # another process may have put it there meanwhile
                    self.write(file, text)
                    self.ledger.add(event, record["id"], text)

    def remove(self, record_id: str, why: str) -> None:
        """Remove a record with its arrays, and say why in the ledger. Raises StoreError where there is no such record.

        Its line is written first: a process that is killed in between leaves a record that counts as removed, and
        `check` names it.
        """
        file = self._file(record_id)
        with self.ledger.held():
            try:
                data = bytes_of(file, MOST_BYTES)
            except Missing:
                raise StoreError(f"{self.path}: has no record {record_id}") from None
            except Unreadable as error:
                raise StoreError(f"{file}: cannot be read: {error}") from None
            self.ledger.add("removed", record_id, data, why)
            with explained(file):
                file.unlink()
                _side_file(file).unlink(missing_ok=True)

    def find(self, start: str) -> str:
        """Return the id of the one record that begins so. Raises StoreError where it is none, or several."""
        found = [file.stem for file in record_files(self.path / "records") if start and file.stem.startswith(start)]
        if len(found) != 1:
            several = f"{len(found)} records begin so; give more of the id" if found else "has no such record"
            raise StoreError(f"{self.path}: {start}: {several}")
        return found[0]

    def array(self, record: Record, name: str) -> sidefiles.Array:
        """Read one of a record's arrays. Raises StoreError where it is not there, or not what the record says."""
        file = self._file(record["id"])
        about = record["outcome"].get("arrays", {}).get(name)
        if about is None:
            raise StoreError(f"{file}: this record has no '{name}'; name it in the recipe's `probes` to measure it")
        return sidefiles.read(_side_file(file), name, about)

    def arrays(self, record: Record) -> sidefiles.Arrays:
        """Return a record's arrays by name, each read when it is asked for (`array`)."""
        return sidefiles.Arrays(record["outcome"].get("arrays", {}), lambda name: self.array(record, name))

    def with_arrays(self, ids: Iterable[str] | None = None) -> int:
        """Count the records (all, or those of `ids` that are there) that have arrays in a side file."""
        chosen = self.records() if ids is None else (r for r in map(self.get, ids) if r is not None)
        return sum("arrays" in record["outcome"] for record in chosen)

    def write(self, file: Path, data: bytes) -> None:
        """Write a file of the store atomically and durably. Raises StoreError, and then nothing is changed."""
        write_atomically(file, data)

    def _set_aside(self, file: Path, why: str) -> None:
        aside = self.path / "set-aside"
        target = aside / f"{file.name}.{os.getpid()}"
        data = b""
        with contextlib.suppress(Unreadable):
            data = bytes_of(file, MOST_BYTES)
        try:
            aside.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
        except FileNotFoundError:  # another process was faster
            return
        except OSError:  # a store that may only be read: what is damaged in it counts as missing all the same
            self.warn(f"{file}: {why}; it cannot be set aside, and counts as missing")
            return
        self.warn(f"{file}: {why}; set aside as {target}, its run will be done again")
        with contextlib.suppress(StoreError), self.ledger.held():
            self.ledger.add("set aside", file.stem, data, why)

    def records(self) -> Iterator[Record]:
        """Yield every sound record, in order of id."""
        for file in json_files(self.path / "records"):
            if not ID.fullmatch(file.stem) or file != self._file(file.stem):
                self.warn(f"{file}: not a record of this store; left as it is")
                continue
            record = self.get(file.stem)
            if record is not None:
                yield record

    def demand_writable(self) -> None:
        """Raise StoreUnwritable, with what to do, where no file can be made in the store."""
        folder = self.path / "locks"
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()

    @contextlib.contextmanager
    def lock(self, record_id: str) -> Iterator[bool]:
        """Yield whether this process may work on the record: False while another does. Freed even by kill -9."""
        file = self.path / "locks" / record_id
        with explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            handle = open(file, "a")  # noqa: SIM115 (it must stay open as long as the lock is held)
        try:
            # its last holder may have removed the file; then this process makes a new one
            mine = try_lock(handle.fileno()) and same_file(file, handle.fileno())
            try:
                yield mine
            finally:
                if mine:
                    with contextlib.suppress(OSError):
                        file.unlink()
        finally:
            handle.close()

    def checkpoint_path(self, record_id: str) -> Path:
        """Return where a running training keeps its state."""
        return self.path / "checkpoints" / f"{record_id}.npz"

    def checkpoints(self) -> list[Path]:
        """Return the states of all trainings that were begun and have not ended, the oldest first."""
        return sorted((self.path / "checkpoints").glob("*.npz"), key=written)

    def drop_checkpoint(self, record_id: str) -> None:
        """Remove a finished run's state, and what a process that was killed while writing it has left."""
        file = self.checkpoint_path(record_id)
        with contextlib.suppress(OSError):
            for name in (file, *file.parent.glob(f".{file.name}.*")):
                name.unlink(missing_ok=True)

    def status(self) -> StoreStatus:
        """Count the store's files by their names and first bytes; every record is checked."""
        kinds: dict[str, int] = {}
        for record in self.records():
            kinds[record["kind"]] = kinds.get(record["kind"], 0) + 1
        return StoreStatus(
            self.path,
            kinds,
            sum(size_of(file) for file in self.path.rglob("*")),
            len(self.checkpoints()),
            len(list((self.path / "set-aside").glob("*"))),
        )

    def export(self, file: Path, ids: Iterable[str] | None = None, *, replace: bool = False) -> int:
        """Write records (all, or those of `ids` that are there) to one JSON-lines file, gzipped if it ends in .gz;
        return how many. None: nothing is written.

        Side files stay behind: what an imported record says of its arrays is then all there is of them, until the side
        file itself is copied to the same place in the other store. Raises NotWritten where the target lies in the store
        or, without `replace`, where a file that is there would lose something; StoreError where it cannot be written.
        """
        demand_outside(file, self.path)
        demand_place(file)
        chosen = list(self.records() if ids is None else (r for r in map(self.get, ids) if r is not None))
        if not chosen:
            return 0
        if not replace:
            demand_no_loss(file, {record["id"] for record in chosen})
        data = "".join(f"{canonical_json(envelope(record))}\n" for record in chosen).encode()
        data = gzip.compress(data, mtime=0) if file.suffix == ".gz" else data
        with explained(file):
            special = file.exists() and not file.is_file() and not file.is_dir()
            if special:
                write_through(file, data)  # a pipe or /dev/stdout, which must not be replaced
        if not special:
            write_atomically(file, data)
        return len(chosen)

    def import_(self, file: Path, ids: Collection[str] | None = None) -> tuple[int, int, list[str]]:
        """Take over the records of an export (all, or those of `ids`); return (new, already there, a line for each that
        was refused). Raises StoreError where the file is no export, or the store cannot be written."""
        new = known = 0
        refused = []
        for number, record in read_export(file):
            if isinstance(record, str):
                refused.append(f"{file}:{number}: {record}")
                continue
            if ids is not None and record["id"] not in ids:
                continue
            if what := out_of_bounds(record):
                refused.append(f"{file}:{number}: {record['id']}: {what}")
                continue
            mine = self.get(record["id"])
            if mine is None:
                self.put(record, event="imported")
                new += 1
            elif mine["outcome"] != record["outcome"]:
                refused.append(f"{file}:{number}: {record['id']} differs from the record in the store, which stays")
            else:
                known += 1
        return new, known, refused


def _sound(file: Path) -> bool:
    try:
        return bool(opened(bytes_of(file, MOST_BYTES))["id"] == file.stem)
    except ValueError:
        return False


def _side_file(file: Path) -> Path:
    """Return where the arrays of a record are kept."""
    return file.with_suffix(".npz")
