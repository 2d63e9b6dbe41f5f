"""Tables of a paper as parts of a claim: a cell for each printed number, at a place of the grid (`docs/claims.md`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from lnbench.catalog.options import Part
from lnbench.spec.baseline import Baseline, Number, Reference
from lnbench.spec.bounds import Ground, finer_than_printed
from lnbench.spec.effects import Effect
from lnbench.spec.levels import listed, not_visited, same_point, word
from lnbench.spec.recipe import Scalar
from lnbench.yamlfile.model import Strict
from lnbench.yamlfile.problems import Fault, Location, Misfit

SHARE_DIVERGED = 0.5  # "Diverged" is printed: at least so many of the runs collapsed


class Margin(Strict):
    """A margin for each cell: the larger of `floor` and `spreads` times the spread that is printed there."""

    floor: Annotated[float, Field(gt=0)]
    spreads: Annotated[float, Field(gt=0)]

    def of(self, number: Number) -> float:
        """Return the margin of one cell, in the metric's unit; the floor where no spread is printed."""
        return max(self.floor, self.spreads * (number.spread or 0.0))


Spot = frozenset[tuple[str, bool, Scalar]]


def _spot(point: Mapping[str, Scalar]) -> Spot:
    """Return a point so that the same points are equal, where true is not 1."""
    return frozenset((axis, isinstance(value, bool), value) for axis, value in point.items())


def _margin(value: Any) -> Any:
    """Return what a file writes as a margin, with its own words where it is neither a number nor a mapping."""
    if isinstance(value, Mapping) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return Margin.model_validate(value) if isinstance(value, dict) else value
    if isinstance(value, Margin):
        return value
    raise ValueError("margin: a number above 0, or {floor: 0.01, spreads: 2}")


class Cells(Part):
    """The cells of a table: reference -> the point of its cell, in addition to what the effect says in `at`.

    `rows`, `columns`: the axes whose values are the table's rows and columns; with both, reports show the matrix.
    `at_least`: how many of the cells that can be judged must hold (default: all). A reference may print a word in place
    of a number (`Reference.word`); what it says is known after `bound`.
    """

    each: ClassVar[bool] = True
    takes_words: ClassVar[bool] = True

    cells: Annotated[dict[str, dict[str, Scalar]], Field(min_length=1)]
    at_least: Annotated[int, Field(ge=1)] | None = None
    rows: str | None = None
    columns: str | None = None
    _printed: dict[str, Reference] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _quota(self) -> Cells:
        if self.at_least is not None and self.at_least > len(self.cells):
            raise Misfit("at_least", f"at_least: {self.at_least} of {len(self.cells)} cells cannot agree")
        if self.rows is not None and self.rows == self.columns:
            raise Misfit("rows", f"rows: {self.rows} is the axis of the columns")
        return self

    def bound(self, baseline: Baseline) -> Cells:
        """Return the part with what its references print."""
        made = self.model_copy()
        made._printed = {name: baseline.references[name] for name in self.cells}
        return made

    @property
    def printed(self) -> Mapping[str, Reference]:
        """Return what is printed in each cell. Raises ValueError before `bound`."""
        if self._printed is None:
            raise ValueError(f"{self.kind}: what its cells print is not known yet")
        return self._printed

    def references(self) -> tuple[str, ...]:
        """Return the references of the cells that are judged: all of them, as long as it is not known what is
        printed."""
        return tuple(self.cells) if self._printed is None else tuple(self._held(self._printed))

    def _held(self, printed: Mapping[str, Reference]) -> Iterator[str]:
        """Yield the references of the cells whose print says something that can be judged."""
        yield from (name for name in self.cells if printed[name].word != "nothing")

    def effects(self, effect: Effect) -> list[Effect]:
        return [effect.at_point(self.cells[name]) for name in self.references()]

    def place_of(self, reference: str) -> Location:
        return ("cells", reference)

    def _named(self) -> dict[Spot, str]:
        """Return the place of each cell -> its reference, the first of several."""
        return {_spot(cell): name for name, cell in reversed(self.cells.items())}

    def said(self) -> dict[str, object]:
        rows = {"rows": self.rows} if self.rows else {}
        return {**rows, "columns": self.columns, "at_least": self.at_least or len(self.references())}

    def quota(self, held: int) -> Iterator[Fault]:
        """Yield that fewer cells can be judged than must hold; `held`: how many can."""
        if not held:
            yield Fault(("cells",), f"{self.kind}: no cell says anything that can be judged")
        elif self.at_least is not None and held < self.at_least <= len(self.cells):
            what = f"at_least: {self.at_least} cells, but only {held} of {len(self.cells)} can be judged"
            yield Fault(("at_least",), what)

    def misplaced(self, ground: Ground) -> Iterator[Fault]:
        """Yield cells that are not one place of the grid, or are named twice."""
        effect, vary = ground.effect, ground.vary
        first = self._named()
        for reference, cell in self.cells.items():
            here = ("cells", reference)
            if (twin := first[_spot(cell)]) != reference:
                yield Fault(here, f"{self.kind}: the cell of '{reference}' is that of '{twin}' too", at_key=True)
            for axis, value in cell.items():
                unvisited = not_visited(axis, value, vary) if vary is not None else None
                if unvisited:
                    yield Fault((*here, axis), f"{self.kind}: {unvisited}")
                elif effect is not None and axis in (*effect.at, *effect.axes):
                    what = f"{self.kind}: the effect {self.effect} says {axis} for all cells; leave it out here"
                    yield Fault((*here, axis), what)
            for axis, levels in (vary or {}).items():
                said = (*cell, *effect.at, *effect.axes) if effect is not None else vary or {}
                if axis not in said and len(levels) > 1:
                    what = f"{self.kind}: say at which {axis} the cell is; it takes {listed(levels)}"
                    yield Fault(here, what, at_key=True)
        for key in ("rows", "columns"):
            axis = getattr(self, key)
            lacking = next((name for name, cell in self.cells.items() if axis is not None and axis not in cell), None)
            if lacking is not None:
                yield Fault((key,), f"{key}: the cell of '{lacking}' names no {axis}")
        yield from self._one_per_place()
        lists = (*effect.at.values(), *(effect.minus or {}).values()) if effect is not None else ()
        if any(isinstance(value, tuple) for value in lists):
            what = f"{self.kind}: the effect {self.effect} is a family; a table's cells name its points"
            yield Fault(("effect",), what)

    def _one_per_place(self) -> Iterator[Fault]:
        """Yield cells that would lie on each other in the matrix: it has two axes, and no third."""
        if self.rows is None or self.columns is None:
            return
        seen: dict[tuple[Scalar, Scalar], str] = {}
        for name, cell in self.cells.items():
            if self.rows not in cell or self.columns not in cell:
                continue
            spot = cell[self.rows], cell[self.columns]
            if spot in seen and not same_point(cell, self.cells[seen[spot]]):
                what = f"{self.kind}: '{seen[spot]}' is at the same row and column; make a part of each table"
                yield Fault(("cells", name), what, at_key=True)
            seen.setdefault(spot, name)


class Table(Cells):
    """At least `at_least` of the cells (default: all) each lie within `margin` of their own printed number.

    A cell that prints "Diverged" holds where at least half of its runs collapsed; one that prints "—" has nothing to
    hold, is not judged and counts in no `at_least`.
    """

    kind: Literal["table"]
    margin: Annotated[float | Margin, BeforeValidator(_margin)] = Field(json_schema_extra={"exclusiveMinimum": 0})
    because: str

    @model_validator(mode="after")
    def _wide(self) -> Table:
        if isinstance(self.margin, float | int) and self.margin <= 0:
            raise Misfit("margin", "margin: must be above 0")
        return self

    def margin_of(self, number: Number) -> float:
        """Return the margin of a cell with this printed number, in the metric's unit."""
        return self.margin.of(number) if isinstance(self.margin, Margin) else self.margin

    def numbers(self, baseline: Baseline) -> tuple[Number | None, ...]:
        """Return the printed number of each judged cell; None where it prints "Diverged"."""
        return tuple(baseline.references[name].number() for name in self.references())

    def said(self) -> dict[str, object]:
        margin = self.margin.model_dump() if isinstance(self.margin, Margin) else self.margin
        return {"margin": margin, **super().said()}

    def misplaced(self, ground: Ground) -> Iterator[Fault]:
        """Yield what is wrong with the cells' places; and a margin finer than a printed digit."""
        place = self._place_of_floor
        for name, number in ground.numbers.items():
            if what := finer_than_printed(self.margin_of(number), number):
                cell = f"the cell of '{name}': " if isinstance(self.margin, Margin) else ""
                yield Fault(place, f"{cell}{what}")
        yield from super().misplaced(ground)
        if len(ground.numbers) + len(ground.words) == len(self.cells):
            yield from self.quota(sum(name in ground.numbers or found == "diverged" for name, found in _senses(ground)))

    @property
    def _place_of_floor(self) -> Location:
        return ("margin", "floor") if isinstance(self.margin, Margin) else ("margin",)

    def problems(self, ground: Ground) -> Iterator[Fault]:
        if not isinstance(self.margin, Margin):
            if what := ground.margin_covers_all(self.margin):
                yield Fault(("margin",), what)
            return
        for name, number in ground.numbers.items():
            if what := ground.margin_covers_all(self.margin.of(number)):
                by_floor = self.margin.floor >= self.margin.of(number)
                yield Fault(("margin", "floor" if by_floor else "spreads"), f"the cell of '{name}': {what}")


class TableSides(Cells):
    """At least `at_least` of the cells (default: all) lie on the side of the cell `against` of their column on which
    the printed numbers have them: the difference, seed by seed, is above 0, or below.

    `against`: what a cell's point has there, such as {method: standard}. The `against` cells themselves, cells that
    print a word, and those with the same number as theirs have nothing to hold.
    """

    kind: Literal["table_sides"]
    against: Annotated[dict[str, Scalar], Field(min_length=1)]

    def judged(self, effect: Effect) -> Effect:
        return effect.model_copy(update={"minus": dict(self.against)})

    def effects(self, effect: Effect) -> list[Effect]:
        return super().effects(self.judged(effect))

    def others(self) -> dict[str, str | None]:
        """Return reference -> the reference of the cell that its cell is compared with; None where that is itself, or
        not there."""
        named, found = self._named(), {}
        for name, cell in self.cells.items():
            there = _spot({**cell, **self.against})
            found[name] = None if there == _spot(cell) else named.get(there)
        return found

    def _held(self, printed: Mapping[str, Reference]) -> Iterator[str]:
        apart = self._apart({key: one.number() for key, one in printed.items()})
        yield from (name for name in self.cells if apart[name])

    def _apart(self, numbers: Mapping[str, Number | None]) -> dict[str, Number | None]:
        """Return by how much the print of each cell is above that of its `against` cell; None where that is no number,
        or 0."""
        found: dict[str, Number | None] = {}
        for name, other in self.others().items():
            one, two = numbers.get(name), numbers.get(other) if other is not None else None
            if one is None or two is None or abs(one.value - two.value) < 1e-9:
                found[name] = None
            else:
                apart = (one.value - two.value, one.unit + two.unit)
                found[name] = Number(*apart, None, None, "unknown", None, None)
        return found

    def numbers(self, baseline: Baseline) -> tuple[Number | None, ...]:
        """Return the printed difference of each judged cell."""
        apart = self._apart({name: baseline.references[name].number() for name in self.cells})
        return tuple(apart[name] for name in self.references())

    def said(self) -> dict[str, object]:
        return {"against": dict(self.against), **super().said()}

    def misfit(self, effect: Effect) -> str:
        if effect.minus or effect.over or effect.less or effect.per or effect.with_:
            return "compares two numbers already; a table's cells are compared with their `against` cell"
        if effect.reducers not in ((), ("mean",)):
            return "runs along an axis; the numbers of a table's cells are the metric's own"
        return ""

    def misplaced(self, ground: Ground) -> Iterator[Fault]:
        """Yield what is wrong with the cells' places, and with those that they are compared with."""
        yield from super().misplaced(ground)
        wrong = False
        for axis, value in self.against.items():
            unvisited = not_visited(axis, value, ground.vary) if ground.vary is not None else None
            named = all(axis in cell for cell in self.cells.values())
            if unvisited or not named:
                wrong = True
                yield Fault(("against", axis), f"against: {unvisited or f'the cells do not name {axis}'}")
        if wrong:
            return
        others = self.others()
        for name, cell in self.cells.items():
            if others[name] is None and not same_point({**cell, **self.against}, cell):
                what = ", ".join(f"{axis} {word(value)}" for axis, value in {**cell, **self.against}.items())
                wrong = True
                yield Fault(
                    ("cells", name), f"against: no cell at {what}, with which '{name}' is compared", at_key=True
                )
        if not wrong and len(ground.numbers) + len(ground.words) == len(self.cells):
            yield from self.quota(sum(found is not None for found in self._apart(ground.numbers).values()))


def _senses(ground: Ground) -> Iterator[tuple[str, str]]:
    """Yield (reference, what its word says) of every cell; "" for a number."""
    yield from ((name, "") for name in ground.numbers)
    yield from ground.words.items()
