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
    """What is said about a claim. Of a paper's claim only `reproduced` is a pass and only `contradicted` is a fail.

    `held`, `failed` and `open` are said of sentences that are no paper's (see `Standing`). `outside-as-run`:
    contradicted as run, while an alternative of what the paper leaves open has not been run. `depends-on`: reproduced
    under one choice of what the paper leaves open and contradicted under another. `not-in-regime`: the runs are not
    where the claim could be tested. `post-hoc`: its terms are not those that were registered before its runs.

    mark: in front of the word on pages. terminal: rich's style. colour, marker: of its point in figures. words: as a
    reader sees it. Words that are no paper's verdict have other marks, so that nobody takes one for the other.
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

    @property
    def words(self) -> str:
        """Return the verdict as a reader sees it."""
        return LONGER.get(self.value, self.value.replace("not-", "not "))

    @property
    def of_part(self) -> str:
        """Return how a part of a claim lies to its range: a part is no claim, and is neither reproduced nor
        contradicted."""
        return POSITIONS.get(self.value, self.words)

    @property
    def open(self) -> bool:
        """Return whether the interval decided nothing."""
        return self in (Verdict.INCONCLUSIVE, Verdict.OPEN)

    REPRODUCED = "reproduced", "✅", Counts.PASS, "bold green", "#007A5A", "o"
    CONTRADICTED = "contradicted", "❌", Counts.FAIL, "bold red", "#D55E00", "X"
    INCONCLUSIVE = "inconclusive", "➖", Counts.NEITHER, "yellow", "#B07A00", "D"
    OUTSIDE_AS_RUN = "outside-as-run", "🟠", Counts.NEITHER, "dark_orange", "#E07B39", "v"
    DEPENDS_ON = "depends-on", "🟣", Counts.NEITHER, "magenta", "#8457A8", "v"
    NOT_IN_REGIME = "not-in-regime", "🔵", Counts.NEITHER, "blue", "#3A76B8", "s"
    POST_HOC = "post-hoc", "🕓", Counts.NEITHER, "cyan", "#4C6A73", "^"
    HELD = "held", "🟩", Counts.PASS, "green", "#007A5A", "o"
    FAILED = "failed", "🟥", Counts.FAIL, "red", "#D55E00", "X"
    OPEN = "open", "⬜", Counts.NEITHER, "yellow", "#B07A00", "D"
    NOT_COMPARABLE = "not-comparable", "⛔"
    NOT_TESTABLE = "not-testable", "⛔"
    NOT_RUN = "not-run", "⚪"
    ERROR = "error", "💥", Counts.ERROR, "bold red", "#8B1A8B", "P"
    SMOKE_PASS = "smoke-pass", "🔹", Counts.PASS, "green"
    SMOKE_FAIL = "smoke-fail", "🔻", Counts.FAIL, "bold red"


LONGER = {
    "outside-as-run": "outside as run, alternatives not run",
    "depends-on": "depends on what the paper leaves open",
    "not-in-regime": "not in regime",
    "post-hoc": "post hoc",
}
POSITIONS = {
    **dict.fromkeys(("reproduced", "held"), "inside"),
    **dict.fromkeys(("contradicted", "failed"), "outside"),
    **dict.fromkeys(("inconclusive", "open"), "not decided"),
}
OF_OUR_OWN = {
    Verdict.REPRODUCED: Verdict.HELD,
    Verdict.CONTRADICTED: Verdict.FAILED,
    Verdict.INCONCLUSIVE: Verdict.OPEN,
}


class Standing(StrEnum):
    """How a claim stands to a paper. Only `paper` is ever counted as a paper's claim.

    plural: as a table's heading. meaning: one sentence for whoever reads a verdict.
    """

    plural: str
    meaning: str

    def __new__(cls, word: str, plural: str = "", meaning: str = "") -> Standing:
        """Make a standing with its words; the word alone finds it again: `Standing("paper")`."""
        made = str.__new__(cls, word)
        made._value_ = word
        made.plural, made.meaning = plural, meaning
        return made

    PAPER = "paper", "Claims of papers", ""
    AUTHORS_CODE = (
        "authors_code",
        "Claims of the authors' code",
        "The authors' code or its README says this, not the paper; it is not counted as the paper's claim.",
    )
    SURROGATE = (
        "surrogate",
        "Surrogates",
        "A surrogate: it stands in for a claim that cannot be tested here, and is never counted as the paper's.",
    )
    IDENTITY = (
        "identity",
        "Identities",
        "An identity: it counts what our own code does with the paper's definitions, and tests no result of the paper.",
    )
    HYPOTHESIS = (
        "hypothesis",
        "Hypotheses of lnbench",
        "A hypothesis of lnbench; no paper says it.",
    )


def worded(word: str, standing: str) -> str:
    """Return a verdict's word as it is said of a claim of this standing: `held` in place of `reproduced` where no
    paper's result was tested."""
    if standing in (Standing.PAPER, Standing.AUTHORS_CODE) or word not in list(Verdict):
        return word
    return OF_OUR_OWN.get(Verdict(word), Verdict(word)).value


def counts_as(word: str) -> Counts:
    """Return what a verdict's word counts as; one that a later lnbench wrote counts as neither."""
    return Verdict(word).counts if word in list(Verdict) else Counts.NEITHER
