"""The claims that a reader sees first, on every front page: README, the site, the picture."""

from __future__ import annotations

from collections.abc import Iterable

from lnbench.report.paper_rows import TIER_ORDER
from lnbench.report.plain import Json
from lnbench.tiers import PAPER_TIERS
from lnbench.verdict import Verdict

# One or two of each subject, in the order in which the subject's papers came. Chosen by what the papers themselves put
# into abstract, title or conclusion, before most of them were run: a claim never enters or leaves for its verdict.
HEADLINES = (
    "R001-01",
    "R001-04",
    "R001-06",
    "R001-17",
    "A004-05",
    "A004-14",
    "A004-18",
    "E000-11",
    "S003-04",
    "S003-08",
    "S003-06",
    "L002-04",
)


def headlines() -> tuple[str, ...]:
    """Return the ids of the headline claims, in the order in which pages show them."""
    return HEADLINES


def largest_judged(results: Iterable[Json], claim: str) -> tuple[Json, Json] | None:
    """Return (report, claim) of the largest tier at which a claim was judged, smoke left out; None where there is none.

    A tier none of whose runs are there yet does not count: "not run" at full does not hide a verdict at cpu.
    """
    found = [
        (data, entry)
        for data in results
        if data["tier"] in PAPER_TIERS
        for entry in data["claims"]
        if entry["id"] == claim and entry["verdict"] != Verdict.NOT_RUN
    ]
    return min(found, key=lambda row: TIER_ORDER.index(row[0]["tier"]), default=None)
