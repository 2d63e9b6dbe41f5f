"""The page of debates: claims of several papers on one question, side by side under one rule, with what confounds
them.

A question has a section where claims of at least two papers name it, in reports or in studies that are not run yet.
What is shown of a claim comes from the result.json of its report; of claims without one, only that they are not run.
Smoke says nothing of a paper, so it is not here. Hypotheses of lnbench on the same question are the bridge: they come
last, under a heading of their own, and make no paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lnbench.report.names import anchors, claim_anchors
from lnbench.report.page.claim import rule_words
from lnbench.report.paper_rows import Row, counts_of, report_order, study_only, verdict_in_paper
from lnbench.report.plain import Json
from lnbench.report.said import as_tested, rests_on
from lnbench.report.set_up import set_up
from lnbench.report.words import coded, escaped, listed, member_sentence, part_line, path_link, table
from lnbench.spec import LoadedStudy, Question
from lnbench.tiers import PAPER_TIERS
from lnbench.verdict import Standing

PAGE = "debates.md"  # in the folder of reports
TITLE = "Debates"
BRIDGE = "What may explain both"
MOST_LINES = 6  # comparisons of one claim: a table of 40 cells would bury the others
RULE = (
    "This page puts claims of different papers on the same question side by side. All are judged by one rule: the runs "
    "give an interval of an effect, and the interval must lie in the range that the sentence requires. A verdict is "
    "about that sentence in that set-up; it says nothing of the other paper. Claims that seem to contradict each other "
    "may both hold where their set-ups differ, so each section says first what differs. Tier `full` is the scale of "
    "the paper. Every other tier is reduced, as the sentences and the reports say."
)
OURS = "No paper says this. These are hypotheses of lnbench about the question, and they count for no paper."


@dataclass(frozen=True)
class Answer:
    """A claim at a tier, as a report judged it."""

    data: Json
    claim: Json
    anchor: str

    @property
    def paper(self) -> str:
        """Return the id of its paper."""
        return str(self.data["paper"]["id"])

    @property
    def standing(self) -> Standing:
        """Return who says it."""
        return Standing(self.claim.get("standing", "paper"))


@dataclass(frozen=True)
class Waiting:
    """A claim of a study of which no report judges it."""

    claim: str
    standing: Standing
    paper: str
    citation: str
    study: str


@dataclass(frozen=True)
class Debate:
    """One question with all that bears on it. `alone`: what is contradicted among its study's claims only."""

    name: str
    title: str
    about: str
    confound: str
    answers: tuple[Answer, ...]
    waiting: tuple[Waiting, ...]
    alone: Mapping[Row, int]

    @property
    def papers(self) -> dict[str, str]:
        """Return id -> citation of the papers of which a claim asks it."""
        found = {one.paper: str(one.data["paper"]["citation"]) for one in self.answers if _of_paper(one)}
        return found | {one.paper: one.citation for one in self.waiting if _of_paper(one)}


def find_debates(
    results: Iterable[Json], questions: Mapping[str, Question], studies: Iterable[LoadedStudy]
) -> list[Debate]:
    """Return the questions that claims of at least two papers ask, by name.

    `results`: result.json of every report. `questions`: what is said of them; one that is not there has its name only.
    `studies`: those that are known, whether a report of them is there or not.
    """
    ordered = sorted(results, key=report_order)
    alone = study_only(ordered)
    answers: dict[str, list[Answer]] = {}
    judged = set()
    for data in ordered:
        for claim, anchor in zip(data["claims"], claim_anchors(data), strict=True) if _counts(data) else ():
            judged.add((data["study"], claim["id"]))
            if claim["question"]:
                answers.setdefault(claim["question"], []).append(Answer(data, claim, anchor))
    waiting: dict[str, list[Waiting]] = {}
    for study in sorted(studies, key=lambda study: (study.any.spec.paper, study.name)):
        for spec in study.any.spec.claims:
            if spec.question and (study.name, spec.id) not in judged:
                paper = study.any.baseline
                one = Waiting(spec.id, Standing(spec.standing), paper.paper, paper.cite, study.name)
                waiting.setdefault(spec.question, []).append(one)
    found = []
    for name in sorted({*answers, *waiting}):
        known = questions.get(name)
        debate = Debate(
            name,
            " ".join(known.title.split()) if known else name,  # on one line, as its anchor is made of it
            known.about if known else "",
            (known.confound or "") if known else "",
            tuple(answers.get(name, ())),
            tuple(waiting.get(name, ())),
            alone,
        )
        if len(debate.papers) > 1:
            found.append(debate)
    return found


def debates_page(debates: Sequence[Debate]) -> str:
    """Return the whole page, whose links start from the folder of reports."""
    lines = [f"# {TITLE}", "", RULE if debates else "Claims of no two papers ask the same question here yet.", ""]
    if debates:
        lines += [f"- [{escaped(debate.title)}](#{anchor})" for debate, anchor in _anchored(debates)]
        lines += [""]
    for debate in debates:
        lines += _section(debate)
    return "\n".join(lines).rstrip() + "\n"


def debates_line(debates: Sequence[Debate], reports: str) -> list[str]:
    """Return README's line about the page; none where no two papers ask the same. `reports`: the folder of the page,
    as README links to it."""
    if not debates:
        return []
    links = [f"[{escaped(debate.title)}]({reports}/{PAGE}#{anchor})" for debate, anchor in _anchored(debates)]
    return [
        f"**Debates.** Where claims of several papers answer the same question, one page shows them [side by side]"
        f"({reports}/{PAGE}), with what differs between their set-ups: {listed(links)}."
    ]


def _anchored(debates: Sequence[Debate]) -> list[tuple[Debate, str]]:
    """Return each debate with the anchor of its section."""
    return list(zip(debates, anchors([TITLE, *(debate.title for debate in debates)])[1:], strict=True))


def _counts(data: Json) -> bool:
    return data["tier"] in PAPER_TIERS


def _of_paper(one: Answer | Waiting) -> bool:
    return one.standing is Standing.PAPER


def _is_ours(one: Answer | Waiting) -> bool:
    return one.standing is Standing.HYPOTHESIS


def _section(debate: Debate) -> list[str]:
    """Return the lines of a question: what it is, what confounds it, the papers, what is not run, and the bridge."""
    lines = [f"## {escaped(debate.title)}", ""]
    if debate.about:
        lines += [escaped(debate.about), ""]
    if debate.confound:
        lines += [f"**The confound: what else differs.** {escaped(debate.confound)}", ""]
    lines += [*_overview(debate), ""]
    said = [one for one in debate.answers if not _is_ours(one)]
    for paper, citation in dict.fromkeys((one.paper, one.data["paper"]["citation"]) for one in said):
        lines += [f"### {escaped(citation)}", ""]
        lines += _claims([one for one in said if one.paper == paper], debate.alone)
    lines += _not_run([one for one in debate.waiting if not _is_ours(one)])
    ours = [one for one in debate.answers if _is_ours(one)]
    not_run = _not_run([one for one in debate.waiting if _is_ours(one)])
    if ours or not_run:
        lines += [f"### {BRIDGE}", "", OURS, "", *_claims(ours, debate.alone), *not_run]
    return lines


def _overview(debate: Debate) -> list[str]:
    """Return a table with a row for each paper: its claims' verdicts in counts, and how many claims are not run."""
    rows = []
    for paper, citation in debate.papers.items():
        answers = [(one.data, one.claim) for one in debate.answers if one.paper == paper and _of_paper(one)]
        waiting = sum(one.paper == paper and _of_paper(one) for one in debate.waiting)
        verdicts = counts_of(answers, dict(debate.alone)).get(Standing.PAPER, "–")
        rows.append([escaped(citation), verdicts, str(waiting) if waiting else "–"])
    return table(["paper", "verdicts on its claims, at every tier that was run", "claims not yet run"], rows, right=[2])


def _claims(answers: Sequence[Answer], alone: Mapping[Row, int]) -> list[str]:
    lines: list[str] = []
    before: tuple[str, str] = "", ""  # a set-up, and the claim that it was told of
    for one in answers:
        words = set_up(one.claim, one.data.get("trained"))
        if words and words == before[0]:
            told = f"as for {before[1]}"
        else:
            told = words
            before = words, f"{escaped(one.claim['id'])} at tier {one.data['tier']}"
        lines += _claim(one, told, alone)
    return lines


def _claim(one: Answer, told: str, alone: Mapping[Row, int]) -> list[str]:
    """Return a claim: its verdict and tier, the sentence that was tested, what was measured, the set-up."""
    data, claim = one.data, one.claim
    link = path_link(escaped(claim["id"]), data["key"], f"report.md#{one.anchor}")
    why = escaped("; ".join(filter(None, [claim["why"], rests_on(claim)])))
    verdict = f"{verdict_in_paper(data, claim, dict(alone))}{f' ({why})' if why else ''}"
    lines = [f"**{link}**, tier {escaped(data['tier'])}: {verdict}", "", escaped(as_tested(claim)), ""]
    if not _of_paper(one) and not _is_ours(one):
        lines += [f"*{one.standing.meaning}*", ""]
    lines += [*_measured(claim), *([f"- Set-up: {told}."] if told else []), *_checks(claim)]
    return [*lines, ""]


def _measured(claim: Json) -> list[str]:
    """Return what was measured of the parts that are the claim, and what each of them requires."""
    deciding = [part for part in claim["parts"] if part["decides"]]
    found = [words for part in deciding for words in _of_part(part)]
    if len(found) == 1:
        return [f"- {found[0]}."]
    more = len(found) - MOST_LINES
    if more > 1:
        found = [*found[:MOST_LINES], f"and {more} more comparisons, in the report"]
    return [f"- {rule_words(claim, deciding)}", *(f"  - {words}" for words in found)]


def _checks(claim: Json) -> Iterator[str]:
    """Yield what our own checks next to the claim measured: a control is one of these."""
    ours = claim.get("standing") == Standing.HYPOTHESIS
    name = "Extra check" if ours else "Extra check (ours, not the paper's)"
    for part in claim["parts"]:
        if part["ours"] and not part["decides"] and part["name"] not in claim.get("requires", {}):
            reason = f", {escaped(part['because'])}" if part["because"] else ""
            found = [*_of_part(part)]
            shown = found if len(found) <= MOST_LINES else [f"{len(found)} comparisons, in the report"]
            yield f"- {name}{reason}: {'; '.join(shown)}."


def _of_part(part: Json) -> Iterator[str]:
    """Yield one comparison of a part, with what is compared and where it lies to its range."""
    if "matrix" in part:
        yield f"{coded(part['name'])}: {escaped(part_line(part))}"
        return
    for member in part["members"]:
        yield f"{coded(part['name'])} ({escaped(member['label'])}): {escaped(member_sentence(part, member))}"


def _not_run(waiting: Sequence[Waiting]) -> list[str]:
    """Return the line about claims that no report judges, study by study of each paper."""
    papers: dict[str, dict[str, list[str]]] = {}
    for one in waiting:
        papers.setdefault(one.citation, {}).setdefault(one.study, []).append(escaped(one.claim))
    told = []
    for cite, studies in papers.items():
        of = ", ".join(f"{listed(claims)} (study {coded(study)})" for study, claims in studies.items())
        told.append(f"{of} of {escaped(cite)}")
    return [f"Not yet run here: {'; '.join(told)}.", ""] if told else []
