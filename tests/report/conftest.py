"""The fixtures of `report_world`, so named that its classes can be imported and pickled; and where
`claims_page` lies."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from report_world import *  # noqa: F403
