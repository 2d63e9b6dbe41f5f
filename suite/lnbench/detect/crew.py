"""Trainings side by side: in this process one after the other, or in processes of their own, one thread each.

One thread a process and as many processes as cores: a second thread helps networks of this size little, and costs them
up to 60 times their speed as soon as another process wants the core (docs/performance.md).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Protocol

from lnbench.detect.runs import DetectRun
from lnbench.detect.training import Material, Trainer, TrainingFailed
from lnbench.errors import LnbenchError
from lnbench.execute.pool import SECONDS_TO_STOP, environment_of, without_interrupt
from lnbench.execute.worker import ENVIRONMENT, SECONDS_BETWEEN_REPORTS
from lnbench.machine import available_cores
from lnbench.store import Record, Store
from lnbench.training.hooks import Progress, Stopped

MOST_WORKERS = 256
THREADS = tuple(name for name in ENVIRONMENT if name.endswith("_NUM_THREADS"))


class Watcher(Protocol):
    """Who hears how the trainings go."""

    def began(self, run: DetectRun) -> None: ...

    def tell(self, run: DetectRun, progress: Progress) -> None: ...

    def done(self, run: DetectRun) -> None: ...


def usual_workers(device: str, threads: int, left: int) -> int:
    """Return how many processes train unless somebody says: LNBENCH_WORKERS; else as many as the cores carry with so
    many threads each, at most one for each of the `left` trainings, and 0, this process, where that is one, and on a
    GPU. Raises LnbenchError where LNBENCH_WORKERS is no number."""
    told = os.environ.get("LNBENCH_WORKERS", "")
    if told:
        if not told.isdecimal() or int(told) > MOST_WORKERS:
            raise LnbenchError(f"LNBENCH_WORKERS: '{told}' is not a whole number from 0 to {MOST_WORKERS}")
        return int(told)
    count = 1 if device.startswith("cuda") else min(left, available_cores() // threads)
    return count if count > 1 else 0


@dataclass(frozen=True)
class Way:
    """How trainings are done. workers: processes, 0 for this one, None for the usual number; threads: of each."""

    device: str = "cpu"
    workers: int | None = None
    threads: int = 1


def train_all(
    runs: Sequence[DetectRun],
    material: Material,
    store: Store,
    way: Way,
    watcher: Watcher,
    stop: Callable[[], bool],
) -> list[Record]:
    """Return the records of the runs, trained unless they are in the store. Raises TrainingFailed (TooLarge among
    them), StoreError, and Stopped where `stop()` is true: then the running ones have left checkpoints."""
    left = [run for run in runs if store.get(run.id) is None]
    workers = usual_workers(way.device, way.threads, len(left)) if way.workers is None else min(way.workers, len(left))
    if workers:
        _Pool(workers, material, store, way, watcher, stop).train(left)
    trainer = Trainer(material, store, way.device, watcher.tell, stop, way.threads)
    found = []
    for run in runs:
        if not workers:
            watcher.began(run)
        found.append(trainer.record(run))
        if not workers:
            watcher.done(run)
    return found


@dataclass
class _Member:
    process: Any
    connection: Any
    run: DetectRun | None = None


class _Pool:
    """Processes that train. A training that fails ends all: the others leave checkpoints."""

    def __init__(
        self, workers: int, material: Material, store: Store, way: Way, watcher: Watcher, stop: Callable[[], bool]
    ):
        self.workers, self.material, self.store, self.way = workers, material, store, way
        self.watcher, self.stop = watcher, stop
        self.context = multiprocessing.get_context("spawn")
        self.stopping = self.context.RawValue("b", 0)  # no Event: one who is killed while asking keeps its lock
        resource_tracker.ensure_running()  # now: when it starts with a worker, it lets Ctrl-C through
        self.members: list[_Member] = []

    def train(self, runs: Sequence[DetectRun]) -> None:
        waiting = list(runs)
        try:
            while waiting or any(member.run for member in self.members):
                self._give_out(waiting)
                for ready in wait([member.connection for member in self.members], timeout=0.2):
                    self._hear(next(member for member in self.members if member.connection is ready))
                if self.stop():
                    raise Stopped
        finally:
            self._close()

    def _give_out(self, waiting: list[DetectRun]) -> None:
        idle = [member for member in self.members if member.run is None]
        while len(self.members) < self.workers and len(waiting) > len(idle):
            idle.append(self._start())
        for member in idle[: len(waiting)]:
            member.run = waiting.pop(0)
            self.watcher.began(member.run)
            with contextlib.suppress(OSError):  # it has died: its connection tells
                member.connection.send(member.run)

    def _start(self) -> _Member:
        ours, theirs = self.context.Pipe()
        arguments = (theirs, self.material, self.store.path, self.way, self.stopping)
        process = self.context.Process(target=main, args=arguments, daemon=True)
        threads = dict.fromkeys(THREADS, str(self.way.threads))
        with environment_of({**ENVIRONMENT, **threads}), without_interrupt():
            process.start()
        theirs.close()
        self.members.append(_Member(process, ours))
        return self.members[-1]

    def _hear(self, member: _Member) -> None:
        try:
            what, about = member.connection.recv()
        except (EOFError, OSError):
            self._died(member)
            return
        if what == "warning":
            self.store.warn(about)
            return
        run = member.run
        assert run is not None
        if what == "progress":
            self.watcher.tell(run, about)
            return
        member.run = None
        if what == "done":
            self.watcher.done(run)
        elif what == "error":
            raise about
        elif what == "bug":
            raise RuntimeError(about)

    def _died(self, member: _Member) -> None:
        member.process.join(5.0)
        code = member.process.exitcode
        how = f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        what = member.run.describe() if member.run else "a training"
        self.members.remove(member)
        advice = "if the memory is too small, give fewer --workers or a smaller --batch-size; the same command goes on"
        raise TrainingFailed(f"{what}: its process ended ({how}); {advice}")

    def _close(self) -> None:
        """End the processes: let them finish their step and write their checkpoints."""
        self.stopping.value = 1
        for member in self.members:
            with contextlib.suppress(OSError, ValueError):
                member.connection.send(None)
        deadline = time.monotonic() + SECONDS_TO_STOP
        for member in self.members:
            member.process.join(max(0.1, deadline - time.monotonic()))
            if member.process.is_alive():
                member.process.kill()
                member.process.join()
            member.connection.close()
        self.members.clear()


def main(connection: Any, material: Material, store_path: Path, way: Way, stopping: Any) -> None:
    """Run the process that trains: it answers each run with how it ended, until the pipe closes.

    It leaves off at the next step, with a checkpoint, when `stopping` (a shared byte) is not 0, when the parent is gone
    or on SIGTERM.
    """
    parent, terminated = multiprocessing.parent_process(), False
    last_look = last_report = 0.0
    orphaned = False

    def on_terminate(number: int, frame: Any) -> None:
        nonlocal terminated
        terminated = True

    def stop() -> bool:
        nonlocal last_look, orphaned
        if (now := time.monotonic()) - last_look > SECONDS_BETWEEN_REPORTS:
            last_look, orphaned = now, orphaned or (parent is not None and not parent.is_alive())
        return orphaned or terminated or bool(stopping.value)

    def send(what: str, about: Any = None) -> None:
        nonlocal orphaned
        try:
            connection.send((what, about))
        except OSError:  # nobody listens any more
            orphaned = True

    def tell(run: DetectRun, progress: Progress) -> None:
        nonlocal last_report
        if (now := time.monotonic()) - last_report >= SECONDS_BETWEEN_REPORTS:
            last_report = now
            send("progress", progress)

    for name in ("SIGINT", "SIGHUP"):  # the parent hears Ctrl-C, and its terminal close, and tells us
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, on_terminate)
    store = Store(store_path, warn=lambda line: send("warning", line))
    trainer = Trainer(material, store, way.device, tell, stop, way.threads)
    while not stop():
        try:
            run = connection.recv()
        except (EOFError, OSError):
            return
        if run is None:
            return
        try:
            trainer.record(run)
            send("done")
        except Stopped:
            return
        except LnbenchError as error:
            send("error", error)
        except Exception:
            send("bug", traceback.format_exc())
