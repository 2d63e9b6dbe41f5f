"""What all tests share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

# Ctrl-C is heard in tests, however they were started: a job in the background of a shell inherits that it is not.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest.register_assert_rewrite("tests.toys")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds claims/ and baselines/."""
    return Path(__file__).resolve().parents[1]
