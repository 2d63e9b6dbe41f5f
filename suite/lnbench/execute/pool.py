"""Worker processes on this machine: started when there is work, heard, replaced when they die, ended with care."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from lnbench.execute import worker
from lnbench.execute.work import Work
from lnbench.execute.worker import Broken, Finished, Ready, Report
from lnbench.store import Store
from lnbench.training.gradient_noise import GradientNoise

SECONDS_TO_STOP = 30.0
SILENT_DEATHS = 3  # in a row, of workers that never were ready: then none will be


@dataclass
class Worker:
    process: Any
    connection: Connection
    task_id: str | None = None
    ready: bool = False  # it has imported torch and can train


class Pool:
    """A crew (`crew.py`) of worker processes; a worker that dies is replaced.

    Its processes end with the work, unless it is `lasting`: then they wait for more of it, of the same store, until the
    pool is closed. Starting them takes seconds, as each imports torch.
    """

    def __init__(
        self,
        workers: int,
        device: str = "cpu",
        data_root: Path | None = None,
        gradient_noise: GradientNoise | None = None,
        *,
        lasting: bool = False,
    ):
        self.workers, self.device, self.data_root, self.lasting = workers, device, data_root, lasting
        self.gradient_noise = gradient_noise
        self.context = multiprocessing.get_context("spawn")
        # A byte that is shared, and no Event: a worker that is killed while it asks an Event keeps that one's lock for
        # ever, and its replacement would wait for it.
        self.stop = self.context.RawValue("b", 0)
        resource_tracker.ensure_running()  # now: when it starts with a worker, it lets Ctrl-C through
        self.members: list[Worker] = []
        self.silent_deaths = 0
        self.noted: set[str] = set()  # every worker finds the same things amiss

    def run(self, work: Work) -> None:
        """Train until nothing is left. The processes end before it returns, unless the pool is lasting; in any case
        where it is interrupted."""
        try:
            while work.left:
                self._give_out(work)
                connections: list[Any] = [member.connection for member in self.members]
                for ready in wait(connections, timeout=0.5):
                    member = next(member for member in self.members if member.connection is ready)
                    self._hear(member, work)
        except BaseException:
            self.close()
            raise
        if not self.lasting:
            self.close()

    def close(self) -> None:
        """End the processes: let them finish their step and write their checkpoints."""
        self.stop.value = 1
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
        self.stop.value = 0  # for processes that more work may start

    def _start(self, store: Store) -> Worker:
        ours, theirs = self.context.Pipe()
        arguments = (theirs, store.path, self.device, self.data_root, self.stop, self.gradient_noise)
        process = self.context.Process(target=worker.main, args=arguments, daemon=True)
        with environment_of(worker.ENVIRONMENT), without_interrupt():
            process.start()
            theirs.close()
            member = Worker(process, ours)
            self.members.append(member)
        return member

    def _give_out(self, work: Work) -> None:
        idle = [member for member in self.members if member.task_id is None]
        while len(self.members) < self.workers and len(work.waiting) > len(idle):
            idle.append(self._start(work.store))
        for member in idle:
            task = work.take()
            if task is None:
                return
            member.task_id = task.id
            try:
                member.connection.send(task)
            except OSError:
                self._lost(member, work)

    def _hear(self, member: Worker, work: Work) -> None:
        try:
            message = member.connection.recv()
        except (EOFError, OSError):
            self._lost(member, work)
            return
        member.ready = True
        if isinstance(message, Broken):
            work.give_up(f"no training is possible here: {message.message}", message.detail)
            self._lost(member, work, message.message)
        elif isinstance(message, Report):
            work.watcher.report(message)
        elif isinstance(message, Finished):
            member.task_id = None
            if message.last:
                self._lost(member, work)
            work.done(message)
        elif not isinstance(message, Ready) and message not in self.noted:
            self.noted.add(message)
            work.watcher.note(message)

    def _lost(self, member: Worker, work: Work, why: str = "") -> None:
        """Handle a worker that has gone: another tries its task once more, or it fails where `why` tells that none
        could."""
        member.process.join(1.0)
        code = member.process.exitcode
        if code is None:  # alive, but its pipe is not: it must not train on unheard
            member.process.kill()
            member.process.join()
        member.connection.close()
        self.members.remove(member)
        how = f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        message = f"its process ended ({how}); out of memory, or a lost device?"
        if member.task_id is not None:
            if why:
                work.done(Finished(member.task_id, "failed", why))
            else:
                work.done(Finished(member.task_id, "died", message))
        self.silent_deaths = 0 if member.ready else self.silent_deaths + 1
        if self.silent_deaths >= SILENT_DEATHS and work.waiting:
            work.give_up(f"{SILENT_DEATHS} processes in a row ended before they could train: {message}")


@contextlib.contextmanager
def without_interrupt() -> Iterator[None]:
    """Ctrl-C and SIGHUP wait. A process started inside keeps them blocked: a worker is not to hear them, from its first
    moment on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def environment_of(values: dict[str, str]) -> Iterator[None]:
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
