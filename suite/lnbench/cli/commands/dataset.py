"""`lnbench data status|fetch|check`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lnbench.cli.commands.options import data_option
from lnbench.errors import DataError, Exit

if TYPE_CHECKING:
    from lnbench.data.transfer import Progress


@click.group()
def data() -> None:
    """Show which data sets are there, fetch them, and check them whole."""


@data.command()
@data_option
def status(data_dir: Path | None) -> int:
    """Show which data sets are there."""
    from lnbench.data.root import data_root
    from lnbench.data.root import status as states
    from lnbench.data.sources import find

    click.echo(f"data root: {data_root(data_dir)}")
    for entry in states(data_root(data_dir)):
        fault = f"; {entry.fault}" if entry.fault else ""
        click.echo(f"  {entry.state:<10} {find(entry.name).describe()}{fault}")
    return Exit.OK


def _names(names: tuple[str, ...]) -> list[str]:
    from lnbench.data.sources import known
    from lnbench.errors import did_you_mean

    sources = known()
    downloadable = [name for name, source in sources.items() if not source.embedded]
    for name in names:
        if name not in sources:
            raise DataError(f"there is no data set '{name}'; {did_you_mean(name, sources)}")
    return [name for name in names if name in downloadable] if names else downloadable


@data.command()
@click.argument("names", nargs=-1, required=True)
@data_option
def fetch(names: tuple[str, ...], data_dir: Path | None) -> int:
    """Download data sets (from torchvision's mirrors), check them, and unpack them."""
    from lnbench.data.fetch import fetch as download
    from lnbench.data.root import data_root

    wanted = _names(names)
    if not wanted:
        click.echo("nothing to fetch: this needs no download")
        return Exit.OK
    download(data_root(data_dir), wanted, progress=_tell())
    click.echo(f"{', '.join(wanted)}: in {data_root(data_dir)}")
    return Exit.OK


def _tell() -> Callable[[Progress], None]:
    """Return what prints a line at every tenth of a file, and at every fault."""
    shown: dict[str, int] = {}

    def tell(progress: Progress) -> None:
        if progress.note:
            click.echo(f"  {progress.file}: {progress.note}")
        tenth = 10 * progress.done // progress.total if progress.total else 0
        if shown.get(progress.file) != tenth:
            shown[progress.file] = tenth
            click.echo(f"  {progress.file}: {progress.done / 1e6:.1f} of {progress.total / 1e6:.1f} MB")

    return tell


@data.command()
@click.argument("names", nargs=-1)
@data_option
def check(names: tuple[str, ...], data_dir: Path | None) -> int:
    """Verify the checksums of the data sets named, or of all that are there."""
    from lnbench.data.root import check as checked
    from lnbench.data.root import data_root

    worst = Exit.OK
    for entry in checked(data_root(data_dir), _names(names)):
        click.echo(entry.describe())
        if entry.state == "damaged" or (names and entry.state != "present"):
            worst = Exit.RUN_FAILED
    return worst
