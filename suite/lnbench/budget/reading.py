"""Many studies read and looked at by several processes: checking their files is most of the time of a plan."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lnbench.budget.wants import Wants
from lnbench.errors import Problem, SpecError
from lnbench.machine import available_cores
from lnbench.spec import LoadedStudy, load_studies, load_study, named_apart
from lnbench.tiers import PAPER_TIERS

MOST_PROCESSES = 8
STUDIES_EACH = 4  # of a process, at least: starting it takes time, too

Look = Callable[[LoadedStudy], Wants]
_look: Look | None = None  # of a process that was forked for it


def looked_at(paths: Iterable[Path], look: Look) -> Wants:
    """Return what `look` finds in each study file, together and in order. Raises SpecError with all that is wrong in
    the files, and what `look` raises."""
    files = named_apart(paths)
    processes = min(MOST_PROCESSES, available_cores(), len(files) // STUDIES_EACH)
    outcomes = _by_processes(files, look, processes) if processes > 1 else [_of(file, look) for file in files]
    problems = [problem for outcome in outcomes if isinstance(outcome, list) for problem in outcome]
    if problems:
        raise SpecError(problems)
    found, claims = Wants(), list[str]()
    for outcome in outcomes:
        assert isinstance(outcome, Wants), "all others are problems"
        found.add(outcome)
        claims += {claim for about in outcome.studies.values() for claim in about.claims}
    if len(set(claims)) < len(claims):
        load_studies(files)  # says which claim is in two files, and where
    return found


def _of(file: Path, look: Look) -> Wants | list[Problem]:
    try:
        return look(load_study(file, PAPER_TIERS))
    except SpecError as error:
        return error.problems


def _by_processes(files: Sequence[Path], look: Look, processes: int) -> list[Wants | list[Problem]]:
    """Do the same by processes that are forked, so that they know what this one knows."""
    pool = multiprocessing.get_context("fork").Pool(processes, _begin, (look,))
    try:
        found = pool.map(_of_file, files, chunksize=1)
        pool.close()
    except BaseException:
        pool.terminate()
        raise
    finally:
        pool.join()
    return found


def _begin(look: Look) -> None:
    global _look
    _look = look
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends this process


def _of_file(file: Path) -> Wants | list[Problem]:
    assert _look is not None, "set when the process began"
    return _of(file, _look)
