"""The claims that a reader sees first, on every front page: which they are, and how each stands at the largest scale at
which it was judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lnbench.report.debates import Debate, debates_line
from lnbench.report.names import claim_anchors, measured
from lnbench.report.paper_rows import TIER_ORDER, report_order, study_only, verdict_in_paper
from lnbench.report.plain import Json
from lnbench.report.said import as_tested, rests_on
from lnbench.report.words import claim_words, counted, escaped, of_no_paper, path_link, table
from lnbench.spec import LoadedStudy
from lnbench.tiers import PAPER_TIERS
from lnbench.verdict import Verdict

# One or two of each subject, in the order of the papers. Chosen by what the papers put into abstract, title or
# conclusion, before most of them were run: a claim never enters or leaves this list for its verdict.
HEADLINES = (
    "R001-01",
    "R001-04",
    "R001-06",
    "R001-17",
    "A004-05",
    "A004-14",
    "A004-18",
    "E000-11",
    "S003-04",
    "S003-08",
    "S003-06",
    "L002-04",
)
PICTURE = "headlines.svg"  # in the folder of reports
SCALES = {  # a tier, as the front page names it
    "full": "the paper's own scale",
    "lite": "reduced to minutes of one GPU",
    "cpu": "reduced to two processor cores",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """A headline claim as it stands.

    says: the sentence, as it was tested where it was. data, claim: of the report of the largest tier at which it was
    judged, None where none was. anchor: of its section there. citation: its paper, in words.
    """

    id: str
    says: str
    citation: str
    data: Json | None = None
    claim: Json | None = None
    anchor: str = ""

    @property
    def scale(self) -> str:
        """Return the scale of its verdict in words."""
        return "–" if self.data is None else scale_words(self.data)


def scale_words(data: Json, tier: str | None = None) -> str:
    """Return the scale of a report in words, or that of another tier of its study; of a full scale that no GPU had a
    part in, this too: a time on a processor is none on a GPU."""
    own = tier in (None, data["tier"])
    tier = str(tier or data["tier"])
    scale = "the scale that the study sets" if tier == "full" and of_no_paper(data) else SCALES.get(tier, tier)
    on_processor = own and tier == "full" and {entry["device"] for entry in data["environments"]} == {"cpu"}
    return f"{scale}, on a processor" if on_processor else scale


def largest_judged(results: Iterable[Json], claim: str) -> tuple[Json, Json] | None:
    """Return (report, claim) of the largest tier at which a claim was judged, smoke left out; None where there is none.

    A tier none of whose runs are there yet does not count: "not run" at full does not hide a verdict at cpu.
    """
    found = [
        (data, entry)
        for data in results
        if data["tier"] in PAPER_TIERS
        for entry in data["claims"]
        if entry["id"] == claim and entry["verdict"] != Verdict.NOT_RUN
    ]
    return min(found, key=lambda row: TIER_ORDER.index(row[0]["tier"]), default=None)


def find_headlines(results: Iterable[Json], studies: Iterable[LoadedStudy], ids: Sequence[str] = ()) -> list[Headline]:
    """Return how each headline claim stands, in their order; `ids`: of these claims in place of the headlines.

    `results`: result.json of every report. `studies`: those that are known; a claim that was not judged has its
    sentence from there, and one that is in neither is left out.
    """
    ordered = sorted(results, key=report_order)
    known = {claim.id: (claim.says, study.any.baseline.cite) for study in studies for claim in study.any.spec.claims}
    found = []
    for name in ids or HEADLINES:
        row = largest_judged(ordered, name)
        if row is not None:
            data, claim = row
            anchor = claim_anchors(data)[data["claims"].index(claim)]
            found.append(Headline(name, as_tested(claim), data["paper"]["citation"], data, claim, anchor))
        elif name in known:
            found.append(Headline(name, *known[name]))
    return found


def headline_table(
    found: Sequence[Headline], results: Iterable[Json], reports: str = "reports", debates: Sequence[Debate] = ()
) -> str:
    """Return the front page's Markdown: the picture, a row for each headline claim, how many claims there are in all,
    and the debates. `reports`: the folder that links start from.
    """
    ordered = sorted(results, key=report_order)
    if not found and not ordered:
        return "No report is stored yet."
    alone = study_only(ordered)
    rows = []
    for one in found:
        if one.data is None or one.claim is None:
            rows.append([escaped(one.id), escaped(one.says), claim_words({"verdict": Verdict.NOT_RUN}), "–"])
            continue
        verdict = [verdict_in_paper(one.data, one.claim, alone), rests_on(one.claim)]
        rows.append([
            path_link(escaped(one.id), reports, one.data["key"], f"report.md#{one.anchor}"),
            escaped(one.says),
            "<br>".join(filter(None, verdict)),
            escaped(one.scale),
        ])  # fmt: skip
    blocks = (
        [_in_short(found), "\n".join(table(["claim", "what was tested", "verdict", "scale"], rows))] if rows else []
    )
    if any(weakest(one) for one in found):
        alt = "The headline claims that were judged: what was measured, against what is required"
        blocks.insert(0, f"!{path_link(alt, reports, PICTURE)}")
    blocks += [_all_of_them(ordered, reports), *debates_line(debates, reports)]
    return "\n\n".join(blocks)


def _in_short(found: Sequence[Headline]) -> str:
    """Return the table in one sentence: how many of each verdict, and how many of these at the paper's own scale."""
    words = []
    for verdict in Verdict:
        own = [one for one in found if (one.claim or {"verdict": Verdict.NOT_RUN})["verdict"] == verdict]
        full = sum(one.data is not None and one.data["tier"] == "full" for one in own)
        at_full = f" ({full} at full scale)" if full else ""
        words += [f"{len(own)} {verdict.words}{at_full}"] if own else []
    return f"Of {counted(len(found), 'headline claim')}: {'; '.join(words)}."


def _all_of_them(ordered: Sequence[Json], reports: str) -> str:
    """Return how many claims of papers were judged, and where all of them are."""
    best: dict[str, str] = {}  # claim -> its verdict at the largest scale judged
    for data in ordered:
        for claim in data["claims"]:
            if claim.get("standing", "paper") == "paper" and claim["id"] not in best:
                row = largest_judged(ordered, claim["id"])
                if row is not None:
                    best[claim["id"]] = row[1]["verdict"]
    found = Counter(best.values())
    always = (Verdict.REPRODUCED, Verdict.CONTRADICTED)
    numbers = [f"{found[verdict]} {verdict.words}" for verdict in Verdict if found[verdict] or verdict in always]
    return (
        f"In all {counted(len(best), 'claim')} of papers {'was' if len(best) == 1 else 'were'} judged, each at the "
        f"largest scale run so far: {'; '.join(numbers)}. "
        f"{path_link('Every claim at every scale, with its report', reports, 'README.md')}."
    )


def weakest(one: Headline) -> tuple[Json, Json] | None:
    """Return (part, member) of the comparison that is least sure to be inside its range, of those that decide the
    claim; None where nothing was measured."""
    if one.claim is None:
        return None
    pairs = [
        (part, member)
        for part in one.claim["parts"]
        if part["decides"] and "matrix" not in part
        for member in part["members"]
        if measured(member)
    ]
    return max(pairs, key=lambda pair: _p(pair[1]), default=None)


def comparisons(claim: Json) -> int:
    """Return how many comparisons decide a claim."""
    return sum(len(part["members"]) for part in claim["parts"] if part["decides"])


def _p(member: Json) -> float:
    p = member["check"]["p_reproduced"]
    return 1.0 if p is None else float(p)
