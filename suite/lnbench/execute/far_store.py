"""The store as a machine sees it that does not share the driver's file system.

A `FarStore` is a scratch store of the machine's own. What is trained is written there first and then, before anything
is said to be finished, into the driver's store by its keeper; what a run builds on, and the checkpoint of one that was
begun elsewhere, come from there. So neither a record nor a checkpoint is lost with the machine.

How the keeper is reached is the crew's matter (`ray_crew.py`): `ask(method, *arguments)` calls a method of a `Keeper`
and returns what it returns, or raises what it raises.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lnbench.store import Record, Store, sidefiles

Ask = Callable[..., Any]


class Keeper:
    """What the driver's machine does for the others: reads and writes its store, and holds locks for them."""

    def __init__(self, store: Path):
        self._notes: list[str] = []
        self._store = Store(store, warn=self._notes.append)
        self._held: dict[tuple[str, str], contextlib.ExitStack] = {}  # (who, record id) -> its lock

    def get(self, record_id: str) -> Record | None:
        """Return a record, or None. Raises StoreError."""
        return self._store.get(record_id)

    def arrays(self, record: Record) -> dict[str, sidefiles.Array]:
        """Return all arrays of a record. Raises StoreError."""
        return dict(self._store.arrays(record))

    def put(self, record: Record, arrays: Mapping[str, sidefiles.Array]) -> None:
        """Keep a record with its arrays. Raises StoreError."""
        self._store.put(record, dict(arrays))

    def checkpoint(self, record_id: str) -> bytes | None:
        """Return the file of a checkpoint; None where there is none."""
        with contextlib.suppress(OSError):
            return self._store.checkpoint_path(record_id).read_bytes()
        return None

    def write_checkpoint(self, record_id: str, data: bytes) -> None:
        """Keep a checkpoint's file. Raises StoreError."""
        self._store.write(self._store.checkpoint_path(record_id), data)

    def drop_checkpoint(self, record_id: str) -> None:
        """Remove a finished run's checkpoint."""
        self._store.drop_checkpoint(record_id)

    def lock(self, who: str, record_id: str) -> bool:
        """Hold a record's lock for somebody, until `unlock` or `forget`; False where another has it. Raises
        StoreError."""
        with contextlib.ExitStack() as stack:
            mine: bool = stack.enter_context(self._store.lock(record_id))
            if mine:
                self._held[who, record_id] = stack.pop_all()
            return mine

    def unlock(self, who: str, record_id: str) -> None:
        """Give a lock back."""
        held = self._held.pop((who, record_id), None)
        if held is not None:
            held.close()

    def forget(self, who: str) -> None:
        """Give back all locks of somebody who has gone."""
        for name, record_id in list(self._held):
            if name == who:
                self.unlock(name, record_id)

    def notes(self) -> list[str]:
        """Return what was found amiss since this was last asked."""
        found, self._notes[:] = list(self._notes), []
        return found


class FarStore(Store):
    """A scratch store at `path` that hands on to a keeper. `who` is the name under which it holds locks there."""

    def __init__(self, path: Path, ask: Ask, who: str, warn: Callable[[str], None] = lambda line: None):
        super().__init__(path, warn)
        self._ask, self._who = ask, who
        self._here = Store(path, warn)  # what is on this machine alone

    def get(self, record_id: str) -> Record | None:
        """Return a record of the driver's store, kept here once it was asked for."""
        mine = self._here.get(record_id)
        if mine is None:
            mine = self._ask("get", record_id)
            if mine is not None:
                self._here.put(mine, self._ask("arrays", mine) if "arrays" in mine["outcome"] else None)
        return mine

    def put(self, record: Record, arrays: Mapping[str, sidefiles.Array] | None = None, *, event: str = "made") -> None:
        """Keep a record here and in the driver's store. Raises StoreError where the latter cannot be written."""
        self._ask("put", record, dict(arrays or {}))
        self._here.put(record, arrays, event=event)

    def write(self, file: Path, data: bytes) -> None:
        """Write a file of the store; a checkpoint goes to the driver's store too."""
        super().write(file, data)
        if file.parent == self.path / "checkpoints":
            self._ask("write_checkpoint", file.stem, data)

    def checkpoint_path(self, record_id: str) -> Path:
        """Return where a training keeps its state, with the state of one that was begun elsewhere."""
        file = super().checkpoint_path(record_id)
        if not file.exists():
            data = self._ask("checkpoint", record_id)
            if data is not None:
                super().write(file, data)
        return file

    def drop_checkpoint(self, record_id: str) -> None:
        """Remove a finished run's state here and in the driver's store."""
        with contextlib.suppress(OSError):
            super().checkpoint_path(record_id).unlink(missing_ok=True)
        self._ask("drop_checkpoint", record_id)

    @contextlib.contextmanager
    def lock(self, record_id: str) -> Iterator[bool]:
        """Yield whether this machine may work on the record, by the lock of the driver's store."""
        mine = bool(self._ask("lock", self._who, record_id))
        try:
            yield mine
        finally:
            if mine:
                self._ask("unlock", self._who, record_id)
