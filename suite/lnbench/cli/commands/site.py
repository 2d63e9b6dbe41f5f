"""`lnbench site`: the committed reports as pages that people look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lnbench.errors import Exit, LnbenchError, Problem, SpecError, StoreError
from lnbench.resources import questions_for, study_paths

if TYPE_CHECKING:
    from lnbench.spec import LoadedStudy

Json = dict[str, Any]


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
    from lnbench.report.headlines import HEADLINES
    from lnbench.site import Contents, render, write_site
    from lnbench.site.folder import demand_ours
    from lnbench.spec import load_questions

    demand_ours(output)
    if reports.resolve() in (output.resolve(), *output.resolve().parents):
        raise LnbenchError(f"{output}: lies in the folder of reports, {reports}; give a folder beside it")
    results = _results(reports)
    paths = study_paths()
    tiers: dict[str, set[str]] = {}
    for data in results:
        tiers.setdefault(data["study"], set()).add(data["tier"])
    read = _read(paths, reports, tiers)
    shown = [data for data in results if data["tier"] != "smoke"]
    contents = Contents(
        results=shown,
        unrun=[data for one in read for data in one.unrun],
        questions=load_questions(questions_for(paths[0])) if paths else {},
        studies=[one.study for one in read],
        headlines=HEADLINES,
        folder=reports.name if reports.is_absolute() else reports.as_posix(),
    )
    files = render(contents)
    write_site(files, output)
    pages = sum(name.endswith(".html") for name in files)
    click.echo(f"{len(shown)} reports -> {pages} pages in {output}; open {output / 'index.html'}")
    return Exit.OK


def _results(reports: Path) -> list[Json]:
    """Return result.json of every report in a folder. Raises StoreError for one that is damaged or not whole, and
    LnbenchError where there is none."""
    from lnbench.report import half_reports, is_report, read_results

    results = read_results(reports)
    for folder in half_reports(reports):
        raise StoreError(f"{folder}: a report without its result.json; report again, or delete the folder")
    for folder in sorted(reports.iterdir()):
        if is_report(folder):
            data = next((one for one in results if one["key"] == folder.name), None)
            if data is None:
                raise StoreError(f"{folder}: is the report of another study or tier; name the folder STUDY-TIER")
    if not results:
        raise LnbenchError(f"{reports}: there is no report in it; `lnbench verify STUDY -o {reports}` writes one")
    return results


@dataclass(frozen=True)
class _Read:
    """A study file as the site needs it: the study, and its result without any run where it has no report."""

    study: LoadedStudy
    unrun: tuple[Json, ...]


def _read(paths: Sequence[Path], reports: Path, tiers: dict[str, set[str]]) -> list[_Read]:
    """Return every study, with the reports judged again, by several processes. `tiers`: of which there are reports.

    Raises SpecError with all that is wrong in the files; StoreError and LnbenchError for a report that does not judge,
    or that is not what its records give.
    """
    from lnbench import pipeline, report  # noqa: F401  (once, before the processes are forked)
    from lnbench.forked import mapped
    from lnbench.spec import load_studies

    tasks = [(path, tuple(sorted(tiers.get(path.stem, ()))), reports) for path in paths]
    tasks.sort(key=lambda task: not task[1])  # those with reports take longest
    outcomes = mapped(_of_task, tasks)
    if problems := [problem for outcome in outcomes if isinstance(outcome, list) for problem in outcome]:
        raise SpecError(problems)
    if failed := [outcome for outcome in outcomes if isinstance(outcome, LnbenchError)]:
        raise failed[0]
    found = [outcome for outcome in outcomes if isinstance(outcome, _Read)]
    claims = [claim.id for one in found for claim in one.study.any.spec.claims]
    if len(set(claims)) < len(claims):
        load_studies(list(paths))  # says which claim is in two files, and where
    unknown = sorted(set(tiers) - {path.stem for path in paths})
    for study in unknown:
        _judge_again(reports / f"{study}-{min(tiers[study])}")  # says that there is no such study
    return sorted(found, key=lambda one: one.study.name)


Task = tuple[Path, tuple[str, ...], Path]


def _of_task(task: Task) -> _Read | list[Problem] | LnbenchError:
    """Read a study, and judge its reports again. What is wrong is returned: it must come back from another process."""
    from lnbench.spec import load_study
    from lnbench.tiers import PAPER_TIERS

    path, tiers, reports = task
    try:
        study = load_study(path, {"full", *tiers})
        if not study.tiers:
            study = load_study(path)
        for tier in tiers:
            _judge_again(reports / f"{path.stem}-{tier}", study)
        run = any(tier in PAPER_TIERS for tier in tiers)
        return _Read(study, () if run else tuple(without_runs(study)))
    except SpecError as error:
        return error.problems
    except LnbenchError as error:
        return error


def _judge_again(folder: Path, study: LoadedStudy | None = None) -> None:
    """Raise StoreError where a report is not what its records give."""
    from lnbench.pipeline import judge_report
    from lnbench.report import report_differs

    lines = report_differs(folder, judge_report(folder, loaded={study.name: study} if study else None))
    if lines:
        mend = f"look at it, then `lnbench judge {folder} --write`"
        raise StoreError(f"{folder}: differs from what its records give: {lines[0]}; {mend}")


def without_runs(study: LoadedStudy) -> Iterable[Json]:
    """Yield a study's result without any run at its largest tier: what would be measured, and the ranges that are
    registered for it. Nothing for a study that has no tier but smoke."""
    from lnbench.pipeline import judge_records
    from lnbench.report import result_to_json
    from lnbench.tiers import PAPER_TIERS

    tiers = [tier for tier in reversed(PAPER_TIERS) if tier in study.tiers]
    for tier in tiers[:1]:
        yield result_to_json(judge_records(study.tiers[tier], lambda run: None))
