"""A paper, its claims and what may be said of all of them together; and the debates between papers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lnbench.report.debates import Answer, Debate
from lnbench.report.paper_rows import NOT_JUDGED, Row, families
from lnbench.report.plain import Json
from lnbench.report.words import spaced_percent
from lnbench.site.at_tier import AtTier
from lnbench.site.claims import Claim, short_citation
from lnbench.site.text import web_address
from lnbench.site.verdicts import Chip, chip
from lnbench.verdict import Counts, Standing, Verdict, counts_as


@dataclass(frozen=True)
class Paper:
    """A paper with its claims. `about`: its entry in a report."""

    about: Json
    slug: str
    claims: tuple[Claim, ...]
    error_rates: str

    @property
    def short(self) -> str:
        return short_citation(self.about)

    @property
    def address(self) -> str:
        """Return the paper's address; "" where there is none, or no paper."""
        return web_address(self.about["url"]) if self.about["authors"] else ""

    @property
    def code(self) -> str:
        """Return the address of the authors' code; "" where there is none."""
        return web_address(self.about["code"])

    @property
    def counts(self) -> list[tuple[Chip, int]]:
        """Return how many of its claims have which verdict, each at its largest scale."""
        return tally(self.claims)

    @property
    def by_standing(self) -> list[tuple[Standing, list[Claim]]]:
        """Return its claims by who says them, the paper first."""
        found = [(standing, [claim for claim in self.claims if claim.standing is standing]) for standing in Standing]
        return [(standing, claims) for standing, claims in found if claims]


def tally(claims: Sequence[Claim]) -> list[tuple[Chip, int]]:
    """Return how many claims have which verdict at their largest scale, in the order of the verdicts."""
    counts = Counter(claim.main.chip.word for claim in claims)
    return [(chip(verdict.value), counts[verdict.value]) for verdict in Verdict if counts[verdict.value]]


def papers_of(
    claims: Sequence[Claim], results: Sequence[Json], alone: Mapping[Row, int], slugs: Mapping[str, str]
) -> list[Paper]:
    """Return every paper with its claims, in the claims' order."""
    rows = families(results)
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        found.setdefault(claim.paper["id"], []).append(claim)
    return [
        Paper(own[0].paper, slugs[paper], tuple(own), _error_rates(rows.get(paper, []), alone))
        for paper, own in found.items()
    ]


def _error_rates(family: Sequence[tuple[Json, Json]], alone: Mapping[Row, int]) -> str:
    """Return how many false verdicts are to be expected among all rows of a paper; "" where nothing was judged."""
    judged = [(data, claim) for data, claim in family if claim["verdict"] not in NOT_JUDGED]
    if not judged:
        return ""
    expected = sum(data["alpha"] for data, _ in judged)
    passed = sum(counts_as(claim["verdict"]) is Counts.PASS for _, claim in judged)
    refuted = [(data, claim) for data, claim in judged if counts_as(claim["verdict"]) is Counts.FAIL]
    only = sum((data["key"], claim["id"]) in alone for data, claim in refuted)
    alpha = spaced_percent(max(data["alpha"] for data, _ in judged))
    apart = f" {only} more stand among the claims of their study only." if only else ""
    return (
        f"{len(judged)} claims and tiers were judged, and {passed} of them are called reproduced or held. If all were "
        f"false, {expected:.2g} of them would be called so on average, at most. {len(refuted) - only} are called "
        f"contradicted or failed; the chance that any true claim of the paper is among these is at most {alpha}.{apart}"
    )


@dataclass(frozen=True)
class Said:
    """A claim at a tier as a debate shows it."""

    claim: Claim
    answer: Answer

    @property
    def at(self) -> AtTier:
        """Return the claim at the tier of the answer."""
        return next(one for one in self.claim.tiers if one.tier == self.answer.data["tier"])


@dataclass(frozen=True)
class Discussion:
    """A debate with the pages of its claims: what papers say, what is not run, and our own hypotheses."""

    debate: Debate
    slug: str
    by_paper: tuple[tuple[str, tuple[Said, ...]], ...]
    waiting: tuple[Claim, ...]
    ours: tuple[Said, ...]
    ours_waiting: tuple[Claim, ...]


def discussion(debate: Debate, slug: str, claims: Mapping[tuple[str, str], Claim]) -> Discussion:
    """Return a debate with the claims of the site, (study, id) -> claim."""
    said = [Said(claims[one.data["study"], one.claim["id"]], one) for one in debate.answers]
    theirs = [one for one in said if one.answer.standing is not Standing.HYPOTHESIS]
    papers = dict.fromkeys(str(one.answer.data["paper"]["citation"]) for one in theirs)
    by_paper = tuple(
        (paper, tuple(one for one in theirs if one.answer.data["paper"]["citation"] == paper)) for paper in papers
    )
    waiting = [(one, claims.get((one.study, one.claim))) for one in debate.waiting]
    return Discussion(
        debate,
        slug,
        by_paper,
        tuple(claim for one, claim in waiting if claim and one.standing is not Standing.HYPOTHESIS),
        tuple(one for one in said if one.answer.standing is Standing.HYPOTHESIS),
        tuple(claim for one, claim in waiting if claim and one.standing is Standing.HYPOTHESIS),
    )
