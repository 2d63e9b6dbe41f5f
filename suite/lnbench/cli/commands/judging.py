"""`lnbench judge`, `report`, `explain`, `measure`, `scoreboard`: what stored records say."""

from __future__ import annotations

import dataclasses
import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lnbench.cli.commands.ending import as_interrupt
from lnbench.cli.commands.known import complete_claim, complete_study, find_all, find_claim
from lnbench.cli.commands.options import (
    data_option,
    open_store,
    seeds_option,
    store_option,
    tier_from,
    tier_option,
    workers_option,
)
from lnbench.cli.commands.outcome import (
    conclude,
    demand_file_place,
    fail_on_option,
    json_option,
    refuse_json_and,
)
from lnbench.cli.commands.reports import Reports
from lnbench.errors import Exit, LnbenchError, SpecError
from lnbench.resources import find_study, questions_for, root, study_paths
from lnbench.untrusted import Missing, Unreadable, bytes_of, text_of

if TYPE_CHECKING:
    from lnbench.judge import StudyResult

MOST_LINES = 20  # of differences that are said of a report


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--check", is_flag=True, help="Exit 1 if a report differs from what its records give, whatever the verdicts."
)
@click.option("--write", is_flag=True, help="Write the report again from its records.")
@click.option(
    "--claims",
    "studies",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Take the study's file from this folder. [default: the known ones]",
)
@json_option("the verdicts")
@fail_on_option
def judge(
    folders: tuple[Path, ...], check: bool, write: bool, studies: Path | None, output_json: Path | None, fail_on: str
) -> int:
    """Judge a report's stored records again.

    FOLDER is a folder such as reports/rolnick_mnist-cpu. Needs no GPU, no data and no torch.
    """
    from lnbench.cli.commands.tables import print_verdicts

    refuse_json_and("--check", check, output_json)
    demand_file_place(output_json)
    if check:
        return _check(folders, studies, write)
    results = []
    for folder in folders:
        result, lines, note = _judged(folder, studies, write)
        if note:
            click.echo(note, err=True)
        if str(output_json) != "-":
            print_verdicts(result)
        for line in lines[:MOST_LINES]:
            click.echo(f"warning: {folder}: {line}", err=True)
        results.append(result)
    return conclude(results, (), output_json, fail_on)


def _check(folders: tuple[Path, ...], studies: Path | None, write: bool) -> int:
    """Say of each report whether it is what its records give; they are judged by several processes."""
    from lnbench import pipeline, report  # noqa: F401  (once, before the processes are forked)
    from lnbench.forked import mapped

    said = partial(_said, studies=studies, write=write)
    differs = False
    # what is written is written in order, and nothing after an error
    for folder, found in zip(folders, map(said, folders) if write else mapped(said, folders), strict=True):
        if isinstance(found, LnbenchError):
            raise found
        lines, note = found
        if note:
            click.echo(note, err=True)
        click.echo(f"{folder}: {'differs from what its records give' if lines else 'is what its records give'}")
        for line in lines[:MOST_LINES]:
            click.echo(f"  {line}", err=True)
        differs = differs or bool(lines)
    return Exit.CONTRADICTED if differs else Exit.OK


def _said(folder: Path, studies: Path | None, write: bool) -> tuple[list[str], str] | LnbenchError:
    """Return what `_judged` says of a report, or its error: what comes back from another process."""
    try:
        return _judged(folder, studies, write)[1:]
    except LnbenchError as error:
        return error


def _judged(folder: Path, studies: Path | None, write: bool) -> tuple[StudyResult, list[str], str]:
    """Judge a report again, and with `write` write it: (result, a line for each difference, a note or "")."""
    from lnbench.pipeline import judge_report
    from lnbench.report import lock_apart, report_differs, write_report

    result = judge_report(folder, studies)
    if write:
        write_report(result, folder)
    lines = report_differs(folder, result)
    apart, counts = lock_apart(folder, result.study)
    if apart and counts:
        return result, [apart, *lines], ""
    return result, lines, f"note: {folder}: {apart}" if apart else ""


@click.command()
@click.argument("studies", nargs=-1, required=True, metavar="STUDY|CLAIM...", shell_complete=complete_study)
@tier_option
@seeds_option
@store_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of reports. [default: STORE/reports]")
@fail_on_option
def report(
    studies: tuple[str, ...],
    tier: str | None,
    seeds: int | None,
    store_path: Path | None,
    output: Path | None,
    fail_on: str,
) -> int:
    """Write a report from what the store has, training nothing."""
    from lnbench.pipeline import judge_store, study_at
    from lnbench.report import is_report, load_own_rows
    from lnbench.spec import named_apart, with_rows

    paths, claims = find_all(studies)
    store = open_store(store_path, there=True)
    results = []
    with Reports() as reports:
        for path in named_apart(paths):
            study = study_at(path, tier or "smoke")
            folder = (output or store.path / "reports") / study.key
            if is_report(folder):  # the rows of a user's own that it has are written again
                study = with_rows(study, load_own_rows(folder))
            result = judge_store(study, store, seeds)
            if not result.evidence.records:
                click.echo(f"{study.key}: the store {store.path} has none of its runs", err=True)
                continue
            reports.begin(result, folder)
            results.append(result)
    return conclude(results, claims, fail_on=fail_on)


@click.command()
@click.argument("claim", shell_complete=complete_claim)
@tier_option
@seeds_option
@store_option
@click.option("--report", "folder", type=click.Path(path_type=Path), help="Take the records of this report.")
def explain(claim: str, tier: str | None, seeds: int | None, store_path: Path | None, folder: Path | None) -> int:
    """Show a claim's formula with the numbers put in, and where each number comes from."""
    from lnbench.pipeline import judge_report, judge_store, study_at
    from lnbench.report.explain import explain as words

    path, claim_id = find_claim(claim)
    if claim_id is None:
        raise LnbenchError(f"{claim} is a study; name one of its claims (`lnbench show {claim}`)")
    if folder is not None:
        result = judge_report(folder)
    else:
        # a store that was named must be there; without one, what is said below shows the way
        named = store_path is not None or "LNBENCH_STORE" in os.environ
        result = judge_store(study_at(path, tier or "smoke"), open_store(store_path, there=named), seeds)
    if claim_id not in [entry.claim.id for entry in result.claims]:
        raise LnbenchError(f"{folder} holds no claim {claim_id}")
    click.echo(words(result, claim_id))
    if folder is None and not result.evidence.records:
        reports = sorted(root().glob(f"reports/{path.stem}-*/result.json"))
        for report in reports:  # of this study, whatever the tier: the store has nothing
            click.echo(f"The store has no run of it. From the committed records: --report {_shown(report.parent)}")
    return Exit.OK


def _shown(folder: Path) -> Path:
    """Return a folder as a user would type it from here."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


@click.command()
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...", shell_complete=complete_study)
@tier_from("smoke")
@seeds_option
@workers_option
@click.option("--replace", is_flag=True, help="Replace a reference that differs or cannot be read.")
@store_option
@data_option
def measure(
    studies: tuple[str, ...],
    tier: str,
    seeds: int | None,
    workers: int | None,
    replace: bool,
    store_path: Path | None,
    data_dir: Path | None,
) -> int:
    """Write what lnbench measures to baselines/measured, as the reference for drift.

    Trains on the CPU what the store lacks, and all runs eight times more with small noise on the gradients, in a store
    that is thrown away: how far that moves a number is how far it may move later (docs/drift.md). A reference that
    differs is shown and stays, unless --replace is given.
    """
    as_interrupt()
    click.echo(f"reading {', '.join(studies)}")  # before the imports, which take seconds on a busy machine
    from lnbench.cli.commands.progress import display, listing
    from lnbench.judge.measured import REPEATS, measured_content
    from lnbench.needs import demand_data
    from lnbench.pipeline import Training, study_at, verify_study, with_gradient_noise
    from lnbench.spec import named_apart

    chosen = [study_at(path, tier) for path in named_apart(map(find_study, studies))]
    for at in chosen:
        if at.measured_path is None:
            raise LnbenchError(f"{at.key} names no `measured:` reference")
    store = open_store(store_path)
    alone = [dataclasses.replace(at, measured_path=None) for at in chosen]  # drift from what was there is no matter
    training = Training(data_dir=data_dir, workers=workers, alternatives=False, watching=display, say=click.echo)
    thrown_away = dataclasses.replace(training, watching=lambda: display(resumes=False))
    for at in alone:
        demand_data(at, store, data_dir, seeds, listing)
    results = [verify_study(at, store, training, seeds=seeds) for at in alone]
    for at, result in zip(chosen, results, strict=True):
        for claim in result.claims:
            for part in claim.parts.values():
                if part.verdict in ("not-run", "error"):
                    raise LnbenchError(f"{at.key}: {claim.claim.id}: {part.why}")
    noisy = [with_gradient_noise(alone, thrown_away, repeat, seeds) for repeat in range(1, REPEATS + 1)]
    refused = []
    for number, (at, result) in enumerate(zip(chosen, results, strict=True)):
        assert at.measured_path is not None
        content = measured_content(result, [repeat[number] for repeat in noisy])
        try:
            write_measured(at.measured_path, content, replace)
        except LnbenchError as error:  # one reference that stays is no reason to lose the others
            refused.append(str(error))
    if refused:
        raise LnbenchError("; ".join(refused))
    return Exit.OK


def write_measured(path: Path, content: dict[str, Any], replace: bool) -> None:
    """Write a drift reference, unless it would replace another unasked. Raises LnbenchError."""
    from lnbench.judge.measured import changes, load_measured
    from lnbench.store import write_atomically

    try:
        before = load_measured(path)
    except SpecError as error:
        if not replace:
            raise LnbenchError(f"{error}, with --replace") from None
        before = None
    if before is not None:
        lines = changes(before, content)
        for line in lines:
            click.echo(line)
        if lines and not replace:
            raise LnbenchError(f"{path} differs; look at the lines above, then give --replace")
    write_atomically(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    click.echo(f"{len(content['effects'])} effects -> {path}")


@click.command()
@click.option(
    "--check",
    is_flag=True,
    help="Exit 1 if README or a page of the reports is not what the reports say.",
)
@click.argument("readme", type=click.Path(path_type=Path), default=Path("README.md"))
@click.option(
    "--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Folder of reports."
)
def scoreboard(check: bool, readme: Path, reports: Path) -> int:
    """Write what the committed reports say: the headlines in README, and the pages of all verdicts.

    README gets the headline claims, between its markers; docs/detect.md beside it, where it is there, the table of the
    methods that find wrong labels. The folder of reports gets their picture, headlines.svg; the
    table of every claim and tier, README.md; and the debates, debates.md: the questions that claims of at least two
    papers ask, with the words of questions.yaml. What is not run yet is known from the studies that `lnbench list`
    shows.
    """
    from lnbench.report import (
        DEBATES,
        PICTURE,
        SCOREBOARD,
        debates_page,
        find_debates,
        find_headlines,
        headline_table,
        headlines_svg,
        peers_in_docs,
        read_results,
        replace_between_markers,
        scoreboard_page,
    )
    from lnbench.spec import load_questions, load_studies

    found = read_results(reports)
    paths = study_paths()
    studies = load_studies(paths)
    questions = load_questions(questions_for(paths[0])) if paths else {}
    debates = find_debates(found, questions, studies)
    first = find_headlines(found, studies)
    tables = {readme: ("headlines", headline_table(first, found, reports.as_posix(), debates))}
    if (about := readme.parent / "docs" / "detect.md").is_file():
        tables[about] = ("peers", peers_in_docs(found, Path(os.path.relpath(reports, about.parent)).as_posix()))
    pages = {}
    for page, (name, words) in tables.items():
        try:
            pages[page] = replace_between_markers(text_of(page), name, words)
        except Unreadable as error:
            raise LnbenchError(f"{page}: cannot be read: {error}") from None
        except ValueError as error:
            raise LnbenchError(f"{page}: {error}") from None
    pages |= {
        reports / SCOREBOARD: scoreboard_page(found, debates),
        reports / DEBATES: debates_page(debates),
    }
    if picture := headlines_svg(first):
        pages[reports / PICTURE] = picture
    return _compare(pages) if check else _write(pages, f"{len(found)} reports")


def _compare(pages: dict[Path, str]) -> int:
    """Say of each page whether it is what the reports say; return 1 where one is not."""
    code = Exit.OK
    for path, after in pages.items():
        before = _read_page(path)
        state = "missing" if before is None else "what the reports say" if before == after else "out of date"
        click.echo(f"{path}: {state}")
        if before != after:
            code = Exit.CONTRADICTED
    return code


def _write(pages: dict[Path, str], source: str) -> int:
    """Write the pages that differ."""
    from lnbench.store import write_atomically

    for path, after in pages.items():
        if _read_page(path) != after:
            write_atomically(path, after.encode())
    click.echo(f"{source} -> {', '.join(map(str, pages))}")
    return Exit.OK


def _read_page(page: Path) -> str | None:
    """Return the page as it is; None where there is none. Raises LnbenchError where it cannot be read."""
    try:
        return bytes_of(page).decode("utf-8", errors="replace")
    except Missing:
        return None
    except Unreadable as error:
        raise LnbenchError(f"{page}: cannot be read: {error}") from None
