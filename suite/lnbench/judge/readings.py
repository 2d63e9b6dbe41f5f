"""What is read from the arrays next to trainings' records: small records of their own, so that a verdict needs no
array.

A training's loss of every example at every epoch is large, stays in the store that it was trained into, and may be
removed there; what a claim says about it is a few numbers. A reading is made from the arrays of one run, or of two on
the same data, up to an epoch, by a function of the catalog (kind "reading"), and is stored: a report carries it, and is
judged again without the arrays. Its id follows from the runs' ids, the epoch and the function's version.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from lnbench import catalog
from lnbench.errors import StoreError
from lnbench.identity import content_id
from lnbench.machine import environment
from lnbench.store import Record, Store, make_record
from lnbench.store.sidefiles import Array

Outcome = dict[str, Any]
ARRAYS_KEPT = 8  # in memory: a loss curve of 45,000 examples over 300 epochs is 54 MB


class Reads(Protocol):
    """Where a reading comes from: a store that can make it, or a report that has it."""

    def __call__(self, reading: str, runs: Sequence[Record], epoch: int) -> Record | str:
        """Return the reading's record; or, where there is none, why."""
        ...


def content_of(reading: str, runs: Sequence[Record], epoch: int) -> dict[str, Any]:
    """Return what a reading's id is the hash of."""
    return {
        "kind": "reading",
        "reading": reading,
        "of": [record["id"] for record in runs],
        "epoch": epoch,
        "versions": {"reading": catalog.find("reading", reading).version},
    }


class Stored:
    """Readings that are there already, and no others."""

    def __init__(self, get: Any):
        self.get = get

    def __call__(self, reading: str, runs: Sequence[Record], epoch: int) -> Record | str:
        found: Record | None = self.get(content_id(content_of(reading, runs, epoch)))
        return found or f"its arrays were not read to epoch {epoch}; judge it where they are (`lnbench report`)"


class FromStore:
    """Readings of the runs in a store: those it has, and new ones, which it then keeps."""

    def __init__(self, store: Store):
        self.store = store
        self._array = lru_cache(maxsize=ARRAYS_KEPT)(self._load)
        self._runs: dict[str, Record] = {}

    def _load(self, run: str, name: str) -> Array:
        return self.store.array(self._runs[run], name)

    def __call__(self, reading: str, runs: Sequence[Record], epoch: int) -> Record | str:
        content = content_of(reading, runs, epoch)
        stored = self.store.get(content_id(content))
        if stored is not None:
            return stored
        self._runs.update({record["id"]: record for record in runs})
        make = catalog.find("reading", reading).load()
        try:
            outcome: Outcome = make(*(_Arrays(self, record) for record in runs), epoch)
        except StoreError as error:
            return str(error)
        made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        record = make_record(content, outcome, {"environment": environment(), "finished": made})
        try:
            self.store.put(record)
        except StoreError as error:  # a store that may only be read gives its numbers all the same
            self.store.warn(f"{error}; a number read from arrays is not kept, and will be read again")
        return record


class _Arrays(Mapping[str, Array]):
    """A run's arrays by name, each read when it is asked for."""

    def __init__(self, source: FromStore, record: Record):
        self._source, self._record = source, record
        self._about: dict[str, Any] = record["outcome"].get("arrays", {})

    def __getitem__(self, name: str) -> Array:
        if name not in self._about:
            raise KeyError(name)
        return self._source._array(self._record["id"], name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._about)

    def __len__(self) -> int:
        return len(self._about)
