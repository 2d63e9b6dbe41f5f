"""Counts in words, shared by the kinds and the report."""

from __future__ import annotations


def counted(n: int, one: str, many: str | None = None) -> str:
    """Return "1 seed", "5 seeds", "1,200 runs"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
