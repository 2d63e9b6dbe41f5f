"""The same work on many things, by several processes that are forked: they know what this one knows, and import nothing
again."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lnbench.machine import available_cores

MOST_PROCESSES = 8
THINGS_EACH = 4  # of a process, at least: starting it takes time, too

Thing = TypeVar("Thing")
Got = TypeVar("Got")
_work: Callable[[Any], Any] | None = None  # of a process that was forked for it


def mapped(work: Callable[[Thing], Got], things: Sequence[Thing]) -> list[Got]:
    """Return what `work` makes of each thing, in their order: by this process where there are few. What it returns must
    be able to come back from another process, and what it raises ends all."""
    processes = min(MOST_PROCESSES, available_cores(), len(things) // THINGS_EACH)
    if processes < 2:
        return [work(thing) for thing in things]
    pool = multiprocessing.get_context("fork").Pool(processes, _begin, (work,))
    try:
        found = pool.map(_do, things, chunksize=1)
        pool.close()
    except BaseException:
        pool.terminate()
        raise
    finally:
        pool.join()
    return found


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends this process


def _do(thing: Any) -> Any:
    assert _work is not None, "set when the process began"
    return _work(thing)
