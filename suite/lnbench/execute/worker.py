"""The process that trains: takes one run at a time over a pipe, tells how far it is, puts the record into the store.

One process a core with one thread each: a second thread helps small networks little, and costs them up to 60 times
their speed as soon as another process wants the core (docs/performance.md). The environment variables that fix this
must stand before torch is imported, so the parent sets `ENVIRONMENT` before it starts the process.
"""

from __future__ import annotations

import datetime
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lnbench.environment import environment
from lnbench.errors import LnbenchError
from lnbench.plan import Run
from lnbench.store import Store, StoreUnwritable, make_record

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # glibc hands every large block back to the system and takes it anew; keeping it is a fifth of a ConvNet's time
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
SECONDS_BETWEEN_REPORTS = 0.5
SECONDS_BETWEEN_CHECKPOINTS = 60.0


@dataclass(frozen=True)
class Task:
    """One run to be done."""

    run: Run


@dataclass(frozen=True)
class Report:
    """How far the current run is: examples trained on, of how many, and the epoch."""

    run_id: str
    done: int
    total: int
    epoch: int
    epochs: int


@dataclass(frozen=True)
class Finished:
    """A run has ended: "trained", "busy" (another process has it), "stopped", or "failed" with a message.

    `fatal`: every other run would fail alike (the store cannot be written), so none should be begun. `last`: this
    process ends now.
    """

    run_id: str
    how: str
    message: str = ""
    detail: str = ""
    fatal: bool = False
    last: bool = False


@dataclass(frozen=True)
class Ready:
    """This process can train."""


@dataclass(frozen=True)
class Broken:
    """This process cannot train at all."""

    message: str
    detail: str


class Trainer:
    """Trains runs in this process. `tell` takes reports; `stop` says whether to leave off."""

    def __init__(
        self,
        store: Store,
        device_name: str,
        data_root: Path | None,
        tell: Callable[[Report], None],
        stop: Callable[[], bool],
    ):
        import torch

        from lnbench.training.engine import prepare

        self.store, self.data_root, self.tell, self.stop = store, data_root, tell, stop
        self.device = torch.device(device_name)
        prepare(self.device)
        self.data: dict[str, Any] = {}

    def do(self, run: Run) -> Finished:
        """Train one run and store its record."""
        from lnbench.training.engine import Stopped

        try:
            with self.store.lock(run.id) as mine:
                if not mine:
                    return Finished(run.id, "busy")
                if self.store.get(run.id) is not None:
                    return Finished(run.id, "busy")  # it was, and has just been done
                self._train(run)
            return Finished(run.id, "trained")
        except Stopped:
            return Finished(run.id, "stopped")
        except StoreUnwritable as error:
            return Finished(run.id, "failed", str(error), fatal=True)
        except (LnbenchError, MemoryError) as error:
            return Finished(run.id, "failed", str(error) or "out of memory")
        except Exception as error:
            return Finished(run.id, "failed", in_one_line(error), traceback.format_exc())

    def _load(self, name: str) -> Any:
        from lnbench.data import load

        if name not in self.data:
            self.data = {name: load(name, root=self.data_root)}  # one at a time: studies seldom mix data sets
        return self.data[name]

    def _train(self, run: Run) -> None:
        import torch

        from lnbench.training.checkpoints import load_state, save_state
        from lnbench.training.engine import Hooks, Progress, train

        file = self.store.checkpoint_path(run.id)
        state = load_state(run.id, file)
        began = time.monotonic()
        last_report = last_save = began

        def tick(progress: Progress) -> bool:
            nonlocal last_report, last_save
            now = time.monotonic()
            if now - last_report >= SECONDS_BETWEEN_REPORTS:
                last_report = now
                done, total = progress.examples_done, progress.examples_total
                self.tell(Report(run.id, done, total, progress.epoch, progress.epochs))
            if now - last_save >= SECONDS_BETWEEN_CHECKPOINTS:
                last_save = now
                return True
            return False

        hooks = Hooks(tick, self.stop, lambda state: save_state(state, run.id, file, self.store.write))
        data = self._load(run.recipe["dataset"]["name"])
        outcome = train(run.recipe, run.seeds, data, self.device, state=state, hooks=hooks)
        cuda = self.device.type == "cuda"
        provenance = {
            "environment": environment(),
            "device": torch.cuda.get_device_name(self.device) if cuda else "cpu",
            "backend": "loop",
            "threads": torch.get_num_threads(),
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - began, 3),
            "resumed": state is not None,
        }
        self.store.put(make_record(run.content, outcome, provenance))
        self.store.drop_checkpoint(run.id)


def in_one_line(error: Exception) -> str:
    """`RuntimeError: the first line of its text`."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def main(connection: Connection, store_path: Path, device_name: str, data_root: Path | None, stop: Any) -> None:
    """The worker process: answers each Task with a Finished, until the pipe closes.

    It leaves off at the next step, with a checkpoint, when `stop` is set, when the parent is gone (killed: nobody
    would hear the result) or on SIGTERM (the machine is wanted back).
    """
    parent = multiprocessing.parent_process()
    busy = terminated = orphaned = False
    last_look = 0.0

    def on_terminate(number: int, frame: Any) -> None:
        nonlocal terminated
        terminated = True
        if not busy:
            raise SystemExit(0)

    def should_stop() -> bool:
        nonlocal last_look, orphaned
        now = time.monotonic()
        if now - last_look > SECONDS_BETWEEN_REPORTS:
            last_look, orphaned = now, parent is not None and not parent.is_alive()
        return orphaned or terminated or stop.is_set()

    def tell(report: Report) -> None:
        nonlocal orphaned
        try:
            connection.send(report)
        except OSError:  # nobody listens any more: the training is to stop with a checkpoint, not to fail
            orphaned = True

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and tells us through `stop`
    signal.signal(signal.SIGTERM, on_terminate)
    try:
        store = Store(store_path, warn=connection.send)
        try:
            import torch

            torch.set_num_threads(1)
            trainer = Trainer(store, device_name, data_root, tell, should_stop)
        except Exception as error:
            connection.send(Broken(in_one_line(error), traceback.format_exc()))
            return
        connection.send(Ready())
        while not should_stop():
            task = connection.recv()
            if task is None:
                return
            busy = True
            finished = trainer.do(task.run)
            # an error on a GPU may have spoilt it for this process: the next run gets a new one
            spoilt = finished.how == "failed" and bool(finished.detail) and device_name.startswith("cuda")
            if spoilt or finished.how == "stopped":
                connection.send(replace(finished, last=True))
                return
            connection.send(finished)
            busy = False
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
