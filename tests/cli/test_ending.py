"""A closed terminal ends a command as Ctrl-C does, once, and not at all under nohup."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lnbench.cli.commands import ending
from tests.toys.trained_study import Call


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers as they were, after each test."""
    before = {number: signal.getsignal(number) for number in ending.ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ending.ENDING)
def test_the_first_signal_interrupts_and_others_do_not(number: int) -> None:
    ending.as_interrupt()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    for again in ending.ENDING:  # a second one would cut the checkpoints short that the first one asked for
        os.kill(os.getpid(), again)


def test_what_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    ending.as_interrupt()
    os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_IGN, signal.SIG_DFL)


@pytest.mark.parametrize("number", ending.ENDING)
@pytest.mark.parametrize("verb", ["verify", "measure"])
def test_a_training_that_is_ended_so_is_130_and_keeps_what_is_done(
    home: Path, call: Call, monkeypatch: pytest.MonkeyPatch, verb: str, number: int
) -> None:
    from lnbench.execute import this_process

    def ends(self: object, work: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr(this_process.ThisProcess, "run", ends)
    code, out, err = call(verb, "toy", "--tier", "smoke")
    assert code == 130 and "finished runs are kept" in err and "Traceback" not in out + err
    assert out.startswith("reading toy\n")  # before anything slow


def test_audit_and_detect_say_at_once_what_they_read(home: Path, call: Call) -> None:
    assert call("audit", "nowhere")[1] == "reading nowhere\n"
    assert call("detect", "nowhere")[1] == "reading nowhere\n"


def test_the_verbs_that_train_import_little_before_they_speak() -> None:
    """`lnbench verify` said nothing for seconds on a busy machine: it imported statistics first."""
    import subprocess
    import sys

    code = (
        "import sys, lnbench.cli.main, lnbench.cli.commands.verify, lnbench.cli.commands.judging, "
        "lnbench.cli.commands.auditing, lnbench.cli.commands.detect; "
        "print([name for name in ('numpy', 'scipy', 'torch', 'pydantic', 'rich.table') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
