"""A claim at one tier: verdict, evidence, set-up, alternatives and history, from the result of its report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from lnbench import catalog
from lnbench.report.headlines import scale_words
from lnbench.report.names import in_forest
from lnbench.report.numbers import as_written
from lnbench.report.page.claim import SeedTable, measured_under, remarks, rule_words, seed_table
from lnbench.report.plain import Json
from lnbench.report.said import as_tested, chosen_sentence, rests_on, rests_sentence
from lnbench.report.set_up import SetUp, set_up_facts
from lnbench.report.units import shown
from lnbench.report.words import counted, of_no_paper, spaced_percent
from lnbench.site.comparisons import Comparison, Part
from lnbench.site.history import Event, made_with, timeline
from lnbench.site.picture import small_picture
from lnbench.site.text import from_markdown, sentence
from lnbench.site.verdicts import SHORT_SCALES, Chip, chip, chip_of
from lnbench.verdict import Verdict

MOST_SMALL = 6  # comparisons in a list's picture


@dataclass(frozen=True)
class Alternative:
    """A choice that the paper leaves open, and what came of another one. `why`: why it is not run any more."""

    key: str
    ours: str
    tried: str
    chip: Chip | None
    measured: tuple[Markup, ...]
    why: str


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
        return scale_words(self.data)

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
            Comparison(part, member, self.tier)
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
