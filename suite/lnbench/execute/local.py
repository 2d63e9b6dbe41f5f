"""A plan worked off: ready runs go to a crew, choices are made as soon as their runs are done.

The parent process never imports torch. It holds no result either: workers put records into the store, so whatever
happens to this process, finished runs stay and the next call goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lnbench.errors import LnbenchError
from lnbench.execute.crew import Crew, Shard
from lnbench.execute.groups import Grouping, check_backend
from lnbench.execute.pool import Pool
from lnbench.execute.this_process import ThisProcess
from lnbench.execute.work import Execution, Watcher, Work
from lnbench.machine import available_cores
from lnbench.plan import Plan, Run
from lnbench.store import Record, Store
from lnbench.training.gradient_noise import GradientNoise

MOST_WORKERS = 256


def execute(
    plans: list[Plan],
    store: Store,
    watcher: Watcher,
    *,
    device: str = "cpu",
    data_root: Path | None = None,
    workers: int | None = None,
    backend: str = "auto",
    only: Callable[[dict[str, Any]], bool] = lambda point: True,
    shard: Shard | None = None,
    crew: Crew | None = None,
    registered: Mapping[str, str] | None = None,
    known: Mapping[str, Record] | None = None,
) -> Execution:
    """Train what the store lacks of several plans. `only` picks jobs by their point; the choices they need come along.

    `backend`: "auto" (the rule of groups.py), or one for every training that it can train. `shard`: train this share
    of the runs and leave the rest. `crew`: who trains; None for worker processes of this machine. Then `workers` is
    their number, by default LNBENCH_WORKERS, or one per core on the CPU and one on a GPU, started as they are needed; 0
    trains in this process. `registered`: what records say of the lock that they are trained under. `known`: records of
    the store by id, which are not read again. On KeyboardInterrupt the running trainings write a checkpoint before it
    is passed on. Raises LnbenchError for a backend that is not available here.
    """
    check_backend(backend, device)
    leaves: Callable[[Run], bool] = (lambda run: not shard.has(run)) if shard else (lambda run: False)
    grouping = Grouping(device.partition(":")[0], backend=backend)
    work = Work(plans, store, watcher, only, grouping, leaves, registered=registered, known=known)
    return _done(work, crew, device, data_root, workers)


def _done(work: Work, crew: Crew | None, device: str, data_root: Path | None, workers: int | None) -> Execution:
    """Have a crew do the work, where there is any."""
    if work.waiting:
        crew = crew or local_crew(device, data_root, workers)
        work.grouping.workers = crew.workers
        crew.run(work)
    return work.execution


def execute_runs(
    runs: Sequence[Run],
    store: Store,
    watcher: Watcher,
    *,
    device: str = "cpu",
    data_root: Path | None = None,
    workers: int | None = None,
    ways: Mapping[str, tuple[str, bool]] | None = None,
) -> Execution:
    """Train what the store lacks of single runs, and of those that their inputs are made of, as `execute` does.

    `ways`: run id -> (backend, whether its step is compiled) for runs that are to be computed as they were before; the
    rule of groups.py decides on the others.
    """
    work = Work([], store, watcher, lambda point: True, Grouping(device.partition(":")[0], ways=ways or {}), runs=runs)
    return _done(work, None, device, data_root, workers)


@contextmanager
def lasting_crew(device: str, data_root: Path | None, workers: int | None) -> Iterator[Crew]:
    """Yield the crew of this machine for several calls of `execute` with one store: its processes are started once, as
    they are needed, and end with the block."""
    crew = local_crew(device, data_root, workers, lasting=True)
    try:
        yield crew
    finally:
        if isinstance(crew, Pool):
            crew.close()


def local_crew(
    device: str,
    data_root: Path | None,
    workers: int | None,
    gradient_noise: GradientNoise | None = None,
    *,
    lasting: bool = False,
) -> Crew:
    """Return the crew of this machine: so many worker processes, or this process for 0. `lasting`: as `Pool` has it.
    Raises LnbenchError where LNBENCH_WORKERS is no number."""
    if workers is None:
        workers = _usual_workers(device)
    if workers:
        return Pool(workers, device, data_root, gradient_noise, lasting=lasting)
    return ThisProcess(device, data_root, gradient_noise)


def _usual_workers(device: str) -> int:
    """Return how many worker processes there are unless somebody says: LNBENCH_WORKERS, else one a core, or one on a
    GPU."""
    told = os.environ.get("LNBENCH_WORKERS", "")
    if not told:
        return 1 if device.startswith("cuda") else available_cores()
    if not told.isdecimal() or int(told) > MOST_WORKERS:
        raise LnbenchError(f"LNBENCH_WORKERS: '{told}' is not a whole number from 0 to {MOST_WORKERS}")
    return int(told)
