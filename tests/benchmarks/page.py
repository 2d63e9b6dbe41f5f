"""docs/performance.md: the tables between its markers."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def markers(name: str, writer: str) -> tuple[str, str]:
    return f"<!-- {name}: written by tests/benchmarks/{writer} -->", f"<!-- {name}: end -->"


def between(text: str, name: str, writer: str) -> list[str]:
    """The lines that stand there now."""
    begin, end = markers(name, writer)
    return text.split(begin)[1].split(end)[0].strip().splitlines()


def replaced(text: str, name: str, writer: str, lines: list[str]) -> str:
    """The page with other lines there."""
    begin, end = markers(name, writer)
    before, rest = text.split(begin)
    return "\n".join([before + begin, "", *lines, "", end]) + rest.split(end)[1]
