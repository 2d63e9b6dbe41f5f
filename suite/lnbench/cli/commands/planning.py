"""`lnbench plan` and `lnbench power`: what a verification would do and cost, and what it could decide."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lnbench.cli.commands.known import complete_study, find_all, find_claim
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
from lnbench.cli.commands.outcome import demand_file_place, write_json
from lnbench.errors import Exit, LnbenchError
from lnbench.tiers import TIERS

if TYPE_CHECKING:
    from lnbench.judge import StudyResult
    from lnbench.judge.power import Power
    from lnbench.plan import Derived, Plan, Run
    from lnbench.plan.rates import Prices
    from lnbench.spec import Study
    from lnbench.store import Store

DEVICES = ("h200", "h100", "a100", "cpu")  # plan.devices.DEVICES, written again so that a shell completes fast
PLAN_SCHEMA = "lnbench-plan/1"
BACKENDS = ("auto", "loop", "stacked", "recorded")  # and execute.groups.BACKENDS


@click.command()
@click.argument("names", nargs=-1, metavar="[STUDY|CLAIM]...", shell_complete=complete_study)
@claims_option
@where_option
@click.option("--tier", type=click.Choice(TIERS), help="Scale of the runs. [default: smoke; with --minutes all others]")
@seeds_option
@click.option(
    "--device",
    help=f"What the time is estimated for: {', '.join(DEVICES)}, cpu:N for N cores, or cuda for this machine's GPU. "
    "[default: cpu; with --minutes this machine]",
)
@click.option(
    "--minutes",
    type=Finite(0, 1e6, min_open=True),
    metavar="N",
    help="Show what to verify in N minutes for the most verdicts, of these studies or of all, in which order.",
)
@workers_option
@click.option("--backend", type=click.Choice(BACKENDS), default="auto", help="With --minutes: as `verify` has it.")
@click.option("--all-data", is_flag=True, help="With --minutes: as if data, label files and packages were all here.")
@click.option(
    "--json",
    "output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write the plan to FILE as JSON, `-` for standard output alone.",
)
@store_option
@data_option
def plan(
    names: tuple[str, ...],
    claims: tuple[str, ...],
    where: tuple[str, ...],
    tier: str | None,
    seeds: int | None,
    device: str | None,
    minutes: float | None,
    workers: int | None,
    backend: str,
    all_data: bool,
    output: Path | None,
    store_path: Path | None,
    data_dir: Path | None,
) -> int:
    """Show the runs that a study needs, which of them the store has, and what the rest costs.

    With --minutes: of all studies and tiers, those that give the most verdicts in that time, in order
    (docs/first_gpu.md).
    """
    if minutes is not None:
        from lnbench.cli.commands.budgeting import Question, show

        if where or seeds is not None:
            raise LnbenchError("--minutes: a plan for a time is of whole claims; leave --where and --seeds out")
        question = Question(names, claims, tier, device, minutes, workers, backend, all_data, data_dir)
        return show(question, open_store(store_path), output)
    alone = {"--workers": workers, "--all-data": all_data or None}
    if stray := next((name for name, value in alone.items() if value is not None), None):
        raise LnbenchError(f"{stray}: is of a plan for a time; give --minutes with it")
    if len(names) != 1:
        raise LnbenchError("plan: name one STUDY or CLAIM, or give --minutes N for a plan of all studies")
    demand_file_place(output)
    place, told = open_store(store_path), tier or "smoke"
    return _plan_of(names[0], claims, where, told, seeds, device or "cpu", place, output, data_dir)


def _plan_of(
    study: str,
    claims: tuple[str, ...],
    where: tuple[str, ...],
    tier: str,
    seeds: int | None,
    device: str,
    store: Store,
    output: Path | None,
    data_dir: Path | None,
) -> int:
    """Show the plan of one study, or write it as JSON."""
    from rich.console import Console
    from rich.table import Table

    from lnbench.budget import prices_here
    from lnbench.cli.commands.progress import duration
    from lnbench.needs import missing_data
    from lnbench.pipeline import study_at
    from lnbench.plan import (
        check_claims,
        check_plans,
        describe_cost,
        missing_packages,
        plan_study,
        selection,
    )  # fmt: skip
    from lnbench.spec import asked_rows

    prices = prices_here(store, device)
    (path,), claims = find_all([study], claims)
    at = asked_rows(study_at(path, tier), where)
    check_claims([at], claims)
    check_plans([at])
    made = plan_study(at, seeds).part(selection(at, claims, where))
    outcomes = {}
    for choice in made.choices:
        record = store.get(choice.id)
        if record is not None:
            outcomes[choice.id] = record["outcome"]
    table = Table(title=f"{at.key}: {describe_cost(made, device, prices)}", title_justify="left", box=None)
    for column in ("cell", "epochs", "examples per epoch", "seeds", "in store", "time per run"):
        table.add_column(column, justify="left" if column == "cell" else "right")
    rows: dict[str, list[tuple[Run, bool]]] = {}
    provisional = made.provisional_runs()
    for (job, run), guess in zip(made.resolve(outcomes), provisional, strict=True):
        name = ", ".join(f"{axis} {value}" for axis, value in job.point.items()) or "(one cell)"
        rows.setdefault(name, []).append((guess, run is not None and store.get(run.id) is not None))
    for name, members in rows.items():
        first = members[0][0]
        have = sum(there for _, there in members)
        seconds = duration(prices.of(first).seconds)
        table.add_row(name, str(first.epochs), f"{first.examples:,}", str(len(members)), str(have), seconds)
    if output is not None:
        content = _as_json(made, outcomes, device, prices, store)
        write_json(output, json.dumps(content, indent=1, ensure_ascii=False) + "\n", "the plan")
        if str(output) == "-":
            return Exit.OK
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table)
    for choice in made.choices:
        values = ", ".join(str(value) for value, _ in choice.candidates)
        point = ", ".join(f"{axis} {value}" for axis, value in choice.point.items())
        click.echo(f"chooses {choice.key} from {values} at {point}")
    for line in _inputs(made.inputs, store, prices):
        click.echo(line)
    for line in missing_packages(at):
        click.echo(f"warning: {line}", err=True)
    for state in missing_data(at, data_dir):
        click.echo(f"note: {state.lacks()}; training needs it, judging does not", err=True)
    for line in dict.fromkeys(f"{path} is not here" for path in at.label_files.values() if not Path(path).exists()):
        click.echo(f"note: the label file {line}; training needs it, judging does not", err=True)
    return Exit.OK


def _as_json(made: Plan, outcomes: Mapping[str, Any], device: str, prices: Prices, store: Store) -> dict[str, Any]:
    """Return a study's plan as data: all its training runs, those that others build on first (docs/results.md)."""
    from lnbench.plan import plan_seconds

    def row(run: Run, role: str, **more: Any) -> dict[str, Any]:
        priced = {"epochs": run.epochs, "examples": run.examples, "seconds": prices.of(run).seconds}
        return {"id": run.id, "role": role, **priced, "in_store": store.get(run.id) is not None, **more}

    runs = [row(run, "input") for run in made.input_runs]
    runs += [row(run, "choosing") for run in made.choosing_runs]
    for (job, run), guess in zip(made.resolve(outcomes), made.provisional_runs(), strict=True):
        # until its hyper-parameter is chosen a run has no id; its price is the first candidate's
        own = row(run or guess, "run", at=dict(job.point), seed=job.seed, awaits_choice=run is None)
        runs.append(own if run is not None else own | {"id": None, "in_store": False})
    return {
        "schema": PLAN_SCHEMA,
        "study": made.study.name,
        "tier": made.study.tier,
        "device": device,
        "seconds": plan_seconds(made, prices),
        "runs": runs,
    }


def _inputs(inputs: Sequence[Derived], store: Store, prices: Prices) -> Iterator[str]:
    """Yield a line for each input of a plan, in the order in which they are made: its runs, and what these build on."""
    from lnbench.cli.commands.progress import duration

    named: dict[str, list[Derived]] = {}
    for derived in inputs:
        named.setdefault(derived.name, []).append(derived)
    for name, members in named.items():
        runs = list({run.id: run for derived in members for run in derived.runs}.values())
        have = sum(store.get(run.id) is not None for run in runs)
        before = sorted({before for run in runs for before in run.inputs})
        on = f", each on {' and '.join(before)}" if before else ""
        seconds = duration(max(prices.of(run).seconds for run in runs))
        kind = members[0].kind or name
        epochs = " or ".join(str(count) for count in sorted({run.epochs for run in runs}))
        yield f"input {name} ({kind}): {len(runs)} runs of {epochs} epochs{on}; {have} in store; {seconds} per run"


@click.command()
@click.argument("name", metavar="CLAIM|STUDY", shell_complete=complete_study)
@tier_option
@seeds_option
@store_option
def power(name: str, tier: str | None, seeds: int | None, store_path: Path | None) -> int:
    """Show whether the planned seeds can decide a claim, how many are needed, and at what cost.

    What is known of an effect comes from the runs in the store, else from baselines/measured, else from the paper. A
    spread known from a few seeds is uncertain, so its 80 % upper limit is used: power asks for more seeds than a
    report, which takes the spread as measured.
    """
    from rich.console import Console
    from rich.table import Table

    from lnbench.budget import prices_here
    from lnbench.cli.commands.progress import duration
    from lnbench.judge import FromStore, gather, judge
    from lnbench.judge.power import powers
    from lnbench.pipeline import study_at
    from lnbench.plan import plan_study

    path, claim_id = find_claim(name)
    study = study_at(path, tier or "full")
    store = open_store(store_path)
    # not look by look: a pilot is every seed that is there
    result = judge(gather(plan_study(study, seeds), store.get, reads=FromStore(store)))
    table = Table(title=f"{study.key}: what the planned seeds can decide", title_justify="left", box=None)
    for column in ("claim, part", "effect", "required", "known so far", "chance", "seeds for 80 %", "judged now"):
        table.add_column(column, overflow="fold")
    for row in powers(result):
        if claim_id in (None, row.claim):
            table.add_row(*(cell.replace("[", r"\[") for cell in _power_row(row, result)))
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)
    if not result.evidence.records:
        _no_runs_yet(study, store, f" --store {store_path}" if store_path else "")
    click.echo(
        "Known so far: mean and standard deviation (sd) over the seeds. Chance and seeds are computed with the 80 % "
        "upper limit of the sd (“up to”), “judged now” with the sd as measured, as the report does."
    )
    one_seed = sum(prices_here(store, "cpu").of(run).seconds for run in plan_study(study, 1).provisional_runs())
    click.echo(f"One more seed of every cell, estimated time: {duration(one_seed)} on one core.")
    return Exit.OK


def _power_row(row: Power, result: StudyResult) -> list[str]:
    """Return the cells of one effect, its numbers in the unit of the report."""
    from lnbench.report.power import power_words

    claim = next(claim for claim in result.claims if claim.claim.id == row.claim)
    words = power_words(row, claim.parts[row.part], claim, result)
    chance = "?" if row.chance is None else f"{row.chance:.0%} with {row.planned}".replace("%", " %")
    needed = "?" if row.needed is None else "over 1,000" if row.needed == 0 else f"{row.needed:,}"
    mark = "" if row.decisive else " (extra)"
    return [f"{row.claim} {row.part}{mark}", row.label, words.required, words.known, chance, needed, words.now]


def _has_these_seeds(report: Path, study: Study) -> bool:
    """Return whether a report is of the set of seeds that its study asks for; not so for one that is damaged."""
    from lnbench.report import set_of_seeds

    try:
        return set_of_seeds(report) == study.spec.runs.seeds.fresh
    except LnbenchError:
        return False


def _no_runs_yet(study: Study, store: Store, option: str) -> None:
    """Say where runs of the study come from: a committed report, or training. `option`: --store, if it was given."""
    from lnbench.resources import root

    records = root() / "reports" / study.key / "records.jsonl"
    click.echo(f"The store {store.path} has no runs of {study.key}.")
    if records.is_file() and _has_these_seeds(records.parent, study):
        shown = records.relative_to(Path.cwd()) if records.is_relative_to(Path.cwd()) else records
        click.echo(f"Its committed report has some. To use them: lnbench store import {shown}{option}")
    else:
        click.echo(f"To train some: lnbench verify {study.name} --tier {study.tier} --seeds 3{option}")
