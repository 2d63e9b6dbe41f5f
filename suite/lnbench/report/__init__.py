"""Verdicts written down: a page, figures, JSON, JUnit XML and the records that anyone can judge again.

`result_to_json` is the one way out of a judged study; page, figures and XML are functions of its data alone.
No torch is imported here, and matplotlib only where figures are drawn.
"""

from lnbench.report.compare import differences
from lnbench.report.debates import PAGE as DEBATES
from lnbench.report.debates import debates_page, find_debates
from lnbench.report.figures.headlines import headlines_svg
from lnbench.report.folder import (
    is_report,
    known_since,
    load_failures,
    load_ledger,
    load_own_rows,
    load_report,
    lock_apart,
    read_records,
    read_result,
    read_whole_result,
    report_differs,
    set_of_seeds,
    write_report,
)
from lnbench.report.headlines import PICTURE, find_headlines, headline_table
from lnbench.report.junit import junit
from lnbench.report.page.page import markdown
from lnbench.report.peers import peers_in_docs
from lnbench.report.result.result import result_to_json
from lnbench.report.scoreboard import PAGE as SCOREBOARD
from lnbench.report.scoreboard import half_reports, read_results, replace_between_markers, scoreboard, scoreboard_page

__all__ = [
    "DEBATES",
    "PICTURE",
    "SCOREBOARD",
    "debates_page",
    "differences",
    "find_debates",
    "find_headlines",
    "half_reports",
    "headline_table",
    "headlines_svg",
    "is_report",
    "junit",
    "known_since",
    "load_failures",
    "load_ledger",
    "load_own_rows",
    "load_report",
    "lock_apart",
    "markdown",
    "peers_in_docs",
    "read_records",
    "read_result",
    "read_results",
    "read_whole_result",
    "replace_between_markers",
    "report_differs",
    "result_to_json",
    "scoreboard",
    "scoreboard_page",
    "set_of_seeds",
    "write_report",
]
