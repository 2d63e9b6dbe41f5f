"""Work that a forked process does aside, while this one goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lnbench import forked
from lnbench.errors import StoreError
from lnbench.forked import Aside


@pytest.fixture(autouse=True)
def without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not imported torch: the tests' own may have."""
    monkeypatch.setattr(forked, "_has_threads", lambda: False)


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    return tmp_path / "seen"


def noting(file: Path, then: Callable[[], object] = lambda: None) -> Callable[[], None]:
    """Work that writes down which process does it, a line each time, and then something else."""

    def work() -> None:
        with file.open("a") as out:
            out.write(f"{os.getpid()}\n")
        then()

    return work


def pids(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()]


def test_another_process_does_it_while_this_one_goes_on(seen: Path) -> None:
    reading, writing = os.pipe()
    aside = Aside()
    aside.begin(noting(seen, lambda: os.read(reading, 1)))  # which would wait for ever if this process did it
    os.write(writing, b"x")
    aside.wait()
    (pid,) = pids(seen)
    assert pid != os.getpid()
    aside.wait()  # for nothing
    assert pids(seen) == [pid]


def test_one_piece_is_done_after_the_other(seen: Path) -> None:
    with Aside() as aside:
        for _ in range(3):
            aside.begin(noting(seen))
    assert len(set(pids(seen)) - {os.getpid()}) == 3


def full() -> None:
    raise StoreError("the disk is full")


@pytest.mark.parametrize("what", ["wait", "begin", "leave"])
def test_an_error_is_heard_once_the_work_is_waited_for(
    seen: Path, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StoreError, match="the disk is full"), Aside() as aside:
        aside.begin(noting(seen, full))
        if what == "wait":
            aside.wait()
        elif what == "begin":
            aside.begin(noting(seen))
    assert pids(seen)[1:] == [os.getpid()], "done again here"
    assert capfd.readouterr() == ("", ""), "the other process says nothing"


def test_a_process_that_is_killed_takes_no_work_with_it(seen: Path) -> None:
    here = os.getpid()
    with Aside() as aside:
        aside.begin(noting(seen, lambda: os.getpid() == here or os.kill(os.getpid(), signal.SIGKILL)))
    assert pids(seen)[1:] == [here]


def test_where_no_process_can_be_started_it_is_done_here(seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with Aside() as aside, monkeypatch.context() as patch:
        patch.setattr(os, "fork", refused)
        aside.begin(noting(seen))
    assert pids(seen) == [os.getpid()]


def test_a_process_with_threads_is_not_forked(seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setitem(forked.sys.modules, "torch", forked)
    with Aside() as aside:
        aside.begin(noting(seen))
        assert pids(seen) == [os.getpid()]


def test_an_exception_of_this_process_waits_for_the_work_and_hears_nothing_of_it(seen: Path) -> None:
    reading, writing = os.pipe()
    with pytest.raises(KeyError), Aside() as aside:
        aside.begin(noting(seen, lambda: os.read(reading, 1) and full()))
        os.write(writing, b"x")
        raise KeyError
    (pid,) = pids(seen)
    assert pid != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
