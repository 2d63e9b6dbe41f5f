"""Who trains, and which share of the work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from lnbench.errors import LnbenchError
from lnbench.execute.work import Work
from lnbench.plan import Run


class Crew(Protocol):
    """Who trains: this process (`this_process.py`), worker processes of this machine (`pool.py`), or an engine that
    spreads tasks over many machines.

    `workers`: how many tasks it trains at once. Runs of equal shape are shared out among so many.
    """

    @property
    def workers(self) -> int: ...

    def run(self, work: Work) -> None:
        """Train until `work.left` is false.

        `work.take()` gives the next task, or None while every run that is left waits for another. Whoever trains the
        task (`worker.Trainer.do`, in any process) puts its records into a store; they must be in `work.store`
        before `work.done(Finished(task.id, how, …))` says how the task ended. `work.watcher.report` takes news of the
        progress. On KeyboardInterrupt it stops its trainings, with checkpoints, and passes the exception on.
        """


@dataclass(frozen=True)
class Shard:
    """Share `number` (from 1) of `of` equal shares of a plan's runs, which need no word with each other.

    A run's id says whose it is, so the shares are the same whatever is in the store. What other runs wait for (the runs
    that a choice is made between, and those that inputs are computed from) belongs to every share, since none could go
    on without it; shares that use one store train it once.
    """

    number: int
    of: int

    def has(self, run: Run) -> bool:
        """Return whether a run that no other waits for belongs to this share."""
        return int(run.id, 16) % self.of == self.number - 1

    @staticmethod
    def parse(text: str) -> Shard:
        """Read `2/3`: the second of three shares. Raises LnbenchError."""
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            what = "write 1/3, 2/3 or 3/3 for one of three, of at most 999999"
            raise LnbenchError(f"--shard {text}: not a share; {what}")
        return Shard(int(found[1]), int(found[2]))
