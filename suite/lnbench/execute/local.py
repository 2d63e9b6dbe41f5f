"""A plan worked off on this machine: ready runs go to workers, choices are made as soon as their runs are done.

The parent process never imports torch. It holds no result either: workers put records into the store, so whatever
happens to this process, finished runs stay and the next call goes on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from lnbench.environment import available_cores, environment
from lnbench.execute import worker
from lnbench.execute.worker import Finished, Report, Task
from lnbench.plan import Choice, Outcome, Plan, Run
from lnbench.store import Store, make_record

SECONDS_TO_STOP = 30.0
ATTEMPTS = 2  # of a run whose worker process died


class Watcher(Protocol):
    """Who is told what happens: the command line's progress display."""

    def planned(self, runs: list[Run], reused: int) -> None: ...

    def started(self, run: Run) -> None: ...

    def report(self, report: Report) -> None: ...

    def finished(self, run: Run, how: str, message: str) -> None: ...

    def note(self, line: str) -> None: ...


@dataclass
class Execution:
    """What came of it: outcomes by record id, failures by run id, and how many were trained and reused."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    trained: int = 0
    reused: int = 0


def execute(
    plans: list[Plan],
    store: Store,
    watcher: Watcher,
    *,
    device: str = "cpu",
    data_root: Path | None = None,
    workers: int | None = None,
    only: Callable[[dict[str, Any]], bool] = lambda point: True,
) -> Execution:
    """Train what the store lacks of several plans. `only` picks jobs by their point; the choices they need come along.

    `workers`: processes, by default one a core on the CPU and one on a GPU; 0 trains in this process. On
    KeyboardInterrupt the running trainings write a checkpoint before it is passed on.
    """
    work = _Work(plans, store, watcher, only)
    if work.waiting:
        if workers is None:
            workers = 1 if device.startswith("cuda") else min(available_cores(), len(work.waiting))
        if workers == 0:
            _in_this_process(work, device, data_root)
        else:
            with _Pool(workers, store, device, data_root) as pool:
                pool.run(work)
    return work.execution


class _Work:
    """What is to be done, what is being done, and what came of it."""

    def __init__(self, plans: list[Plan], store: Store, watcher: Watcher, only: Callable[[dict[str, Any]], bool]):
        self.plans, self.store, self.watcher, self.only = plans, store, watcher, only
        self.execution = Execution()
        self.waiting: dict[str, Run] = {}  # ready and not given out
        self.running: dict[str, Run] = {}
        self.attempts: dict[str, int] = {}
        self.not_before: dict[str, float] = {}  # runs that another process is training: looked at again later
        self._seen: set[str] = set()
        self._choices = {choice.id: choice for plan in plans for choice in self._needed_choices(plan)}
        self._advance()
        provisional = {run.id: run for plan in plans for run in self._jobs_of(plan)}
        self.watcher.planned([*self.waiting.values(), *self._to_come(provisional)], self.execution.reused)

    def _needed_choices(self, plan: Plan) -> list[Choice]:
        return list({job.choice.id: job.choice for job in plan.jobs if job.choice and self.only(job.point)}.values())

    def _jobs_of(self, plan: Plan) -> Iterator[Run]:
        for job, run in zip(plan.jobs, plan.provisional_runs(), strict=True):
            if self.only(job.point):
                yield run

    def _to_come(self, provisional: dict[str, Run]) -> list[Run]:
        """Runs whose choice is still to be made, as if the first candidate were chosen (for the totals shown)."""
        undecided = [
            job.run(job.choice.candidates[0][0])
            for plan in self.plans
            for job in plan.jobs
            if job.choice and self.only(job.point) and job.choice.id not in self.execution.outcomes
        ]
        return undecided

    def _advance(self) -> None:
        """Make every choice that can be made, and take in every run that has become known."""
        for choice in self._choices.values():
            if choice.id not in self.execution.outcomes:
                runs = [run for _, candidates in choice.candidates for run in candidates]
                for run in runs:
                    self._need(run)
                if all(run.id in self.execution.outcomes for run in runs):
                    self._choose(choice)
        for plan in self.plans:
            for job, run in plan.resolve(self.execution.outcomes):
                if run is not None and self.only(job.point):
                    self._need(run)

    def _choose(self, choice: Choice) -> None:
        outcome = choice.decide(self.execution.outcomes)
        self.store.put(make_record(choice.content, outcome, {"environment": environment()}))
        self.execution.outcomes[choice.id] = outcome

    def _need(self, run: Run) -> None:
        if run.id in self._seen:
            return
        self._seen.add(run.id)
        record = self.store.get(run.id)
        if record is None:
            self.waiting[run.id] = run
        else:
            self.execution.outcomes[run.id] = record["outcome"]
            self.execution.reused += 1

    @property
    def left(self) -> bool:
        return bool(self.waiting or self.running)

    def take(self) -> Run | None:
        """The next run to start: choosing runs first, as others wait for them, then the longest, so that all ends
        together."""
        now = time.monotonic()
        ready = [run for run in self.waiting.values() if self.not_before.get(run.id, 0.0) <= now]
        if not ready:
            return None
        run = max(ready, key=lambda run: (bool(run.recipe["dataset"]["validation"]), run.flop, run.id))
        del self.waiting[run.id]
        self.running[run.id] = run
        self.watcher.started(run)
        return run

    def done(self, finished: Finished) -> None:
        """Take note of how a run ended."""
        run = self.running.pop(finished.run_id)
        if finished.how == "busy":
            self.not_before[run.id] = time.monotonic() + 1.0
            record = self.store.get(run.id)
            if record is None:
                self.waiting[run.id] = run
                return
            finished = Finished(run.id, "trained")
        if finished.how == "died" and self.attempts.get(run.id, 0) + 1 < ATTEMPTS:
            self.attempts[run.id] = self.attempts.get(run.id, 0) + 1
            self.waiting[run.id] = run
            self.watcher.note(f"{run.describe()}: {finished.message}; trying once more")
            return
        if finished.how == "trained":
            record = self.store.get(run.id)
            if record is None:
                finished = Finished(run.id, "failed", "its record could not be read back from the store")
            else:
                self.execution.outcomes[run.id] = record["outcome"]
                self.execution.trained += 1
        if finished.how in ("failed", "died"):
            self.execution.failures[run.id] = finished.message
            self.execution.details[run.id] = finished.detail
        self.watcher.finished(run, finished.how, finished.message)
        self._advance()


def _in_this_process(work: _Work, device: str, data_root: Path | None) -> None:
    trainer = worker.Trainer(work.store, device, data_root, work.watcher.report, lambda: False)
    while work.left:
        run = work.take()
        if run is None:
            time.sleep(0.2)
        else:
            work.done(trainer.do(run))


@dataclass
class _Worker:
    process: Any
    connection: Connection
    run_id: str | None = None


class _Pool:
    """Worker processes; a worker that dies is replaced."""

    def __init__(self, size: int, store: Store, device: str, data_root: Path | None):
        self.size, self.store, self.device, self.data_root = size, store, device, data_root
        self.context = multiprocessing.get_context("spawn")
        self.stop = self.context.Event()
        self.workers: list[_Worker] = []

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *error: object) -> None:
        """Let the workers finish their step and write their checkpoints."""
        self.stop.set()
        for member in self.workers:
            with contextlib.suppress(OSError, ValueError):
                member.connection.send(None)
        deadline = time.monotonic() + SECONDS_TO_STOP
        for member in self.workers:
            member.process.join(max(0.1, deadline - time.monotonic()))
            if member.process.is_alive():
                member.process.kill()
                member.process.join()
            member.connection.close()

    def _start(self) -> _Worker:
        ours, theirs = self.context.Pipe()
        arguments = (theirs, self.store.path, self.device, self.data_root, self.stop)
        process = self.context.Process(target=worker.main, args=arguments, daemon=True)
        with _environment(worker.ENVIRONMENT):
            process.start()
        theirs.close()
        member = _Worker(process, ours)
        self.workers.append(member)
        return member

    def run(self, work: _Work) -> None:
        while work.left:
            self._give_out(work)
            connections: list[Any] = [member.connection for member in self.workers]
            for ready in wait(connections, timeout=0.5):
                member = next(member for member in self.workers if member.connection is ready)
                self._hear(member, work)

    def _give_out(self, work: _Work) -> None:
        idle = [member for member in self.workers if member.run_id is None]
        while len(idle) + len([m for m in self.workers if m.run_id]) < self.size and len(work.waiting) > len(idle):
            idle.append(self._start())
        for member in idle:
            run = work.take()
            if run is None:
                return
            member.run_id = run.id
            try:
                member.connection.send(Task(run))
            except OSError:
                self._lost(member, work)

    def _hear(self, member: _Worker, work: _Work) -> None:
        try:
            message = member.connection.recv()
        except (EOFError, OSError):
            self._lost(member, work)
            return
        if isinstance(message, Report):
            work.watcher.report(message)
        elif isinstance(message, Finished):
            member.run_id = None
            work.done(message)
        else:
            work.watcher.note(str(message))

    def _lost(self, member: _Worker, work: _Work) -> None:
        member.process.join(1.0)
        code = member.process.exitcode
        how = f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        self.workers.remove(member)
        if member.run_id is not None:
            work.done(Finished(member.run_id, "died", f"its process ended ({how}); out of memory, or a lost device?"))


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for the processes started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
