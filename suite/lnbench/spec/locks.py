"""The committed history of what was registered: `claims/locks/STUDY-TIER.json`, one file per study and tier.

One file answers one report, and an edit of one tier leaves the files of the others alone. Entries are only ever added;
each holds the sha256 of the one before, so that an entry edited later is seen. The date in an entry is what whoever
wrote it says: what makes it hold is the public history of the commits that added it. A record names the entry under
which it was trained, so between the two no clock is asked.

Where nothing can be written next to a study, its entries are in the store, and a report holds a copy of what it was
judged against: three places of one history, and the longest counts where the others are its beginning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lnbench.errors import LnbenchError
from lnbench.identity import sha256
from lnbench.spec.registration import sha256_of
from lnbench.spec.study import MOST_FRESH, MOST_SEEDS, Study
from lnbench.untrusted import Denied, Missing, Unreadable, json_of

Json = dict[str, Any]
SCHEMA = 1
FOLDER = "locks"
IN_STORE = "registered"  # the store's own `locks` are of processes
COPY = "lock.json"  # in a report
_BACK = "take the file back from the history of commits"
CONTENT = ("runs", "seeds", "tries", "claims")


class LockError(LnbenchError):
    """A lock file that cannot be read, or that is no lock."""


@dataclass(frozen=True)
class Entry:
    """What was registered at one time, as the file has it."""

    data: Json

    @property
    def time(self) -> datetime:
        return moment(self.data["time"]) or datetime.max.replace(tzinfo=UTC)

    @property
    def sha256(self) -> str:
        """Return the hash by which records, and the next entry, name it."""
        return sha256(self.data)

    @property
    def when(self) -> str:
        """Return its time as text, in UTC."""
        return self.time.isoformat()

    @property
    def records_since(self) -> str | None:
        """Return when the first record was made of those that the study already had when this was written; None where
        none is known. Later entries keep it: runs that are made again do not make a region older than what it saw."""
        time = moment(self.data.get("records_since"))
        return time.isoformat() if time else None

    @property
    def readable(self) -> bool:
        """Return whether it says what was registered: a study file of long ago may not be readable any more."""
        return not self.data.get("unreadable", False)

    @property
    def content(self) -> Json:
        """Return what was registered, as `registration` gives it."""
        return {key: self.data[key] for key in CONTENT}

    def claim(self, name: str) -> Json | None:
        """Return the terms of a claim; None where it was not there, or cannot be read."""
        found: Json | None = self.data["claims"].get(name) if self.readable else None
        return found


@dataclass(frozen=True)
class Lock:
    """The history of one study at one tier, the oldest entry first."""

    path: Path
    entries: tuple[Entry, ...] = ()

    @property
    def last(self) -> Entry | None:
        return self.entries[-1] if self.entries else None

    def covers(self, content: Json) -> bool:
        """Return whether this is what the last entry registered."""
        last = self.last
        return last is not None and last.readable and _counted(last.content) == _counted(content)

    def with_entry(
        self, content: Json, time: datetime, version: str, *, records_since: str | None = None, **more: Any
    ) -> Lock:
        """Return the history with one more entry. `records_since`: when the first record was made of a report that is
        there; `more`: facts such as the commit that it was taken from."""
        known = [found for found in (moment(records_since), moment(self.last and self.last.records_since)) if found]
        data = {
            "time": time.astimezone(UTC).replace(microsecond=0).isoformat(),
            "lnbench": version,
            **more,
            "records_since": min(known).isoformat() if known else None,
            "previous": sha256(self.last.data) if self.last else None,
            **content,
        }
        return Lock(self.path, (*self.entries, Entry(data)))

    def text(self, study: str, tier: str) -> str:
        """Return the file's content."""
        data = {"schema": SCHEMA, "study": study, "tier": tier, "entries": [entry.data for entry in self.entries]}
        return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def begins(self, other: Lock) -> bool:
        """Return whether all its entries are the first ones of another."""
        return [entry.data for entry in self.entries] == [entry.data for entry in other.entries[: len(self.entries)]]


@dataclass(frozen=True)
class History:
    """What is known of a study's registration when it is judged: plain data, so that judging reads no file.

    `place`: where it lies, as a page names it. `problem`: why it cannot be read; there is no entry then. `elsewhere`: a
    claim that was registered here and is not in the study any more -> the study of the folder whose last entry has it.
    """

    lock: Lock
    place: str = ""
    problem: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.lock.entries

    def copy(self, study: Study) -> str:
        """Return the text of a report's copy; `read_copy` reads it."""
        data = json.loads(self.lock.text(study.name, study.tier))
        more = {"place": self.place, "problem": self.problem, "elsewhere": dict(sorted(self.elsewhere.items()))}
        return json.dumps({**data, **more}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def history_of(study: Study, store: Path | None = None) -> History:
    """Return a study's history: what lies next to it, and what a store keeps (`store`: its folder)."""
    beside = Lock(lock_path(study))
    place = f"{FOLDER}/{study.key}.json"
    kept = Lock(beside.path)
    folder = beside.path.parent
    try:
        beside = read_lock(study)
        if store is not None:
            folder = store
            kept = read_lock(study, store)
    except LockError as error:
        return History(Lock(beside.path), place, str(error).removeprefix(f"{folder}/"))
    if kept.begins(beside):
        return History(beside, place, elsewhere=_elsewhere(beside, study))
    if beside.begins(kept):
        return History(kept, f"{IN_STORE}/{study.key}.json", elsewhere=_elsewhere(kept, study))
    pairs = zip(beside.entries, kept.entries, strict=False)
    number = next(number for number, (one, other) in enumerate(pairs, start=1) if one.data != other.data)
    what = f"entry {number} of {place} next to the study is another than that of {IN_STORE}/{study.key}.json"
    return History(Lock(beside.path), place, f"{what} in the store; keep the one that the records name")


def read_copy(folder: Path, study: Study) -> History | None:
    """Return the history that lies in a report; None where it has none. Raises LockError."""
    path = folder / COPY
    data = _data(path)
    if data is None:
        return None
    lock = _checked(data, path, study)
    place, problem, elsewhere = data.get("place", ""), data.get("problem", ""), data.get("elsewhere", {})
    texts = [place, problem, *(elsewhere.values() if isinstance(elsewhere, dict) else [None])]
    if not all(isinstance(text, str) for text in texts):
        raise LockError(f"{path}: not a lock: place, problem and elsewhere are texts; {_BACK}")
    return History(lock, place, problem, dict(elsewhere))


def of_report(copy: History | None, now: History) -> History:
    """Return what a report is judged against: its copy, with what was added since next to the study. An edited or
    shorter lock there changes nothing: `apart` says it."""
    if copy is None or (copy.problem and (now.entries or now.problem)):
        return now
    return now if now.entries and copy.lock.begins(now.lock) else copy


def apart(copy: History | None, now: History) -> str:
    """Return in what the lock next to the study is not the one that a report was judged against; "" where it goes
    on from it."""
    if copy is None or copy.problem or not copy.entries:
        return ""
    if now.problem:
        return f"the study's lock cannot be read, so the report's own {COPY} was taken: {now.problem}"
    in_store = copy.place.startswith(f"{IN_STORE}/")
    if copy.lock.begins(now.lock) or (in_store and now.lock.begins(copy.lock)):
        return ""
    if not now.entries:
        return f"the lock that it was judged against is not next to the study any more (its own {COPY} was taken)"
    pairs = zip(copy.entries, now.entries, strict=False)
    other = [number for number, (one, two) in enumerate(pairs, start=1) if one.data != two.data]
    what = f"entry {other[0]} is another" if other else f"it lacks entries after the {len(now.entries)}. one"
    return f"the study's lock is not the one that the report was judged against: {what} (its own {COPY} was taken)"


def lock_path(study: Study) -> Path:
    """Return where the history of a study at its tier lies: in `locks/`, next to the study file."""
    return study.path.parent / FOLDER / f"{study.key}.json"


def store_path(study: Study, store: Path) -> Path:
    """Return where a store keeps the history of a study next to which nothing can be written."""
    return store / IN_STORE / f"{study.key}.json"


def read_lock(study: Study, store: Path | None = None) -> Lock:
    """Return the entries next to a study, or those that a store keeps of it; none where there is no file. Raises
    LockError."""
    return _read(store_path(study, store) if store is not None else lock_path(study), study)


def _read(path: Path, study: Study) -> Lock:
    data = _data(path)
    return Lock(path) if data is None else _checked(data, path, study)


def _data(path: Path) -> Any:
    """Return what a lock's file holds; None where there is none. Raises LockError."""
    try:
        return json_of(path)
    except Missing:
        return None
    except Denied as error:
        raise LockError(f"{path}: cannot be read: {error}") from None
    except Unreadable as error:
        place = re.search(r"at line (\d+) column (\d+)", str(error))
        where = f"{path}:{place[1]}:{max(1, int(place[2]))}" if place else f"{path}"
        raise LockError(f"{where}: not a lock: {error}") from None


def moment(text: Any) -> datetime | None:
    """Return a time in UTC; None for what is none. A time without a zone is taken as UTC."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _checked(data: Any, path: Path, study: Study) -> Lock:
    entries = data.get("entries") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(entries, list) or "schema" not in data:
        raise LockError(f"{path}: not a lock: it needs schema, study, tier and entries")
    if data["schema"] != SCHEMA:
        raise LockError(f"{path}: schema {data['schema']!r}; this lnbench reads {SCHEMA}")
    if (data.get("study"), data.get("tier")) != (study.name, study.tier):
        raise LockError(f"{path}: it is the lock of {data.get('study')!r} at {data.get('tier')!r}, not of {study.key}")
    lock = Lock(path)
    for number, entry in enumerate(entries, start=1):
        what = _wrong(entry, lock.last)
        if what:
            raise LockError(f"{path}: entry {number}: {what}; {_BACK}")
        lock = Lock(path, (*lock.entries, Entry(entry)))
    return lock


def _wrong(entry: Any, before: Entry | None) -> str:
    """Return what is wrong with an entry; "" where it is sound."""
    if not isinstance(entry, dict):
        return "not an entry"
    if moment(entry.get("time")) is None:
        return f"time {entry.get('time')!r} is no time such as 2026-11-28T12:00:00+00:00"
    if not isinstance(entry.get("lnbench"), str):
        return "it does not say which version of lnbench wrote it"
    if entry.get("records_since") is not None and moment(entry["records_since"]) is None:
        return f"records_since {entry['records_since']!r} is no time"
    if before is not None and Entry(entry).time < before.time:
        return f"its time, {entry['time']}, is before that of the entry above"
    if entry.get("previous") != (sha256(before.data) if before else None):
        return "the entry above is not the one that it was added to (edited, or one was taken out)"
    return "" if entry.get("unreadable") is True else _wrong_content(entry)


class _Form(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, hide_input_in_errors=True)


class _Part(_Form):
    region: str
    check: dict[str, Any]
    effect: dict[str, Any]


class _Claim(_Form):
    says: str | None = None
    standing: str
    at_least: int | None = None
    parts: dict[str, _Part]
    requires: dict[str, _Part] = {}
    sha256: str


class _Seeds(_Form):
    n: Annotated[int, Field(ge=1, le=MOST_SEEDS)]
    looks: list[int] = []
    fresh: Annotated[int, Field(ge=1, le=MOST_FRESH)] | None = None


class _Content(_Form):
    """What an entry registers, as `registration` gives it, and the commit that it was taken from."""

    runs: str
    seeds: _Seeds
    tries: dict[str, Any]
    void: dict[str, str] = {}
    claims: dict[str, _Claim]
    commit: str | None = None


def _wrong_content(entry: Json) -> str:
    if not all(isinstance(entry.get(key), dict) for key in CONTENT[1:]) or not isinstance(entry.get("runs"), str):
        return f"it needs {', '.join(CONTENT)}"
    try:
        _Content.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))[:120]}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    for name, claim in entry["claims"].items():
        if claim["sha256"] != sha256_of(claim, entry):
            return f"the sha256 of claim {name[:40]} does not fit what it says (edited?)"
    return ""


def _counted(content: Json) -> Json:
    """Return what decides whether two registrations are the same."""
    claims = {name: claim["sha256"] for name, claim in content["claims"].items()}
    return {"runs": content["runs"], "claims": claims}


def _elsewhere(lock: Lock, study: Study) -> dict[str, str]:
    """Return in which other study of the folder the claims are now that were registered here once."""
    there = {claim.id for claim in study.spec.claims}
    gone = {claim for entry in lock.entries if entry.readable for claim in entry.data["claims"]} - there
    found: dict[str, str] = {}
    for file in sorted(lock_path(study).parent.glob("*.json")) if gone else ():
        try:
            data = json_of(file)
            if file != lock_path(study):
                found |= {claim: str(data["study"]) for claim in data["entries"][-1]["claims"] if claim in gone}
        except (ValueError, KeyError, IndexError, TypeError):
            continue  # no lock: `lnbench lock` says what is wrong with it
    return found
