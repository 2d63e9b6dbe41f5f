"""A claim as its page shows it: at every tier that was judged, with evidence, alternatives, history and commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from lnbench import catalog
from lnbench.judge.kinds import kind_named
from lnbench.report.figures.forest import role_of, verdict_of
from lnbench.report.headlines import SCALES, largest_judged
from lnbench.report.names import in_forest
from lnbench.report.numbers import as_written
from lnbench.report.page.claim import SeedTable, measured_under, remarks, rule_words, seed_table
from lnbench.report.paper_rows import TIER_ORDER, Row
from lnbench.report.plain import Json
from lnbench.report.said import as_tested, chosen_sentence, rests_on, rests_sentence
from lnbench.report.set_up import SetUp, set_up_facts
from lnbench.report.units import reference_of, shown
from lnbench.report.words import (
    censored_words,
    counted,
    member_sentence,
    of_no_paper,
    p_words,
    part_line,
    printed_words,
    spaced_percent,
)
from lnbench.site.history import Event, made_with, timeline
from lnbench.site.picture import pictures, small_picture
from lnbench.site.text import from_markdown, sentence, web_address
from lnbench.site.verdicts import LOOKS, SHORT_SCALES, WHO, Chip, chip, chip_of
from lnbench.spec import LoadedStudy
from lnbench.tiers import PAPER_TIERS
from lnbench.verdict import Standing, Verdict

MOST_OPEN = 6  # comparisons of a claim that are shown at once; the others open on a click
MOST_SMALL = 6  # comparisons in a list's picture
DASH = "–"


@dataclass(frozen=True)
class Comparison:
    """One number that was measured, and the range it is held against."""

    part: Json
    member: Json
    claim: Json
    tier: str

    @property
    def view_words(self) -> str:
        """Return what was measured and required, in a sentence."""
        return sentence(member_sentence(self.part, self.member))

    @property
    def label(self) -> str:
        """Return what is compared."""
        return str(self.member["label"])

    @cached_property
    def lies(self) -> tuple[str, str]:
        """Return (where it lies to its range, the tone of that)."""
        view = shown(self.part, self.member)
        words, verdict = verdict_of(self.part, self.member, view, self.tier)
        tones = {known.words: look[1] for known, look in LOOKS.items()}
        return words, tones.get(verdict, "plain")

    @property
    def pictures(self) -> list[tuple[str, Markup]]:
        """Return (caption, picture) of it, each with the sentence as its text."""
        return pictures(self.part, self.member, self.lies[1], f"{self.label}: {self.view_words}")

    @property
    def without_number(self) -> str:
        """Return how many seeds have no number, and so no dot; "" where all have one."""
        known = {one["seed"] for one in self.member.get("censored", [])}
        pairs = zip(self.member["seeds"], self.member["values"], strict=True)
        lacking = sum(value is None and seed not in known for seed, value in pairs)
        n = counted(len(self.member["values"]), "seed")
        return f"{lacking} of {n} {'has' if lacking == 1 else 'have'} no number, and so no dot." if lacking else ""

    @property
    def printed(self) -> bool:
        """Return whether its picture has a printed number."""
        return shown(self.part, self.member).printed is not None

    @property
    def numbers(self) -> list[str]:
        """Return the row of the table of numbers."""
        view, check = shown(self.part, self.member), self.member["check"]
        reference = reference_of(self.part, self.member)
        return [
            view.effect_words() if view.effect is not None else censored_words(self.member, view) or DASH,
            view.interval_words() if view.interval else DASH,
            view.region_words(),
            str(check["n"]),
            p_words(check["p_reproduced"]) if check["n"] else DASH,
            p_words(check["p_contradicted"]) if check["n"] else DASH,
            printed_words(reference) if reference else DASH,
        ]


@dataclass(frozen=True)
class Part:
    """A part of a claim: one comparison, a family of them, or a table."""

    part: Json
    claim: Json
    tier: str

    @property
    def name(self) -> str:
        return str(self.part["name"])

    @property
    def role(self) -> str:
        """Return what it is to the claim."""
        if self.part["decides"] and len(self.claim["rule"]["of"]) == 1:
            return "the claim"
        return role_of(self.part, self.claim)

    @property
    def kind(self) -> str:
        """Return the kind of check in words."""
        return kind_named(self.part["kind"]).words or str(self.part["kind"])

    @property
    def metric(self) -> tuple[str, str]:
        """Return its metric, and what that is."""
        return str(self.part["effect"]["metric"]), str(self.part["effect"]["metric_words"])

    @property
    def line(self) -> str:
        """Return the whole part in a sentence: of a table, how many of its cells agree."""
        return sentence(part_line(self.part))

    @property
    def is_table(self) -> bool:
        return "matrix" in self.part

    @property
    def comparisons(self) -> list[Comparison]:
        return [Comparison(self.part, member, self.claim, self.tier) for member in self.part["members"]]


@dataclass(frozen=True)
class Alternative:
    """A choice that the paper leaves open, and what came of another one. `why`: why it is not run any more."""

    key: str
    ours: str
    tried: str
    chip: Chip | None
    measured: tuple[Markup, ...]
    why: str


def scale_words(data: Json, tier: str) -> str:
    """Return the scale of a tier of a report's study in words."""
    if tier == "full" and of_no_paper(data):
        return "the scale that the study sets"
    return SCALES.get(tier, tier)


@dataclass(frozen=True)
class AtTier:
    """A claim at one tier. `folder`: of its report; "" where there is none."""

    data: Json
    claim: Json
    alone: int | None
    folder: str

    @property
    def tier(self) -> str:
        return str(self.data["tier"])

    @property
    def judged(self) -> bool:
        """Return whether it has any verdict but "not run"."""
        return bool(self.claim["verdict"] != Verdict.NOT_RUN)

    @cached_property
    def chip(self) -> Chip:
        return chip_of(self.claim, self.alone)

    @property
    def scale(self) -> str:
        """Return the scale in words."""
        return scale_words(self.data, self.tier)

    @property
    def short_scale(self) -> str:
        if self.tier == "full" and of_no_paper(self.data):
            return "the study's scale"
        return SHORT_SCALES.get(self.tier, self.tier)

    @property
    def seeds(self) -> str:
        """Return how many seeds it rests on."""
        looked = self.claim.get("look")
        return counted(looked["seeds"] if looked else self.data["seeds"]["n"], "seed")

    @property
    def rests(self) -> str:
        """Return the single seeds that decide it: "rests on seed 3"; "" where none does."""
        return rests_on(self.claim)

    @property
    def sentence(self) -> str:
        """Return the claim as it was tested at this tier."""
        return as_tested(self.claim)

    @property
    def why(self) -> str:
        return sentence(self.claim["why"])

    @property
    def parts(self) -> list[Part]:
        """Return its parts: those that are the claim first, then what must hold, then our own checks."""
        found = [Part(part, self.claim, self.tier) for part in self.claim["parts"]]
        return [one for one in found if one.part["decides"]] + [one for one in found if not one.part["decides"]]

    @property
    def rule(self) -> Markup:
        """Return how many of its parts must hold; "" where it is one comparison."""
        deciding = [part for part in self.claim["parts"] if part["decides"]]
        if len(deciding) == 1 and len(deciding[0]["members"]) == 1:
            return Markup("")
        return from_markdown(rule_words(self.claim, deciding).removesuffix(":") + ".")

    @property
    def confidence(self) -> str:
        part = self.claim["parts"][0]
        return spaced_percent(shown(part, part["members"][0]).confidence)

    @property
    def small(self) -> str:
        """Return a line for each of its deciding comparisons, interval against range; nothing where these are more than
        a list has room for, or where one is not measured."""
        rows = [
            Comparison(part, member, self.claim, self.tier)
            for part in in_forest(self.claim)
            if part["decides"]
            for member in part["members"]
        ]
        return small_picture([(row.part, row.member, row.lies[1]) for row in rows]) if len(rows) <= MOST_SMALL else ""

    @property
    def set_up(self) -> SetUp:
        return set_up_facts(self.claim, self.data.get("trained"))

    @property
    def deviations(self) -> list[str]:
        return [sentence(str(one)) for one in self.data["deviations"]]

    @property
    def remarks(self) -> list[Markup]:
        """Return what a reader must know besides the pictures."""
        told = [sentence(words) for words in (chosen_sentence(self.claim), rests_sentence(self.claim)) if words]
        return [from_markdown(sentence(words)) for words in (*told, *remarks(self.claim, self.tier))]

    @property
    def alternatives(self) -> list[Alternative]:
        """Return what the paper leaves open, those first of which something else was to be tried."""
        found = []
        for choice in self.data["choices_open"]:
            key, void = str(choice["key"]), choice.get("void", {})
            word = self.claim["tried"].get(key)
            found.append(
                Alternative(
                    key,
                    sentence(_value(choice["ours"])),
                    _changes(choice["try"]),
                    chip(word) if word else None,
                    tuple(from_markdown(words) for words in measured_under(self.claim, key)),
                    "; ".join(str(why) for why in void.values()),
                )
            )
        return sorted(found, key=lambda one: one.chip is None)

    @property
    def seed_table(self) -> SeedTable:
        return seed_table(self.claim)

    @property
    def timeline(self) -> list[Event]:
        return timeline(self.data, self.claim["id"])

    @property
    def made_with(self) -> list[str]:
        return made_with(self.data)

    @property
    def drawn(self) -> bool:
        """Return whether there is a picture of it."""
        return any(
            one.pictures for part in self.parts if not part.is_table for one in part.comparisons if one.member["values"]
        )

    @property
    def printed(self) -> bool:
        """Return whether a picture of it has a printed number."""
        return any(one.printed for part in self.parts if not part.is_table for one in part.comparisons)

    @property
    def again(self) -> bool:
        """Return whether another run gives its numbers again: times it does not."""
        name = (self.data.get("trained") or {}).get("base", {}).get("experiment")
        return not (name in catalog.names("experiment") and catalog.find("experiment", name).timed)

    @property
    def chain(self) -> str:
        """Return where the chain over the report's records ends; "" in a report of before there were chains."""
        return str((self.data.get("records") or {}).get("head", ""))

    @property
    def datasets(self) -> list[str]:
        """Return the data sets that its runs need and that `lnbench data fetch` gets."""
        known = (self.data.get("trained") or {}).get("data") or {}
        return [name for name in known if name in catalog.names("dataset") and _fetched(name)]


def _fetched(dataset: str) -> bool:
    return bool(getattr(catalog.find("dataset", dataset).value, "archives", ()))


def _changes(tried: object) -> str:
    """Return what an alternative changes, as the study's file has it."""
    if not isinstance(tried, dict):
        return ""
    return ", ".join(f"{key}: {_value(value)}" for key, value in tried.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return as_written(value) if isinstance(value, int | float) else "none" if value is None else str(value)


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
