"""Lets the tests import `small_runs`, `noise_law` and `plain_loop` whichever way pytest imports test modules."""

import sys
from pathlib import Path

for folder in ("data", "training", "."):
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))
