"""What of a study was registered before its records, what was changed since, and which verdicts that takes back.

Pure: records and a history of entries (`spec.locks`) in, plain data and verdicts out. A record that names the entry
under which it was trained needs no clock; of all others the times are compared. The first record is the earliest of
all that a claim's numbers rest on: choosing runs and inputs too, as these also say how it will come out. A claim whose
terms are not those that were registered before that record is `post-hoc`, and says what it would be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from lnbench.judge.evidence import Evidence
from lnbench.judge.results import ClaimResult
from lnbench.plan import inputs_behind
from lnbench.spec import needed_points, point_key
from lnbench.spec.locks import Entry, History, moment
from lnbench.spec.registration import NOT_TESTABLE, changes, own_sha256, registration, shared_changes, weakened
from lnbench.stats import Verdict
from lnbench.verdict import Counts, Standing

Json = dict[str, Any]
NEVER_FIRST = "none of its records says when it was made"


def held_to(claims: list[ClaimResult], found: Json) -> list[ClaimResult]:
    """Return the claims with the verdict `post-hoc` where it is due; `found`: as `compared` returns it, or {}."""
    known = {claim["id"]: claim for claim in found.get("claims", ())}
    return [_held(claim, known[claim.claim.id]) if known else claim for claim in claims]


def added_alternatives(found: Json) -> dict[str, list[str]]:
    """Return the alternatives (`try`) that came after a claim's first record, by claim."""
    return {claim["id"]: claim["added"] for claim in found.get("claims", ())}


def _held(claim: ClaimResult, known: Json) -> ClaimResult:
    """Return the claim as `post-hoc`, with what it would be; where nothing was judged there is nothing to take back.

    A sentence that became a paper's when its records were there is neither credited to the paper nor held against it;
    one that was a paper's and failed stays a failure, and says whose it was."""
    word, standing, moved = Verdict(claim.verdict), known["standing"], ""
    if standing is not None:
        was, now = (standing[key].replace("_", " ") for key in ("was", "now"))
        moved = f"who says it was changed after its first record: standing was “{was}”, is “{now}”"
        if word.counts is Counts.FAIL and standing["was"] == Standing.PAPER:
            claim = replace(claim, why="; ".join(filter(None, (claim.why, moved))))
    raised = standing is not None and standing["now"] == Standing.PAPER and word.counts in (Counts.PASS, Counts.FAIL)
    why = "; ".join(filter(None, (known["post_hoc"], moved if raised else "")))
    nothing = {Verdict.NOT_RUN, Verdict.NOT_TESTABLE, Verdict.NOT_COMPARABLE}
    if any(change["what"] == NOT_TESTABLE for change in known["changes"]):
        nothing -= {Verdict.NOT_TESTABLE}  # taken out of judgement when its records were there
    if not why or word in nothing or word.counts is Counts.ERROR:
        return claim
    first = f"would be {word.words}" + (f" ({claim.why})" if claim.why else "")
    return replace(claim, verdict=Verdict.POST_HOC.value, why=f"{first}, but {why}", would_be=claim.verdict)


@dataclass(frozen=True)
class _Made:
    """When a record was made: `after`, how many entries there were by then (None: it names one that is not there), and
    its time, as far as it says so."""

    id: str
    after: int | None
    time: datetime | None
    named: bool
    other: str  # the lock of another study, which it was trained for


def compared(evidence: Evidence, history: History | None) -> Json:
    """Return what was registered before the records that are judged, and what not, claim by claim; {} at smoke, which
    is not registered, and where no history is known."""
    study = evidence.study
    if history is None or study.tier == "smoke":
        return {}
    entries = history.entries
    content = registration(study.spec, study.baseline)
    number = {entry.sha256: index for index, entry in enumerate(entries, start=1)}
    made = {claim: _made(claim, evidence, entries, number) for claim in content["claims"]}
    every = {one.id: one for all_ in made.values() for one in all_}
    first = min((one.time for one in every.values() if one.time), default=None)
    judged = len({job.seed for job in evidence.plan.jobs})
    looks = content["seeds"].get("looks", [])
    last = entries[-1] if entries else None
    return {
        "lock": history.place if last or history.problem else None,
        "problem": history.problem,
        "lnbench": last.data["lnbench"] if last else None,
        "entry": {"number": len(entries), "sha256": last.sha256, "time": last.when} if last else None,
        "runs_sha256": content["runs"],
        "as_it_stands": history.lock.covers(content),
        "first_record": _written(first),
        "records": {"all": len(every), "named": sum(one.named for one in every.values())},
        "seeds": {
            "planned": content["seeds"]["n"],
            "judged": judged,
            "as_planned": judged == content["seeds"]["n"] or judged in looks,
        },
        "changed": _shared_changed(entries, content, first),
        "taken_out": _taken_out(history, set(content["claims"]), first),
        "claims": [
            _explained({"id": claim, "sha256": terms["sha256"], **_claim(claim, terms, content, history, made[claim])})
            for claim, terms in content["claims"].items()
        ],
    }


def _claim(claim: str, now: Json, content: Json, history: History, made: list[_Made]) -> Json:
    """Return when a claim's own terms (regions, rule, effects, regime) were registered as they stand, and what they
    were at its first record. `standing`: what it was then, where it was another. `records_since`: when the first record
    was made of those that the study had already, whatever became of them, when the claim was registered as it stands.
    `shared`: the seeds and alternatives of all claims, where they are not what they were then. `added`: alternatives
    that were not there then. `sentence`: {was, now}, where its words are others.

    `status`: before (as they stand), late (nothing was registered yet), changed (they were others), unknown (what was
    registered cannot be read, or no record says when it was made), lost (a record names an entry that is not there),
    open (not registered as they stand, and no record is there).
    """
    entries = history.entries
    times = sorted(one.time for one in made if one.time)
    hashed, first = own_sha256(now), times[0] if times else None
    known = [entry for entry in entries if entry.claim(claim) is not None]
    since = _since(entries, claim, hashed)
    place = entries.index(since) + 1 if since else len(entries) + 1
    others = sorted({one.other for one in made if one.other})
    found: Json = {
        "first_record": _written(first),
        "records": len(made),
        "records_before": sum(one.after is None or one.after < place for one in made),
        "records_of": {other: sum(one.other == other for one in made) for other in others},
        "registered": since.when if since else None,
        "commit": since.data.get("commit") if since else None,
        "records_since": since.records_since if since else None,
        "first_registered": known[0].when if known else None,
        "first_commit": known[0].data.get("commit") if known else None,
        "earlier": [],
        "changed": [],
        "changes": [],
        "shared": [],
        "standing": None,
        "added": [],
        "sentence": None,
    }
    if not made:
        return {**found, "status": "before" if since else "open"}
    if history.problem:
        return {**found, "status": "unknown", "told": f"the lock cannot be read: {history.problem}"}
    lost = sum(one.after is None for one in made)
    if lost:
        told = f"{lost} of its {len(made)} records were made under an entry that is not in the lock any more"
        return {**found, "status": "lost", "told": told}
    placed = [one.after for one in made if one.after is not None and (one.time or one.named)]
    if not placed:
        return {**found, "status": "unknown", "told": NEVER_FIRST}
    earlier, later = entries[: min(placed)], list(entries[min(placed) :])
    found["standing"] = _standing(claim, now["standing"], earlier, later)
    found["sentence"] = _sentence(claim, now["says"], (*earlier, *later), len(earlier))
    if earlier and not earlier[-1].readable:
        return {**found, "status": "unknown", "told": "what was registered at its first record cannot be read"}
    if earlier:
        found["shared"] = [asdict(one) for one in weakened(earlier[-1].content, content)]
        there = {*earlier[-1].content["tries"], *earlier[-1].data.get("void", {})}
        found["added"] = sorted({*content["tries"], *content.get("void", {})} - there)
    if (entry := _since(earlier, claim, hashed)) is not None:
        before_that = earlier[: earlier.index(entry)]
        return {**found, "records_before": 0, "status": "before", "registered": entry.when,
                "commit": entry.data.get("commit"), "records_since": entry.records_since,
                "earlier": _earlier(before_that, claim, now)}  # fmt: skip
    before = earlier[-1].claim(claim) if earlier else None
    moved = list(_moves(before, claim, later))
    base = before or (known[0].claim(claim) if known else None)
    return {
        **found,
        "status": "changed" if before else "late",
        "changed": moved if before else moved[1:],  # the first is then the first registration
        "changes": [asdict(change) for change in changes(base, now) if change.what != "standing"] if base else [],
    }


def _explained(claim: Json) -> Json:
    """Put in why the claim is judged after the fact, in words; "" where it is not."""
    told = claim.pop("told", "")
    status = claim["status"]
    reasons = [told] if status in ("unknown", "lost") else []
    if status == "late":
        reasons.append(_late(claim))
    if claim["changes"]:
        was = f"was changed on {_moments(claim['changed'])}" if claim["changed"] else "was changed, and not registered"
        after = " after its first record" if status == "changed" else ""
        reasons.append(f"it {was}{after}: {_differences(claim['changes'])}")
    elif status == "changed":
        reasons.append("it was changed after its first record")
    if claim["shared"]:
        reasons.append(f"this was changed for all claims after its first record: {_differences(claim['shared'])}")
    return {**claim, "post_hoc": "; ".join(reasons)}


def _late(claim: Json) -> str:
    first = _minute(claim["first_record"])
    if claim["first_registered"] is None:
        return f"its range was never registered, and its first record is of {first}"
    what = f"in this study its range was {'committed' if claim['first_commit'] else 'registered'}"
    return f"{what} on {_minute(claim['first_registered'])}, after its first record of {first}"


def _differences(found: list[Json]) -> str:
    """Return changes in words, one that several parts share once."""
    parts: dict[tuple[str, str, str], list[str]] = {}
    for change in found:
        of = [change["part"]] if change["part"] else []
        parts.setdefault((change["what"], change["was"], change["now"]), []).extend(of)
    return "; ".join(
        f"{what}{' of ' + ', '.join(names) if names else ''} was “{was}”, is “{now}”"
        for (what, was, now), names in parts.items()
    )


def _moments(times: list[str]) -> str:
    return ", ".join(map(_minute, times))


def _minute(text: str | None) -> str:
    """Return a time to the minute: `2026-11-21 06:10 UTC`."""
    return f"{text[:10]} {text[11:16]} UTC" if text else "an unknown time"


# What was registered


def _standing(claim: str, now: str, earlier: tuple[Entry, ...], later: list[Entry]) -> Json | None:
    """Return {was, now, at}, if at its first record (or when it was first registered, if later) a claim had another
    standing; None where it had not."""
    before = [terms for entry in earlier if (terms := entry.claim(claim)) is not None]
    after = [(entry, terms) for entry in later if (terms := entry.claim(claim)) is not None]
    if not before and not after:
        return None
    was = before[-1]["standing"] if before else after[0][1]["standing"]
    if was == now:
        return None
    at = [entry.when for entry, terms in after if terms["standing"] == now]
    return {"was": was, "now": now, "at": at[0] if at else None}


def _sentence(claim: str, now: str, entries: tuple[Entry, ...], earlier: int) -> Json | None:
    """Return {was, now}, if a claim had another sentence at its first record (or when it was first registered, if
    later); None where it had not, or where the entries of the time have no sentences."""
    found = [(index, entry.claim(claim)) for index, entry in enumerate(entries)]
    known = [(index, terms["says"]) for index, terms in found if terms is not None and "says" in terms]
    before = [says for index, says in known if index < earlier]
    was = before[-1] if before else known[0][1] if known else now
    return None if was == now else {"was": was, "now": now}


def _since(entries: tuple[Entry, ...], claim: str, hashed: str) -> Entry | None:
    """Return the entry from which on, to the last, a claim's own terms have been these; None where they are not."""
    found = None
    for entry in reversed(entries):
        terms = entry.claim(claim)
        if terms is None or own_sha256(terms) != hashed:
            break
        found = entry
    return found


def _earlier(entries: tuple[Entry, ...], claim: str, now: Json) -> list[Json]:
    """Return what a claim's terms were in entries before those of now, the last of these first: {time, changes}. A
    region that was registered, run, thrown away and registered again otherwise would be here."""
    found, seen = [], {own_sha256(now)}
    for entry in reversed(entries):
        terms = entry.claim(claim)
        if terms is not None and own_sha256(terms) not in seen:
            seen.add(own_sha256(terms))
            differ = [asdict(change) for change in changes(terms, now) if change.what != "standing"]
            found.append({"time": entry.when, "changes": differ})
    return found


def _moves(terms: Json | None, claim: str, entries: list[Entry]) -> Iterator[str]:
    """Yield the time of each entry in which a claim's own terms are others than before."""
    hashed = own_sha256(terms) if terms is not None else None
    for entry in entries:
        now = entry.claim(claim)
        if now is not None and own_sha256(now) != hashed:
            hashed = own_sha256(now)
            yield entry.when


# When the records were made


def _made(claim: str, evidence: Evidence, entries: tuple[Entry, ...], number: dict[str, int]) -> list[_Made]:
    """Return when each of the records was made that a claim's numbers rest on."""
    found = []
    for record in sorted(_behind(evidence, needed_points(evidence.study, {claim}))):
        about = evidence.records[record]["provenance"]
        time, name, lock = moment(about.get("finished")), about.get("registered"), about.get("lock")
        ours = name is not None and lock == evidence.study.key
        by_time = sum(entry.time <= time for entry in entries) if time else 0
        after = number.get(str(name)) if ours else by_time
        found.append(_Made(record, after, time, ours, str(lock) if name is not None and not ours else ""))
    return found


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


# What the study's claims share


def _shared_changed(entries: tuple[Entry, ...], content: Json, first: datetime | None) -> list[Json]:
    """Return what all claims share that is not as it was at the first record of all: seeds, alternatives, the runs.

    `at`: the times of the entries that changed it; `dropped`: whether an alternative is gone or was made another.
    """
    readable = [entry for entry in entries if entry.readable]
    if first is None or not readable:
        return []
    before = next((entry for entry in reversed(readable) if entry.time <= first), readable[0])
    later = readable[readable.index(before) + 1 :]
    found = []
    for change in shared_changes(before.content, content):
        key = "seeds" if change.what == "seeds" else "tries"
        lost = bool([one for one in weakened(before.content, content) if one.what == "alternatives"])
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


def _taken_out(history: History, there: set[str], first: datetime | None) -> list[Json]:
    """Return the claims that were registered once, and were taken out when there were records: those of now, or earlier
    ones. `now_in`: the other study of the folder that has the claim now, if one has."""
    found: dict[str, Json] = {}
    seen: dict[str, bool] = {}
    for entry in history.entries:
        if entry.readable:
            for claim in entry.data["claims"]:
                found.setdefault(claim, {"id": claim, "registered": entry.when})["taken_out"] = None
            for claim, known in found.items():
                if claim not in entry.data["claims"] and known["taken_out"] is None:
                    known["taken_out"] = entry.when
                    seen[claim] = entry.records_since is not None or (first is not None and entry.time >= first)
    late = first is not None or any(entry.records_since for entry in history.entries)
    return [
        {**known, "now_in": history.elsewhere.get(claim)}
        for claim, known in found.items()
        if claim not in there and (seen[claim] if known["taken_out"] else late)
    ]


def _written(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
