"""What a person sees while runs are trained: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import click

from lnbench.execute.worker import Report
from lnbench.plan import Run

SECONDS_BETWEEN_LINES = 10.0


def duration(seconds: float) -> str:
    """`42 s`, `3 min 10 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Display:
    """A Watcher. Time left is guessed from the operations still to do and the rate at which they were done."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.total_flop = self.done_flop = 0.0
        self.runs = self.finished_runs = 0
        self.examples = 0.0
        self.running: dict[str, tuple[Run, Report | None]] = {}
        self.last_line = 0.0

    def planned(self, runs: list[Run], reused: int) -> None:
        self.runs = len(runs)
        self.total_flop = sum(run.flop for run in runs)
        kept = f"; {reused} already in the store" if reused else ""
        if runs:
            self.line(f"{self.runs} run{'s' if self.runs != 1 else ''} to train{kept}")
        else:
            self.line(f"nothing to train: all {reused} runs are in the store")

    def started(self, run: Run) -> None:
        self.running[run.id] = (run, None)

    def report(self, report: Report) -> None:
        if report.run_id in self.running:
            self.running[report.run_id] = (self.running[report.run_id][0], report)
        self.show()

    def finished(self, run: Run, how: str, message: str) -> None:
        self.running.pop(run.id, None)
        self.finished_runs += 1
        self.done_flop += run.flop
        self.examples += run.examples * run.epochs
        if message:
            self.line(f"{run.describe()}: {how}: {message}")
        self.show()

    def note(self, line: str) -> None:
        self.line(f"note: {line}")

    def line(self, text: str) -> None:
        click.echo(text)

    def show(self) -> None:
        """A line every ten seconds."""
        now = time.monotonic()
        if now - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line = now
            self.line(self.summary())

    @property
    def share(self) -> float:
        """Of the operations of all planned runs, how much is done (0 to 1)."""
        partly = sum(run.flop * report.done / report.total for run, report in self.running.values() if report)
        return min(1.0, (self.done_flop + partly) / self.total_flop) if self.total_flop else 1.0

    def summary(self) -> str:
        """`12/30 runs, epoch 2/3, 34,000 examples/s, about 4 min left`."""
        elapsed = time.monotonic() - self.began
        reports = [report for _, report in self.running.values() if report]
        seen = self.examples + sum(report.done for report in reports)
        parts = [f"{self.finished_runs}/{self.runs} runs"]
        if reports:
            parts.append("epoch " + ", ".join(f"{report.epoch + 1}/{report.epochs}" for report in reports))
        if elapsed > 1:
            parts.append(f"{seen / elapsed:,.0f} examples/s")
        if 0.01 < self.share < 1:
            parts.append(f"about {duration(elapsed / self.share * (1 - self.share))} left")
        return ", ".join(parts)


class BarDisplay(Display):
    """The same on a terminal, as one bar and a line for each run in work."""

    def __init__(self, live: Any):
        super().__init__()
        self.live = live

    def line(self, text: str) -> None:
        self.live.console.print(text, highlight=False, markup=False)

    def show(self) -> None:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        rows: list[Any] = [ProgressBar(total=1.0, completed=self.share, width=60), Text(self.summary())]
        for run, report in self.running.values():
            done = f"{report.done / report.total:4.0%}" if report else "  0%"
            rows.append(Text(f"  {done}  {run.describe()}", style="dim"))
        self.live.update(Group(*rows))


@contextlib.contextmanager
def display() -> Iterator[Display]:
    """The display that fits where the output goes."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if not console.is_terminal:
        yield Display()
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield BarDisplay(live)
