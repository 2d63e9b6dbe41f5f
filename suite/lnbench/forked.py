"""Work done by processes that are forked: they know what this one knows, and import nothing again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
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


class Aside:
    """One piece of work at a time, done by a forked process while this one goes on.

    What fails there is done again here, once it is waited for, so that its errors are heard where they belong. Left by
    an exception, it waits for the process and hears nothing. Where torch or Ray is in this process, which then has
    threads of its own, all is done here at once.
    """

    def __init__(self) -> None:
        self._doing: tuple[Any, Callable[[], object]] | None = None

    def begin(self, work: Callable[[], object], load: Callable[[], object] = lambda: None) -> None:
        """Begin a piece of work; wait for the one before. Raises what that one raises. `load`: what is done in this
        process before another is forked, as that it imports what each of them would import for itself."""
        self.wait()
        if _has_threads():
            work()
            return
        load()
        process = multiprocessing.get_context("fork").Process(target=_aside, args=(work,))
        try:
            process.start()
        except OSError:  # no room for another process
            work()
            return
        self._doing = process, work

    def wait(self) -> None:
        """Return once nothing is under way. Raises what the work raises."""
        if self._doing is None:
            return
        process, work = self._doing
        process.join()
        self._doing = None
        if process.exitcode:
            work()

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self.wait()
        elif self._doing is not None:
            self._doing[0].join()


def _has_threads() -> bool:
    return bool({"torch", "ray"} & sys.modules.keys())


def _aside(work: Callable[[], object]) -> None:
    _leave_ends_to_the_parent()
    try:
        work()
    except BaseException:
        os._exit(1)  # unsaid: the parent does it again


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    _leave_ends_to_the_parent()


def _leave_ends_to_the_parent() -> None:
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends this process


def _do(thing: Any) -> Any:
    assert _work is not None, "set when the process began"
    return _work(thing)
