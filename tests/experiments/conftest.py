"""Lets the tests import `experiment_cases` whichever way pytest imports test modules."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
