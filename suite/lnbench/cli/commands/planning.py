"""`lnbench plan` and `lnbench power`: what a verification would do and cost, and what it could decide."""

from __future__ import annotations

from pathlib import Path

import click

from lnbench.cli.commands.options import open_store, seeds_option, store_option, tier_from, tier_option
from lnbench.errors import Exit, LnbenchError


@click.command()
@click.argument("study")
@tier_from("smoke")
@seeds_option
@click.option("--device", default="cpu", show_default=True, help="What the time is estimated for: cpu or cuda.")
@store_option
def plan(study: str, tier: str, seeds: int | None, device: str, store_path: Path | None) -> int:
    """Show the runs that a study needs, which of them the store has, and what the rest costs."""
    from rich.console import Console
    from rich.table import Table

    from lnbench.cli.commands.progress import duration
    from lnbench.pipeline import study_at
    from lnbench.plan import Run, describe_cost, plan_study, seconds_of

    if device not in ("cpu", "cuda"):
        raise LnbenchError(f"--device {device}: plan prices for cpu or cuda")
    at = study_at(study, tier)
    made = plan_study(at, seeds)
    store = open_store(store_path)
    outcomes = {}
    for choice in made.choices:
        record = store.get(choice.id)
        if record is not None:
            outcomes[choice.id] = record["outcome"]
    table = Table(title=f"{at.key}: {describe_cost(made, device)}", title_justify="left", box=None)
    for column in ("cell", "epochs", "examples an epoch", "seeds", "in store", "one run, roughly"):
        table.add_column(column, justify="left" if column == "cell" else "right")
    rows: dict[str, list[tuple[Run, bool]]] = {}
    provisional = made.provisional_runs()
    for (job, run), guess in zip(made.resolve(outcomes), provisional, strict=True):
        name = ", ".join(f"{axis} {value}" for axis, value in job.point.items()) or "(one cell)"
        rows.setdefault(name, []).append((guess, run is not None and store.get(run.id) is not None))
    for name, members in rows.items():
        first = members[0][0]
        have = sum(there for _, there in members)
        seconds = duration(seconds_of(first, device))
        table.add_row(name, str(first.epochs), f"{first.examples:,}", str(len(members)), str(have), seconds)
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table)
    for choice in made.choices:
        values = ", ".join(str(value) for value, _ in choice.candidates)
        point = ", ".join(f"{axis} {value}" for axis, value in choice.point.items())
        click.echo(f"chooses {choice.key} from {values} at {point}")
    return Exit.OK


@click.command()
@click.argument("name", metavar="CLAIM|STUDY")
@tier_option
@seeds_option
@store_option
def power(name: str, tier: str | None, seeds: int | None, store_path: Path | None) -> int:
    """Show whether the planned seeds can decide a claim, how many are needed, and at what cost."""
    from rich.console import Console
    from rich.table import Table

    from lnbench.cli.commands.catalogue import find_claim
    from lnbench.cli.commands.progress import duration
    from lnbench.judge import FromStore, gather, judge
    from lnbench.judge.power import powers
    from lnbench.pipeline import study_at
    from lnbench.plan import plan_study, seconds_of

    path, claim_id = find_claim(name)
    study = study_at(path, tier or "full")
    store = open_store(store_path)
    # not look by look: a pilot is every seed that is there
    result = judge(gather(plan_study(study, seeds), store.get, reads=FromStore(store)))
    table = Table(title=f"{study.key}: what the planned seeds can decide", title_justify="left", box=None)
    for column in ("claim, part", "effect", "claimed", "pilot", "chance", "seeds for 80 %"):
        table.add_column(column, overflow="fold")
    for row in powers(result):
        if claim_id not in (None, row.claim):
            continue
        pilot = "none yet"
        if row.pilot is not None:
            mean = "" if row.pilot.effect is None else f"{row.pilot.effect:.4f} "
            pilot = f"{mean}sd {row.pilot.sd:.4f}, taken as {row.pilot.cautious_sd:.4f} ({row.pilot.source})"
        elif row.largest_sd is not None:
            pilot = f"none yet; {row.planned} seeds suffice up to sd {row.largest_sd:.4f}"
        chance = "?" if row.chance is None else f"{row.chance:.0%} with {row.planned}"
        needed = "?" if row.needed is None else "over 1000" if row.needed == 0 else str(row.needed)
        mark = "" if row.decisive else " (beside)"
        cells = (f"{row.claim} {row.part}{mark}", row.label, row.region.describe(), pilot, chance, needed)
        table.add_row(*(cell.replace("[", r"\[") for cell in cells))
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)
    one_seed = sum(seconds_of(run, "cpu") for run in plan_study(study, 1).provisional_runs())
    click.echo(f"one more seed of every cell: very roughly {duration(one_seed)} of one core")
    return Exit.OK
