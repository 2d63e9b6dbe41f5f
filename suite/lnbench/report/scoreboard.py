"""The page of all verdicts, from the result.json of every committed report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from lnbench.errors import NoSuchReport
from lnbench.report.debates import Debate, debates_line
from lnbench.report.folder import RESULT, is_report, read_whole_result
from lnbench.report.names import claim_anchors
from lnbench.report.paper_rows import (
    NOT_JUDGED,
    Row,
    counts_of,
    families,
    report_order,
    study_only,
    verdict_in_paper,
)
from lnbench.report.plain import Json
from lnbench.report.said import as_tested, rests_on
from lnbench.report.to_decide import to_decide
from lnbench.report.words import counted, escaped, path_link, spaced_percent, table
from lnbench.verdict import Counts, Standing, counts_as

PAGE = "README.md"  # in the folder of reports, where GitHub shows it
INTRO = (
    "Every claim that was run, once for each scale (tier), with the report that has its runs. Tier `full` is the "
    "paper's own scale; `lite` is reduced to minutes of one GPU, `cpu` to two processor cores, as each sentence says. "
    "`lnbench scoreboard` writes this page from the `result.json` of the reports, and `lnbench scoreboard --check` "
    "tells whether it is what they say. What the verdicts mean: [the statistics](../docs/statistics.md)."
)


def scoreboard_page(results: Iterable[Json], debates: Sequence[Debate] = ()) -> str:
    """Return the page of all verdicts as Markdown, for the folder of reports."""
    return f"# What has been verified\n\n{INTRO}\n\n{scoreboard(results, debates=debates)}\n"


def scoreboard(results: Iterable[Json], reports: str = ".", debates: Sequence[Debate] = ()) -> str:
    """Return Markdown tables: the verdicts by study and tier; how many false ones are to be expected for each paper;
    and one row for every claim and tier, with the sentence that was tested there, in one table for each standing.
    `reports`: the folder that links start from. `debates`: the sections of the page of debates, which one line links
    to."""
    ordered = sorted(results, key=report_order)
    if not ordered:
        return "No report is stored yet."
    alone = study_only(ordered)
    blocks = [
        *_by_study(ordered, reports, alone),
        *debates_line(debates, reports),
        *_error_counts(ordered, alone),
        *_by_claim(ordered, reports, alone),
        *to_decide(ordered, reports),
    ]
    return "\n\n".join(blocks)


def _error_counts(results: list[Json], alone: dict[Row, int]) -> list[str]:
    """Return how many false verdicts are to be expected, a row for each paper; none where there is only smoke."""
    # not those none of whose claims is the paper's own
    papers = {paper: family for paper, family in families(results).items() if family}
    if not papers:
        return []
    rows = []
    for family in papers.values():
        judged = [(data, claim) for data, claim in family if claim["verdict"] not in NOT_JUDGED]
        expected = sum(data["alpha"] for data, _ in judged)
        refuted = [(data, claim) for data, claim in judged if counts_as(claim["verdict"]) is Counts.FAIL]
        only = sum((data["key"], claim["id"]) in alone for data, claim in refuted)
        passed = sum(counts_as(claim["verdict"]) is Counts.PASS for _, claim in judged)
        rows.append([
            escaped(family[0][0]["paper"]["citation"]),
            str(len(family)),
            str(len(judged)),
            str(passed),
            f"{expected:.2g}",
            str(len(refuted) - only),
            str(only),
        ])  # fmt: skip
    alpha = spaced_percent(max(data["alpha"] for family in papers.values() for data, _ in family))
    intro = (
        f"**Error rates over a whole paper.** A row is a claim at a tier, smoke left out. If every judged claim were "
        f"false, on average at most {alpha} of them would be called `reproduced` (or `held`): so many false ones are "
        f"to be expected at most. The chance that any true claim of a paper is called `contradicted` (or `failed`) is "
        f"at most {alpha}, by Holm's correction over all its rows, whichever study they are in; one that stands among "
        "the claims of its study only is counted apart. Both hold where the tests keep their level "
        "([how](../docs/statistics.md))."
    )
    header = [
        "paper", "rows", "judged", "reproduced or held", "false ones among these, expected at most",
        "contradicted or failed", "in their study only",
    ]  # fmt: skip
    return [intro, "\n".join(table(header, rows, right=range(1, len(header))))]


def read_results(reports: Path) -> list[Json]:
    """Return result.json of every report in a folder of reports. Raises StoreError where one is damaged, or where there
    is no such folder."""
    if not reports.is_dir():
        raise NoSuchReport(f"{reports}: no such folder; give the folder that the reports are in")
    return [read_whole_result(file.parent) for file in sorted(reports.glob(f"*/{RESULT}"))]


def half_reports(reports: Path) -> list[Path]:
    """Return the folders that hold a page or records of a report, but not its result.json."""
    parts = ("report.md", "records.jsonl")
    folders = sorted(folder for folder in reports.iterdir() if folder.is_dir() and not is_report(folder))
    return [folder for folder in folders if any((folder / name).exists() for name in parts)]


def _by_study(results: list[Json], reports: str, alone: dict[Row, int]) -> list[str]:
    rows = []
    for data in results:
        counts = counts_of(((data, claim) for claim in data["claims"]), alone)
        papers = counts.pop(Standing.PAPER, "–")
        others = [f"{standing.plural}: {verdicts}" for standing, verdicts in counts.items()]
        rows.append([
            escaped(data["paper"]["citation"]),
            escaped(data["title"]),
            path_link(escaped(data["tier"]), reports, data["key"], "report.md"),
            counted(data["seeds"]["n"], "seed"),
            papers,
            "<br>".join(others) or "–",
        ])  # fmt: skip
    header = ["paper", "study", "tier and report", "seeds", "claims of the paper", "counted apart"]
    return ["\n".join(table(header, rows, right=(3,)))]


def _by_claim(results: list[Json], reports: str, alone: dict[Row, int]) -> list[str]:
    """Return, for each standing, a table with one row for a claim and tier."""
    rows: dict[Standing, list[tuple[tuple[str, str], list[str]]]] = {}
    for data in results:
        for claim, anchor in zip(data["claims"], claim_anchors(data), strict=True):
            row = [
                path_link(escaped(claim["id"]), reports, data["key"], f"report.md#{anchor}"),
                escaped(data["tier"]),
                escaped(as_tested(claim)),
                "<br>".join(filter(None, [verdict_in_paper(data, claim, alone), rests_on(claim)])),
                registered_words(data, claim["id"]),
            ]
            key = (data["study"], claim["id"])
            rows.setdefault(Standing(claim.get("standing", "paper")), []).append((key, row))
    blocks = []
    for standing in Standing:
        found = rows.get(standing, [])
        if not found:
            continue
        places = {key: place for place, key in reversed([*enumerate(key for key, _ in found)])}  # a claim's first row
        ordered = [row for _, row in sorted(found, key=lambda one: places[one[0]])]
        blocks.append(f"**{standing.plural}.** {standing.meaning}".rstrip())
        blocks.append(
            "\n".join(table(["claim", "tier", "what was tested at this tier", "verdict", "range registered"], ordered))
        )
    return blocks


def registered_words(data: Json, claim: str) -> str:
    """Return when the claim's range was registered, against the records that it is judged on."""
    found = next((one for one in data.get("registration", {}).get("claims", []) if one["id"] == claim), None)
    if found is None or found["first_record"] is None:
        return "–"
    again = found["status"] == "before" and found.get("records_since")
    words = {
        "before": "before these runs; earlier ones were known" if again else "before the runs",
        "late": "after the first run" if found.get("registered") else "not registered",
        "changed": "changed after the first run",
        "lost": "cannot be told",
        "unknown": "cannot be told",
    }
    if found["status"] == "before" and found.get("shared"):
        return "before the runs; seeds or alternatives changed after the first"
    return words.get(found["status"], "–")


def replace_between_markers(text: str, name: str, new: str) -> str:
    """Return `text` with what is between `<!-- NAME:begin -->` and `<!-- NAME:end -->` replaced by `new`.

    Raises ValueError unless both markers are there once, in this order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"expected one {begin} and, after it, one {end}")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{new.strip()}\n{end}{after}"
