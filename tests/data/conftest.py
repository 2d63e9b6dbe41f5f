"""The fixtures of `fake_sources`, which has a name of its own so that its classes can be imported and pickled."""

from fake_sources import *  # noqa: F403
