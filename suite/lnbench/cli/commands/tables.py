"""Verdicts on the terminal, and the exit code that follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lnbench.errors import Exit
from lnbench.resources import study_paths
from lnbench.verdict import Counts, Verdict, counts_as

if TYPE_CHECKING:
    from lnbench.judge import ClaimResult, PartResult, StudyResult
    from lnbench.report.plain import Json
    from lnbench.spec import Study


def print_verdicts(result: StudyResult) -> None:
    """Print one row per claim, with its parts below it."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from lnbench.report.result.result import about_claim, part_to_json
    from lnbench.report.said import as_tested, chosen_sentence, rests_on, rests_sentence

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    table = Table(box=box.SIMPLE_HEAD, title=f"{result.study.key}: {result.study.spec.title}", title_justify="left")
    table.add_column("claim", no_wrap=True)
    table.add_column("verdict", max_width=20)
    table.add_column("what was measured", overflow="fold")
    for claim in result.claims:
        style = Verdict(claim.verdict).terminal
        about = about_claim(claim, result)
        look = f" [dim](look {claim.look.number} of {claim.look.of}: {claim.look.seeds} seeds)[/]" if claim.look else ""
        says = f"{_plain(as_tested(about))}{look}"
        table.add_row(claim.claim.id, f"[{style}]{Verdict(claim.verdict).words}[/]", says)
        for name, part in claim.parts.items():
            mark = "" if name in claim.claim.verdict.of else " (first)" if name in claim.claim.requires else " (extra)"
            told = part_to_json(part, claim, result)
            text = measured(part, told, smoke=result.study.tier == "smoke")
            table.add_row(
                "", f"[dim]{_word(part, result)}{mark}[/]", _plain(f"{name} ({metric_of(told)}): {text}"), style="dim"
            )
        for words in (claim.why, chosen_sentence(about), rests_sentence(about) if rests_on(about) else ""):
            if words:
                table.add_row("", "", _plain(words))
    console.print(table)
    for row in result.study.own:
        click.echo(
            f"note: the row {row.label} is not the paper's and decides no claim; the report shows it in each table"
        )
    for note in result.notes:
        click.echo(f"note: {note}")


def print_failures(result: StudyResult) -> None:
    """Print why runs failed, each reason once."""
    for message in dict.fromkeys(result.evidence.failures.values()):
        click.echo(f"a run failed: {message}", err=True)


def print_report(folder: Path, study: Study) -> None:
    """Print where the report is, and how to judge its records again: a study of a user's own is found by its folder."""
    known = {path.resolve() for path in study_paths()}
    own = "" if study.path.resolve() in known else f" --claims {study.path.parent}"
    click.echo(f"report: {folder / 'report.md'}")
    click.echo(f"to judge its records again, all claims of the study: lnbench judge {folder}{own}")


def _word(part: PartResult, result: StudyResult) -> str:
    """Return how a part lies to its range; at smoke, which says nothing about the paper, whether its direction
    holds."""
    if result.study.tier != "smoke" or part.verdict in (Verdict.NOT_RUN, Verdict.ERROR):
        return Verdict(part.verdict).of_part
    return "holds" if part.direction_holds else "does not hold"


def metric_of(told: Json) -> str:
    """Return what a part measures, as studies name it: `test_accuracy`, `aul_pair_order − loss_pair_order`. `told`: the
    part as `result.json` has it."""
    effect = told["effect"]
    return " − ".join(filter(None, [effect["metric"], effect.get("less")]))


def measured(part: PartResult, told: Json, *, smoke: bool = False) -> str:
    """Return what was measured of a part and what was required, in the words and units of the report. `told`: the part
    as `result.json` has it."""
    from lnbench.report.words import decide_words, part_line

    if part.verdict in (Verdict.NOT_RUN, Verdict.ERROR, Verdict.NOT_COMPARABLE):
        return part.why
    need = "" if smoke or part.seeds_to_decide is None else f"; {decide_words(told)}"
    return f"{part_line(told)}{need}"


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def exit_code(results: Iterable[StudyResult], claims: tuple[str, ...] = ()) -> int:
    """Return the exit code of judged studies; only the named claims count, where some are named. A run that failed is
    one, though no verdict needs it."""
    results = list(results)
    judged: list[ClaimResult] = [
        claim for result in results for claim in result.claims if not claims or claim.claim.id in claims
    ]
    found = {counts_as(claim.verdict) for claim in judged}
    if Counts.ERROR in found or any(result.evidence.failures for result in results):
        return Exit.RUN_FAILED
    if not judged:
        return Exit.NOTHING_SELECTED
    if Counts.FAIL in found:
        return Exit.CONTRADICTED
    if Counts.NEITHER in found:
        return Exit.INCONCLUSIVE
    return Exit.OK
