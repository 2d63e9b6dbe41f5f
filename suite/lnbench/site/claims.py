"""A claim as the site shows it: its sentence, who says it, and the tiers at which it was judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lnbench.report.headlines import largest_judged, scale_words
from lnbench.report.paper_rows import TIER_ORDER, Row
from lnbench.report.plain import Json
from lnbench.site.at_tier import AtTier
from lnbench.site.text import web_address
from lnbench.site.verdicts import WHO
from lnbench.spec import LoadedStudy
from lnbench.tiers import PAPER_TIERS
from lnbench.verdict import Standing


@dataclass(frozen=True)
class Claim:
    """A claim with all tiers at which there is something to show, the largest first. `others`: the tiers that its
    study has. `says`: its sentence as the study has it, "" where no study is known."""

    name: str
    slug: str
    study: str
    tiers: tuple[AtTier, ...]
    others: tuple[str, ...]
    question: str
    paper_slug: str
    says: str

    @cached_property
    def main(self) -> AtTier:
        """Return it at the largest tier at which it was judged; else at the largest there is."""
        found = largest_judged([one.data for one in self.tiers], self.name)
        return next((one for one in self.tiers if found and one.data is found[0]), self.tiers[0])

    @property
    def data(self) -> Json:
        return self.main.data

    @property
    def paper(self) -> Json:
        found: Json = self.data["paper"]
        return found

    @property
    def paper_short(self) -> str:
        """Return the paper as a table has it: "Rolnick et al. 2018"."""
        return short_citation(self.paper)

    @property
    def address(self) -> str:
        """Return the paper's address, where it is one of the web; "" where there is no paper."""
        return web_address(self.paper["url"]) if self.paper["authors"] else ""

    @property
    def standing(self) -> Standing:
        return Standing(self.main.claim.get("standing", "paper"))

    @property
    def who(self) -> str:
        return WHO[self.standing]

    @property
    def sentence(self) -> str:
        """Return it as it was tested; one that was not judged as its study has it."""
        return self.main.sentence if self.main.judged or not self.says else self.says

    @property
    def quote(self) -> str:
        return str(self.main.claim["quote"] or "")

    @property
    def where(self) -> str:
        return str(self.main.claim["where"] or "")

    @property
    def shown_tiers(self) -> list[AtTier]:
        """Return the tiers that its page shows in full: those that were judged, or its main one."""
        return [one for one in self.tiers if one.judged] or [self.main]

    @property
    def smaller(self) -> list[AtTier]:
        """Return the other tiers at which it was judged."""
        return [one for one in self.tiers if one.judged and one is not self.main]

    @property
    def every_tier(self) -> list[tuple[str, str, AtTier | None]]:
        """Return (tier, its scale, the claim at it) of every tier of its study, the largest first; None where nothing
        is known of the claim."""
        there = {one.tier: one for one in self.tiers}
        return [
            (tier, scale_words(self.data, tier), there.get(tier))
            for tier in TIER_ORDER
            if tier in there or tier in self.others
        ]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return (tier, verdict) of each tier that has a report, for the filter."""
        return [(one.tier, one.chip.word) for one in self.tiers if one.folder] or [("none", "not-run")]


def short_citation(paper: Json) -> str:
    """Return "Rolnick et al. 2018" of a citation; the whole where it does not begin so."""
    return str(paper["citation"]).partition(", ")[0]


def group(results: Iterable[tuple[Json, str]]) -> Mapping[tuple[str, str], list[tuple[Json, Json, str]]]:
    """Return (study, claim) -> its (report, claim, folder) at each tier, in the reports' order: the largest first."""
    found: dict[tuple[str, str], list[tuple[Json, Json, str]]] = {}
    for data, folder in results:
        for claim in data["claims"]:
            found.setdefault((data["study"], claim["id"]), []).append((data, claim, folder))
    return found


def claims_of(
    results: Sequence[tuple[Json, str]],
    alone: Mapping[Row, int],
    studies: Mapping[str, LoadedStudy],
    slugs: Mapping[tuple[str, str], str],
    papers: Mapping[str, str],
) -> list[Claim]:
    """Return every claim of some (report, folder), which are in `report_order`.

    `studies`: by name; `slugs`: (study, claim) -> file name of its page; `papers`: the same of a paper.
    """
    found = []
    for (study, name), rows in group(results).items():
        known = studies.get(study)
        said = {spec.id: spec.says for spec in known.any.spec.claims} if known else {}
        question = next((str(claim["question"]) for _, claim, _ in rows if claim["question"]), "")
        found.append(
            Claim(
                name,
                slugs[study, name],
                study,
                tuple(AtTier(data, claim, alone.get((data["key"], name)), folder) for data, claim, folder in rows),
                tuple(tier for tier in PAPER_TIERS if known and tier in (known.named or known.tiers)),
                question,
                papers[rows[0][0]["paper"]["id"]],
                said.get(name, ""),
            )
        )
    return found
