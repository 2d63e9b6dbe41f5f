"""How a verb that judges ends: totals, `--json`, GitHub's step summary, and the exit code that `--fail-on` asks for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lnbench.cli.commands.tables import exit_code
from lnbench.errors import Exit, LnbenchError
from lnbench.verdict import Standing, Verdict

if TYPE_CHECKING:
    from lnbench.judge import StudyResult
    from lnbench.report.plain import Json

Function = TypeVar("Function", bound=Callable[..., Any])
SUMMARY = "GITHUB_STEP_SUMMARY"  # the file whose Markdown GitHub shows on the page of a workflow's run
MOST_SUMMARY = 200_000  # bytes; GitHub takes a megabyte for a step


def json_option(what: str) -> Callable[[Function], Function]:
    """Add --json FILE; `what` is written there."""
    return click.option(
        "--json",
        "output_json",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        metavar="FILE",
        help=f"Write {what} to FILE as JSON, `-` for standard output alone.",
    )


def fail_on_option(function: Function) -> Function:
    """Add --fail-on: which verdicts give an exit code that is not 0."""
    return click.option(
        "--fail-on",
        type=click.Choice(["contradicted", "open"]),
        default="open",
        show_default=True,
        help="open: the exit code is 0 only where all pass. contradicted: also where something is open, not in its "
        "regime or not run (failed runs and unusable data stay errors).",
    )(function)


def demand_file_place(file: Path | None) -> None:
    """Raise LnbenchError now, before any work, where an option names a file whose folder is not there; `-` is none."""
    from lnbench.store.exports import demand_place

    if file is not None and str(file) != "-":
        demand_place(file)


def write_json(file: Path, text: str, what: str) -> None:
    """Write text to the file of --json, or to standard output for `-`."""
    from lnbench.store import write_atomically

    if str(file) == "-":
        click.echo(text, nl=False)
        return
    write_atomically(file, text.encode())
    click.echo(f"{what} -> {file}")


def conclude(
    results: Sequence[StudyResult],
    claims: tuple[str, ...] = (),
    output_json: Path | None = None,
    fail_on: str = "open",
) -> int:
    """Say what all results come to, write what was asked for, and return the exit code.

    `claims`: those that were asked for; only they count, where some are named. The JSON has the rows and the schema of
    `lnbench results` (docs/results.md).
    """
    if len(results) > 1 and str(output_json) != "-":
        click.echo(totals(results, claims))
    if output_json is not None:
        from lnbench.report.results_table import as_json

        write_json(output_json, as_json(_rows(results, claims)), "the verdicts")
    if summary := os.environ.get(SUMMARY):
        _summarise(Path(summary), results, claims)
    code = exit_code(results, claims)
    return Exit.OK if code == Exit.INCONCLUSIVE and fail_on == "contradicted" else code


def totals(results: Sequence[StudyResult], claims: tuple[str, ...] = ()) -> str:
    """Return one line: `14 claims of 3 studies: 9 reproduced, 2 inconclusive; Surrogates: 1 held`."""
    judged = [one for result in results for one in result.claims if not claims or one.claim.id in claims]
    words = []
    for standing in Standing:
        found = Counter(str(one.verdict) for one in judged if one.claim.standing == standing)
        counts = ", ".join(f"{found[verdict]} {verdict.words}" for verdict in Verdict if found[verdict])
        if counts:
            words.append(counts if standing is Standing.PAPER else f"{standing.plural}: {counts}")
    of = len({result.study.name for result in results})
    number = f"{len(judged)} claim{'' if len(judged) == 1 else 's'} of {of} stud{'y' if of == 1 else 'ies'}"
    return f"{number}: {'; '.join(words)}" if words else number


def _rows(results: Sequence[StudyResult], claims: tuple[str, ...]) -> list[Json]:
    from lnbench.report import result_to_json
    from lnbench.report.results_table import results_table

    rows = results_table([result_to_json(result) for result in results])
    return [row for row in rows if not claims or row["claim"] in claims]


def _summarise(file: Path, results: Sequence[StudyResult], claims: tuple[str, ...]) -> None:
    """Add the verdicts to the page of a workflow's run. That it cannot be written is no reason to lose a verdict."""
    from lnbench.report.results_table import as_markdown

    rows = _rows(results, claims)
    text = f"### lnbench\n\n{totals(results, claims)}\n\n{as_markdown(rows, None)}\n".encode()
    if len(text) > MOST_SUMMARY:
        text = f"### lnbench\n\n{totals(results, claims)}\n".encode()
    try:
        with file.open("ab") as out:
            out.write(text)
    except OSError as error:
        click.echo(f"warning: {SUMMARY}: {file}: cannot be written: {error.strerror}", err=True)


def refuse_json_and(other: str, given: object, output_json: Path | None) -> None:
    """Raise LnbenchError where --json is given with an option that leaves nothing to write."""
    if output_json is not None and given:
        raise LnbenchError(f"--json: {other} judges nothing that could be written; leave one of them out")
