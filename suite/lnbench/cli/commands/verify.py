"""`lnbench verify`: the whole way through the house for one or more studies."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from lnbench.cli.commands.known import complete_study, find_all
from lnbench.cli.commands.options import (
    claims_option,
    data_option,
    open_store,
    seeds_option,
    store_option,
    tier_option,
    where_option,
    workers_option,
)
from lnbench.errors import Exit
from lnbench.tiers import PAPER_TIERS

if TYPE_CHECKING:
    from lnbench.cli.commands.progress import Display
    from lnbench.spec import LoadedStudy, Study
    from lnbench.store import Store

BACKENDS = ("auto", "loop", "stacked", "graph")  # execute.groups.BACKENDS, written again so that a shell completes fast


@click.command()
@click.argument("studies", nargs=-1, required=True, metavar="STUDY|CLAIM...", shell_complete=complete_study)
@claims_option
@where_option
@tier_option
@seeds_option
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@workers_option
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default="auto",
    show_default=True,
    help="How runs are computed. auto: on the CPU dense networks of equal shape together (stacked) where that is "
    "faster, all others one by one (loop); on a GPU all one by one. graph: one by one on a GPU, each step replayed "
    "from a recording; untested, as its records then say. The choice changes the last digits of a run, not what it is.",
)
@click.option("--try/--no-try", "tries", default=True, help="Train the alternatives that a contradiction must survive.")
@click.option("--try-all", is_flag=True, help="Train the alternatives that a reproduction must survive, too.")
@store_option
@data_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of reports. [default: STORE/reports]")
def verify(
    studies: tuple[str, ...],
    claims: tuple[str, ...],
    where: tuple[str, ...],
    tier: str | None,
    seeds: int | None,
    device: str,
    workers: int | None,
    backend: str,
    tries: bool,
    try_all: bool,
    store_path: Path | None,
    data_dir: Path | None,
    output: Path | None,
) -> int:
    """Train what the store lacks, judge the claims, and write a report.

    STUDY is a YAML file or the name of a known study, such as rolnick_mnist; CLAIM is the id of a claim, such as
    R001-01, and asks for that one only. You can stop it at any time; the same command resumes.
    """
    from lnbench.cli.commands.tables import exit_code, print_report, print_verdicts
    from lnbench.execute.groups import check_backend
    from lnbench.execute.local import lasting_crew
    from lnbench.machine import resolve_device
    from lnbench.pipeline import Training, demand_data, verify_study
    from lnbench.plan import check_claims, describe_cost, plan_study, selection
    from lnbench.report import write_report
    from lnbench.spec import asked_rows, load_studies

    signal.signal(signal.SIGTERM, _as_interrupt)
    paths, claims = find_all(studies, claims)
    loaded = load_studies(paths)
    place = resolve_device(device)
    check_backend(backend, place)
    store = open_store(store_path)
    chosen = [at for study in loaded if (at := _at_tier(study, tier, place, data_dir)) is not None]
    if not chosen:
        return Exit.NOTHING_SELECTED
    for study in chosen:
        demand_data(study, store, data_dir, seeds)
    chosen = [asked_rows(study, where) for study in chosen]
    check_claims(chosen, claims)
    for study in chosen:
        selection(study, claims, where)
    training = Training(
        device=place,
        data_dir=data_dir,
        workers=workers,
        backend=backend,
        alternatives=tries or try_all,
        all_alternatives=try_all,
        watching=_watching(store),
        say=click.echo,
    )
    results = []
    with lasting_crew(place, data_dir, workers) as crew:
        training = replace(training, crew=crew)
        for study in chosen:
            asked_for = plan_study(study, seeds).part(selection(study, claims, where))
            click.echo(f"{study.key}: {study.spec.title}; {describe_cost(asked_for, place)}")
            result = verify_study(study, store, training, seeds=seeds, claims=claims, where=where)
            folder = (output or store.path / "reports") / study.key
            write_report(result, folder)
            print_verdicts(result)
            for message in dict.fromkeys(result.evidence.failures.values()):
                click.echo(f"a run failed: {message}", err=True)
            print_report(folder, study)
            results.append(result)
    return exit_code(results, claims)


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _at_tier(study: LoadedStudy, tier: str | None, device: str, data_dir: Path | None) -> Study | None:
    """Return the study at the tier asked for, else at lite where a GPU and the data are there, else at smoke."""
    from lnbench.pipeline import missing_data

    if tier is not None:
        if tier not in study.tiers:
            have = ", ".join(study.tiers)
            click.echo(f"{study.name}: has no tier {tier} (it has {have}); skipped", err=True)
        return study.tiers.get(tier)
    on_gpu = device.startswith("cuda") and "lite" in study.tiers
    missing = [state.name for state in missing_data(study.tiers["lite"], data_dir)] if on_gpu else []
    if on_gpu and not missing:
        click.echo(f"{study.name}: tier lite, as there is a GPU and the data; --tier full is the study's full scale")
        return study.tiers["lite"]
    if not device.startswith("cuda"):
        why = "as there is no GPU"
    else:
        why = f"as {', '.join(missing)} is not here" if missing else "as the study has no tier lite"
    real = [name for name in PAPER_TIERS if name in study.tiers]
    click.echo(f"{study.name}: tier smoke, {why}: it tests this installation and says nothing about a paper")
    if real:
        needs = sorted({name for cell in study.tiers[real[0]].cells for name in cell.recipe.datasets})
        after = f" (after `lnbench data fetch {needs[0]}`)" if needs else ""
        click.echo(f"  for a verdict on the claims: --tier {' or '.join(real)}{after}")
    return study.tiers.get("smoke")


def _watching(store: Store) -> Callable[[], AbstractContextManager[Display]]:
    """Return what opens the display of one training, and says on Ctrl-C that nothing is lost."""
    from lnbench.cli.commands.progress import display

    @contextlib.contextmanager
    def watching() -> Iterator[Display]:
        try:
            with display() as watcher:
                yield watcher
        except KeyboardInterrupt:
            click.echo(
                f"\ninterrupted: finished runs are kept in {store.path}, running ones left a checkpoint; "
                "give the same command to go on",
                err=True,
            )
            raise click.exceptions.Abort from None

    return watching
