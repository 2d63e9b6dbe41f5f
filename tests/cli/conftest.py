"""The fixtures of the trained study."""

from tests.toys.trained_study import as_items, call, home, trained, trained_once  # noqa: F401
