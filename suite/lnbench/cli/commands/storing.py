"""`lnbench store status|check|export|import|remove`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lnbench.cli.commands.options import open_store, store_option, tier_from
from lnbench.errors import Exit, LnbenchError, unseen

if TYPE_CHECKING:
    from lnbench.store import Store


@click.group()
def store() -> None:
    """Show, export and import finished runs."""


@store.command()
@store_option
def status(store_path: Path | None) -> int:
    """Show what is in the store, and check every record.

    A damaged record is set aside, so that its run is done again; the exit code is then 6.
    """
    source = open_store(store_path, there=True)
    noted = _noted(source)
    found = source.status()
    kinds = ", ".join(f"{count} {kind} records" for kind, count in sorted(found.records.items())) or "no records"
    click.echo(f"{found.path}: {kinds}, {found.bytes / 1e6:.1f} MB")
    if found.checkpoints:
        click.echo(f"{found.checkpoints} checkpoints of unfinished runs")
    if found.set_aside:
        files = "1 damaged file" if found.set_aside == 1 else f"{found.set_aside} damaged files"
        click.echo(f"{files} set aside in {found.path / 'set-aside'}")
    return Exit.UNUSABLE if noted else Exit.OK


def _noted(source: Store) -> list[str]:
    """Return a list that fills with what is found amiss in a store from now on; it is told as before."""
    noted, tell = [], source.warn

    def warn(line: str) -> None:
        noted.append(line)
        tell(line)

    source.warn = warn
    return noted


@store.command()
@store_option
def check(store_path: Path | None) -> int:
    """Compare the store's files with its ledger; nothing is written.

    Names every record that was removed or changed by hand, every run that was made more than once, and every line of
    the ledger that was changed, removed or moved. The ledger cannot show what was removed together with its last lines,
    nor that all of it was written again: publish the hash of its last line, or keep it under version control.
    """
    found = open_store(store_path, there=True).ledger.check()
    for finding in found.findings:
        name = f"{finding.record}: " if finding.record else ""
        click.echo(f"{'' if finding.wrong else 'note: '}{name}{finding.what}", err=finding.wrong)
    wrong = sum(finding.wrong for finding in found.findings)
    lines = f"{found.entries} line{'' if found.entries == 1 else 's'} in the ledger"
    click.echo(f"{lines}, the last has the hash {found.head}" if found.entries else f"{lines} (made at the next write)")
    click.echo(f"{wrong} not as it should be" if wrong else "the records are what the ledger says")
    return Exit.OK if found.sound else Exit.DIFFERS


@store.command()
@click.argument("record")
@click.option("--why", required=True, help="The reason; it stands in the ledger and in reports of the study.")
@store_option
def remove(record: str, why: str, store_path: Path | None) -> int:
    """Remove a record, by its id or the beginning of it, and keep the reason in the ledger."""
    if not why.strip():
        raise LnbenchError("--why: give the reason in words")
    if any(map(unseen, why)):
        raise LnbenchError("--why: give the reason on one line, without control characters")
    if not record:
        raise LnbenchError("give the id of a record, or the beginning of it; `lnbench store check` names those amiss")
    target = open_store(store_path, there=True)
    found = target.find(record)
    target.remove(found, why.strip())
    click.echo(f"{found}: removed; the ledger says why")
    return Exit.OK


@store.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--study", help="Only what this study needs (with --tier).")
@tier_from("full")
@click.option("--compact", is_flag=True, help="Do not say how many side files stay behind.")
@click.option("--replace", is_flag=True, help="Write over a file that is there, whatever it is.")
@store_option
def export(file: Path, study: str | None, tier: str, compact: bool, replace: bool, store_path: Path | None) -> int:
    """Write records to FILE (JSON lines; gzipped where it ends in .gz).

    With --study: the records of its runs, and of the alternatives that a contradiction must survive, so that it can be
    judged again from the export alone. An export holds records only. The arrays that some of them describe, such as the
    loss of every example, are in side files of the store, which are too large to travel: without --compact this says
    how many stay behind.

    Without a record nothing is written. A damaged one is set aside and left out; the exit code is then 6. A file that
    is there is written over only where nothing is lost: an export whose records are all in the new one.
    """
    source = open_store(store_path, there=True)
    ids = None
    if study is not None:
        from lnbench.pipeline import records_of, study_at

        ids = records_of(study_at(study, tier), source)
    noted = _noted(source)
    count = source.export(file, ids, replace=replace)
    click.echo(f"{count} records -> {file}" if count else f"no records; {file} is not written")
    if not compact and (left := source.with_arrays(ids)):
        records = source.path / "records"
        click.echo(
            f"{left} of them have a side file that stays behind; to take it along, copy {records}/*/*.npz", err=True
        )
    if noted:
        click.echo("what is damaged is left out (see the warnings)", err=True)
        return Exit.UNUSABLE
    return Exit.OK if count else Exit.NOTHING_SELECTED


@store.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@store_option
def import_(file: Path, store_path: Path | None) -> int:
    """Add the records of FILE to the store, except those that are damaged or differ from a record already there."""
    new, known, refused = open_store(store_path).import_(file)
    click.echo(f"{new} records imported, {known} were there already")
    for line in refused:
        click.echo(f"refused: {line}", err=True)
    return Exit.UNUSABLE if refused else Exit.OK
