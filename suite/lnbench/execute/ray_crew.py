"""A crew on a Ray cluster: an actor a slot, on whichever node has room (`pip install 'lnbench[ray]'`).

An actor trains as a worker process does (`worker.Trainer`), one task at a time. Where it finds the driver's store on
its own file system it uses that one; else what it makes comes back through a keeper beside the driver (`far_store.py`).
A node that is lost takes no result with it, and its runs go on elsewhere from their last checkpoint: nobody's fault, so
no attempt. One that joins late is used as soon as it is there. The actors belong to the driver: they end with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import lnbench
from lnbench.data.root import data_root, status
from lnbench.errors import LnbenchError
from lnbench.execute import worker
from lnbench.execute.far_store import FarStore, Keeper
from lnbench.execute.work import Work
from lnbench.execute.worker import Finished, Report
from lnbench.machine import version_of
from lnbench.store import Store, StoreUnwritable

SECONDS_TO_CONNECT = 5.0
SECONDS_TO_STOP = 30.0
SECONDS_BETWEEN_LOOKS = 2.0  # at the size of the cluster
FAILED_STARTS = 3  # in a row, of actors that never were ready: then none will be
MARK = "ray"  # the file among a store's locks by which an actor knows it


@dataclass(frozen=True)
class Terms:
    """What an actor is told: where the driver's store is and what its mark says, on what it trains, and which data sets
    are needed, in which data root (None: the default one of the node)."""

    store: Path
    mark: str
    device: str
    data_root: Path | None
    datasets: tuple[str, ...]
    seconds: tuple[float, float]  # between checkpoints, and between reports


@dataclass(frozen=True)
class About:
    """What an actor says of itself: its node, the versions there, whether it sees the driver's store, and a line for
    each data set that is not there."""

    node: str
    address: str
    versions: dict[str, str]
    shares_store: bool
    lacks: tuple[str, ...]


def versions() -> dict[str, str]:
    """Return what must be the same on all nodes: records of one study are of one code."""
    return {"lnbench": f"{lnbench.__version__} ({_source()})", "torch": version_of("torch")}


def _source() -> str:
    """Return a short hash over lnbench's own files."""
    folder, digest = Path(lnbench.__file__).parent, hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


class Member:
    """An actor: two threads, of which one trains and one answers."""

    def __init__(self, terms: Terms, keeper: Any, name: str):
        import torch

        torch.set_num_threads(1)
        worker.SECONDS_BETWEEN_CHECKPOINTS, worker.SECONDS_BETWEEN_REPORTS = terms.seconds
        self._terms, self._leaving = terms, False
        self._last: Report | None = None
        self._notes: list[str] = []
        self._shares = _marked(terms.store) == terms.mark
        store = (
            Store(terms.store, warn=self._notes.append)
            if self._shares
            else FarStore(Path(tempfile.mkdtemp(prefix="lnbench-")), _asking(keeper), name, warn=self._notes.append)
        )
        self._trainer = worker.Trainer(store, terms.device, terms.data_root, self._hear, lambda: self._leaving)

    def _hear(self, report: Report) -> None:
        self._last = report

    def ready(self) -> About:
        """Return what the driver must know before it gives this actor a task."""
        names = self._terms.datasets
        found = status(data_root(self._terms.data_root), names) if names else []
        lacks = tuple(f"{state.name} in {state.root}" for state in found if not state.usable)
        node = ray.get_runtime_context().get_node_id()
        return About(node, ray.util.get_node_ip_address(), versions(), self._shares, lacks)

    def do(self, task: Any) -> Finished:
        """Train a task's runs and store their records."""
        import torch

        torch.set_num_threads(1)  # of this thread
        return self._trainer.do(task)

    def look(self) -> tuple[Report | None, list[str]]:
        """Return how far the training is, and what was found amiss since the last look."""
        notes, self._notes[:] = list(self._notes), []
        return self._last, notes

    def stop(self) -> None:
        """Let the training end at its next step, with a checkpoint."""
        self._leaving = True


def _marked(store: Path) -> str:
    try:
        return (store / "locks" / MARK).read_text()
    except OSError:
        return ""


def _asking(keeper: Any) -> Any:
    """Return `ask` of a FarStore: a call of the keeper's, whose errors are its own."""

    def ask(method: str, *arguments: Any) -> Any:
        try:
            return ray.get(getattr(keeper, method).remote(*arguments))
        except RayTaskError as error:
            raise (error.cause or error) from None
        except RayError as error:
            raise StoreUnwritable(f"the driver's store cannot be reached ({_in_one_line(error)})") from None

    return ask


@dataclass
class _Actor:
    """An actor as the driver knows it."""

    handle: Any
    name: str
    about: About | None = None
    task_id: str | None = None
    asked: Any = None  # a look that is under way


class RayCrew:
    """A crew (`crew.py`) on the cluster that this process is connected to (`connected`).

    `most`: actors at most; None for as many as the cluster has CPUs, or GPUs with `device` "cuda", now and later.
    """

    def __init__(self, device: str, root: Path | None, most: int | None = None):
        self.device, self.data_root, self._most = device, root, most
        self._kind = "GPU" if device.startswith("cuda") else "CPU"
        self._idle: list[_Actor] = []
        self._starting: dict[Any, _Actor] = {}  # they have no place yet, or import torch
        self._running: dict[Any, _Actor] = {}
        self._looked, self._slots = -SECONDS_BETWEEN_LOOKS, 0
        self._failed_starts = 0
        self._keeper: Any = None
        self._terms: Terms | None = None
        if not self._wanted():
            have = ", ".join(f"{int(count)} {name}" for name, count in sorted(_resources().items())) or "nothing"
            raise LnbenchError(f"--device {device}: the Ray cluster has no {self._kind} to train on (it has {have})")

    @property
    def workers(self) -> int:
        """Return how many tasks are trained at once."""
        return max(1, self._wanted())

    def _wanted(self) -> int:
        """Return how many actors there should be: the cluster may have grown."""
        if time.monotonic() - self._looked > SECONDS_BETWEEN_LOOKS:
            self._looked, self._slots = time.monotonic(), int(_resources().get(self._kind, 0))
        return self._slots if self._most is None else min(self._slots, self._most)

    def run(self, work: Work) -> None:
        """Train until nothing is left, as `Crew` says. Raises LnbenchError where a node has other versions or lacks
        data: then nothing is trained there, and finished runs stay."""
        self._begin(work)
        try:
            while work.left:
                self._start(work)
                self._give_out(work)
                self._hear(work)
            for note in ray.get(self._keeper.notes.remote()):  # what it found amiss in the store
                work.watcher.note(note)
        except BaseException:
            self.close()
            raise

    def _begin(self, work: Work) -> None:
        """Mark the store, and start the keeper beside this process."""
        store, datasets = work.store.path.resolve(), tuple(sorted(work.datasets()))
        if self._terms is not None and (self._terms.store, self._terms.datasets) == (store, datasets):
            return
        self.close()
        mark = uuid4().hex
        work.store.demand_writable()
        (store / "locks" / MARK).write_text(mark)
        seconds = (worker.SECONDS_BETWEEN_CHECKPOINTS, worker.SECONDS_BETWEEN_REPORTS)
        self._terms = Terms(store, mark, self.device, self.data_root, datasets, seconds)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        # one whose process is killed begins again: all that it has is in the store, and its locks end with it
        lasts = {"max_restarts": -1, "max_task_retries": -1}
        self._keeper = ray.remote(Keeper).options(num_cpus=0, scheduling_strategy=here, **lasts).remote(store)

    def _start(self, work: Work) -> None:
        """Start actors while there is more work than they can do, and room for them."""
        count = len(self._idle) + len(self._starting) + len(self._running)
        for _ in range(count, min(self._wanted(), len(work.waiting) + len(self._running))):
            needs: dict[str, Any] = {"num_gpus": 1, "num_cpus": 0} if self._kind == "GPU" else {"num_cpus": 1}
            environment = {"env_vars": worker.ENVIRONMENT}
            name = uuid4().hex
            made = ray.remote(Member).options(max_restarts=0, max_concurrency=2, runtime_env=environment, **needs)
            handle = made.remote(self._terms, self._keeper, name)
            self._starting[handle.ready.remote()] = _Actor(handle, name)

    def _give_out(self, work: Work) -> None:
        while self._idle and (task := work.take()) is not None:
            actor = self._idle.pop()
            actor.task_id = task.id
            self._running[actor.handle.do.remote(task)] = actor

    def _hear(self, work: Work) -> None:
        """Wait a while for what happens next, and take note of it."""
        futures = [*self._running, *self._starting]
        if not futures:
            time.sleep(0.1)  # all that is left waits for another process
            return
        done, _ = ray.wait(futures, timeout=0.5)
        for future in done:
            if future in self._starting:
                self._started(self._starting.pop(future), future, work)
            else:
                self._ended(self._running.pop(future), future, work)
        for actor in self._running.values():
            self._ask_how_far(actor, work)

    def _started(self, actor: _Actor, future: Any, work: Work) -> None:
        try:
            about: About = ray.get(future)
        except RayError as error:
            self._drop(actor)
            self._failed_starts += 1
            if self._failed_starts >= FAILED_STARTS:
                what = f"{FAILED_STARTS} actors in a row ended before they could train"
                work.give_up(f"{what} ({_in_one_line(error)}); is lnbench installed on every node?")
            return
        self._failed_starts = 0
        for name, here in versions().items():
            if about.versions.get(name) != here:
                there = about.versions.get(name) or "none"
                what = f"the node {about.address} has {name} {there}, this machine {here}"
                raise LnbenchError(f"{what}; records of one study are of one version: install the same on all nodes")
        if about.lacks:
            what = f"the node {about.address} lacks {', '.join(about.lacks)}"
            raise LnbenchError(f"{what}; fetch it there (lnbench data fetch), or name a folder that all nodes share")
        actor.about = about
        self._idle.append(actor)

    def _ended(self, actor: _Actor, future: Any, work: Work) -> None:
        task_id, actor.task_id = str(actor.task_id), None
        try:
            finished: Finished = ray.get(future)
        except RayActorError as error:
            lost = isinstance(error, ActorUnavailableError) or actor.about is None or not _is_alive(actor.about.node)
            address = actor.about.address if actor.about else "?"
            message = f"the node {address} was lost" if lost else f"its process ended ({_in_one_line(error)})"
            self._drop(actor)
            work.done(Finished(task_id, "lost" if lost else "died", message))
            return
        except RayError as error:  # not an actor that has gone: Ray could not bring its answer
            self._drop(actor)
            work.done(Finished(task_id, "died", _in_one_line(error)))
            return
        spoilt = finished.how == "failed" and bool(finished.detail) and self._kind == "GPU"
        if spoilt or finished.how == "stopped":
            self._drop(actor)
        else:
            self._idle.append(actor)
        work.done(finished)

    def _ask_how_far(self, actor: _Actor, work: Work) -> None:
        """Progress is asked for, and never waited for."""
        if actor.asked is None:
            actor.asked = actor.handle.look.remote()
        elif ray.wait([actor.asked], timeout=0)[0]:
            with contextlib.suppress(RayError):  # its task will tell
                report, notes = ray.get(actor.asked)
                if report is not None and report.task_id == actor.task_id:
                    work.watcher.report(report)
                for note in notes:
                    work.watcher.note(note)
            actor.asked = None

    def _drop(self, actor: _Actor) -> None:
        """End an actor for certain, and give back its locks: another goes on with what it had."""
        with contextlib.suppress(RayError):
            ray.kill(actor.handle)
        if self._keeper is not None:
            with contextlib.suppress(RayError):
                ray.get(self._keeper.forget.remote(actor.name), timeout=SECONDS_TO_CONNECT)

    def close(self) -> None:
        """End all actors: let them finish their step and write their checkpoints."""
        for actor in self._running.values():
            actor.handle.stop.remote()
        if self._running:
            ray.wait(list(self._running), num_returns=len(self._running), timeout=SECONDS_TO_STOP)
        for actor in [*self._idle, *self._starting.values(), *self._running.values()]:
            self._drop(actor)
        if self._keeper is not None:
            ray.kill(self._keeper)
        for held in (self._idle, self._starting, self._running):
            held.clear()
        self._keeper = self._terms = None


def _resources() -> dict[str, float]:
    found: dict[str, float] = ray.cluster_resources()
    return {name: count for name, count in found.items() if name in ("CPU", "GPU")}


def _is_alive(node: str) -> bool:
    return any(each["NodeID"] == node and each["Alive"] for each in ray.nodes())


def _in_one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Connect this process to a Ray cluster: the one at `host:port`, or the one that runs on this machine for None.
    Raises LnbenchError where there is none."""
    if address is not None:
        _demand_listener(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address or "auto", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, GetTimeoutError, OSError) as error:
        where = f"at {address}" if address else "on this machine"
        hint = "start one with `ray start --head`, and give its address with --address"
        raise LnbenchError(f"--crew ray: no Ray cluster {where} ({_in_one_line(error)}); {hint}") from None
    finally:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGTERM, before)  # ray's own would end the process with 15
    try:
        yield
    finally:
        ray.shutdown()


def _demand_listener(address: str) -> None:
    """Check that something listens at `host:port`: Ray itself would try for a minute. Raises LnbenchError."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise LnbenchError(f"--address {address}: not an address; write host:port, as `ray start --head` printed it")
    try:
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_CONNECT).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise LnbenchError(f"--address {address}: nothing answers there ({why}); is the cluster running?") from None
