"""The pages of docs/: tables that a script measured stand between two markers, which name it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def markers(name: str, script: str) -> tuple[str, str]:
    """Return the lines that stand before and after a table: `name` says what is in it, `script` who wrote it."""
    return f"<!-- {name}: written by {script} -->", f"<!-- {name}: end -->"


def between(text: str, name: str, script: str) -> list[str]:
    """Return the lines that stand there now."""
    begin, end = markers(name, script)
    return text.split(begin)[1].split(end)[0].strip().splitlines()


def replaced(text: str, name: str, script: str, lines: Iterable[str]) -> str:
    """Return the page with other lines there. Raises ValueError where the page lacks the markers."""
    begin, end = markers(name, script)
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return "\n".join([before + begin, "", *lines, "", end]) + after


def put(page: Path, name: str, script: str, lines: Iterable[str]) -> None:
    """Put lines between the markers of a page. Raises ValueError where the page lacks them."""
    page.write_text(replaced(page.read_text(encoding="utf-8"), name, script, lines), encoding="utf-8")
