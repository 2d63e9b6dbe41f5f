"""`lnbench verify`: the whole way through the house for one or more studies."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lnbench.cli.commands.ending import as_interrupt, stop_after, why
from lnbench.cli.commands.known import complete_study, find_all
from lnbench.cli.commands.options import (
    Finite,
    claims_option,
    data_option,
    open_store,
    seeds_option,
    store_option,
    tier_option,
    where_option,
    workers_option,
)
from lnbench.cli.commands.outcome import conclude, demand_file_place, fail_on_option, json_option, refuse_json_and
from lnbench.cli.commands.reports import Reports
from lnbench.errors import Exit, LnbenchError, StoreError
from lnbench.tiers import PAPER_TIERS

if TYPE_CHECKING:
    from lnbench.cli.commands.budgeting import Question
    from lnbench.cli.commands.progress import Display
    from lnbench.execute.crew import Crew
    from lnbench.judge import StudyResult
    from lnbench.pipeline import Training
    from lnbench.spec import LoadedStudy, Study
    from lnbench.store import Store

# execute.groups.BACKENDS, written again so that a shell completes fast
BACKENDS = ("auto", "loop", "stacked", "recorded")


@click.command()
@click.argument("studies", nargs=-1, metavar="STUDY|CLAIM...", shell_complete=complete_study)
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
    "faster, all others one by one (loop); on a GPU all one by one. recorded: on a GPU, steps of several networks side "
    "by side replayed from a recording; untested, as its records then say. The "
    "choice changes the last digits of a run, not what it is.",
)
@click.option("--try/--no-try", "tries", default=True, help="Train the alternatives that a contradiction must survive.")
@click.option("--try-all", is_flag=True, help="Train the alternatives that a reproduction must survive, too.")
@store_option
@data_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of reports. [default: STORE/reports]")
@click.option(
    "--until",
    type=Finite(0, 1e6, min_open=True),
    metavar="MINUTES",
    help="Stop after so long, as Ctrl-C does: finished runs are kept, running ones leave a checkpoint.",
)
@click.option(
    "--from-plan",
    is_flag=True,
    help="Verify what `lnbench plan --minutes` plans for the time of --until, of these studies or of all, in its order "
    "(docs/first_gpu.md).",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Train this share of the runs, such as 3/50, and judge nothing (docs/cluster.md).",
)
@click.option(
    "--crew",
    "crew_kind",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Who trains: processes of this machine, or a Ray cluster (docs/cluster.md).",
)
@click.option("--address", metavar="HOST:PORT", help="Of the Ray cluster. [default: the one on this machine]")
@json_option("the verdicts")
@fail_on_option
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
    until: float | None,
    from_plan: bool,
    shard: str | None,
    crew_kind: str,
    address: str | None,
    output_json: Path | None,
    fail_on: str,
) -> int:
    """Train what the store lacks, judge the claims, and write a report.

    STUDY is a YAML file or the name of a known study, such as rolnick_mnist; CLAIM is the id of a claim, such as
    R001-01, and asks for that one only. You can stop it at any time; the same command resumes.
    """
    as_interrupt()
    if until is not None:
        stop_after(until)
    if not studies and not from_plan:
        raise click.UsageError("Missing argument 'STUDY|CLAIM...'; or --from-plan --until MINUTES, for a plan of all")
    refuse_json_and("--shard", shard, output_json)
    if str(output_json) == "-":
        raise LnbenchError("--json -: what `verify` says while it trains stands there; name a file")
    # before the imports, which take seconds on a busy machine
    click.echo(f"reading {', '.join(studies) or 'all studies'}")
    demand_file_place(output_json)
    from lnbench.budget import prices_here
    from lnbench.cli.commands.progress import listing
    from lnbench.execute.crew import Shard
    from lnbench.execute.groups import check_backend
    from lnbench.machine import resolve_device
    from lnbench.needs import demand_data
    from lnbench.pipeline import Training, train_share, verify_study
    from lnbench.plan import check_claims, describe_cost, plan_study, selection
    from lnbench.spec import asked_rows, load_studies

    share = None if shard is None else Shard.parse(shard)
    far = _far_device(device, workers) if crew_kind == "ray" else None
    if far is None and address is not None:
        raise LnbenchError("--address: is of a Ray cluster; give --crew ray with it")
    if from_plan:
        stray = {"--shard": shard, "--crew ray": far, "--where": where, "--seeds": seeds}
        question = _question(studies, claims, tier, device, until, workers, backend, data_dir, stray)
        place, store = resolve_device(device), open_store(store_path)
        check_backend(backend, place)
        training = Training(place, data_dir, workers, backend, tries or try_all, try_all, _watching(store), click.echo)
        return _carry_out(question, store, training, output, output_json, fail_on)
    paths, claims = find_all(studies, claims)
    loaded = load_studies(paths)
    place = resolve_device(device) if far is None else far
    check_backend(backend, place)
    store = open_store(store_path)
    chosen = [at for study in loaded if (at := _at_tier(study, tier, place, data_dir)) is not None]
    if not chosen:
        return Exit.NOTHING_SELECTED
    for study in chosen:
        demand_data(study, store, data_dir, seeds, listing)
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
    results, failed, prices = [], False, prices_here(store, place)
    with _crew(far is not None, address, place, data_dir, workers) as crew, Reports() as reports:
        training = replace(training, crew=crew)
        for study in chosen:
            asked_for = plan_study(study, seeds).part(selection(study, claims, where))
            click.echo(f"{study.key}: {study.spec.title}; {describe_cost(asked_for, place, prices)}")
            if share is not None:
                done = train_share(study, store, training, share, seeds=seeds, claims=claims, where=where)
                for message in dict.fromkeys(done.failures.values()):
                    click.echo(f"a run failed: {message}", err=True)
                click.echo(
                    f"{study.key}: share {share.number} of {share.of}: {done.trained} trained, {done.reused} were "
                    f"there, {len(done.failures)} failed, {len(done.left)} are other shares'; nothing is judged"
                )
                failed = failed or bool(done.failures)
                continue
            result = verify_study(study, store, training, seeds=seeds, claims=claims, where=where)
            reports.begin(result, (output or store.path / "reports") / study.key)
            results.append(result)
    if share is not None:
        return Exit.RUN_FAILED if failed else Exit.OK
    return conclude(results, claims, output_json, fail_on)


def _question(
    studies: tuple[str, ...],
    claims: tuple[str, ...],
    tier: str | None,
    device: str,
    until: float | None,
    workers: int | None,
    backend: str,
    data_dir: Path | None,
    stray: Mapping[str, object],
) -> Question:
    """Return what --from-plan asks the plan for. Raises LnbenchError where no time is given, or for what a plan cannot
    take into account."""
    from lnbench.cli.commands.budgeting import Question

    if until is None:
        raise LnbenchError("--from-plan: say for how long, with --until MINUTES")
    for option, value in stray.items():
        if value:
            raise LnbenchError(f"--from-plan: plans whole claims for this machine; leave {option} out")
    return Question(studies, claims, tier, device, until, workers, backend, data_dir=data_dir)


def _carry_out(
    question: Question,
    store: Store,
    training: Training,
    output: Path | None,
    output_json: Path | None,
    fail_on: str,
) -> int:
    """Verify what the plan for a time says, study after study, and say how the records travel."""
    from lnbench.cli.commands.budgeting import carried_out
    from lnbench.execute.local import lasting_crew
    from lnbench.pipeline import study_at, verify_study
    from lnbench.plan.devices import device_named

    results: dict[str, StudyResult] = {}  # by study and tier: a later one of these has all the claims of the earlier
    asked: list[str] = []
    failed = False
    try:
        with lasting_crew(training.device, training.data_dir, training.workers) as crew, Reports() as reports:
            training = replace(training, crew=crew)
            for about, claims in carried_out(question, store, device_named(training.device), click.echo):
                click.echo(f"{about.key}: {', '.join(claims)}")
                try:
                    study = study_at(about.path, about.tier)
                    results[about.key] = verify_study(study, store, training, claims=claims)
                except StoreError:
                    raise
                except LnbenchError as error:  # of one study: nobody may be there to start the others
                    click.echo(f"{about.key}: {error}", err=True)
                    failed = True
                    continue
                reports.begin(results[about.key], (output or store.path / "reports") / about.key)
                asked += claims
    except KeyboardInterrupt:  # while it plans or judges; `_watching` hears it while it trains
        click.echo(f"{why()}: finished runs are kept in {store.path}; give the same command to go on", err=True)
        raise click.exceptions.Abort from None
    finally:
        if results:
            click.echo(f"to take the records along: lnbench store export records.jsonl.gz --store {store.path}")
            click.echo("and where they are to be: lnbench store import records.jsonl.gz (docs/first_gpu.md)")
    code = conclude(list(results.values()), tuple(asked), output_json, fail_on)
    return Exit.RUN_FAILED if failed else code


def _far_device(device: str, workers: int | None) -> str:
    """Return what the actors of a Ray cluster train on, "cpu" or "cuda". Raises LnbenchError for what is of one machine
    only."""
    if device not in ("auto", "cpu", "cuda"):
        raise LnbenchError(f"--device {device}: with --crew ray the cluster picks the GPU; use cuda, or cpu")
    if workers == 0:
        raise LnbenchError("--workers 0: trains in this process, not on a cluster; leave it out, or give 1 or more")
    if importlib.util.find_spec("ray") is None:
        raise LnbenchError("--crew ray: Ray is not installed; pip install 'lnbench[ray]'")
    return "cuda" if device == "cuda" else "cpu"


@contextlib.contextmanager
def _crew(on_ray: bool, address: str | None, place: str, data_dir: Path | None, workers: int | None) -> Iterator[Crew]:
    """Yield who trains, for all studies."""
    from lnbench.execute.local import lasting_crew

    if not on_ray:
        with lasting_crew(place, data_dir, workers) as local:
            yield local
        return
    from lnbench.execute.ray_crew import RayCrew, connected

    with connected(address):
        crew = RayCrew(place, data_dir, workers)
        try:
            yield crew
        finally:
            crew.close()


def _at_tier(study: LoadedStudy, tier: str | None, device: str, data_dir: Path | None) -> Study | None:
    """Return the study at the tier asked for, else at lite where a GPU and the data are there, else at smoke."""
    from lnbench.needs import missing_data

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
                f"\n{why()}: finished runs are kept in {store.path}, running ones left a checkpoint; "
                "give the same command to go on",
                err=True,
            )
            raise click.exceptions.Abort from None

    return watching
