"""The fixtures of the judged world."""

from tests.toys.judged_world import study, world  # noqa: F401
