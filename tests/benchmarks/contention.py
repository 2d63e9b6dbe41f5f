"""How fast a sweep's worker processes train while another program wants a core too, and while none does."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import statistics
import time
from collections.abc import Iterator
from typing import Any

from lnbench.execute.worker import ENVIRONMENT
from lnbench.machine import available_cores
from tests.benchmarks.ratios import Readings, Size

SECONDS = 2.0  # of each reading, in full size
PATIENCE = 120.0  # to wait for a process to begin


def train_for_ever(examples: Any) -> None:
    """What a worker does: one thread, one run. Counts the examples in a shared integer."""
    import torch

    from lnbench.training import Hooks
    from tests.benchmarks.engine_side import BATCH, Epochs, random_images, recipe

    torch.set_num_threads(1)
    data = random_images("mnist", 64 * BATCH)
    run = Epochs(data, recipe(data), 1, "loop", False)

    def count(progress: object) -> bool:
        examples.value += BATCH
        return False

    run.group.hooks = Hooks(tick=count)
    while True:
        run()


def burn(ready: Any) -> None:
    """A program that wants a core for itself."""
    ready.value = 1
    while True:
        pass


@contextlib.contextmanager
def _started(context: Any, target: Any, *arguments: Any) -> Iterator[Any]:
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def contended_over_quiet(size: Size) -> Readings:
    """The sweep's examples a second with a competing process over those without; the two alternate."""
    context = multiprocessing.get_context("spawn")
    ready = context.Value("q", 0, lock=False)
    counters = [context.Value("q", 0, lock=False) for _ in range(size.of(available_cores()))]
    seconds = max(0.3, SECONDS * size.share)

    def rate() -> float:
        began, before = time.perf_counter(), sum(counter.value for counter in counters)
        time.sleep(seconds)
        return (sum(counter.value for counter in counters) - before) / (time.perf_counter() - began)

    with contextlib.ExitStack() as running, _environment():
        competitor = running.enter_context(_started(context, burn, ready))
        _wait_for([competitor], [ready])
        os.kill(competitor.pid, signal.SIGSTOP)  # while the workers import torch
        workers = [running.enter_context(_started(context, train_for_ever, counter)) for counter in counters]
        _wait_for(workers, counters)
        pairs = []
        for _ in range(size.repeats):
            os.kill(competitor.pid, signal.SIGCONT)
            contended = rate()
            os.kill(competitor.pid, signal.SIGSTOP)
            pairs.append((contended, rate()))
    contended, quiet = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    return Readings([a / b for a, b in pairs], f"{contended:,.0f} : {quiet:,.0f} examples/s")


def _wait_for(processes: list[Any], counters: list[Any]) -> None:
    """Return once each process has counted something."""
    deadline = time.monotonic() + PATIENCE
    while not all(counter.value for counter in counters):
        if time.monotonic() > deadline or not all(process.is_alive() for process in processes):
            raise RuntimeError("a process did not begin")
        time.sleep(0.05)
