"""The fixtures of the report's world."""

from tests.toys.report_world import empty, full, smoke  # noqa: F401
