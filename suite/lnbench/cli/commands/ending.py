"""What ends a command that trains from outside: Ctrl-C, SIGTERM, and the SIGHUP of a terminal that is closed."""

from __future__ import annotations

import signal
from types import FrameType

# Windows has no SIGHUP
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def as_interrupt() -> None:
    """Let SIGTERM and SIGHUP do what Ctrl-C does: running trainings write their checkpoints.

    They do so once, as a closing terminal sends several: a second one would cut the first one's checkpoints short. What
    is ignored, as under nohup, stays so.
    """
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for one in ENDING:
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt
