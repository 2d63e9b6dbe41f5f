"""The section of report.md on what was registered before the runs: one line where all was, a table where not."""

from __future__ import annotations

from lnbench.report.plain import Json
from lnbench.report.words import coded, counted, escaped, listed, table

HEADING = "Registered before the runs"


def registration_section(data: Json) -> list[str]:
    """Return the lines of the section; none at smoke, and for a report of before there were locks."""
    found = data.get("registration")
    if not found:
        return []
    return [f"## {HEADING}", "", *_regions(found), *(f"- {fact}" for fact in _more(found, data)), "", *_history(found)]


def registration_fact(data: Json) -> list[str]:
    """Return a line for the head of the page, where a verdict does not rest on what was registered before; else
    none."""
    found = data.get("registration")
    if not found:
        return []
    odd = _odd(found)
    if found["problem"]:
        what = "The history of what was registered cannot be read, so no verdict stands"
    elif found["first_record"] and found["lock"] is None:
        what = "Nothing was registered before the runs"
    elif odd and len(odd) == len(found["claims"]):
        what = "No claim was registered as judged before its first record"
    elif odd:
        what = f"Not registered as judged before the first record: {_ids(odd)}"
    elif _seen(found):
        what = f"Registered as judged when earlier records of the study were known: {_ids(_seen(found))}"
    elif (
        any(not claim["now_in"] for claim in found["taken_out"])
        or not found["seeds"]["as_planned"]
        or any(one["dropped"] for one in found["changed"])
        or any(claim["standing"] and claim["standing"]["now"] == "paper" for claim in found["claims"])
    ):
        what = "The study was not judged as it was registered"
    else:
        return []
    return [f"**{what}**; see [{HEADING}](#{HEADING.lower().replace(' ', '-')})."]


def _odd(found: Json) -> list[Json]:
    """Return the claims that have records, and were not registered as they are judged before the first of these."""
    return [claim for claim in found["claims"] if claim["records"] and claim["post_hoc"]]


def _seen(found: Json) -> list[Json]:
    """Return the claims whose present terms were registered before their first record, but when the study had earlier
    records already."""
    return [
        claim
        for claim in found["claims"]
        if claim["status"] == "before" and claim["records_since"] and not claim["post_hoc"]
    ]


def _ids(claims: list[Json]) -> str:
    return listed(escaped(claim["id"]) for claim in claims)


def _regions(found: Json) -> list[str]:
    if found["problem"]:
        again = "Take the file back from the history of commits; until then every verdict is post hoc."
        return [f"The history of what was registered cannot be read: {escaped(found['problem'])}. {again}", ""]
    if found["lock"] is None:
        never = "Not registered before its runs" if found["first_record"] else "Not registered"
        return [
            f"{never}: there is no lock file. `lnbench verify` writes one before it trains, `lnbench lock` at any "
            "time; commit it before the first run.",
            "",
        ]
    fixed = [claim for claim in found["claims"] if claim["status"] == "before" and not claim["post_hoc"]]
    open_ = [claim for claim in found["claims"] if claim["status"] == "open"]
    lines = []
    if fixed:
        lines += [f"{_subject(fixed, found)} registered {_when(fixed)}, {_before(fixed)}.", ""]
    if open_:
        lines += [f"Without a record, and not registered: {_ids(open_)}. Run `lnbench lock` before the first run.", ""]
    rows = [
        [
            escaped(claim["id"]),
            minute(claim["first_record"]),
            minute(claim["registered"]) + _commit(claim) if claim["registered"] else "not registered",
            f"{claim['records_before']:,} of {claim['records']:,}",
            "<br>".join(what_happened(claim)),
        ]
        for claim in _odd(found)
    ]
    if rows:
        header = ["claim", "first record", "registered as it stands", "records older than that", "what happened"]
        lines += [*table(header, rows, right=(3,)), ""]
        lines += ["What was not registered as it stands before its first record is **post hoc**: it counts neither for "
                  "nor against a paper, whatever it would be.", ""]  # fmt: skip
    return lines


def _subject(claims: list[Json], found: Json) -> str:
    n = len(found["claims"])
    if len(claims) < n:
        return f"The region of {_ids(claims)} was" if len(claims) == 1 else f"The regions of {_ids(claims)} were"
    return "The region of the claim was" if n == 1 else f"The regions of all {n} claims were"


def _when(claims: list[Json]) -> str:
    times = sorted({(claim["registered"], _commit(claim)) for claim in claims})
    (first, commit), (last, other) = times[0], times[-1]
    if first == last:
        return f"on {minute(first)}{commit}"
    return f"between {minute(first)}{commit} and {minute(last)}{other}"


def _before(claims: list[Json]) -> str:
    """Return what their registration came before; claims without a record have nothing yet."""
    run = [claim for claim in claims if claim["first_record"]]
    if not run:
        return (
            "before any record that is there now"
            if any(claim["records_since"] for claim in claims)
            else "before any record"
        )
    first = min(claim["first_record"] for claim in run)
    if max(claim["registered"] for claim in claims) <= first:
        return f"before the first record of {minute(first)}"
    return f"each before its first record (the first of all is of {minute(first)})"


def _commit(claim: Json) -> str:
    return f" (commit {coded(claim['commit'][:7])})" if claim["commit"] else ""


def what_happened(claim: Json) -> list[str]:
    """Return what happened to a claim's terms after its first record, a line each."""
    if claim["status"] in ("unknown", "lost"):
        return [escaped(claim["post_hoc"])]
    lines = []
    if claim["status"] == "late":
        first = claim["first_registered"]
        how = "committed in this study" if claim["first_commit"] else "registered"
        lines.append(f"first {how} on {minute(first)}, after the first record" if first else "never registered")
    when = f"changed on {listed(map(minute, claim['changed']))}" if claim["changed"] else "changed, and not registered"
    after = " after the first record" if claim["status"] == "changed" and claim["changed"] else ""
    parts: dict[tuple[str, str, str], list[str]] = {}  # of one change that several parts share
    for change in claim["changes"]:
        of = [coded(change["part"])] if change["part"] else []
        parts.setdefault((change["what"], change["was"], change["now"]), []).extend(of)
    for (what, was, now), names in parts.items():
        of_parts = f" of {listed(names)}" if names else ""
        lines.append(f"{escaped(what)}{of_parts} {when}{after}: was “{escaped(was)}”, is “{escaped(now)}”")
    for change in claim["shared"]:
        was, now = escaped(change["was"]), escaped(change["now"])
        lines.append(f"{escaped(change['what'])} of all claims changed after the first record: was “{was}”, is “{now}”")
    return lines


def _more(found: Json, data: Json) -> list[str]:
    """Return what else is not as it was planned or registered."""
    facts = []
    seeds = found["seeds"]
    if not seeds["as_planned"]:
        facts.append(f"{counted(seeds['planned'], 'seed')} planned, {seeds['judged']} judged (`--seeds`).")
        if seeds["judged"] > seeds["planned"]:
            facts[-1] += " Seeds added after a look at the verdict make false verdicts more frequent than stated above."
    without = [claim for claim in data["claims"] if claim["verdict"] == "not-run"]
    if 0 < len(without) < len(data["claims"]):
        n = len(data["claims"])
        facts.append(f"Without all their runs: {_ids(without)}. Holm's correction counts all {n} claims all the same.")
    for lock in sorted({lock for claim in found["claims"] for lock in claim["records_of"]}):
        claims = [claim for claim in found["claims"] if lock in claim["records_of"]]
        rest = "rests on" if len(claims) == 1 else "rest on"
        many = counted(max(claim["records_of"][lock] for claim in claims), "record")
        facts.append(
            f"Records that {_ids(claims)} {rest} ({many} of a claim, at most) were trained for `{escaped(lock)}` and "
            "name an entry of its lock. For the claims here only their times count: a claim must have been registered "
            "here before them."
        )
    for claim in found["claims"]:
        if claim["earlier"]:
            facts.append(drafts_words(claim))
    seen = _seen(found)
    if seen:
        since = minute(min(claim["records_since"] for claim in seen))
        was = "region of {} was" if len(seen) == 1 else "regions of {} were"
        facts.append(
            f"When the {was.format(_ids(seen))} registered, the study had earlier records already, since {since}; "
            "its runs were then made again or are others."
        )
    for change in found["changed"]:
        when = f"on {listed(map(minute, change['at']))}" if change["at"] else "and not registered"
        if change["what"] == "runs":
            facts.append(
                f"The planned runs were changed {when}, after the first record of {minute(found['first_record'])}; "
                "judged are the records of the runs as planned now."
            )
        else:
            facts.append(
                f"{escaped(change['what'].capitalize())} changed {when}, after the first record of "
                f"{minute(found['first_record'])}: was “{escaped(change['was'])}”, is “{escaped(change['now'])}”."
            )
            void = {key: why for choice in data["choices_open"] for key, why in choice.get("void", {}).items()}
            if change["what"] == "alternatives" and void:
                facts[-1] += (
                    " Not run: " + "; ".join(f"{coded(key)}, {escaped(why)}" for key, why in void.items()) + "."
                )
    for was, now, at in sorted({_standing(claim) for claim in found["claims"] if claim["standing"]}):
        names = _ids([claim for claim in found["claims"] if claim["standing"] and _standing(claim) == (was, now, at)])
        when = f"on {minute(at)}" if at else "and not registered"
        facts.append(f"The standing of {names} changed {when}, after the first record: was {was}, is {now}.")
    for claim in found["claims"]:
        if claim["sentence"]:
            was, now = (escaped(claim["sentence"][key]) for key in ("was", "now"))
            facts.append(
                f"The sentence of {escaped(claim['id'])} was changed after the first record: was “{was}”, is “{now}”."
            )
    for claim in found["taken_out"]:
        when = f"on {minute(claim['taken_out'])}" if claim["taken_out"] else "since the last entry"
        where = f"; it is in {coded(claim['now_in'])} now" if claim["now_in"] else ""
        since = minute(claim["registered"])
        facts.append(
            f"{escaped(claim['id'])}, registered on {since}, was taken out of this study {when}, when it had "
            f"records{where}."
        )
    if found["lock"] and not found["problem"] and not found["as_it_stands"]:
        facts.append("The study as it stands is not what the last entry of its lock registered; run `lnbench lock`.")
    return facts


def drafts_words(claim: Json) -> str:
    """Return what a claim was registered as before the entry that counts, which came before its first record too."""
    once = []
    for draft in claim["earlier"]:
        differ = [
            f"{escaped(change['what'])}{' of ' + coded(change['part']) if change['part'] else ''} "
            f"“{escaped(change['was'])}”"
            for change in draft["changes"]
        ]
        once.append(f"{minute(draft['time'])} ({'; '.join(differ) or 'other terms'})")
    return (
        f"{escaped(claim['id'])} was registered otherwise before, on {listed(once)}; no record of the time is among "
        "those judged here."
    )


def _history(found: Json) -> list[str]:
    """Return where the history is, and the hashes of what was judged."""
    hashes = [f"{escaped(claim['id'])} {coded(claim['sha256'][:12])}" for claim in found["claims"]]
    terms = f"Hashes of what the verdicts depend on: {listed(hashes)}."
    if not found["lock"] or found["problem"]:
        return [terms, ""]
    entry, version = found["entry"], escaped(found["lnbench"])
    place = "next to the study file" if found["lock"].startswith("locks/") else "in the store that it was trained in"
    which = f"entry {entry['number']}, {coded(entry['sha256'][:12])}, of {minute(entry['time'])}, by lnbench {version}"
    where = f"{coded(found['lock'])} {place} (last: {which}); a copy is `lock.json` of this report"
    by, of, named = "", found["records"]["all"], found["records"]["named"]
    if of and named == of:
        by = "Every record names the entry that it was trained under, so no clock is asked. "
    elif of:
        many = f"{named:,} of {of:,} records name" if named else f"None of {of:,} records names"
        by = (
            f"{many} the entry that {'they were' if named else 'it was'} trained under: otherwise times are compared, "
            "and the commits that added the entries show whether their dates hold. "
        )
    return [f"Judged against {where}. {by}{terms}", ""]


def _standing(claim: Json) -> tuple[str, str, str]:
    standing = claim["standing"]
    return standing["was"].replace("_", " "), standing["now"].replace("_", " "), standing["at"] or ""


def minute(text: str) -> str:
    """Return a time to the minute: `2026-11-21 06:10 UTC`."""
    return escaped(f"{text[:10]} {text[11:16]} UTC")
