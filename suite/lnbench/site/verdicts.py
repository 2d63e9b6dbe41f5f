"""How a verdict looks and what it means: a symbol, a word and a tone, so that colour never speaks alone."""

from __future__ import annotations

from dataclasses import dataclass

from lnbench.report.plain import Json
from lnbench.verdict import Standing, Verdict

# verdict -> (symbol of templates/symbols.html, tone of site.css). Claims that are no paper's have symbols of their own.
LOOKS = {
    Verdict.REPRODUCED: ("check", "yes"),
    Verdict.CONTRADICTED: ("cross", "no"),
    Verdict.INCONCLUSIVE: ("across", "unsure"),
    Verdict.OUTSIDE_AS_RUN: ("outside", "warn"),
    Verdict.DEPENDS_ON: ("fork", "fork"),
    Verdict.NOT_IN_REGIME: ("regime", "plain"),
    Verdict.POST_HOC: ("clock", "slate"),
    Verdict.HELD: ("check-ring", "yes"),
    Verdict.FAILED: ("cross-ring", "no"),
    Verdict.OPEN: ("across-ring", "unsure"),
    Verdict.NOT_COMPARABLE: ("unequal", "plain"),
    Verdict.NOT_TESTABLE: ("barred", "plain"),
    Verdict.NOT_RUN: ("dots", "plain"),
    Verdict.ERROR: ("alert", "no"),
    Verdict.SMOKE_PASS: ("dots", "plain"),
    Verdict.SMOKE_FAIL: ("dots", "plain"),
}
MEANINGS = {
    Verdict.REPRODUCED: "The measured interval lies inside the range that the claim requires.",
    Verdict.CONTRADICTED: "The measured interval lies wholly outside the range that the claim requires, also under "
    "every alternative of what the paper leaves open.",
    Verdict.INCONCLUSIVE: "The measured interval crosses the edge of the required range: these runs cannot decide.",
    Verdict.OUTSIDE_AS_RUN: "The measured interval lies outside the required range, but alternatives of what the paper "
    "leaves open have not been run. So the claim is not called contradicted.",
    Verdict.DEPENDS_ON: "Reproduced under one choice of what the paper leaves open, contradicted under another.",
    Verdict.NOT_IN_REGIME: "The runs are not where the claim could be tested.",
    Verdict.POST_HOC: "The required range was registered or changed after the first run. So the result counts neither "
    "for nor against the claim, whatever it would be.",
    Verdict.HELD: "The measured interval lies inside the required range. No paper's claim was tested.",
    Verdict.FAILED: "The measured interval lies wholly outside the required range. No paper's claim was tested.",
    Verdict.OPEN: "The measured interval crosses the edge of the required range. No paper's claim was tested.",
    Verdict.NOT_COMPARABLE: "The paper's number is not of what these runs measure.",
    Verdict.NOT_TESTABLE: "No run can decide it as the paper states it; what was measured is shown all the same.",
    Verdict.NOT_RUN: "Not all of the runs that it needs have been made.",
    Verdict.ERROR: "A run failed, or its numbers cannot be judged.",
}


@dataclass(frozen=True)
class Chip:
    """A verdict as pages show it. `would`: of a post-hoc verdict, what it would be; `note`: what limits it."""

    word: str
    words: str
    symbol: str
    tone: str
    would: str = ""
    note: str = ""

    @property
    def meaning(self) -> str:
        """Return one sentence on what the verdict means."""
        return MEANINGS.get(Verdict(self.word), "")


def chip(word: str, would: str = "", note: str = "") -> Chip:
    """Return how a verdict looks."""
    verdict = Verdict(word)
    symbol, tone = LOOKS[verdict]
    return Chip(verdict.value, verdict.words, symbol, tone, Verdict(would).words if would else "", note)


def chip_of(claim: Json, rows: int | None = None) -> Chip:
    """Return the chip of a claim; `rows`: of its paper, where it is contradicted among its study's claims only."""
    note = f"in its study, but not among the {rows} rows of its paper (Holm)" if rows else ""
    return chip(claim["verdict"], claim.get("would_be") or "", note)


SHORT_SCALES = {"cpu": "reduced (two cores)", "lite": "reduced (one GPU)", "full": "the paper's scale"}
WHO = {
    Standing.PAPER: "the paper",
    Standing.AUTHORS_CODE: "the authors' code",
    Standing.SURROGATE: "a stand-in for the paper's claim",
    Standing.IDENTITY: "an identity of the definitions",
    Standing.HYPOTHESIS: "a hypothesis of lnbench",
}
