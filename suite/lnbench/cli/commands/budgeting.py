"""`lnbench plan --minutes` and `verify --from-plan`: what to verify when time is short, shown, and carried out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lnbench.cli.commands.known import find_all
from lnbench.errors import Exit, LnbenchError
from lnbench.tiers import PAPER_TIERS

if TYPE_CHECKING:
    from lnbench.budget import About, Budget, Left, Row
    from lnbench.plan.devices import Device
    from lnbench.store import Store

MOST_SHOWN = 5  # of what the time is too short for; --json has all
UNPRICED = (
    "Not priced: the alternatives that a contradiction must survive, which `verify` trains then. A study with planned "
    "looks is priced with all its seeds."
)


@dataclass(frozen=True)
class Question:
    """What a plan for a time is asked for. `names`: of studies or claims; none for all that are known."""

    names: tuple[str, ...]
    claims: tuple[str, ...]
    tier: str | None
    device: str | None
    minutes: float
    workers: int | None = None
    backend: str = "auto"
    all_data: bool = False
    data_dir: Path | None = None

    def studies(self) -> tuple[list[Path], tuple[str, ...]]:
        """Return the files of the studies and the claims that are asked for; no claims for all. Raises LnbenchError."""
        from lnbench.resources import study_paths

        if self.tier == "smoke":
            raise LnbenchError("--tier smoke: says nothing about a paper, so it gives no verdicts to plan for")
        return find_all(self.names, self.claims) if self.names else (study_paths(), self.claims)

    @property
    def options(self) -> str:
        """Return what the commands of the plan must have to be what was planned."""
        workers = "" if self.workers is None else f"--workers {self.workers}"
        backend = "" if self.backend == "auto" else f"--backend {self.backend}"
        return " ".join(filter(None, [workers, backend]))

    def answer(
        self,
        studies: list[Path],
        claims: tuple[str, ...],
        store: Store,
        device: Device,
        minutes: float,
        without: set[tuple[str, str]] | None = None,
    ) -> Budget:
        """Return the plan for so many minutes."""
        from lnbench.budget import Machine, budget_of

        return budget_of(
            studies,
            store,
            device,
            60 * minutes,
            tiers=PAPER_TIERS if self.tier is None else (self.tier,),
            claims=claims,
            without=without or set(),
            machine=Machine(self.data_dir, self.all_data),
            backend=self.backend,
            workers=1 if self.workers == 0 else self.workers,
            options=self.options,
        )


def show(question: Question, store: Store, output: Path | None) -> int:
    """Print a plan, or write it as JSON."""
    from lnbench.plan.devices import device_named, this_machine
    from lnbench.store import write_atomically
    from lnbench.store.exports import demand_place

    if output is not None and str(output) != "-":
        demand_place(output)
    device = device_named(question.device or this_machine())
    studies, claims = question.studies()
    budget = question.answer(studies, claims, store, device, question.minutes)
    if output is None:
        _print(budget, question)
    else:
        text = json.dumps(as_json(budget, question), indent=1, ensure_ascii=False, allow_nan=False)
        if str(output) == "-":
            click.echo(text)
        else:
            write_atomically(output, f"{text}\n".encode())
            click.echo(f"the plan -> {output}")
    return Exit.OK if budget.rows else Exit.NOTHING_SELECTED


def carried_out(
    question: Question, store: Store, device: Device, say: Callable[[str], None]
) -> Iterator[tuple[About, tuple[str, ...]]]:
    """Yield each study at its tier with the claims to verify, as the plan for the time has them. When all of it is
    done and time is left, plan again: by then prices rest on what was measured."""
    began, tried = time.monotonic(), set[tuple[str, str]]()
    studies, claims = question.studies()
    while True:
        left = question.minutes - (time.monotonic() - began) / 60
        budget = question.answer(studies, claims, store, device, left, tried) if left > 0 else None
        if budget is None or not budget.rows:
            if not tried and budget is not None:
                _print(budget, question)
            return
        _print(budget, question)
        for file, ids in budget.imports.items():
            new, _, refused = store.import_(file, ids)
            say(f"imported {new} records from {file}")
            for line in refused:
                say(f"warning: {line}")
        for row in budget.rows:
            tried |= {(row.study.key, claim) for claim in row.claims}
            yield row.study, row.claims


def whole_command(question: Question) -> str:
    """Return the one command that does all of a plan, on the machine that it is for."""
    claims = [f"--claim {claim}" for claim in question.claims]
    tier = [f"--tier {question.tier}"] if question.tier else []
    data = [f"--data-dir {question.data_dir}"] if question.data_dir else []
    words = ["lnbench verify", *question.names, "--from-plan", f"--until {question.minutes:g}", *tier, *claims, *data]
    return " ".join([*words, *filter(None, [question.options])])


def as_json(budget: Budget, question: Question) -> dict[str, Any]:
    """Return a plan as plain data; times in minutes."""
    device = budget.device
    return {
        "schema": 1,
        "device": {
            "name": device.name,
            "words": device.words,
            "cores": device.cores,
            "fp32_flop_per_second": device.fp32,
            "fast_flop_per_second": device.fast,
            "bytes_per_second": device.bandwidth,
            "memory_bytes": device.memory,
            "source": device.source,
        },
        "minutes": question.minutes,
        "prices": {"basis": budget.basis, "records": budget.rated, "of_others": budget.carried},
        "start_minutes": round(budget.start / 60, 3),
        "command": whole_command(question),
        "verdicts": budget.verdicts,
        "judged_already": budget.judged,
        "imports": [{"file": str(file), "records": len(ids)} for file, ids in budget.imports.items()],
        "rows": [
            {
                "rank": rank,
                "command": row.command,
                "study": row.study.name,
                "tier": row.study.tier,
                "claims": list(row.claims),
                "runs": row.runs,
                "minutes": round(row.seconds / 60, 3),
                "cumulated_minutes": round(row.until / 60, 3),
                "needs": row.needs,
                "prices": row.basis,
            }
            for rank, row in enumerate(budget.rows, start=1)
        ],
        "ready": [_left_json(left) for left in budget.ready],
        "left_out": [_left_json(left) for left in budget.left],
    }


def _left_json(left: Left) -> dict[str, Any]:
    minutes = {} if left.seconds is None else {"minutes": round(left.seconds / 60, 3)}
    return {"study": left.study, "claims": list(left.claims), "why": left.why, **minutes}


# for a reader


def _print(budget: Budget, question: Question) -> None:
    from rich.console import Console
    from rich.table import Table

    cores = f", {budget.device.cores} cores" if budget.device.kind == "cpu" else ""
    verdicts = f"{budget.verdicts} verdict{'s' if budget.verdicts != 1 else ''}"
    click.echo(f"{verdicts} in {_minutes(budget.seconds)} on {budget.device.words}{cores}; {_basis(budget)}")
    if budget.rows:
        table = Table(box=None)
        for column in ("#", "command", "verdicts", "min", "so far", "needs"):
            table.add_column(column, justify="right" if column in ("#", "min", "so far") else "left", overflow="fold")
        for rank, row in enumerate(budget.rows, start=1):
            table.add_row(str(rank), *_cells(row, mixed=budget.basis not in {row.basis}))
        console = Console()
        (console if console.is_terminal else Console(width=200)).print(table, highlight=False)
        click.echo(f"“so far” begins with {budget.start:.0f} s until the first run trains. {UNPRICED}")
    for file, ids in budget.imports.items():
        count = f"{len(ids)} run{'s' if len(ids) != 1 else ''}"
        click.echo(f"counted as there: {count} of {_shown(file)}; before single commands: lnbench store import {file}")
    _print_left(budget)
    if budget.rows:
        click.echo(f"all of it, in this order, in one command: {whole_command(question)}")


def _cells(row: Row, mixed: bool) -> list[str]:
    minutes = f"{row.seconds / 60:.1f}" if row.runs else "–"
    needs = ", ".join(row.needs) + (f" ({row.basis})" if mixed else "")
    names = ", ".join(row.claims)
    return [row.command.replace("[", r"\["), names, minutes, f"{row.until / 60:.1f}", needs]


def _print_left(budget: Budget) -> None:
    """Say what is not in the plan, and why."""
    from lnbench.budget import TOO_SHORT

    click.echo(f"left out: {budget.judged} verdicts that are there already")
    for left in budget.ready:
        names = ", ".join(left.claims)
        click.echo(f"  {left.study}: {names}: every run is there; it only needs to be {left.why}: {_judge(left)}")
    reasons: dict[tuple[str, str], list[str]] = {}
    for left in budget.left:
        if left.why != TOO_SHORT:
            reasons.setdefault((left.study, left.why), []).extend(left.claims)
    for (study, why), claims in reasons.items():
        click.echo(f"  {study}: {', '.join(claims)}: {why}")
    late = [left for left in budget.left if left.why == TOO_SHORT]
    for left in late[:MOST_SHOWN]:
        click.echo(f"  {left.study}: {', '.join(left.claims)}: {left.why}: {_minutes(left.seconds or 0.0)} by itself")
    if late[MOST_SHOWN:]:
        most = _minutes(max(left.seconds or 0.0 for left in late))
        click.echo(f"  and {len(late) - MOST_SHOWN} more, up to {most} (--json has all)")


def _judge(left: Left) -> str:
    study, _, tier = left.study.rpartition("-")
    return f"lnbench verify {study} --tier {tier} {' '.join(f'--claim {claim}' for claim in left.claims)}"


def _basis(budget: Budget) -> str:
    if budget.carried:  # a GPU has none
        return f"prices: {budget.basis} ({budget.rated} records of this processor, {budget.carried} of others)"
    if not budget.rated:
        return f"prices: {budget.basis}, as there is no record of such a device"
    return f"prices: {budget.basis} ({budget.rated} records of such a device)"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _shown(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
