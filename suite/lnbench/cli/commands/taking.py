"""`lnbench results`: the committed verdicts as a table to take away."""

from __future__ import annotations

import os
from pathlib import Path

import click

from lnbench.cli.commands.outcome import demand_file_place
from lnbench.errors import Exit, LnbenchError, did_you_mean

FORMATS = ("csv", "json", "parquet", "markdown", "latex")


@click.command()
@click.option("--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option("--comparisons", is_flag=True, help="A row for each comparison, in place of one for a claim and tier.")
@click.option("--paper", "papers", multiple=True, metavar="ID", help="Only claims of this paper, such as rolnick2018.")
@click.option("--claim", "claims", multiple=True, metavar="ID", help="Only this claim.")
@click.option("--tier", "tiers", multiple=True, metavar="TIER", help="Only this tier.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write to this file. [default: standard output, also as `-`]",
)
@click.option("--replace", is_flag=True, help="Write over a file that is there.")
@click.option(
    "--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Folder of reports."
)
def results(
    form: str,
    comparisons: bool,
    papers: tuple[str, ...],
    claims: tuple[str, ...],
    tiers: tuple[str, ...],
    output: Path | None,
    replace: bool,
    reports: Path,
) -> int:
    """Write the verdicts of all committed reports as one table.

    A row for each claim and tier: verdict, effect with its interval, the range required, p values, seeds, when the
    range was registered, and where it was computed. docs/results.md names the columns.
    """
    from lnbench.report import half_reports, read_results
    from lnbench.report.results_table import (
        as_csv,
        as_json,
        as_latex,
        as_markdown,
        as_parquet,
        results_table,
    )
    from lnbench.store import write_atomically

    written = None if output is None or str(output) == "-" else output
    if written is not None:
        demand_file_place(written)
        if written.is_dir():
            raise LnbenchError(f"{written}: is a folder; name a file")
        if written.exists() and not replace:
            raise LnbenchError(f"{written}: is there already; name another file, or give --replace")
    if form == "parquet" and written is None:
        raise LnbenchError("--format parquet: is no text; name a file with -o")
    rows = results_table(read_results(reports), comparisons)
    for folder in half_reports(reports):
        click.echo(f"warning: {folder}: a report without its result.json; it is left out", err=True)
    for option, key, wanted in (("--paper", "paper", papers), ("--claim", "claim", claims), ("--tier", "tier", tiers)):
        known = sorted({str(row[key]) for row in rows})
        for value in wanted:
            if value not in known:
                raise LnbenchError(f"{option} {value}: no report in {reports} has it; {did_you_mean(value, known)}")
        rows = [row for row in rows if not wanted or row[key] in wanted]
    if not rows:
        click.echo(f"{reports}: no verdict is stored here", err=True)
        return Exit.NOTHING_SELECTED
    if form == "parquet":
        content = as_parquet(rows)
    elif form == "markdown":
        start = Path() if written is None else written.parent
        content = as_markdown(rows, Path(os.path.relpath(reports, start)).as_posix()).encode()
    else:
        content = {"csv": as_csv, "json": as_json, "latex": as_latex}[form](rows).encode()
    if written is None:
        click.echo(content.decode(), nl=False)
    else:
        write_atomically(written, content)
        click.echo(f"{len(rows)} rows -> {written}", err=True)
    return Exit.OK
