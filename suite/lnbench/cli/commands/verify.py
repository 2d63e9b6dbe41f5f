"""`lnbench verify`: the whole way through the house for one or more studies."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from lnbench.cli.commands.options import data_option, open_store, seeds_option, store_option, tier_option
from lnbench.cli.commands.progress import display
from lnbench.cli.commands.tables import exit_code, print_verdicts
from lnbench.errors import Exit, LnbenchError
from lnbench.execute.groups import BACKENDS, check_backend
from lnbench.execute.local import execute
from lnbench.execute.work import Execution
from lnbench.judge import Evidence, StudyResult
from lnbench.spec import LoadedStudy, Scalar, Study


@click.command()
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...")
@click.option("--claim", "claims", multiple=True, metavar="ID", help="Only what this claim needs (repeatable).")
@click.option("--where", multiple=True, metavar="AXIS=VALUE", help="Only runs at this value, such as model=mlp1.")
@tier_option
@seeds_option
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes. [default: one a core; one on a GPU]")
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default="auto",
    show_default=True,
    help="How runs are computed. auto: on the CPU dense networks of equal shape together (stacked) where that pays, "
    "the rest one by one (loop), as all on a GPU. graph: one by one on a GPU, each step replayed from a recording; "
    "untested, as its records then say. The choice changes the last digits of a run, not what it is.",
)
@click.option("--try/--no-try", "tries", default=True, help="Train the alternatives a contradiction must survive.")
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
    store_path: Path | None,
    data_dir: Path | None,
    output: Path | None,
) -> int:
    """Train what the store lacks, judge the claims, and write a report.

    STUDY is a YAML file or the name of a known study, such as rolnick_mnist.
    """
    from lnbench.machine import resolve_device
    from lnbench.plan import plan_study
    from lnbench.report import write_report
    from lnbench.resources import find_study
    from lnbench.spec import load_studies

    signal.signal(signal.SIGTERM, _as_interrupt)
    loaded = load_studies([find_study(name) for name in studies])
    place = resolve_device(device)
    check_backend(backend, place)
    chosen = [at for study in loaded if (at := _at_tier(study, tier, place, data_dir)) is not None]
    if not chosen:
        return Exit.NOTHING_SELECTED
    only = _selection(chosen, claims, where)
    store = open_store(store_path)
    results = []
    for study in chosen:
        _announce(study, plan_study(study, seeds), place, tier)
        run = _runner(store, place, data_dir, workers, backend)
        result, failures = _run_and_judge(study, seeds, store, run, only[study.key], claims, where, tries)
        folder = (output or store.path / "reports") / study.key
        write_report(result, folder)
        print_verdicts(result)
        for message in dict.fromkeys(failures.values()):
            click.echo(f"a run failed: {message}", err=True)
        click.echo(f"report: {folder / 'report.md'}")
        results.append(result)
    return exit_code(results, claims)


def _run_and_judge(
    study: Study,
    seeds: int | None,
    store: Any,
    run: Callable[..., Execution],
    only: Callable[[Mapping[str, Scalar]], bool],
    claims: tuple[str, ...],
    where: tuple[str, ...],
    tries: bool,
) -> tuple[StudyResult, dict[str, str]]:
    """(result, run id -> message of what failed).

    With planned looks no seed is trained beyond the first look after which none of the claims asked for is open.
    """
    from lnbench.judge import FromStore, alternatives, gather, judge, look_sizes
    from lnbench.plan import plan_study
    from lnbench.spec import variant

    failures: dict[str, str] = {}
    reads = FromStore(store)
    sizes = look_sizes(study, seeds)
    for size in sizes:
        plan = plan_study(study, size)
        failures |= run([plan], only).failures
        result = judge(gather(plan, store.get, failures, reads))
        untried = [claim for claim in result.claims if "not-run" in claim.tried.values()]
        if untried and tries:
            names = tuple(claim.claim.id for claim in untried)
            click.echo(f"{', '.join(names)}: contradicted as run; trying what the paper leaves open")
            needed = _selection([study], names, where)[study.key]
            enough = max(claim.look.seeds if claim.look else size for claim in untried)
            tried: dict[str, Evidence] = {}
            for key in alternatives(study):
                other = plan_study(variant(study, key), enough)
                tried[key] = gather(other, store.get, run([other], needed).failures, reads)
            result = judge(result.evidence, tried)
        still = [claim.claim.id for claim in result.claims if claim.open and (not claims or claim.claim.id in claims)]
        if not still:
            break
        if size != sizes[-1]:
            click.echo(f"look at {size} seeds: {', '.join(still)} still open; more seeds")
    return result, failures


def _as_interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _at_tier(study: LoadedStudy, tier: str | None, device: str, data_dir: Path | None) -> Study | None:
    if tier is not None:
        if tier not in study.tiers:
            have = ", ".join(study.tiers)
            click.echo(f"{study.name}: has no tier {tier} (it has {have}); skipped", err=True)
            return None
        _needs_data(study.tiers[tier], data_dir)
        return study.tiers[tier]
    on_gpu = device.startswith("cuda") and "lite" in study.tiers
    missing = _missing_data(study.tiers["lite"], data_dir) if on_gpu else []
    if on_gpu and not missing:
        click.echo(f"{study.name}: tier lite, as there is a GPU and the data; --tier full is the paper's scale")
        return study.tiers["lite"]
    if not device.startswith("cuda"):
        why = "as there is no GPU"
    else:
        why = f"as {', '.join(missing)} is not here" if missing else "as the study has no tier lite"
    real = [name for name in ("cpu", "lite", "full") if name in study.tiers]
    click.echo(f"{study.name}: tier smoke, {why}: it tests this installation and says nothing about the paper")
    if real:
        needs = sorted({name for cell in study.tiers[real[0]].cells for name in cell.recipe.datasets})
        after = f" (after `lnbench data fetch {needs[0]}`)" if needs else ""
        click.echo(f"  for a verdict on the paper: --tier {' or '.join(real)}{after}")
    return study.tiers.get("smoke")


def _data_states(study: Study, data_dir: Path | None) -> list[Any]:
    from lnbench.data.root import data_root, status

    names = sorted({name for cell in study.cells for name in cell.recipe.datasets})
    return status(data_root(data_dir), names) if names else []


def _missing_data(study: Study, data_dir: Path | None) -> list[str]:
    return [state.name for state in _data_states(study, data_dir) if not state.usable]


def _needs_data(study: Study, data_dir: Path | None) -> None:
    """Raises DataError that names the command which fetches what is missing: nothing is downloaded unasked."""
    for state in _data_states(study, data_dir):
        state.demand()


def _announce(study: Study, plan: Any, device: str, asked: str | None) -> None:
    from lnbench.plan import describe_cost

    click.echo(f"{study.key}: {study.spec.title}; {describe_cost(plan, device)}")


def _runner(
    store: Any, device: str, data_dir: Path | None, workers: int | None, backend: str
) -> Callable[..., Execution]:
    def run(plans: list[Any], only: Callable[[Mapping[str, Scalar]], bool]) -> Execution:
        try:
            with display() as watcher:
                return execute(
                    plans, store, watcher,
                    device=device, data_root=data_dir, workers=workers, backend=backend, only=only,
                )  # fmt: skip
        except KeyboardInterrupt:
            click.echo(
                f"\ninterrupted: finished runs are kept in {store.path}, running ones left a checkpoint; "
                "give the same command to go on",
                err=True,
            )
            raise click.exceptions.Abort from None

    return run


def _selection(
    studies: list[Study], claims: tuple[str, ...], where: tuple[str, ...]
) -> dict[str, Callable[[Mapping[str, Scalar]], bool]]:
    """For each study, which points of its grid are asked for by --claim and --where."""
    from lnbench.plan import filters
    from lnbench.spec import needed_points, point_key

    known = {claim.id for study in studies for claim in study.spec.claims}
    for claim in claims:
        if claim not in known:
            from lnbench.errors import did_you_mean

            raise LnbenchError(f"--claim {claim}: no such claim here; {did_you_mean(claim, known)}")
    selected: dict[str, Callable[[Mapping[str, Scalar]], bool]] = {}
    for study in studies:
        wanted = filters(study, where)
        points = needed_points(study, set(claims)) if claims else None

        def only(point: Mapping[str, Scalar], wanted: Any = wanted, points: Any = points) -> bool:
            fits = all(point.get(axis) in values for axis, values in wanted.items())
            return fits and (points is None or point_key(point) in points)

        selected[study.key] = only
    return selected
