"""What the tests of specs share."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_study import Folder


@pytest.fixture
def toy(tmp_path: Path) -> Folder:
    """A fresh project folder with a small valid study in it."""
    return Folder(tmp_path)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds claims/ and baselines/."""
    return Path(__file__).resolve().parents[2]
