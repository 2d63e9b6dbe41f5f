"""The fixtures of the fake sources."""

from tests.toys.fake_sources import fake_mnist, fake_tar, serve  # noqa: F401
