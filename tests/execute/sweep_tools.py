"""What the tests of sweeps share: a watcher that remembers, a sweep in a process of its own, and ways to disturb it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lnbench.execute.groups import Task
from lnbench.execute.local import execute
from lnbench.execute.work import Execution
from lnbench.execute.worker import Report
from lnbench.plan import Plan, Run
from lnbench.store import Store
from tests.toys.small_runs import write_study

SWEEP = Path(__file__).parent / "sweep.py"
SUITE = Path(__file__).resolve().parents[2] / "suite"


class Watcher:
    """Remembers what it is told; `on_report` and `on_start` may disturb."""

    def __init__(self, on_report: Callable[[Report], None] = lambda report: None):
        self.on_report = on_report
        self.plans: list[tuple[int, int]] = []
        self.begun: list[str] = []
        self.tasks: list[Task] = []
        self.ended: list[tuple[str, str, str]] = []
        self.notes: list[str] = []
        self.reports: list[Report] = []

    def planned(self, runs: list[Run], reused: int) -> None:
        self.plans.append((len(runs), reused))

    def started(self, task: Task) -> None:
        self.begun += [run.id for run in task.runs]
        self.tasks.append(task)

    def report(self, report: Report) -> None:
        self.reports.append(report)
        self.on_report(report)

    def finished(self, run: Run, how: str, message: str) -> None:
        self.ended.append((run.id, how, message))

    def note(self, line: str) -> None:
        self.notes.append(line)


def outcomes(store: Store) -> dict[str, Any]:
    """What equal sweeps have in common: everything but times and machines."""
    return {one["id"]: (one["content"], one["outcome"]) for one in store.records()}


def no_child_is_left() -> bool:
    return multiprocessing.active_children() == []


@contextlib.contextmanager
def sweeping(folder: Path, workers: int = 1, backend: str = "auto", **options: Any) -> Iterator[subprocess.Popen[str]]:
    """The small study's sweep in a process (and process group) of its own."""
    with sweep_of([write_study(folder, **options)], folder / "store", workers, backend) as process:
        yield process


@contextlib.contextmanager
def sweep_of(
    studies: list[Path], store: Path, workers: int, backend: str, between_checkpoints: float = 60.0
) -> Iterator[subprocess.Popen[str]]:
    """As `sweeping`, of any studies; `between_checkpoints` in seconds."""
    command = [sys.executable, str(SWEEP), ",".join(map(str, studies)), str(store), str(workers), backend]
    environment = {
        **os.environ,
        "PYTHONPATH": str(SUITE),
        "OMP_NUM_THREADS": "1",
        "SECONDS_BETWEEN_CHECKPOINTS": str(between_checkpoints),
    }
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_for(process: subprocess.Popen[str], word: str) -> str:
    """Read on to the first line that begins with `word`."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        if line.startswith(word):
            return line.strip()
        seen.append(line)
    raise AssertionError(f"no '{word}' in:\n{''.join(seen)}")


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def finish(plan: Plan, store: Store, whole: Store, backend: str = "auto") -> Execution:
    """The next call: it ends with the records of an undisturbed sweep."""
    came = execute([plan], store, Watcher(), workers=0, backend=backend)
    assert came.failures == {}
    assert outcomes(store) == outcomes(whole)
    assert not list((store.path / "checkpoints").glob("*")) and not list((store.path / "locks").glob("*"))
    return came


def workers_of(parent: int) -> list[int]:
    """Process ids of the workers among a process's children."""
    return [pid for pid in children(parent) if "multiprocessing-fork" in command_of(pid)]


def children(parent: int) -> list[int]:
    """Process ids; torch's workers and multiprocessing's tracker."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.parent.name))
    return found


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""
