"""What a person sees while runs are trained: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import click

from lnbench.execute.groups import Task
from lnbench.execute.worker import Report
from lnbench.plan import Run

SECONDS_BETWEEN_LINES = 10.0
SECONDS_OF_A_RATE = 2.0  # fewer say little of the next minutes
WIDTH_OF_BAR = 60  # columns, at most
ROWS_KEPT = 4  # of a terminal, for the bar, what it says, and how many tasks there are besides


def duration(seconds: float) -> str:
    """Return `42 s`, `3 min 10 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@dataclass
class Row:
    """A task at work: what is left of its runs, and how far each of them is."""

    task: Task
    left: dict[str, Run] = field(default_factory=dict)
    report: Report | None = None

    @property
    def share(self) -> float:
        return self.report.done / self.report.total if self.report else 0.0


class Display:
    """A Watcher. Time left is guessed from the operations still to do and the rate at which they were done since the
    first of them was heard of: before that, processes start and data are loaded, at no rate at all."""

    def __init__(self, resumes: bool = True) -> None:
        self.resumes = resumes  # whether the same command goes on where this one was stopped
        self.total_flop = self.done_flop = 0.0
        self.runs = self.finished_runs = 0
        self.examples = 0.0
        self.running: dict[str, Row] = {}  # by the task's id
        self.last_line = 0.0
        self.told: set[str] = set()  # messages of runs
        self.first: tuple[float, float, float] | None = None  # when work was first heard of: time, share, examples
        self.heard: set[str] = set()  # tasks

    def planned(self, runs: list[Run], reused: int) -> None:
        self.runs = len(runs)
        self.total_flop = sum(run.flop for run in runs)
        kept = f"; {reused} already in the store" if reused else ""
        if runs:
            self.line(f"{self.runs} run{'s' if self.runs != 1 else ''} to train{kept}")
            if self.resumes:
                self.line("You can stop it at any time; the same command resumes.")
        else:
            self.line(f"nothing to train: all {reused} runs are in the store")

    def started(self, task: Task) -> None:
        for run in task.runs:
            self._gone(run)  # from a row of an earlier try, in another group
        self.running[task.id] = Row(task, {run.id: run for run in task.runs})

    def report(self, report: Report) -> None:
        if report.task_id in self.running:
            row = self.running[report.task_id]
            if report.task_id not in self.heard and self.first is not None:
                self._set_off(row, report)
            self.heard.add(report.task_id)
            row.report = report
        self._heard()
        self.show()

    def finished(self, run: Run, how: str, message: str) -> None:
        self._gone(run)
        self.finished_runs += 1
        self.done_flop += run.flop
        self.examples += run.examples * run.epochs
        if message:  # what is wrong with a file is wrong for every run that reads it: said once
            why = ", for the same reason" if message in self.told else f": {message}"
            self.line(f"{run.describe()}: {how}{why}")
            self.told.add(message)
        self._heard()
        self.show()

    def _heard(self) -> None:
        if self.first is None or self.share < self.first[1]:  # less is done than then: all begins again
            self.first = time.monotonic(), self.share, self.seen

    def _set_off(self, row: Row, report: Report) -> None:
        """Count what the checkpoint of a task had as done before: no time was spent on it here."""
        since, share, seen = self.first or (time.monotonic(), 0.0, 0.0)
        flop = report.before / report.total * sum(run.flop for run in row.left.values())
        self.first = since, share + flop / self.total_flop, seen + report.before * len(row.left)

    def _gone(self, run: Run) -> None:
        for task_id, row in list(self.running.items()):
            row.left.pop(run.id, None)
            if not row.left:
                del self.running[task_id]

    def note(self, line: str) -> None:
        self.line(f"note: {line}")

    def line(self, text: str) -> None:
        click.echo(text)

    def show(self) -> None:
        """Print a line every ten seconds."""
        now = time.monotonic()
        if now - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line = now
            self.line(self.summary())

    @property
    def share(self) -> float:
        """Return how much of the operations of all planned runs is done (0 to 1)."""
        partly = sum(row.share * sum(run.flop for run in row.left.values()) for row in self.running.values())
        return min(1.0, (self.done_flop + partly) / self.total_flop) if self.total_flop else 1.0

    @property
    def seen(self) -> float:
        """Return how many examples all runs have been trained on."""
        heard = ((row.report, len(row.left)) for row in self.running.values() if row.report)
        return self.examples + sum(report.done * runs for report, runs in heard)

    def summary(self) -> str:
        """Return `12/30 runs, epoch 2/3, 34,000 examples/s, about 4 min left`; no rate and no time left until there are
        seconds to take them from."""
        parts = [f"{self.finished_runs}/{self.runs} runs"]
        if reports := [row.report for row in self.running.values() if row.report]:
            parts.append(_epochs(reports))
        since, share, seen = self.first or (time.monotonic(), 0.0, 0.0)
        elapsed = time.monotonic() - since
        if elapsed >= SECONDS_OF_A_RATE and self.seen > seen:
            parts.append(f"{(self.seen - seen) / elapsed:,.0f} examples/s")
            if self.share < 1 and (gained := self.share - share) > 0:
                parts.append(f"about {duration(elapsed / gained * (1 - self.share))} left")
        return ", ".join(parts)


def _epochs(reports: list[Report]) -> str:
    """Return `epoch 2/3`, or the least and the greatest of several: all of them would leave no room for the rest."""
    first, *_, last = sorted(reports, key=lambda one: one.epoch / one.epochs) * 2
    least, most = (f"{one.epoch + 1}/{one.epochs}" for one in (first, last))
    return f"epoch {least}" if least == most else f"epochs {least} to {most}"


class BarDisplay(Display):
    """The same on a terminal, as one bar and a line for each run, or group of runs, at work."""

    def __init__(self, live: Any, resumes: bool = True):
        super().__init__(resumes)
        self.live = live

    def line(self, text: str) -> None:
        self.live.console.print(text, highlight=False, markup=False)

    def show(self) -> None:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        width = min(WIDTH_OF_BAR, self.live.console.width)
        bar = Table.grid()  # a bar alone ends no line: what comes after it was cut off at 80 columns
        bar.add_row(ProgressBar(total=1.0, completed=self.share, width=width))
        rows: list[Any] = [bar, Text(self.summary())]
        room = max(1, self.live.console.height - ROWS_KEPT)
        for row in list(self.running.values())[:room]:
            words = f"  {row.share:4.0%}  {row.task.describe()}"
            rows.append(Text(words, style="dim", no_wrap=True, overflow="ellipsis"))
        if len(self.running) > room:
            rows.append(Text(f"  and {len(self.running) - room} more at work", style="dim"))
        self.live.update(Group(*rows))


@contextlib.contextmanager
def display(resumes: bool = True) -> Iterator[Display]:
    """Yield the display that fits where the output goes. `resumes`: whether the same command goes on later."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if not console.is_terminal:
        yield Display(resumes)
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield BarDisplay(live, resumes)


@contextlib.contextmanager
def listing(name: str) -> Iterator[Callable[[int, int], None]]:
    """Yield what hears how many files of a data set were looked into, of how many: a bar on a terminal, elsewhere a
    line every ten seconds and one at the end. Nothing is shown where nothing is heard."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console()
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bars:

            def show(done: int, total: int) -> None:
                task = bars.task_ids[0] if bars.task_ids else bars.add_task(f"{name}: looking into image files")
                bars.update(task, completed=done, total=total)

            yield show
        return
    last, said, of = -math.inf, 0, 0

    def tell(done: int, total: int) -> None:
        nonlocal last, said, of
        of = done
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last, said = time.monotonic(), done
            click.echo(f"{name}: looked into {done:,} of {total:,} image files")

    yield tell
    if of > said:
        click.echo(f"{name}: looked into all {of:,} image files")
