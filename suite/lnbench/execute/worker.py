"""The process that trains: takes one task at a time over a pipe, tells how far it is, puts its records into the store.

One process a core with one thread each: a second thread helps small networks little, and costs them up to 60 times
their speed as soon as another process wants the core (docs/performance.md). The environment variables that fix this
must stand before torch is imported, so the parent sets `ENVIRONMENT` before it starts the process.
"""

from __future__ import annotations

import contextlib
import datetime
import multiprocessing
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lnbench import catalog, experiments
from lnbench.errors import LnbenchError, StoreError, out_of_memory
from lnbench.execute.groups import UNTESTED_ON_A_GPU, Task
from lnbench.identity import canonical_json
from lnbench.machine import environment
from lnbench.plan import Run
from lnbench.store import Store, StoreUnwritable, make_record, sidefiles

if TYPE_CHECKING:
    from lnbench.given import Given
    from lnbench.training.gradient_noise import GradientNoise

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # glibc hands every large block back to the system and takes it again; keeping it is a fifth of a ConvNet's time
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
SECONDS_BETWEEN_REPORTS = 0.5
SECONDS_BETWEEN_CHECKPOINTS = 60.0


@dataclass(frozen=True)
class Report:
    """How far each run of a task is: examples trained on, of how many, and the epoch. `before`: those of them that the
    checkpoint had from which it goes on."""

    task_id: str
    done: int
    total: int
    epoch: int
    epochs: int
    before: int = 0


@dataclass(frozen=True)
class Finished:
    """A task has ended: "trained", "busy" (another process has, or had, some of its runs), "stopped", "died" (said by
    the parent: its process did), "lost" (its machine was), "too large" (for the memory, as a group), or "failed" with a
    message.

    `busy`: the runs that another process has, or has just finished. `fatal`: every other task would fail alike (the
    store cannot be written), so none should be begun. `last`: this process ends now.
    """

    task_id: str
    how: str
    message: str = ""
    detail: str = ""
    busy: tuple[str, ...] = ()
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
    """Does tasks in this process. `tell` takes reports; `stop` says whether to leave off; `gradient_noise`: for runs
    of `lnbench measure`, whose store is thrown away."""

    def __init__(
        self,
        store: Store,
        device_name: str,
        data_root: Path | None,
        tell: Callable[[Report], None],
        stop: Callable[[], bool],
        gradient_noise: GradientNoise | None = None,
    ):
        import torch

        from lnbench.training.engine import prepare

        self.store, self.data_root, self.tell, self.stop = store, data_root, tell, stop
        self.gradient_noise = gradient_noise
        self.device = torch.device(device_name)
        prepare(self.device)
        self.data: dict[str, Any] = {}
        self.warned: set[str] = set()

    def do(self, task: Task) -> Finished:
        """Train a task's runs and store their records."""
        from lnbench.training.hooks import Stopped

        try:
            with contextlib.ExitStack() as locks:
                held = [locks.enter_context(self.store.lock(run.id)) for run in task.runs]
                busy = tuple(run.id for run, mine in zip(task.runs, held, strict=True) if not mine or self._done(run))
                if busy:
                    return Finished(task.id, "busy", busy=busy)
                self._train(task)
            return Finished(task.id, "trained")
        except (Stopped, experiments.Stopped):
            return Finished(task.id, "stopped")
        except StoreUnwritable as error:
            return Finished(task.id, "failed", str(error), fatal=True)
        except LnbenchError as error:
            return Finished(task.id, "failed", str(error))
        except Exception as error:
            if not out_of_memory(error):
                return Finished(task.id, "failed", in_one_line(error), traceback.format_exc())
            message = f"out of memory, with nothing beside it in this process ({in_one_line(error)})"
        # here, as the error's traceback would have held on to all that the training had
        self._free()
        return Finished(task.id, "failed" if len(task.runs) == 1 else "too large", message)

    def _done(self, run: Run) -> bool:
        """Return whether another process has just put the run's record into the store."""
        return self.store.get(run.id) is not None

    def _load(self, dataset: dict[str, Any]) -> Any:
        """Return the data that a recipe's `dataset` names, on the device."""
        from lnbench.data.images import load_for
        from lnbench.training.folder_data import on_device

        which = canonical_json([dataset.get(key) for key in ("name", "size", "folder")])
        if which not in self.data:
            if self.data:
                self._free()  # one at a time: studies seldom mix data sets
            self.data = {which: on_device(load_for(dataset, root=self.data_root), self.device)}
        return self.data[which]

    def _inputs(self, run: Run) -> dict[str, Given]:
        """Return name -> what the run builds on; it is in the store before the run is given out. Raises LnbenchError
        where a record or its arrays are not there any more."""
        from lnbench.given import Given

        found = {}
        for name, record_id in run.inputs.items():
            record = self.store.get(record_id)
            if record is None:
                raise LnbenchError(f"its input {name} ({record_id}) is not in the store; give the same command again")
            try:
                found[name] = Given(record["outcome"], self.store.arrays(record))
            except StoreError as error:
                raise LnbenchError(f"its input {name}: {error}") from None
        return found

    def _free(self) -> None:
        """Give back what memory is held between tasks."""
        import gc

        import torch

        self.data = {}
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _train(self, task: Task) -> None:
        from lnbench.data.label_files import LabelFiles
        from lnbench.training.checkpoints import load_state, save_state
        from lnbench.training.engine import train_group
        from lnbench.training.hooks import Hooks, Progress, State

        ids = [run.id for run in task.runs]
        file = self.store.checkpoint_path(task.id)
        state = load_state(ids, file)
        if state is None and task.begun:
            state = load_state(ids, self.store.checkpoint_path(task.begun))
        began = time.monotonic()
        last_report = last_save = began
        before: int | None = 0 if state is None else None

        def tick(progress: Progress) -> bool:
            nonlocal last_report, last_save, before
            now = time.monotonic()
            if before is None:  # the first step: nearly all of it is the checkpoint's, if that fits
                before = progress.examples_done if state is not None and not state.refused else 0
            if now - last_report >= SECONDS_BETWEEN_REPORTS:
                last_report = now
                done, total = progress.examples_done, progress.examples_total
                self.tell(Report(task.id, done, total, progress.epoch, progress.epochs, before))
            if now - last_save >= SECONDS_BETWEEN_CHECKPOINTS:
                last_save = now
                return True
            return False

        def save(state: State) -> None:
            save_state(state, ids, file, self.store.write)

        files = LabelFiles(self.data_root, {name: path for run in task.runs for name, path in run.files.items()})
        hooks = Hooks(tick, self.stop, save, self.gradient_noise, files)
        recipes, seeds = [run.recipe for run in task.runs], [run.seeds for run in task.runs]
        if task.runs[0].experiment:
            more = {"state": state, "hooks": hooks, "device": self.device}
            outcomes = [experiments.run(recipes[0], seeds[0], self.data_root, **more)]
        else:
            data = self._load(recipes[0]["dataset"])
            inputs = [self._inputs(run) for run in task.runs]
            with self._compiler_heard() as failures:
                outcomes = train_group(
                    recipes, seeds, data,
                    backend=task.backend, compile=task.compile, inputs=inputs, state=state, hooks=hooks,
                )  # fmt: skip
            task = replace(task, compile=task.compile and not failures)
        provenance = self._provenance(task, time.monotonic() - began, state is not None and not state.refused)
        for place, (run, outcome) in enumerate(zip(task.runs, outcomes, strict=True)):
            arrays = outcome.pop("arrays", {})
            group = {"replicas": len(ids), "place": place} if len(ids) > 1 else {}
            took = {"took": outcome.pop("took")} if "took" in outcome else {}
            if arrays:
                outcome["arrays"] = sidefiles.describe(arrays)
            self.store.put(make_record(run.content, outcome, {**provenance, **group, **took}), arrays)
        self.store.drop_checkpoint(task.id)

    @contextlib.contextmanager
    def _compiler_heard(self) -> Iterator[list[str]]:
        """Yield what torch.compile could not do: told once per process, and known for the record."""
        from lnbench.training.backends.compiling import NotCompiled

        failures: list[str] = []
        with warnings.catch_warnings():
            warnings.simplefilter("always", NotCompiled)
            show = warnings.showwarning

            def heard(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
                if not issubclass(category, NotCompiled):
                    show(message, category, *place, **more)
                    return
                failures.append(str(message))
                if str(message) not in self.warned:
                    self.warned.add(str(message))
                    self.store.warn(str(message))

            warnings.showwarning = heard
            yield failures

    def _provenance(self, task: Task, seconds: float, resumed: bool) -> dict[str, Any]:
        """When, where and how: of a group, `seconds` is each run's share of the whole."""
        import torch

        run = task.runs[0]
        cuda = self.device.type == "cuda" and (not run.experiment or experiments.trains_network(run.recipe))
        plugins = catalog.packages(catalog.used(run.recipe).values())
        return {
            "environment": environment(),
            **({"plugins": plugins} if plugins else {}),
            "device": torch.cuda.get_device_name(self.device) if cuda else "cpu",
            "backend": task.backend,
            **({"untested": True} if cuda and task.backend in UNTESTED_ON_A_GPU else {}),
            **({"compiled": True} if task.compile else {}),
            **({"halved": task.halved} if task.halved else {}),
            "threads": torch.get_num_threads(),
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds / len(task.runs), 3),
            "resumed": resumed,
            **task.registered,
        }


def in_one_line(error: Exception) -> str:
    """Return `RuntimeError: the first line of its text`."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def main(
    connection: Connection,
    store_path: Path,
    device_name: str,
    data_root: Path | None,
    stop: Any,
    gradient_noise: GradientNoise | None = None,
) -> None:
    """Run the worker process: it answers each Task with a Finished, until the pipe closes.

    It leaves off at the next step, with a checkpoint, when `stop` (a shared byte) is not 0, when the parent is gone
    (killed: nobody
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
        return orphaned or terminated or bool(stop.value)

    def tell(report: Report) -> None:
        nonlocal orphaned
        try:
            connection.send(report)
        except OSError:  # nobody listens any more: the training is to stop with a checkpoint, not to fail
            orphaned = True

    for name in ("SIGINT", "SIGHUP"):  # the parent hears Ctrl-C, and its terminal close, and tells us through `stop`
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, on_terminate)
    try:
        store = Store(store_path, warn=connection.send)
        try:
            import torch

            torch.set_num_threads(1)
            trainer = Trainer(store, device_name, data_root, tell, should_stop, gradient_noise)
        except Exception as error:
            connection.send(Broken(in_one_line(error), traceback.format_exc()))
            return
        connection.send(Ready())
        while not should_stop():
            task = connection.recv()
            if task is None:
                return
            busy = True
            finished = trainer.do(task)
            # an error on a GPU may have spoilt it for this process: the next run gets a new one
            spoilt = finished.how == "failed" and bool(finished.detail) and device_name.startswith("cuda")
            if spoilt or finished.how == "stopped":
                connection.send(replace(finished, last=True))
                return
            connection.send(finished)
            busy = False
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
