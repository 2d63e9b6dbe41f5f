"""The crew of one: trains in this very process, a task at a time."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lnbench.execute.work import Work
from lnbench.execute.worker import Trainer
from lnbench.training.gradient_noise import GradientNoise

# what ends a program from outside, where the system has it
ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM") if hasattr(signal, name))


@dataclass
class ThisProcess:
    """A crew (`crew.py`) without worker processes. Imports torch when it runs."""

    device: str = "cpu"
    data_root: Path | None = None
    gradient_noise: GradientNoise | None = None
    workers: int = 1

    def run(self, work: Work) -> None:
        """Train until nothing is left. The first Ctrl-C lets the training save a checkpoint and raises
        KeyboardInterrupt; a second one breaks off at once."""
        with _one_thread(), _asked_to_stop() as asked:
            trainer = Trainer(work.store, self.device, self.data_root, work.watcher.report, asked, self.gradient_noise)
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
    """Give torch one thread, as in a worker: their number decides the order in which a sum is taken, and so its last
    bits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C, and whatever else the program has a handler for that ends it (SIGTERM, a closed terminal, the end of
    its time), into a question that the training asks after each step; a second Ctrl-C breaks off at once."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # signals are the main thread's
        return
    handled = {number: signal.getsignal(number) for number in ENDING}
    before = {number: handler for number, handler in handled.items() if callable(handler)}
    asked = False

    def on_interrupt(number: int, frame: Any) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    for number in before:
        signal.signal(number, on_interrupt)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
