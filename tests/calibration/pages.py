"""Writes a measured table into a page of docs/, between its two markers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def markers(name: str, script: str) -> tuple[str, str]:
    """Return the lines that stand before and after a table: `name` says what is in it, `script` who wrote it."""
    return f"<!-- {name}: written by {script} -->", f"<!-- {name}: end -->"


def put(page: Path, name: str, script: str, lines: Iterable[str]) -> None:
    """Put lines between the markers of a page. Raises ValueError where the page lacks them."""
    begin, end = markers(name, script)
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(begin)
    _, after = rest.split(end)
    page.write_text("\n".join([before + begin, "", *lines, "", end + after]), encoding="utf-8")
