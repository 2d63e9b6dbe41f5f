"""Planted label errors: scikit-learn's digits, some with another label, as an ImageFolder and as an archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toys.planted_digits import Planted, planted


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """600 digits, a tenth of them with a wrong label."""
    return planted(tmp_path_factory.mktemp("planted"), 600, 0.1)


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with nothing in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
