"""What is to be done of some plans, what is being done, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from lnbench.errors import LnbenchError, StoreError
from lnbench.execute.groups import Grouping, Task
from lnbench.execute.worker import Finished, Report, in_one_line
from lnbench.identity import sha256
from lnbench.machine import environment
from lnbench.plan import Choice, Derived, Job, Outcome, Plan, Run, given, misbuilt, runs_behind
from lnbench.store import Record, Store, StoreUnwritable, make_record, sidefiles
from lnbench.training.checkpoints import runs_in

ATTEMPTS = 2  # of a run whose worker process died
LOSSES = 10  # of a run whose machine was lost, which is no fault of its own: after so many it may be
RANK_OF_INPUTS = 2  # their runs are begun before those of choices (1) and of verdicts (0)


class Watcher(Protocol):
    """Who is told what happens: the command line's progress display."""

    def planned(self, runs: list[Run], reused: int) -> None: ...

    def started(self, task: Task) -> None: ...

    def report(self, report: Report) -> None: ...

    def finished(self, run: Run, how: str, message: str) -> None: ...

    def note(self, line: str) -> None: ...


@dataclass
class Execution:
    """What came of it: outcomes by record id, failures by run id, how many were trained (by this process and its
    workers) and reused (were in the store, or another process put them there meanwhile), and the ids of the runs that
    were left to others."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    trained: int = 0
    reused: int = 0
    left: set[str] = field(default_factory=set)


class Work:
    """What is to be done, what is being done, and what came of it."""

    def __init__(
        self,
        plans: list[Plan],
        store: Store,
        watcher: Watcher,
        only: Callable[[dict[str, Any]], bool],
        grouping: Grouping | None = None,
        leaves: Callable[[Run], bool] = lambda run: False,
        runs: Sequence[Run] = (),
        registered: Mapping[str, str] | None = None,
        known: Mapping[str, Record] | None = None,
    ):
        self.registered = dict(registered or {})  # for the provenance of all that is trained or chosen
        self.plans, self.store, self.watcher, self.only = plans, store, watcher, only
        self.known = known or {}  # records that somebody has just read from the store
        self.leaves = leaves  # runs that others train: asked only of those that no other run waits for
        self.grouping = grouping or Grouping()
        self.grouping.smoke = lambda run_id: run_id not in self._above_smoke
        self.execution = Execution()
        self.waiting: dict[str, Run] = {}  # ready and not given out
        self.blocked: dict[str, Run] = {}  # some input is not made yet
        self.running: dict[str, Task] = {}
        self.halved: dict[str, int] = {}  # run id -> how often its group was halved
        self._above_smoke: set[str] = set()
        self._saved: dict[str, tuple[str, tuple[str, ...]]] = {}  # run id -> (its checkpoint, all runs in that)
        self._begun_before = {file.stem for file in store.checkpoints()}
        self.attempts: dict[str, int] = {}
        self.losses: dict[str, int] = {}
        self.not_before: dict[str, float] = {}  # runs that another process is training: looked at again later
        self._priority: dict[str, tuple[int, float, str]] = {}
        self._choices = {job.choice.id: job.choice for _, job in self._jobs() if job.choice}
        self._inputs: dict[str, Derived] = {}  # every one after those that it is made with
        self._unmade: dict[str, str] = {}  # input id -> why it cannot be made
        for plan, job in self._jobs():
            for run in _runs_of(job.choice) if job.choice else []:
                self._need(run, plan, rank=1)
        for run in runs:  # of no plan
            self._need(run, None)
        self._resolve()
        self._make_inputs()
        if self._choose_what_can_be():
            self._resolve()
            self._make_inputs()
        self._look_at_checkpoints()
        to_do = [*self.waiting.values(), *self.blocked.values(), *self._to_come()]
        self.watcher.planned(to_do, self.execution.reused)
        self._release()

    def _jobs(self) -> Iterator[tuple[Plan, Job]]:
        return ((plan, job) for plan in self.plans for job in plan.jobs if self.only(job.point))

    def _to_come(self) -> list[Run]:
        """Return the runs whose choice is still to be made, as if the first candidate were chosen, with those behind
        their inputs (for the totals shown)."""
        undecided = [
            job.provisional() for _, job in self._jobs() if job.choice and job.choice.id not in self.execution.outcomes
        ]
        found = {run.id: run for run in [*runs_behind(undecided), *undecided]}
        return [run for run_id, run in found.items() if run_id not in self._priority and not self.leaves(run)]

    def _make_inputs(self) -> None:
        """Make every input whose runs are all done. Where that fails, the runs that read it will say why."""
        outcomes = self.execution.outcomes
        for derived in self._inputs.values():
            if derived.id in outcomes or derived.id in self._unmade:
                continue
            below = [
                self._unmade[record] for run in derived.runs for record in run.inputs.values() if record in self._unmade
            ]
            if below:
                self._unmade[derived.id] = below[0]
            if below or not all(run.id in outcomes and given(run, outcomes) is not None for run in derived.runs):
                continue
            try:
                outcomes[derived.id] = self._made(derived)
            except StoreUnwritable:
                raise
            except LnbenchError as error:
                self._unmade[derived.id] = str(error)
            except Exception as error:  # a plug-in's function: it must not end the runs of others
                self._unmade[derived.id] = f"{derived.describe()} cannot be made: {in_one_line(error)}"

    def _made(self, derived: Derived) -> Outcome:
        """Return the outcome of an input whose runs are done: the store's, or made now and stored. Raises LnbenchError
        where a run behind it, or the stored record, does not fit the others, or where arrays are missing."""
        outcomes = self.execution.outcomes
        for run in derived.runs:
            what = misbuilt(outcomes[run.id], given(run, outcomes) or {})
            if what:
                self.execution.failures.setdefault(run.id, what)
                raise LnbenchError(f"{derived.describe()} cannot be made of {run.id}: {what}")
        stored = self.store.get(derived.id)
        if stored is not None and derived.gives:
            what = derived.outdated(stored["outcome"], outcomes)
            if what:
                raise LnbenchError(what)
            outcome: Outcome = stored["outcome"]
            return outcome
        made = derived.make(outcomes, self._arrays)
        arrays = made.pop("arrays", {})
        if arrays:
            made["arrays"] = sidefiles.describe(arrays)
        if stored is not None and sha256(stored["outcome"]) != sha256(made):
            raise LnbenchError(
                f"{derived.describe()} is stored as other runs gave it; remove its record "
                "(`lnbench store remove`) to make it again"
            )
        self.store.put(make_record(derived.content, made, self._provenance()), arrays)
        return made

    def _provenance(self) -> dict[str, Any]:
        return {"environment": environment(), **self.registered}

    def _arrays(self, run_id: str) -> Mapping[str, sidefiles.Array]:
        record = self.store.get(run_id)
        if record is None:
            raise StoreError(f"{run_id}: its record is not in the store any more; give the same command again")
        return self.store.arrays(record)

    def _release(self) -> None:
        """Let go the runs whose inputs are all made; they fail where nothing can be built on one."""
        outcomes = self.execution.outcomes
        for run in list(self.blocked.values()):
            inputs = given(run, outcomes)
            failed = [self._unmade[record] for record in run.inputs.values() if record in self._unmade]
            if inputs is not None:
                failed = [made["message"] for made in inputs.values() if made["status"] != "ok"]
            if failed:
                del self.blocked[run.id]
                self.execution.failures[run.id] = failed[0]
                self.watcher.finished(run, "failed", failed[0])
            elif inputs is not None:
                del self.blocked[run.id]
                self.waiting[run.id] = run

    def _choose_what_can_be(self) -> bool:
        """Make every choice whose runs are all done. True where there was one."""
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
        self.store.put(make_record(choice.content, outcome, self._provenance()))
        self.execution.outcomes[choice.id] = outcome

    def _need(self, run: Run, plan: Plan | None, rank: int = 0) -> None:
        """Take in a run, and first the runs behind what it reads. Those of a higher rank are begun first: others wait
        for them."""
        if plan is None or plan.study.tier != "smoke":
            self._above_smoke.add(run.id)
        known = self._priority.get(run.id)
        self._priority[run.id] = max(known or (rank, run.flop, run.id), (rank, run.flop, run.id))
        if known is not None:
            if rank == 0 or run.id not in self.execution.left:
                return
            self.execution.left.remove(run.id)  # now another run waits for it
        elif rank == 0 and self.leaves(run) and self._record(run) is None:
            self.execution.left.add(run.id)
            return
        for derived in run.reads.values():
            for behind in derived.runs:
                self._need(behind, plan, max(rank + 1, RANK_OF_INPUTS))
            self._inputs.setdefault(derived.id, derived)
        if not self._take_over(run):
            (self.blocked if run.inputs else self.waiting)[run.id] = run

    def _take_over(self, run: Run) -> bool:
        """Return whether the store has the run."""
        record = self._record(run)
        if record is not None:
            self.execution.outcomes[run.id] = record["outcome"]
            self.execution.reused += 1
            if run.id in self._begun_before:  # its process was killed between record and clearing up
                self.store.drop_checkpoint(run.id)
        return record is not None

    def _record(self, run: Run) -> Record | None:
        return self.known.get(run.id) or self.store.get(run.id)

    def datasets(self) -> set[str]:
        """Return the names of the data sets that runs still to come are of."""
        return {name for run in [*self.waiting.values(), *self.blocked.values(), *self._to_come()]
                for name in run.datasets}  # fmt: skip

    @property
    def left(self) -> bool:
        return bool(self.waiting or self.running)

    def take(self) -> Task | None:
        """Return the next task to start: those that others wait for first (inputs', then choosing runs), then the
        longest, so that all ends together; with it, the runs that train with it."""
        now = time.monotonic()
        ready = [run for run in self.waiting.values() if self.not_before.get(run.id, 0.0) <= now]
        if not ready:
            return None
        ready.sort(key=lambda run: self._priority[run.id], reverse=True)
        task = self._begun(ready)
        if task is None:  # a run with a checkpoint does not join others: it would start again with them
            fresh = [] if ready[0].id in self._saved else [run for run in ready if run.id not in self._saved]
            task = self.grouping.task(ready[0], fresh)
        halved = max(self.halved.get(run.id, 0) for run in task.runs)
        task = replace(task, halved=halved, registered=self.registered)
        for run in task.runs:
            del self.waiting[run.id]
        self.watcher.started(task)
        self.running[task.id] = task
        return task

    def _begun(self, ready: list[Run]) -> Task | None:
        """Return the first ready run with those that it was begun with, where a checkpoint of them all is there: they
        resume together, without those that are done by now, wanted no longer, or in another process's hands."""
        begun, together = self._saved.get(ready[0].id, ("", ()))
        if len(together) < 2:
            return None
        by_id = {run.id: run for run in ready}
        return self.grouping.again([by_id[run_id] for run_id in together if run_id in by_id], begun)

    def _look_at_checkpoints(self) -> None:
        """Find out which runs were begun, and with which others; drop what is left of groups that are done."""
        self._saved = {}
        for file in self.store.checkpoints():  # of two of one run the later counts
            together = tuple(runs_in(file))
            if len(together) > 1 and all(self._recorded(run_id) for run_id in together):
                self.store.drop_checkpoint(file.stem)
            else:
                self._saved |= dict.fromkeys(together, (file.stem, together))

    def _recorded(self, run_id: str) -> bool:
        return run_id in self.execution.outcomes or self.store.get(run_id) is not None

    def done(self, finished: Finished) -> None:
        """Take note of how a task ended."""
        task = self.running.pop(finished.task_id)
        left = [run for run in task.runs if not self._run_done(run, finished)]
        if finished.how == "busy":
            self._wait_for_others(left, finished.busy)
        elif finished.how == "lost" and max((self.losses.get(run.id, 0) for run in left), default=0) < LOSSES:
            self._go_on_elsewhere(task, left, finished)
        elif finished.how in ("too large", "died", "stopped", "lost"):  # "stopped" without our word: by somebody else
            self._try_again(task, left, finished)
        else:
            message = finished.message or "its record could not be read back from the store"
            self._fail(left, message, finished.detail)
        if finished.fatal:
            self.give_up(finished.message)
            return
        if left or task.begun:
            self._look_at_checkpoints()
        self._make_inputs()
        if self._choose_what_can_be():
            self._resolve()
            self._make_inputs()
        self._release()

    def _run_done(self, run: Run, finished: Finished) -> bool:
        """Return whether the run's record is there: even where its task did not end well."""
        if finished.how == "busy":
            done = self._take_over(run)
        else:
            record = self.store.get(run.id)
            done = record is not None
            if record is not None:
                self.execution.outcomes[run.id] = record["outcome"]
                self.execution.trained += 1
        if done:
            self.watcher.finished(run, "trained", "")
        return done

    def _wait_for_others(self, left: list[Run], busy: tuple[str, ...]) -> None:
        for run in left:
            self.not_before[run.id] = time.monotonic() + (1.0 if run.id in busy else 0.0)
            self.waiting[run.id] = run

    def _go_on_elsewhere(self, task: Task, left: list[Run], finished: Finished) -> None:
        """Let another machine go on from the checkpoint of one that was lost."""
        self.losses |= {run.id: self.losses.get(run.id, 0) + 1 for run in left}
        self.waiting |= {run.id: run for run in left}
        if left:
            self.watcher.note(f"{task.describe()}: {finished.message}; going on elsewhere from its last checkpoint")

    def _try_again(self, task: Task, left: list[Run], finished: Finished) -> None:
        """Try a task that was cut short once more as it was, then with half as many runs at once: one of them may be
        what ends its process, or all of them more than the memory holds. What is too large is halved at once."""
        if not left:
            return
        message = finished.message or "its process was told to end"
        attempts = 1 + max(self.attempts.get(run.id, 0) for run in left)
        halve = finished.how == "too large" or attempts >= ATTEMPTS
        if halve and len(task.runs) == 1:
            self._fail(left, message, finished.detail)
            return
        if halve:
            self.grouping.too_large(task)
            self.halved |= dict.fromkeys([run.id for run in left], task.halved + 1)
            attempts = ATTEMPTS - 1
            self.watcher.note(f"{task.describe()}: {message}; going on with half as many at once")
        else:
            self.watcher.note(f"{task.describe()}: {message}; trying once more")
        self.attempts |= dict.fromkeys([run.id for run in left], attempts)
        self.waiting |= {run.id: run for run in left}

    def _fail(self, runs: list[Run], message: str, detail: str) -> None:
        for run in runs:
            self.execution.failures[run.id] = message
            self.execution.details[run.id] = detail
            self.watcher.finished(run, "failed", message)

    def give_up(self, message: str, detail: str = "") -> None:
        """Let every run that is still waiting fail for this one reason."""
        for run_id in self.waiting:
            self.execution.failures[run_id] = message
            self.execution.details[run_id] = detail
        if self.waiting:
            self.watcher.note(f"{message}; {len(self.waiting)} waiting runs were not begun")
        self.waiting.clear()


def _runs_of(choice: Choice) -> list[Run]:
    return [run for _, runs in choice.candidates for run in runs]
