"""What stands above a table of times: the machine, and how busy it was."""

from __future__ import annotations

import datetime
import os

from lnbench.machine import environment


def described() -> str:
    """One line; nothing of it names the machine or its user."""
    facts = environment()
    today = datetime.date.today().isoformat()
    return f"{facts['processor']}, {facts['cores']} cores; torch {facts['torch']}, Python {facts['python']}; {today}."


def load() -> str:
    """Programs that wanted a core during the last minute, this one among them."""
    return f"{os.getloadavg()[0]:.1f}"
