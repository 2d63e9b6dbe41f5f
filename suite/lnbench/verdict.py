"""The words of a verdict, in one place: what each counts as, and how it looks on a page, a terminal and a figure."""

from __future__ import annotations

from enum import Enum, StrEnum, auto


class Counts(Enum):
    """What a verdict means to whoever only wants to know whether all is well: exit codes, JUnit, pytest."""

    PASS = auto()
    FAIL = auto()
    ERROR = auto()
    NEITHER = auto()


class Verdict(StrEnum):
    """What is said about a claim. Only `reproduced` is a pass and only `contradicted` is a fail.

    mark: in front of the word on pages. terminal: rich's style. colour, marker: of its point in figures. Smoke's two
    words have other marks than a paper's verdict, so that nobody takes one for the other.
    """

    mark: str
    counts: Counts
    terminal: str
    colour: str
    marker: str

    def __new__(
        cls,
        word: str,
        mark: str = "",
        counts: Counts = Counts.NEITHER,
        terminal: str = "dim",
        colour: str = "#777777",
        marker: str = "s",
    ) -> Verdict:
        """Make a word with all that goes with it; the word alone finds it again: `Verdict("reproduced")`."""
        made = str.__new__(cls, word)
        made._value_ = word
        made.mark, made.counts, made.terminal, made.colour, made.marker = mark, counts, terminal, colour, marker
        return made

    REPRODUCED = "reproduced", "✅", Counts.PASS, "bold green", "#007A5A", "o"
    CONTRADICTED = "contradicted", "❌", Counts.FAIL, "bold red", "#D55E00", "X"
    INCONCLUSIVE = "inconclusive", "➖", Counts.NEITHER, "yellow", "#B07A00", "D"
    NOT_COMPARABLE = "not-comparable", "⛔"
    NOT_TESTABLE = "not-testable", "⛔"
    NOT_RUN = "not-run", "⚪"
    ERROR = "error", "💥", Counts.ERROR, "bold red", "#8B1A8B", "P"
    SMOKE_PASS = "smoke-pass", "🔹", Counts.PASS, "green"
    SMOKE_FAIL = "smoke-fail", "🔻", Counts.FAIL, "bold red"


def counts_as(word: str) -> Counts:
    """Return what a verdict's word counts as; one that a later lnbench wrote counts as neither."""
    return Verdict(word).counts if word in list(Verdict) else Counts.NEITHER
