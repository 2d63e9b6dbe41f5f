"""What ends a command that trains from outside: Ctrl-C, SIGTERM, the SIGHUP of a terminal that is closed, and the end
of the time that it was given."""

from __future__ import annotations

import math
import signal
import time
from types import FrameType

from lnbench.errors import Exit

# Windows has no SIGHUP
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_end = math.inf  # when the time is over, by the monotonic clock


def as_interrupt() -> None:
    """Let SIGTERM and SIGHUP do what Ctrl-C does: running trainings write their checkpoints.

    They do so once, as a closing terminal sends several: a second one would cut the first one's checkpoints short. What
    is ignored, as under nohup, stays so.
    """
    global _end
    _end = math.inf
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def stop_after(minutes: float) -> None:
    """Do, after so many minutes, what Ctrl-C does; the command then ends with a code of its own."""
    global _end
    _end = time.monotonic() + 60 * minutes
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes)


def why() -> str:
    """Return in words why a command ends before its work is done."""
    return "the time that it was given is over" if _over() else "interrupted"


def exit_code() -> Exit:
    """Return the exit code of a command that ends before its work is done."""
    return Exit.TIME_OVER if _over() else Exit.INTERRUPTED


def _over() -> bool:
    return time.monotonic() >= _end


def _interrupt(number: int, frame: FrameType | None) -> None:
    for one in (*ENDING, signal.SIGALRM):
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt
