"""The problems of one study file, each reported once for all tiers that share it."""

from __future__ import annotations

from pathlib import Path

from lnbench.errors import Problem
from lnbench.yamlfile.tree import Position


class Findings:
    """The problems of one file. What all tiers share is reported once; a problem of only some tiers names them."""

    def __init__(self, path: Path, tiers: list[str]):
        self.path, self.tiers = path, tiers
        self._found: dict[tuple[Position, str, str], tuple[str, list[str]]] = {}

    def add(self, place: Position, what: str, tier: str | None = None, severity: str = "error") -> None:
        """Note a problem. `what` identifies it up to its hint (after "; "), which the first tier that has it gives."""
        head, semicolon, hint = what.partition("; ")
        _, tiers = self._found.setdefault((place, head, severity), (semicolon + hint, []))
        tiers += self.tiers if tier is None else [tier]

    def add_all(self, problems: list[Problem], tier: str | None = None) -> None:
        for problem in problems:
            self.add((problem.line, problem.column), problem.what, tier)

    def has(self, place: Position) -> bool:
        return any(found == place for found, _, _ in self._found)

    def errors_at(self, tier: str) -> bool:
        return any(tier in tiers for (_, _, severity), (_, tiers) in self._found.items() if severity == "error")

    def problems(self) -> list[Problem]:
        found = []
        for (place, head, severity), (hint, tiers) in self._found.items():
            some = [tier for tier in self.tiers if tier in tiers]
            where = f" (tier {', '.join(some)})" if len(some) < len(self.tiers) else ""
            found.append(Problem(self.path, *place, f"{head}{where}{hint}", severity))
        return found
