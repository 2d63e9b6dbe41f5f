"""A plan worked off on this machine: ready runs go to workers, choices are made as soon as their runs are done.

The parent process never imports torch. It holds no result either: workers put records into the store, so whatever
happens to this process, finished runs stay and the next call goes on.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lnbench.execute import worker
from lnbench.execute.groups import Grouping, check_backend
from lnbench.execute.pool import Pool
from lnbench.execute.work import Execution, Watcher, Work
from lnbench.machine import available_cores
from lnbench.plan import Plan
from lnbench.store import Store


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
) -> Execution:
    """Train what the store lacks of several plans. `only` picks jobs by their point; the choices they need come along.

    `backend`: "auto" (the rule of groups.py), or one for every training that it can train. `workers`: processes, by
    default one a core on the CPU and one on a GPU, started as they are needed; 0 trains in this process. On
    KeyboardInterrupt the running trainings write a checkpoint before it is passed on. Raises LnbenchError for a backend
    that is not to be had here.
    """
    check_backend(backend, device)
    work = Work(plans, store, watcher, only, Grouping(device.partition(":")[0], backend=backend))
    if work.waiting:
        if workers is None:
            workers = 1 if device.startswith("cuda") else available_cores()
        work.grouping.workers = workers
        if workers == 0:
            _in_this_process(work, device, data_root)
        else:
            with Pool(workers, store, device, data_root) as pool:
                pool.run(work)
    return work.execution


def _in_this_process(work: Work, device: str, data_root: Path | None) -> None:
    with _one_thread(), _asked_to_stop() as asked:
        trainer = worker.Trainer(work.store, device, data_root, work.watcher.report, asked)
        while work.left:
            if asked():
                raise KeyboardInterrupt
            task = work.take()
            if task is None:
                time.sleep(0.2)
                continue
            finished = trainer.do(task)
            if finished.how == "stopped":
                raise KeyboardInterrupt
            work.done(finished)
        if asked():
            raise KeyboardInterrupt


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """As in a worker: the number of threads decides in which order a sum is taken, and so its last bits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Ctrl-C as a question that the training asks after each step; a second Ctrl-C breaks off at once."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # signals are the main thread's
        return
    before = signal.getsignal(signal.SIGINT)
    asked = False

    def on_interrupt(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
