"""What a detection writes, file by file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lnbench.detect import figures, html, issues, page, tables
from lnbench.detect.copies import copies_in
from lnbench.detect.data import Labelled
from lnbench.detect.scoring import Scores
from lnbench.errors import visible
from lnbench.store import Record

Json = dict[str, Any]


@dataclass(frozen=True)
class Outputs:
    """result: all numbers, as in result.json. files: name -> bytes, in the order in which they are written."""

    result: Json
    files: dict[str, bytes]


def outputs(
    source: str, data: Labelled, asked: Json, options: Json, scores: Scores, records: list[Record], notes: list[str]
) -> Outputs:
    """Return what is written of a detection: see `tables.result` for the arguments."""
    copies, top = copies_in(data), options["top"]
    result = tables.result(visible(source), data, asked, options, scores, records, notes, copies)
    pictures = {"contact_sheet.png": figures.contact_sheet(data, scores, top)} if data.pictured else {}
    files = {
        "scores.csv": tables.scores_csv(data, scores),
        "suspects.csv": tables.suspects_csv(data, scores, top),
        "conflicts.csv": tables.conflicts_csv(data, scores, copies),
        "issues.json": issues.issues_json(source, data, scores),
        **pictures,
        "histogram.png": figures.histogram(scores),
        "page.html": html.page(result, data, scores),
        "result.json": tables.json_text(result),
        "report.md": page.report(result, data, scores),  # last: a page that is there has all that it names
    }
    return Outputs(result, files)
