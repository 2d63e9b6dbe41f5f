"""The parts of a claim and their comparisons: what was measured, what is required, and how they lie to each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from lnbench.judge.kinds import kind_named
from lnbench.report.figures.forest import role_of, verdict_of
from lnbench.report.plain import Json
from lnbench.report.units import reference_of, shown
from lnbench.report.words import censored_words, counted, member_sentence, p_words, part_line, printed_words
from lnbench.site.picture import pictures
from lnbench.site.text import sentence
from lnbench.site.verdicts import LOOKS

DASH = "–"


@dataclass(frozen=True)
class Comparison:
    """One number that was measured, and the range it is held against."""

    part: Json
    member: Json
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
        return [Comparison(self.part, member, self.tier) for member in self.part["members"]]
