"""What is to be done of some plans, what is being done, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from lnbench.environment import environment
from lnbench.execute.worker import Finished, Report
from lnbench.plan import Choice, Job, Outcome, Plan, Run
from lnbench.store import Store, make_record

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
    """What came of it: outcomes by record id, failures by run id, and how many were trained (by this process and its
    workers) and reused (were in the store, or another process put them there meanwhile)."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    trained: int = 0
    reused: int = 0


class Work:
    """What is to be done, what is being done, and what came of it."""

    def __init__(self, plans: list[Plan], store: Store, watcher: Watcher, only: Callable[[dict[str, Any]], bool]):
        self.plans, self.store, self.watcher, self.only = plans, store, watcher, only
        self.execution = Execution()
        self.waiting: dict[str, Run] = {}  # ready and not given out
        self.running: dict[str, Run] = {}
        self.attempts: dict[str, int] = {}
        self.not_before: dict[str, float] = {}  # runs that another process is training: looked at again later
        self._priority: dict[str, tuple[bool, float, str]] = {}
        self._choices = {job.choice.id: job.choice for _, job in self._jobs() if job.choice}
        for choice in self._choices.values():
            for run in _runs_of(choice):
                self._need(run)
        self._choose_what_can_be()
        self._resolve()
        self.watcher.planned([*self.waiting.values(), *self._to_come()], self.execution.reused)

    def _jobs(self) -> Iterator[tuple[Plan, Job]]:
        return ((plan, job) for plan in self.plans for job in plan.jobs if self.only(job.point))

    def _to_come(self) -> list[Run]:
        """Runs whose choice is still to be made, as if the first candidate were chosen (for the totals shown)."""
        undecided = (
            job.run(job.choice.candidates[0][0])
            for _, job in self._jobs()
            if job.choice and job.choice.id not in self.execution.outcomes
        )
        return list({run.id: run for run in undecided}.values())

    def _choose_what_can_be(self) -> bool:
        """Make every choice whose runs are all done; whether there was one."""
        ready = [
            choice
            for choice in self._choices.values()
            if choice.id not in self.execution.outcomes
            and all(run.id in self.execution.outcomes for run in _runs_of(choice))
        ]
        for choice in ready:
            self._choose(choice)
        return bool(ready)

    def _resolve(self) -> None:
        """Take in every run that is known by now."""
        for plan in self.plans:
            for job, run in plan.resolve(self.execution.outcomes):
                if run is not None and self.only(job.point):
                    self._need(run)

    def _choose(self, choice: Choice) -> None:
        outcome = choice.decide(self.execution.outcomes)
        self.store.put(make_record(choice.content, outcome, {"environment": environment()}))
        self.execution.outcomes[choice.id] = outcome

    def _need(self, run: Run) -> None:
        if run.id in self._priority:
            return
        self._priority[run.id] = (bool(run.recipe["dataset"]["validation"]), run.flop, run.id)
        if not self._take_over(run):
            self.waiting[run.id] = run

    def _take_over(self, run: Run) -> bool:
        """Whether the store has the run."""
        record = self.store.get(run.id)
        if record is not None:
            self.execution.outcomes[run.id] = record["outcome"]
            self.execution.reused += 1
            if self.store.checkpoint_path(run.id).exists():  # its process was killed between record and clearing up
                self.store.drop_checkpoint(run.id)
        return record is not None

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
        run = max(ready, key=lambda run: self._priority[run.id])
        del self.waiting[run.id]
        self.running[run.id] = run
        self.watcher.started(run)
        return run

    def done(self, finished: Finished) -> None:
        """Take note of how a run ended."""
        run = self.running.pop(finished.run_id)
        how, message = finished.how, finished.message
        if how == "busy":
            if not self._take_over(run):
                self.not_before[run.id] = time.monotonic() + 1.0
                self.waiting[run.id] = run
                return
            how = "trained"
        elif how in ("died", "stopped"):  # "stopped" without our word: somebody ended the worker
            self.attempts[run.id] = self.attempts.get(run.id, 0) + 1
            message = message or "its process was told to end"
            if self.attempts[run.id] < ATTEMPTS:
                self.waiting[run.id] = run
                self.watcher.note(f"{run.describe()}: {message}; trying once more")
                return
            how = "failed"
        elif how == "trained":
            record = self.store.get(run.id)
            if record is None:
                how, message = "failed", "its record could not be read back from the store"
            else:
                self.execution.outcomes[run.id] = record["outcome"]
                self.execution.trained += 1
        if how == "failed":
            self.execution.failures[run.id] = message
            self.execution.details[run.id] = finished.detail
        self.watcher.finished(run, how, message)
        if finished.fatal:
            self.give_up(message)
        elif self._choose_what_can_be():
            self._resolve()

    def give_up(self, message: str, detail: str = "") -> None:
        """Every run that is still waiting fails for this one reason."""
        for run_id in self.waiting:
            self.execution.failures[run_id] = message
            self.execution.details[run_id] = detail
        if self.waiting:
            self.watcher.note(f"{message}; {len(self.waiting)} waiting runs were not begun")
        self.waiting.clear()


def _runs_of(choice: Choice) -> list[Run]:
    return [run for _, runs in choice.candidates for run in runs]
