"""The fixture of the study that tests edit."""

from tests.toys.edited_study import toy  # noqa: F401
