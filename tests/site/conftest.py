"""The fixtures of the report's world, and of a site of it."""

from tests.toys.report_world import empty, full, smoke  # noqa: F401
