"""A table of a paper as pages show it: every cell with what is printed, what we measured and what that says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from lnbench import catalog
from lnbench.report.grid import with_changes
from lnbench.report.matrix import (
    LETTERS,
    cell_at,
    interval_words,
    margin_of,
    matrix_parts,
    ours_words,
    printed_words,
    row_name,
    seeds_words,
    tally_words,
    unit_words,
)
from lnbench.report.names import text
from lnbench.report.numbers import as_written
from lnbench.report.plain import Json
from lnbench.report.set_up import cells_of
from lnbench.site.at_tier import AtTier
from lnbench.site.claims import Claim

TONES = {"agrees": "yes", "disagrees": "no", "open": "unsure", "error": "no"}
METHOD = "method"


@dataclass(frozen=True)
class Cell:
    """A cell: the printed number, ours or "not run", and what that says in words."""

    printed: str
    spread: str
    ours: str
    says: str
    tone: str
    more: str

    @property
    def run(self) -> bool:
        return self.ours != ""


@dataclass(frozen=True)
class Row:
    """A row of a table. `level`: its value of the axis; `name`: as it is shown."""

    level: str
    name: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """A part of a claim that has rows and columns, at one tier."""

    claim: Claim
    at: AtTier
    part: Json

    @property
    def name(self) -> str:
        return str(self.part["name"])

    @property
    def _matrix(self) -> Json:
        found: Json = self.part["matrix"]
        return found

    @property
    def by_method(self) -> bool:
        """Return whether its rows are methods."""
        return bool(self._matrix["rows"]["axis"] == METHOD)

    @property
    def row_axis(self) -> str:
        return str(self._matrix["rows"]["axis"])

    @property
    def columns(self) -> list[str]:
        return [text(level) for level in self._matrix["columns"]["levels"]]

    @property
    def sides(self) -> bool:
        """Return whether its cells are compared with another one of their column."""
        return bool(self._matrix["sides"])

    @property
    def fixed(self) -> str:
        """Return what all its cells share: "cifar10"."""
        return ", ".join(text(value) for value in self.part["effect"]["at"].values())

    @property
    def unit(self) -> str:
        return unit_words(self.part)

    @property
    def tally(self) -> list[tuple[str, str, int]]:
        """Return (tone, words, how many) of what the judged cells say."""
        if not tally_words(self.part):
            return []
        says = [cell["says"] for cell in self._matrix["cells"]]
        return [(TONES.get(one, "plain"), self._words(one), says.count(one)) for one in LETTERS if one in says]

    @cached_property
    def rows(self) -> list[Row]:
        found, cells = [], cell_at(self._matrix)
        for level in self._matrix["rows"]["levels"]:
            there = [cells.get((level, column)) for column in self._matrix["columns"]["levels"]]
            shown = tuple(None if cell is None else self._cell(cell) for cell in there)
            found.append(Row(text(level), row_name(self._matrix, level), shown))
        return found

    def _words(self, says: str) -> str:
        return LETTERS[says].of_sides if self.sides else LETTERS[says].of_table

    def _cell(self, cell: Json) -> Cell:
        run = bool(cell["n"])
        more = (
            "; ".join([interval_words(self.part, cell), margin_of(self.part, cell), seeds_words(cell)]) if run else ""
        )
        says = cell["says"] if run or cell["says"] == "nothing" else "not-run"
        return Cell(
            printed_words(cell),
            f" ± {cell['spread']}" if cell.get("spread") else "",
            ours_words(self.part, cell) if run else "",
            self._words(says) if says != "not-run" else f"{cell['n']} of {cell['planned']} seeds" if run else "not run",
            TONES.get(says, "plain"),
            more,
        )

    @property
    def column_words(self) -> list[tuple[str, str]]:
        """Return (column, its label noise), where the columns are arms of the study that differ in it."""
        axis, trained = self._matrix["columns"]["axis"], self.at.data.get("trained")
        if axis != "arm" or not trained or "experiment" in trained["base"]:
            return []
        found = []
        for level in self._matrix["columns"]["levels"]:
            cells = [cell for cell in trained["cells"] if cell["point"].get(axis) == level]
            noises = [with_changes(trained["base"], cell["changes"])["noise"] for cell in cells[:1]]
            found += [(text(level), _noise_words(noise)) for noise in noises]
        return found if len({words for _, words in found}) > 1 else []


def _noise_words(noise: object) -> str:
    """Return a noise with its rate: "each label replaced, at a rate, by the next class; rate 0.4"."""
    if not isinstance(noise, dict):
        return "no noise"
    kind = str(noise["kind"])
    known = kind in catalog.names("noise")
    words = catalog.find("noise", kind).words if known else ""
    rate = f"; rate {as_written(noise['rate'])}" if isinstance(noise.get("rate"), int | float) else ""
    return (words or kind) + rate


def tables_of(claim: Claim, at: AtTier) -> list[Table]:
    """Return the tables of a claim at a tier."""
    return [Table(claim, at, part) for part in matrix_parts(at.claim)]


@dataclass(frozen=True)
class Method:
    """A method of training: the rows that it has in tables, and the claims whose runs train with it."""

    name: str
    slug: str
    words: str
    rows: tuple[tuple[Table, Row], ...]
    claims: tuple[Claim, ...]


def methods_of(claims: Iterable[Claim]) -> Iterator[tuple[str, str, list[tuple[Table, Row]], list[Claim]]]:
    """Yield (name, what it is, its rows of tables, claims about it) of each method that some claim trains with.

    A row of a table may train with a method of the catalog under a name of its own: it is a method by this name.
    """
    rows: dict[str, list[tuple[Table, Row]]] = {}
    about: dict[str, list[Claim]] = {}
    words: dict[str, str] = {}
    for claim in claims:
        for table in (table for table in tables_of(claim, claim.main) if table.by_method and not table.sides):
            for row in table.rows:
                rows.setdefault(row.level, []).append((table, row))
        for name, meaning in _trained_with(claim).items():
            words.setdefault(name, meaning)
            about.setdefault(name, []).append(claim)
    for name in dict.fromkeys([*rows, *about]):
        yield name, words.get(name, ""), rows.get(name, []), about.get(name, [])


def _trained_with(claim: Claim) -> dict[str, str]:
    """Return the methods of a claim's runs with their words: by the level of the axis where there is one."""
    trained = claim.data.get("trained")
    if not trained or "experiment" in trained["base"]:
        return {}
    found = {}
    for cell in cells_of(claim.main.claim, trained["cells"]):
        method = with_changes(trained["base"], cell["changes"])["method"]
        kind = str(method["kind"] if isinstance(method, dict) else method)
        known = trained["words"].get(METHOD, {})
        found[text(cell["point"].get(METHOD, kind))] = str(known.get(kind, ""))
    return found
