"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

TIERS = ("smoke", "cpu", "lite", "full")  # spec.TIERS, written again so that `--help` need not import it


def store_option(function: Any) -> Any:
    return click.option(
        "--store",
        "store_path",
        type=click.Path(path_type=Path, file_okay=True),
        help="Folder of finished runs. [default: LNBENCH_STORE, else .lnbench]",
    )(function)


def data_option(function: Any) -> Any:
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        help="torchvision data root. [default: LNBENCH_DATA, else ~/.cache/lnbench/data]",
    )(function)


def tier_option(function: Any) -> Any:
    return click.option("--tier", type=click.Choice(TIERS), help="At which scale.")(function)


def seeds_option(function: Any) -> Any:
    return click.option(
        "--seeds", type=click.IntRange(1, 1000), help="Seeds of each run, in place of the study's own number."
    )(function)


def open_store(path: Path | None) -> Any:
    """The store at `--store`, else at its default place; what it sets aside is said on stderr."""
    from lnbench.store import Store, default_path

    return Store(path or default_path(), warn=lambda line: click.echo(f"warning: {line}", err=True))
