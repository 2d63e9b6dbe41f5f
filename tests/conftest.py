"""What all tests share."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lnbench.spec import LoadedStudy

# One thread a test process, and a process it starts, as lnbench's own workers have it: several run side by side. This
# stands before torch and numpy are imported, and for workers of pytest-xdist before they are started.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# Trainings that a test starts without a word on processes run in its own: a process of theirs takes seconds to import
# torch. What is about processes says how many it wants.
os.environ["LNBENCH_WORKERS"] = "0"

# Ctrl-C is heard in tests, however they were started: a job in the background of a shell inherits that it is not.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # as under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

pytest.register_assert_rewrite("tests.toys")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process a core, but three where there are fewer: some tests wait for processes that they have started. Each
    more reads all tests, imports torch and loads the studies for itself: over 15 s of a core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(3, cores)


# Folders and files that take longest, so that none of them is begun last, when the other workers have nothing left.
FIRST = ("execute", "test_plugin_package.py", "cli", "detect", "benchmarks", "training")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let long files go first; within these, and within all others, the order stays."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        part = item.path.relative_to(here).parts[0] if item.path.is_relative_to(here) else ""
        return FIRST.index(part) if part in FIRST else len(FIRST)

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through thousands of tests each time that one of them asks for it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write each figure of a report as its name: drawing takes most of a report's time, and has tests of its own."""
    from lnbench.report.names import figures_of

    monkeypatch.setattr(
        "lnbench.report.folder.draw", lambda data: {name: name.encode() for name in figures_of(data).files()}
    )


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds claims/ and baselines/."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def studies(repository: Path) -> list[LoadedStudy]:
    """All of claims/, read together once: it takes seconds. Loading them fails where an id stands twice."""
    from lnbench.spec import load_studies

    return Committed(load_studies(sorted((repository / "claims").glob("*.yaml"))))


class Committed(list["LoadedStudy"]):
    """The committed studies; a test that fails shows its arguments, and these would take minutes."""

    def __repr__(self) -> str:
        return "<the studies of claims/>"
