"""The order of the rooms: who may import whom. The list of layers stands in pyproject.toml, in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("importlinter")

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports


def test_a_room_imports_only_from_the_rooms_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Imports inside functions count too. A room that is in no layer is an error as well."""
    status = lint_imports(str(Path(__file__).parents[1] / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out
