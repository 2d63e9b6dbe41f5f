"""What of a study was registered before its runs, and what was changed since: for `result.json`.

Compared are the times of a claim's first record and of the entries of the study's lock (`lnbench lock`). The first
record is the earliest of all that its numbers rest on: choosing runs and inputs too, as these also say how it will come
out. Nothing here asks for the time or the version of lnbench: equal records and locks give equal
bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from lnbench.judge import Evidence, StudyResult
from lnbench.plan import inputs_behind
from lnbench.report.plain import Json
from lnbench.spec import needed_points, point_key
from lnbench.spec.locks import FOLDER, Entry, Lock, LockError, moment, read_lock
from lnbench.spec.registration import changes, own_sha256, registration, shared_changes


def registration_to_json(result: StudyResult) -> Json:
    """Return what the section of the page says; empty at smoke, which is not registered."""
    study = result.study
    if study.tier == "smoke":
        return {}
    content = registration(study.spec, study.baseline)
    problem = ""
    try:
        lock = read_lock(study)
    except LockError as error:
        lock = Lock(study.path)
        problem = str(error).removeprefix(f"{study.path.parent / FOLDER}/")
    times = {claim: _record_times(claim, result) for claim in content["claims"]}
    first = min((found[0] for found in times.values() if found), default=None)
    judged = len({job.seed for job in result.evidence.plan.jobs})
    looks = content["seeds"].get("looks", [])
    last = lock.entries[-1] if lock.entries else None
    return {
        "lock": f"{FOLDER}/{study.key}.json" if last or problem else None,
        "problem": problem,
        "lnbench": last.data["lnbench"] if last else None,
        "runs_sha256": content["runs"],
        "as_it_stands": lock.covers(content),
        "first_record": _written(first),
        "seeds": {
            "planned": content["seeds"]["n"],
            "judged": judged,
            "as_planned": judged == content["seeds"]["n"] or judged in looks,
        },
        "changed": _shared_changed(lock, content, first),
        "taken_out": _taken_out(lock, set(content["claims"]), first),
        "claims": [
            {"id": claim, "sha256": terms["sha256"], **_compared(claim, terms, lock, times[claim])}
            for claim, terms in content["claims"].items()
        ],
    }


def _compared(claim: str, now: Json, lock: Lock, times: list[datetime]) -> Json:
    """Return when a claim's own terms (regions, rule, effects, regime) were registered as they stand, and what they
    were at its first record. `standing`: what it was then, where it was another. `records_since`: when the first record
    was made of those that the study had already, whatever became of them, when the claim was registered as it stands.

    `status`: before (as they stand), late (nothing was registered yet), changed (they were others), unknown (what was
    registered cannot be read), open (not registered as they stand, and no record is there).
    """
    hashed, first = own_sha256(now), times[0] if times else None
    known = [entry for entry in lock.entries if entry.claim(claim) is not None]
    since = _since(lock.entries, claim, hashed)
    found: Json = {
        "first_record": _written(first),
        "records": len(times),
        "records_before": sum(since is None or time < since.time for time in times),
        "registered": since.when if since else None,
        "commit": since.data.get("commit") if since else None,
        "records_since": since.records_since if since else None,
        "first_registered": known[0].when if known else None,
        "changed": [],
        "changes": [],
        "standing": _standing(claim, now["standing"], lock, first),
    }
    if first is None:
        return {**found, "status": "before" if since else "open"}
    earlier = [entry for entry in lock.entries if entry.time <= first]
    if (entry := _since(earlier, claim, hashed)) is not None:
        return {**found, "records_before": 0, "status": "before", "registered": entry.when,
                "commit": entry.data.get("commit"), "records_since": entry.records_since}  # fmt: skip
    if earlier and not earlier[-1].readable:
        return {**found, "status": "unknown"}
    before = earlier[-1].claim(claim) if earlier else None
    later = [entry for entry in lock.entries if entry.time > first]
    moved = list(_moves(before, claim, later))
    base = before or (known[0].claim(claim) if known else None)
    return {
        **found,
        "status": "changed" if before else "late",
        "changed": moved if before else moved[1:],  # the first is then the first registration
        "changes": [asdict(change) for change in changes(base, now) if change.what != "standing"] if base else [],
    }


def _standing(claim: str, now: str, lock: Lock, first: datetime | None) -> Json | None:
    """Return {was, now, at}, if at its first record (or when it was first registered, if later) a claim had another
    standing; None where it had not."""
    known = [(entry, terms) for entry in lock.entries if (terms := entry.claim(claim)) is not None]
    if first is None or not known:
        return None
    before = [terms for entry, terms in known if entry.time <= first] or [known[0][1]]
    was = before[-1]["standing"]
    if was == now:
        return None
    at = [entry.when for entry, terms in known if entry.time > first and terms["standing"] == now]
    return {"was": was, "now": now, "at": at[0] if at else None}


def _since(entries: tuple[Entry, ...] | list[Entry], claim: str, hashed: str) -> Entry | None:
    """Return the entry from which on, to the last, a claim's own terms have been these; None where they are not."""
    found = None
    for entry in reversed(entries):
        terms = entry.claim(claim)
        if terms is None or own_sha256(terms) != hashed:
            break
        found = entry
    return found


def _moves(terms: Json | None, claim: str, entries: list[Entry]) -> Iterator[str]:
    """Yield the time of each entry in which a claim's own terms are others than before."""
    hashed = own_sha256(terms) if terms is not None else None
    for entry in entries:
        now = entry.claim(claim)
        if now is not None and own_sha256(now) != hashed:
            hashed = own_sha256(now)
            yield entry.when


def _record_times(claim: str, result: StudyResult) -> list[datetime]:
    """Return when each of the records was finished that a claim's numbers rest on, as far as they say so, in order."""
    points = needed_points(result.study, {claim})
    records = result.evidence.records
    finished = [records[record]["provenance"].get("finished") for record in _behind(result.evidence, points)]
    return sorted(time for text in finished if (time := moment(text)) is not None)


def _behind(evidence: Evidence, points: set[str]) -> set[str]:
    """Return the ids of the trainings at these points that are there, and of those behind them."""
    ids: set[str] = set()
    for job in evidence.plan.jobs:
        if point_key(job.point) not in points:
            continue
        runs = [run for _, candidates in job.choice.candidates for run in candidates] if job.choice else []
        found = evidence.by_job.get((point_key(job.point), job.seed))
        runs += [found[0]] if found else []
        ids |= {run.id for run in runs}
        ids |= {run.id for derived in inputs_behind(runs) for run in derived.runs}
    return ids & evidence.records.keys()


def _shared_changed(lock: Lock, content: Json, first: datetime | None) -> list[Json]:
    """Return what all claims share that is not as it was at the first record of all: seeds, alternatives, the runs.

    `at`: the times of the entries that changed it; `dropped`: whether an alternative is gone or was made another.
    """
    readable = [entry for entry in lock.entries if entry.readable]
    if first is None or not readable:
        return []
    before = next((entry for entry in reversed(readable) if entry.time <= first), readable[0])
    later = readable[readable.index(before) + 1 :]
    found = []
    for change in shared_changes(before.content, content):
        key = "seeds" if change.what == "seeds" else "tries"
        lost = any(content["tries"].get(name) != value for name, value in before.data["tries"].items())
        about = {"at": _times(before, later, key), "dropped": key == "seeds" or lost}
        found.append({**asdict(change), **about})
    if before.data["runs"] != content["runs"]:
        known = {"was": before.data["runs"][:12], "now": content["runs"][:12], "at": _times(before, later, "runs")}
        found.append({"what": "runs", "part": "", **known, "dropped": False})
    return found


def _times(before: Entry, later: list[Entry], key: str) -> list[str]:
    """Return the times of the entries in which something is another than in the one before."""
    times, value = [], before.data[key]
    for entry in later:
        if entry.data[key] != value:
            value = entry.data[key]
            times.append(entry.when)
    return times


def _taken_out(lock: Lock, there: set[str], first: datetime | None) -> list[Json]:
    """Return the claims that were registered once, and were taken out when there were records: those of now, or earlier
    ones. `now_in`: the other study of the folder that has the claim now, if one has."""
    found: dict[str, Json] = {}
    seen: dict[str, bool] = {}
    for entry in lock.entries:
        if entry.readable:
            for claim in entry.data["claims"]:
                found.setdefault(claim, {"id": claim, "registered": entry.when})["taken_out"] = None
            for claim, known in found.items():
                if claim not in entry.data["claims"] and known["taken_out"] is None:
                    known["taken_out"] = entry.when
                    seen[claim] = entry.records_since is not None or (first is not None and entry.time >= first)
    late = first is not None or any(entry.records_since for entry in lock.entries)
    return [
        {**known, "now_in": _study_with(claim, lock.path)}
        for claim, known in found.items()
        if claim not in there and (seen[claim] if known["taken_out"] else late)
    ]


def _study_with(claim: str, path: Path) -> str | None:
    """Return the name of a study whose lock, next to this one, has the claim in its last entry."""
    for file in sorted(path.parent.glob("*.json")):
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            if file != path and claim in data["entries"][-1]["claims"]:
                return str(data["study"])
        except (OSError, ValueError, KeyError, IndexError, TypeError, RecursionError):
            continue  # no lock: `lnbench lock` says what is wrong with it
    return None


def _written(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
