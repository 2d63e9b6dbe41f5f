"""`lnbench store status|export|import`."""

from __future__ import annotations

from pathlib import Path

import click

from lnbench.cli.commands.options import open_store, store_option
from lnbench.errors import Exit, StoreError


@click.group()
def store() -> None:
    """Finished runs: how many there are, and how they travel."""


@store.command()
@store_option
def status(store_path: Path | None) -> int:
    """What is in the store; every record is checked."""
    found = open_store(store_path).status()
    kinds = ", ".join(f"{count} {kind} records" for kind, count in sorted(found.records.items())) or "no records"
    click.echo(f"{found.path}: {kinds}, {found.bytes / 1e6:.1f} MB")
    if found.checkpoints:
        click.echo(f"{found.checkpoints} checkpoints of unfinished runs")
    if found.set_aside:
        click.echo(f"{found.set_aside} damaged files set aside in {found.path / 'set-aside'}")
    return Exit.OK


@store.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--study", help="Only what this study needs (with --tier).")
@click.option("--tier", type=click.Choice(["smoke", "cpu", "lite", "full"]), default="full", show_default=True)
@click.option("--compact", is_flag=True, help="Leave side files behind without a word.")
@store_option
def export(file: Path, study: str | None, tier: str, compact: bool, store_path: Path | None) -> int:
    """Write records to FILE (JSON lines; gzipped where it ends in .gz).

    An export holds records only. What some of them speak of, losses of every single example, lies in side files in the
    store, too large to travel with them: without --compact this says how many stay behind.
    """
    source = open_store(store_path)
    ids = None
    if study is not None:
        from lnbench.judge import FromStore, gather, judge
        from lnbench.plan import plan_study
        from lnbench.resources import find_study
        from lnbench.spec import load_study

        loaded = load_study(find_study(study))
        if tier not in loaded.tiers:
            raise StoreError(f"{loaded.name} has no tier {tier}")
        evidence = gather(plan_study(loaded.tiers[tier]), source.get, reads=FromStore(source))
        judge(evidence)  # reads from arrays what a verdict needs, so that it can be judged where they are not
        ids = sorted(evidence.records)
    count = source.export(file, ids)
    click.echo(f"{count} records -> {file}")
    if not compact and (left := source.with_arrays(ids)):
        records = source.path / "records"
        click.echo(
            f"{left} of them have a side file that stays behind; to take it along, copy {records}/*/*.npz", err=True
        )
    return Exit.OK if count else Exit.NOTHING_SELECTED


@store.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@store_option
def import_(file: Path, store_path: Path | None) -> int:
    """Take over the records of FILE. What is damaged, or differs from a record that is here, is refused."""
    new, known, refused = open_store(store_path).import_(file)
    click.echo(f"{new} records taken over, {known} were there already")
    for line in refused:
        click.echo(f"refused: {line}", err=True)
    return Exit.RUN_FAILED if refused else Exit.OK
