"""What it would take to decide the claims that are open, from the records that are there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from lnbench.report.headlines import largest_judged
from lnbench.report.plain import Json
from lnbench.report.words import coded, decide_words, duration, escaped, listed, path_link, sample, table
from lnbench.verdict import Verdict

INTRO = (
    "**What would decide the rest.** Each open claim at the largest scale at which it was judged. Seeds are those that "
    "the study's rule says are needed if effect and spread stay as they are; time is of one core of the processor "
    "named, from what the runs of the report took, all claims of the study together. What was never run is priced by "
    "`lnbench plan`."
)


def to_decide(results: Iterable[Json], reports: str = ".") -> list[str]:
    """Return Markdown: a row for each open claim of a paper or hypothesis, with what it would take; none where all are
    decided."""
    ordered = list(results)
    rows = []
    for data, claim in _open(ordered):
        what, cost = _what(data, claim)
        rows.append([
            path_link(escaped(claim["id"]), reports, data["key"], "report.md"),
            escaped(data["tier"]),
            escaped(Verdict(claim["verdict"]).words),
            what,
            escaped(cost),
        ])  # fmt: skip
    header = ["claim", "tier", "now", "what it would take", "about"]
    return [INTRO, "\n".join(table(header, rows))] if rows else []


OPEN = (Verdict.INCONCLUSIVE, Verdict.OPEN, Verdict.OUTSIDE_AS_RUN, Verdict.POST_HOC, Verdict.NOT_IN_REGIME)


def _open(ordered: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Yield (report, claim) of each open claim, once."""
    seen = set()
    for data in ordered:
        for claim in data["claims"]:
            if claim["id"] in seen:
                continue
            row = largest_judged(ordered, claim["id"])
            if row is not None:
                seen.add(claim["id"])
                if row[1]["verdict"] in OPEN:
                    yield row


def _what(data: Json, claim: Json) -> tuple[str, str]:
    """Return what would decide a claim, and the time of that."""
    seconds = sum(one["seconds"] for one in data["environments"])
    machine = ", ".join(dict.fromkeys(str(one["environment"].get("processor", "")) for one in data["environments"]))
    verdict = Verdict(claim["verdict"])
    if verdict is Verdict.POST_HOC:
        return "new seeds (`fresh`), for a range that is registered before them", _time(seconds, machine)
    if verdict is Verdict.NOT_IN_REGIME:
        return "runs at a scale where what the claim requires holds", "–"
    if verdict is Verdict.OUTSIDE_AS_RUN:
        left = [name for name, found in claim["tried"].items() if found == Verdict.NOT_RUN]
        return f"the alternatives that were not run: {listed(map(coded, left))}", f"{_time(seconds, machine)} each"
    have = int(data["seeds"]["n"])
    undecided = [part for part in claim["parts"] if part["decides"] and Verdict(part["verdict"]).open]
    if not undecided:  # the claim as run is decided; what makes it open is in its report
        return "as its report says", "–"
    slowest = max(undecided, key=lambda part: part["seeds_to_decide"] or math.inf)
    need, what = slowest["seeds_to_decide"], escaped(decide_words(slowest))
    if need is None or sample(slowest) != "seed":
        return what, "–"
    return f"{what} ({have} so far)", _time(seconds * max(need - have, 0) / have, machine)


def _time(seconds: float, machine: str) -> str:
    return f"{duration(seconds)} ({machine})" if machine else duration(seconds)
