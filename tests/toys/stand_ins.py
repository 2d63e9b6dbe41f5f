"""Stand-ins for `worker.main`: processes that answer, or end, as a test wants, without torch."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lnbench.execute.worker import Broken, Finished, Ready
from lnbench.store import Store, make_record
from tests.toys.records import OUTCOME


def quick(connection: Connection, store: Path, device: str, data_root: Any, stop: Any, noise: Any = None) -> None:
    """Every run is done at once."""
    connection.send(Ready())
    while (task := connection.recv()) is not None:
        _keep(store, task.runs[0])
        connection.send(Finished(task.runs[0].id, "trained"))


def killed_by_its_run(
    connection: Connection, store: Path, device: str, data_root: Any, stop: Any, noise: Any = None
) -> None:
    """A run with learning rate 666 kills the process, whoever trains it."""
    connection.send(Ready())
    while (task := connection.recv()) is not None:
        if task.runs[0].recipe["optimizer"]["lr"] == 666:
            os.kill(os.getpid(), signal.SIGKILL)
        _keep(store, task.runs[0])
        connection.send(Finished(task.runs[0].id, "trained"))


def told_to_end(connection: Connection, store: Path, device: str, data_root: Any, stop: Any, noise: Any = None) -> None:
    """As a worker that got SIGTERM: the first to be asked stops its run and goes."""
    connection.send(Ready())
    while (task := connection.recv()) is not None:
        flag = store / "told"
        if not flag.exists():
            flag.parent.mkdir(parents=True, exist_ok=True)
            flag.touch()
            connection.send(Finished(task.runs[0].id, "stopped", last=True))
            return
        _keep(store, task.runs[0])
        connection.send(Finished(task.runs[0].id, "trained"))


def never_ready(connection: Connection, store: Path, device: str, data_root: Any, stop: Any, noise: Any = None) -> None:
    """Ends before it says a word, and counts itself."""
    store.mkdir(parents=True, exist_ok=True)
    (store / f"process-{os.getpid()}").touch()
    os._exit(3)


def broken(connection: Connection, store: Path, device: str, data_root: Any, stop: Any, noise: Any = None) -> None:
    store.mkdir(parents=True, exist_ok=True)
    (store / f"process-{os.getpid()}").touch()
    connection.send(Broken("ImportError: no torch", "Traceback …"))


def forgetful(connection: Connection, store: Path, device: str, data_root: Any, stop: Any, noise: Any = None) -> None:
    """Says that it trained, but there is no record."""
    connection.send(Ready())
    while (task := connection.recv()) is not None:
        connection.send(Finished(task.runs[0].id, "trained"))


def full_disk(connection: Connection, store: Path, device: str, data_root: Any, stop: Any, noise: Any = None) -> None:
    connection.send(Ready())
    while (task := connection.recv()) is not None:
        connection.send(Finished(task.runs[0].id, "failed", "the disk is full", fatal=True))


def deaf(connection: Connection, store: Path, device: str, data_root: Any, stop: Any, noise: Any = None) -> None:
    """Neither stops nor ends when it is told to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection.send(Ready())
    while True:
        signal.pause()


def tells_its_signal_mask(
    connection: Connection, store: Path, device: str, data_root: Any, stop: Any, noise: Any = None
) -> None:
    connection.send(f"SIGINT blocked: {signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])}")
    quick(connection, store, device, data_root, stop, noise)


def _keep(store: Path, run: Any) -> None:
    Store(store).put(make_record(run.content, OUTCOME, {"process": os.getpid()}))
