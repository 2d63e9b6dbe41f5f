"""What is to be done of some plans, what is being done, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from lnbench.environment import environment
from lnbench.execute.groups import Grouping, Task
from lnbench.execute.worker import Finished, Report
from lnbench.plan import Choice, Job, Outcome, Plan, Run
from lnbench.store import Store, make_record
from lnbench.training.checkpoints import runs_in

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

    def __init__(
        self,
        plans: list[Plan],
        store: Store,
        watcher: Watcher,
        only: Callable[[dict[str, Any]], bool],
        grouping: Grouping | None = None,
    ):
        self.plans, self.store, self.watcher, self.only = plans, store, watcher, only
        self.grouping = grouping or Grouping()
        self.grouping.smoke = lambda run_id: run_id not in self._above_smoke
        self.execution = Execution()
        self.waiting: dict[str, Run] = {}  # ready and not given out
        self.running: dict[str, Task] = {}
        self.halved: dict[str, int] = {}  # run id -> how often its group was too large for the memory
        self._above_smoke: set[str] = set()
        self._saved: dict[str, tuple[str, ...]] | None = None  # run id -> the group whose checkpoint it is in
        self.attempts: dict[str, int] = {}
        self.not_before: dict[str, float] = {}  # runs that another process is training: looked at again later
        self._priority: dict[str, tuple[bool, float, str]] = {}
        self._choices = {job.choice.id: job.choice for _, job in self._jobs() if job.choice}
        for plan, job in self._jobs():
            for run in _runs_of(job.choice) if job.choice else []:
                self._need(run, plan)
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
                    self._need(run, plan)

    def _choose(self, choice: Choice) -> None:
        outcome = choice.decide(self.execution.outcomes)
        self.store.put(make_record(choice.content, outcome, {"environment": environment()}))
        self.execution.outcomes[choice.id] = outcome

    def _need(self, run: Run, plan: Plan) -> None:
        if plan.study.tier != "smoke":
            self._above_smoke.add(run.id)
        if run.id in self._priority:
            return
        self._priority[run.id] = (bool(run.held_out), run.flop, run.id)
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

    def take(self) -> Task | None:
        """The next task to start: choosing runs first, as others wait for them, then the longest, so that all ends
        together; with it, the runs that train with it."""
        now = time.monotonic()
        ready = [run for run in self.waiting.values() if self.not_before.get(run.id, 0.0) <= now]
        if not ready:
            return None
        ready.sort(key=lambda run: self._priority[run.id], reverse=True)
        task = self._begun(ready) or self.grouping.task(ready[0], ready)
        task = replace(task, halved=max(self.halved.get(run.id, 0) for run in task.runs))
        for run in task.runs:
            del self.waiting[run.id]
            self.watcher.started(run)
        self.running[task.id] = task
        return task

    def _begun(self, ready: list[Run]) -> Task | None:
        """The first ready run's group of an earlier call, as it was, where there is a checkpoint of it."""
        if self._saved is None:
            groups = [tuple(runs_in(file)) for file in self.store.checkpoints()]
            self._saved = {run_id: group for group in groups if len(group) > 1 for run_id in group}
        group = self._saved.get(ready[0].id, ())
        by_id = {run.id: run for run in ready}
        if not group or not all(run_id in by_id for run_id in group):
            return None  # some of it is done, or not wanted: the rest is grouped anew
        return self.grouping.again(Task(tuple(by_id[run_id] for run_id in group)))

    def done(self, finished: Finished) -> None:
        """Take note of how a task ended."""
        task = self.running.pop(finished.task_id)
        if finished.how == "too large":
            self.grouping.too_large(task)
            self._saved = {}
            self.halved |= dict.fromkeys([run.id for run in task.runs], task.halved + 1)
            self.waiting |= {run.id: run for run in task.runs}
            self.watcher.note(f"{len(task.runs)} runs at once are too large for the memory; going on with half as many")
            return
        for run in task.runs:
            self._run_done(run, finished)
        if finished.fatal:
            self.give_up(finished.message)
        elif self._choose_what_can_be():
            self._resolve()

    def _run_done(self, run: Run, finished: Finished) -> None:
        how, message = finished.how, finished.message
        if how == "busy":
            if not self._take_over(run):
                self.not_before[run.id] = time.monotonic() + (1.0 if run.id in finished.busy else 0.0)
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
