"""The rows of a paper: every claim and tier of its studies, smoke left out, and the verdict that stands among them.

A study corrects its contradictions over its own claims (Holm). A paper is often several studies, and a reader sees all
of them: so a contradiction is also held against all rows of its paper, and one that does not stand among these is shown
and counted as what it is, its study's only.
"""

from __future__ import annotations

from collections.abc import Iterable

from lnbench.report.plain import Json
from lnbench.report.words import claim_words, tally
from lnbench.stats import holm
from lnbench.tiers import PAPER_TIERS, TIERS
from lnbench.verdict import Counts, Standing, Verdict, counts_as

TIER_ORDER = tuple(reversed(TIERS))
NOT_JUDGED = (Verdict.NOT_RUN, Verdict.ERROR, Verdict.NOT_TESTABLE, Verdict.NOT_COMPARABLE)

Row = tuple[str, str]  # the key of a report, the id of a claim in it


def study_only(results: Iterable[Json]) -> dict[Row, int]:
    """Return the rows that are contradicted (or failed) among the claims of their study, but not among all rows of
    their paper, each with the number of these.

    Holm's p over every claim and tier of the paper but smoke, from each claim's own p: before its study's correction,
    with looks and sets of seeds multiplied in. What was not judged counts with p = 1.
    """
    alone = {}
    for family in families(results).values():
        adjusted = holm([_p(claim) for _, claim in family])
        for (data, claim), p in zip(family, adjusted, strict=True):
            if counts_as(claim["verdict"]) is Counts.FAIL and p > data["alpha"]:
                alone[data["key"], claim["id"]] = len(family)
    return alone


def families(results: Iterable[Json]) -> dict[str, list[tuple[Json, Json]]]:
    """Return paper -> (report, claim) of each of its rows, smoke left out."""
    found: dict[str, list[tuple[Json, Json]]] = {}
    for data in results:
        if data["tier"] in PAPER_TIERS:
            found.setdefault(data["paper"]["id"], []).extend((data, claim) for claim in data["claims"])
    return found


def _p(claim: Json) -> float:
    return 1.0 if claim["verdict"] in NOT_JUDGED else float(claim["p_contradicted"])


def verdict_in_paper(data: Json, claim: Json, alone: dict[Row, int]) -> str:
    """Return a claim's verdict in words: one that stands in its study only says so."""
    words = claim_words(claim)
    rows = alone.get((data["key"], claim["id"]))
    return f"{words} in its study, but not among the {rows} rows of its paper (Holm)" if rows else words


def counts_of(rows: Iterable[tuple[Json, Json]], alone: dict[Row, int]) -> dict[Standing, str]:
    """Return, for each standing, the verdicts of some rows in counts; those that stand in their study only are counted
    apart."""
    both_kinds: tuple[list[Json], list[Json]] = ([], [])
    for data, claim in rows:
        both_kinds[(data["key"], claim["id"]) in alone].append(claim)
    found = dict(tally(both_kinds[False]))
    for standing, words in tally(both_kinds[True]):
        both = [found[standing]] if standing in found else []
        found[standing] = ", ".join([*both, f"{words} in its study only"])
    return {standing: found[standing] for standing in Standing if standing in found}


def report_order(data: Json) -> tuple[str, str, int, str]:
    """Return what reports are sorted by: paper, study, and tier, the largest first."""
    tier = data["tier"]
    place = TIER_ORDER.index(tier) if tier in TIER_ORDER else len(TIER_ORDER)
    return data["paper"]["id"], data["study"], place, tier
