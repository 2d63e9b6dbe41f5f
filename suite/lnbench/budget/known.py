"""What is there already: verdicts in reports, runs in the store, and records in committed files that could be imported.

Read quickly, as much is read to plan little: checksums are compared when a record is imported, not here.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lnbench.plan.devices import device_named
from lnbench.plan.rates import Prices, prices_of
from lnbench.store import Record, Store
from lnbench.untrusted import MOST_BYTES, Unreadable, bytes_of, json_of, parsed_quickly
from lnbench.verdict import Verdict

NO_VERDICT = (Verdict.NOT_RUN, Verdict.ERROR)
MOST_RATED = 1000  # records of the store, the newest, whose rates are looked at


@dataclass
class Known:
    """What reports, the store and committed files say.

    judged: (key of a study at a tier, claim) -> its verdict, of reports next to the studies and in the store.
    post_hoc: the same -> why a claim without a verdict would be `post-hoc` on the seeds of its report.
    sets: key -> the set of seeds (`fresh`) that its report has.
    stored: ids of the store's records. committed: id -> file, of records that the store lacks and can import whole.
    """

    store: Store
    judged: dict[tuple[str, str], str] = field(default_factory=dict)
    post_hoc: dict[tuple[str, str], str] = field(default_factory=dict)
    sets: dict[str, int] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    committed: dict[str, Path] = field(default_factory=dict)
    _records: dict[str, Record] = field(default_factory=dict)  # of committed files, by id

    def has(self, record_id: str) -> bool:
        """Return whether a run need not be trained."""
        return record_id in self.stored or record_id in self.committed

    def get(self, record_id: str) -> Record | None:
        """Return a record of the store or of a committed file; None where there is none."""
        if record_id in self.stored:
            return self.store.get(record_id)
        return self._records.get(record_id) if record_id in self.committed else None

    def records(self) -> Iterator[Record]:
        """Yield the committed records, and the newest of the store that are none of these."""
        yield from self._records.values()
        yield from newest_of(self.store, self._records.keys())


def newest_of(store: Store, besides: Collection[str] = ()) -> Iterator[Record]:
    """Yield the newest records of a store, without those of some ids: what rates are taken from."""
    for file in heapq.nlargest(MOST_RATED, _files(store.path, besides), key=_time_of):
        with contextlib.suppress(ValueError):
            yield from _opened(bytes_of(file))


def prices_here(store: Store, device: str) -> Prices:
    """Return what runs take on a device, by the newest records of a store; `device` as in `device_named`."""
    return prices_of(device_named(device), newest_of(store))


def known_of(studies: Iterable[Path], store: Store) -> Known:
    """Return what there is about some study files: next to their folder, and in a store."""
    known = Known(store, stored={file.stem for file in _files(store.path, ())})
    projects = dict.fromkeys(path.resolve().parent.parent for path in studies)
    for folder in [*(project / "reports" for project in projects), store.path / "reports"]:
        for file in sorted(folder.glob("*/result.json")):
            _take_report(known, file)
    for project in projects:
        for file in _exports(project / "reports"):
            _take(known, file)
    return known


def _exports(reports: Path) -> list[Path]:
    """Return the committed files of records: those of reports, and those of studies that are not done."""
    return [*sorted(reports.glob("*/records.jsonl")), *sorted(reports.glob("unfinished-*.jsonl"))]


def _take(known: Known, file: Path) -> None:
    """Take in the records of a file. One with arrays cannot be imported whole: they are in the store it was made in."""
    try:
        lines = bytes_of(file).splitlines()
    except Unreadable:
        return
    for line in lines:
        for record in _opened(line):
            known._records.setdefault(record["id"], record)
            if record["id"] not in known.stored and "arrays" not in record["outcome"]:
                known.committed.setdefault(record["id"], file)


def _opened(text: bytes) -> Iterator[Record]:
    """Yield the record of an envelope; nothing where it is none."""
    with contextlib.suppress(Unreadable, KeyError, TypeError):
        found: Any = parsed_quickly(text)["record"]
        if isinstance(found["id"], str) and isinstance(found["outcome"], dict) and isinstance(found["content"], dict):
            yield found


def _take_report(known: Known, file: Path) -> None:
    """Take in what a report says of each of its claims; nothing of one that is damaged."""
    try:
        data = json_of(file, MOST_BYTES)
        key = str(data["key"])
        verdicts = {(key, str(claim["id"])): str(claim["verdict"]) for claim in data["claims"]}
        of_claims = (data.get("registration") or {}).get("claims", [])
        told = {(key, str(claim["id"])): str(claim.get("post_hoc", "")) for claim in of_claims}
        fresh = int((data.get("seeds") or {}).get("fresh", 0))
    except (Unreadable, KeyError, TypeError, ValueError, AttributeError):
        return
    known.judged |= {place: verdict for place, verdict in verdicts.items() if verdict not in NO_VERDICT}
    known.post_hoc |= {place: told[place] for place in verdicts if verdicts[place] in NO_VERDICT and told.get(place)}
    known.sets[key] = fresh


def _files(store: Path, besides: Collection[str]) -> Iterator[Path]:
    """Yield a store's files of records."""
    for folder in sorted((store / "records").glob("??")):
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(folder)):
                if name.endswith(".json") and name[:-5] not in besides:
                    yield folder / name


def _time_of(file: Path) -> tuple[float, str]:
    try:
        return file.stat().st_mtime, file.name
    except OSError:
        return 0.0, file.name
