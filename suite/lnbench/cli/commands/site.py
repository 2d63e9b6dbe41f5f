"""`lnbench site`: the committed reports as pages that people look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lnbench.errors import Exit, LnbenchError, StoreError
from lnbench.resources import questions_for, study_paths

if TYPE_CHECKING:
    from lnbench.spec import LoadedStudy


@click.command()
@click.option(
    "-o", "--output", required=True, metavar="DIR", type=click.Path(path_type=Path),
    help="Folder of the site: a new or an empty one, or that of an earlier site, which is replaced.",
)  # fmt: skip
@click.option(
    "--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Folder of reports."
)
def site(output: Path, reports: Path) -> int:
    """Build a static site from committed reports.

    A front page with the headline claims and a table of all claims, and a page for every claim, paper, debate and
    method. The pages need no network and no server. Every report is judged again first: where one differs from what its
    records give, nothing is written. Smoke says nothing about a paper and is left out.
    """
    from lnbench.report.headlines import headlines
    from lnbench.site import Contents, render, write_site
    from lnbench.site.folder import demand_ours
    from lnbench.spec import load_questions, load_studies

    demand_ours(output)
    results = _judged(reports)
    paths = study_paths()
    studies = load_studies(paths)
    shown = [data for data in results if data["tier"] != "smoke"]
    contents = Contents(
        results=shown,
        unrun=_unrun(studies, {data["study"] for data in shown}),
        questions=load_questions(questions_for(paths[0])) if paths else {},
        studies=studies,
        headlines=headlines(),
        folder=reports.as_posix() if not reports.is_absolute() else reports.name,
    )
    files = render(contents)
    write_site(files, output)
    pages = sum(name.endswith(".html") for name in files)
    click.echo(f"{len(shown)} reports -> {pages} pages in {output}; open {output / 'index.html'}")
    return Exit.OK


def _judged(reports: Path) -> list[dict[str, Any]]:
    """Return result.json of every report in a folder. Raises StoreError for one that does not judge, or that is not
    what its records give, and where there is none."""
    from lnbench.pipeline import judge_report
    from lnbench.report import is_report, read_results, report_differs

    results = read_results(reports)
    for folder in sorted(reports.iterdir()):
        half = folder.is_dir() and not is_report(folder) and any((folder / name).exists() for name in _OF_A_REPORT)
        if half:
            raise StoreError(f"{folder}: a report without its result.json; report again, or delete the folder")
        if is_report(folder):
            lines = report_differs(folder, judge_report(folder))
            if lines:
                raise StoreError(f"{folder}: differs from what its records give: {lines[0]}; report again first")
    if not results:
        raise LnbenchError(f"{reports}: there is no report in it; `lnbench verify STUDY -o {reports}` writes one")
    return results


_OF_A_REPORT = ("report.md", "records.jsonl")


def _unrun(studies: list[LoadedStudy], there: set[str]) -> list[dict[str, Any]]:
    """Return, of each study without a report, its result without any run at its largest tier: what it would measure,
    and the ranges that are registered for it."""
    from lnbench.pipeline import judge_records
    from lnbench.report import result_to_json
    from lnbench.tiers import PAPER_TIERS

    found = []
    for study in studies:
        tiers = [tier for tier in reversed(PAPER_TIERS) if tier in study.tiers]
        if tiers and study.name not in there:
            found.append(result_to_json(judge_records(study.tiers[tiers[0]], lambda run: None)))
    return found
