"""Lets the tests import `small_runs` whichever way pytest imports test modules."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))
