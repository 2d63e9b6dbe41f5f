"""`lnbench data status|fetch|check`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lnbench.cli.commands.known import complete_dataset
from lnbench.cli.commands.options import data_option
from lnbench.errors import Exit, NoSuchData

if TYPE_CHECKING:
    from lnbench.data.label_sets import LabelStatus
    from lnbench.data.root import Status
    from lnbench.data.transfer import Progress


@click.group()
def data() -> None:
    """Show which data sets are there, fetch them, and check them whole."""


@data.command()
@data_option
def status(data_dir: Path | None) -> int:
    """Show which data sets are there, and which labels that people gave."""
    from lnbench.data.label_sets import label_status
    from lnbench.data.root import data_root
    from lnbench.data.root import status as states
    from lnbench.data.sources import find

    click.echo(f"data root: {data_root(data_dir)}")
    for entry in states(data_root(data_dir)):
        fault = f"; {entry.fault}" if entry.fault else ""
        click.echo(f"  {entry.state:<10} {find(entry.name).describe()}{fault}")
    for labels in label_status(data_root(data_dir)):
        fault = f"; {labels.fault}" if labels.fault else ""
        click.echo(f"  {labels.state:<10} {labels.about.describe()}{fault}")
    return Exit.OK


def _names(names: tuple[str, ...]) -> list[str]:
    from lnbench.data.sources import FolderSource, known
    from lnbench.errors import did_you_mean

    sources = known()
    named = [name for name, source in sources.items() if isinstance(source, FolderSource) and not source.folder]
    downloadable = [name for name, source in sources.items() if not source.embedded and name not in named]
    for name in names:
        if name not in sources:
            raise NoSuchData(f"there is no data set '{name}'; {did_you_mean(name, sources)}")
        if name in named:
            raise NoSuchData(f"{name} is a folder of your own that a study names; `lnbench verify` checks it")
    return [name for name in names if name in downloadable] if names else downloadable


@data.command()
@click.argument("names", nargs=-1, required=True, shell_complete=complete_dataset)
@data_option
def fetch(names: tuple[str, ...], data_dir: Path | None) -> int:
    """Download data sets (from torchvision's mirrors), check them, and unpack them."""
    from lnbench.data.fetch import fetch as download
    from lnbench.data.label_sets import LABEL_SETS, label_status
    from lnbench.data.root import data_root

    labels = {about.name: dataset for dataset, about in LABEL_SETS.items() if about.name in names}
    for state in label_status(data_root(data_dir), labels.values()):
        state.demand()  # their authors' files are not downloaded: the error says where they are available
    names = tuple(name for name in names if name not in labels)
    wanted = _names(names) if names else []
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
@click.argument("names", nargs=-1, shell_complete=complete_dataset)
@data_option
def check(names: tuple[str, ...], data_dir: Path | None) -> int:
    """Verify the checksums of the data sets and label sets named, or of all that are there.

    Exit code 6 where one is damaged or incomplete, one that was named is missing, or none is there at all.
    """
    from lnbench.data.label_sets import LABEL_SETS, label_status
    from lnbench.data.root import check as checked
    from lnbench.data.root import data_root

    root = data_root(data_dir)
    labels = [dataset for dataset, about in LABEL_SETS.items() if not names or about.name in names]
    others = tuple(name for name in names if name not in {LABEL_SETS[dataset].name for dataset in labels})
    wanted = _names(others) if others or not names else []
    embedded = [name for name in others if name not in wanted]
    found: list[Status | LabelStatus] = [*(checked(root, [*embedded, *wanted]) if embedded or wanted else [])]
    states = set()
    for entry in [*found, *label_status(root, labels, verify=True)]:
        click.echo(entry.describe())
        states.add(entry.state)
    if "present" not in states and not names:
        click.echo(f"nothing is there to check in {root}; `lnbench data fetch NAME` gets a data set", err=True)
        return Exit.UNUSABLE
    wrong = states - {"present"} if names else states & {"damaged", "incomplete"}
    return Exit.UNUSABLE if wrong else Exit.OK
