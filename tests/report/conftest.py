"""The fixtures of `report_world`, which has a name of its own so that its classes can be imported and pickled."""

from report_world import *  # noqa: F403
