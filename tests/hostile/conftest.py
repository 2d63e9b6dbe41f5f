"""The fixtures of the report's world and of the fake sources."""

from tests.toys.fake_sources import fake_tar, serve  # noqa: F401
from tests.toys.report_world import empty, full  # noqa: F401
