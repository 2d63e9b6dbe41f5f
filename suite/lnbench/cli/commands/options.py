"""Options that several verbs share."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lnbench.cli.commands.known import complete_claim
from lnbench.tiers import TIERS

if TYPE_CHECKING:
    from lnbench.store import Store

Function = TypeVar("Function", bound=Callable[..., Any])


def store_option(function: Function) -> Function:
    """Add --store."""
    return click.option(
        "--store",
        "store_path",
        type=click.Path(path_type=Path, file_okay=True),
        help="Folder of finished runs. [default: LNBENCH_STORE, else .lnbench]",
    )(function)


def data_option(function: Function) -> Function:
    """Add --data-dir."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        help="torchvision data root. [default: LNBENCH_DATA, else ~/.cache/lnbench/data]",
    )(function)


def tier_option(function: Function) -> Function:
    """Add --tier without a default: each verb says what it takes where none is given."""
    return click.option("--tier", type=click.Choice(TIERS), help="Scale of the runs; smoke tests the software only.")(
        function
    )


def tier_from(default: str) -> Callable[[Function], Function]:
    """Add --tier with a default."""
    return click.option(
        "--tier", default=default, show_default=True, type=click.Choice(TIERS), help="Scale of the runs."
    )


def seeds_option(function: Function) -> Function:
    """Add --seeds."""
    return click.option("--seeds", type=click.IntRange(1, 1000), help="Number of seeds, in place of the study's own.")(
        function
    )


class Finite(click.FloatRange):
    """A range of numbers, of which `nan` is none: it is neither below nor above an edge."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return found


def workers_option(function: Function) -> Function:
    """Add --workers."""
    return click.option(
        "--workers",
        type=click.IntRange(0, 256),
        help="Number of processes; 0 trains in this one. [default: LNBENCH_WORKERS, else one per core; one on a GPU]",
    )(function)


def claims_option(function: Function) -> Function:
    """Add --claim."""
    return click.option(
        "--claim",
        "claims",
        multiple=True,
        metavar="ID",
        shell_complete=complete_claim,
        help="Only what this claim needs (repeatable).",
    )(function)


def where_option(function: Function) -> Function:
    """Add --where."""
    return click.option(
        "--where",
        multiple=True,
        metavar="AXIS=VALUE",
        help="Only runs at this value, such as model=mlp1. A method of the catalog that the study does not have, as in "
        "method=elr or 'method={kind: smoothing, amount: 0.2}', is one more row of it.",
    )(function)


def open_store(path: Path | None, *, there: bool = False) -> Store:
    """Return the store at `--store`, else at its default place; it tells on stderr what it sets aside.

    Raises StoreError where it is no folder or, with `there`, where nothing is there.
    """
    from lnbench.store import Store, checked_place, default_path

    return Store(
        checked_place(path or default_path(), there=there), warn=lambda line: click.echo(f"warning: {line}", err=True)
    )
