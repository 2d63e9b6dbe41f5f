"""`lnbench audit`: random runs of a report trained again, and compared with their records."""

from __future__ import annotations

import json
import math
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lnbench.cli.commands.ending import as_interrupt
from lnbench.cli.commands.options import Finite, data_option, workers_option
from lnbench.errors import Exit

if TYPE_CHECKING:
    from lnbench.audit import Audit, Audited
    from lnbench.audit.compare import Difference

MOST_SHOWN = 3  # differences of one run on the terminal; --json has all


@click.command()
@click.argument("report", type=click.Path(path_type=Path))
@click.option("-k", "k", default=3, show_default=True, type=click.IntRange(1), help="Number of runs to train again.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Draw the same runs again. [default: a random one]")
@click.option("--device", default="auto", show_default=True, help="auto (as each run was made), cpu, cuda or cuda:N.")
@workers_option
@click.option(
    "--max-minutes",
    type=Finite(0, min_open=True),
    help="Draw only among runs of at most so many minutes each, as estimated; says which share of the runs that is.",
)
@click.option(
    "--json", "output", type=click.Path(path_type=Path, dir_okay=False), help="Write all differences to FILE."
)
@data_option
def audit(
    report: Path,
    k: int,
    seed: int | None,
    device: str,
    workers: int | None,
    max_minutes: float | None,
    output: Path | None,
    data_dir: Path | None,
) -> int:
    """Train random runs of a report again, and compare them with their records.

    REPORT is a folder such as reports/rolnick_mnist-cpu. Everything comes from its records: recipe, seeds, backend.
    Nothing is written into the report or your store.

    A run passes where it has the same bits, or where machine or versions are others and every number that verdicts are
    made of (the metrics, and the last value of each curve) lies within half a standard deviation over the seeds of its
    cell. It differs where equal bits are expected, where counts or checksums of labels or data are others, or where a
    number is further away than another seed's would be. Between these it is open.

    Exit codes, the first that applies: 7 a run differs, 3 one could not be trained, 4 one is open, 0 all pass.
    """
    as_interrupt()
    click.echo(f"reading {report}")  # before the imports, which take seconds on a busy machine
    from lnbench.audit import audit as train_again
    from lnbench.audit import draw_runs
    from lnbench.cli.commands.progress import display
    from lnbench.machine import resolve_device
    from lnbench.store import write_atomically

    place = device if device == "auto" else resolve_device(device)
    chosen = secrets.randbits(32) if seed is None else seed
    seconds = 60 * max_minutes if max_minutes is not None else None
    drawn = draw_runs(report, k, chosen, device=place, data_dir=data_dir, most_seconds=seconds)
    _announce(drawn, k, max_minutes, device, workers)
    if not drawn.drawn:
        return Exit.NOTHING_SELECTED
    try:
        found = train_again(
            drawn,
            data_dir=data_dir,
            workers=workers,
            watching=lambda: display(resumes=False),
            warn=lambda line: click.echo(f"warning: {line}", err=True),
        )
    except KeyboardInterrupt:
        click.echo(f"\ninterrupted: nothing is kept; --seed {chosen} draws the same runs again", err=True)
        raise click.exceptions.Abort from None
    _print(found)
    if output is not None:
        text = json.dumps(_to_json(drawn, found, max_minutes), indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(output, f"{text}\n".encode())
        click.echo(f"all differences -> {output}")
    return _exit_code(found)


def _exit_code(found: list[Audited]) -> Exit:
    from lnbench.audit import Fate

    fates = {one.fate for one in found}
    if fates & {Fate.UNEXPECTED, Fate.BEYOND}:
        return Exit.DIFFERS
    if Fate.NOT_TRAINED in fates:
        return Exit.RUN_FAILED
    return Exit.INCONCLUSIVE if any(fate.open for fate in fates) else Exit.OK


def _announce(drawn: Audit, k: int, max_minutes: float | None, device: str, workers: int | None) -> None:
    """Say which runs were drawn, how to draw them again, and what they cost."""
    from lnbench.audit.choose import all_of
    from lnbench.cli.commands.progress import duration

    more = f" --max-minutes {max_minutes:g}" if max_minutes is not None else ""
    more += f" --device {device}" if device != "auto" else ""
    n = len(drawn.drawn)
    click.echo(f"{drawn.key}: {n} of {drawn.candidates} training runs, drawn with seed {drawn.seed}")
    if max_minutes is not None:
        share = drawn.candidates / drawn.trainings if drawn.trainings else 0.0
        left = drawn.trainings - drawn.candidates
        about = f"; this audit says nothing about the other {left}" if left else ""
        what = f"{drawn.candidates} of {drawn.trainings} runs ({share:.0%}) are estimated to take at most"
        click.echo(f"{what} {max_minutes:g} min each{about}".replace("%", " %"))
    elif not drawn.trainings:
        click.echo("the report has no training run")
    if not n:
        return
    click.echo(f"to draw them again: lnbench audit {drawn.report} -k {k} --seed {drawn.seed}{more}")
    for number, one in enumerate(drawn.drawn, start=1):
        if one.problem:
            cost = f"cannot be trained: {one.problem}"
        else:
            took = f", took {duration(one.took)} then" if one.took is not None else ""
            cost = f"about {duration(one.seconds or 0.0)}{took}"
        inputs = len(all_of(one.run)) - 1 if one.run is not None else 0
        behind = f"; with {inputs} for what it builds on, which the report does not hold" if inputs else ""
        click.echo(f"  {number}. {one.record['id'][:12]} {one.describe()}: {cost}{behind}")
    if drawn.seconds:
        at_once = " on one core or GPU; less with several"
        click.echo(f"estimated time in all: {duration(drawn.seconds)}{at_once if workers != 1 else ''}")


def _print(found: list[Audited]) -> None:
    """Print a row for each run, then how each differs."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("", "run", "came out", "largest difference", "made with, now with"):
        table.add_column(column, overflow="fold")
    for number, one in enumerate(found, start=1):
        cells = (one.drawn.record["id"][:12], one.fate.value, _worst(one), _setups(one))
        table.add_row(str(number), *(cell.replace("[", r"\[") for cell in cells))
    console.print(table)
    for number, one in enumerate(found, start=1):
        for line in _lines(one):
            click.echo(f"{number}. {line}")
    click.echo(_sum(found))


def _worst(one: Audited) -> str:
    from lnbench.audit.compare import largest

    worst = largest(one.differences)
    return _words(worst) if worst else "–"


def _words(one: Difference) -> str:
    if one.size is None:
        return f"{one.where}: {_short(one.then)}, now {_short(one.now)}"
    text = f"{one.where}: {one.then:.8g}, now {one.now:.8g} (by {one.size:.2g}"
    if one.in_sd is None:
        return f"{text}; {one.seeds} seeds in the report give no spread)"
    if math.isinf(one.in_sd):
        return f"{text}; equal for all {one.seeds} seeds of the report)"
    return f"{text} = {one.in_sd:.2g} sd of {one.seeds} seeds)"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:20]}…"


def _setups(one: Audited) -> str:
    """Return the machine and versions then, and what of them is otherwise now."""
    then = ", ".join(filter(None, [one.then.get("processor", ""), f"torch {one.then.get('torch', '?')}"]))
    if not one.now:
        return then
    other = [f"{name} {one.now.get(name) or 'none'}" for name in one.changed]
    return f"{then}; now {', '.join(other)}" if other else f"{then}; now the same"


def _lines(one: Audited) -> list[str]:
    """Return what is to be said of a run below the table."""
    from lnbench.audit import FRACTION, Fate

    if one.fate is Fate.NOT_TRAINED:
        return [one.why]
    if one.fate is Fate.IDENTICAL:
        return []
    counting = sorted(
        (difference for difference in one.differences if difference.counts or difference.fact),
        key=lambda difference: (difference.fact, difference.in_sd or 0.0),
        reverse=True,
    )
    lines = [_words(difference) for difference in counting[1:MOST_SHOWN]]
    rest = len(one.differences) - len(lines) - 1
    lines += [f"and {rest} more numbers or checksums differ (--json has all)"] if rest > 0 else []
    if one.fate is Fate.UNEXPECTED:
        lines.append(
            "device, processor name, versions, threads and backend are the same, so equal bits are expected; either "
            "the record is not this run's, or the name hides another processor, as virtual machines' names can"
        )
    if one.fate is Fate.UNKNOWN:
        lines.append("the report has too few seeds of this cell to say how large that is")
    if one.fate is Fate.OPEN:
        lines.append(
            f"more than {FRACTION:g} sd: rounding that grows along the training explains it, and so would a record of "
            "another seed; on the machine of the record the bits would tell"
        )
    if one.fate is Fate.WITHIN:
        lines.append(
            f"other kernels round otherwise; all numbers that verdicts are made of lie within {FRACTION:g} sd of their "
            "record"
        )
    return lines


def _sum(found: list[Audited]) -> str:
    from lnbench.audit import Fate

    counts = {fate: sum(one.fate is fate for one in found) for fate in Fate}
    return "; ".join(f"{count} {fate.value}" for fate, count in counts.items() if count)


def _to_json(drawn: Audit, found: list[Audited], max_minutes: float | None) -> dict[str, Any]:
    """Return the audit as plain data."""
    from lnbench.audit import FRACTION
    from lnbench.audit.compare import LEVEL
    from lnbench.machine import environment

    return {
        "schema": 1,
        "report": drawn.key,
        "seed": drawn.seed,
        "trainings": drawn.trainings,
        "candidates": drawn.candidates,
        "max_minutes": max_minutes,
        "limits": {"passes_up_to_sd": FRACTION, "level_of_another_seed": LEVEL},
        "here": environment(),
        "runs": [_run_to_json(one) for one in found],
    }


def _run_to_json(one: Audited) -> dict[str, Any]:
    return {
        "id": one.drawn.record["id"],
        "run": one.drawn.describe(),
        "fate": one.fate.value,
        "passes": one.fate.passes,
        "why": one.why,
        "then": one.then,
        "now": one.now,
        "setup_changed": one.changed,
        "estimated_seconds": one.drawn.seconds,
        "differences": [
            {
                "where": each.where,
                "then": each.then,
                "now": each.now,
                "difference": each.size,
                "sd": each.sd,
                "seeds": each.seeds,
                "in_sd": None if each.in_sd is None or math.isinf(each.in_sd) else each.in_sd,
                "counts": each.counts,
                "fact": each.fact,
            }
            for each in one.differences
        ],
    }
