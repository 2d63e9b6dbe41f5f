"""The fixtures of `judged_world`, which has a name of its own so that its classes can be imported and pickled."""

from judged_world import *  # noqa: F403
