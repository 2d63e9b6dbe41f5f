"""Rows of a user's own: a method that the study does not have, at every place of the grid that is run for another.

A row is asked for (`lnbench verify STUDY --where method=NAME`) and stands in no file. It decides no claim, is no level
of the study's axis, and is part of nothing that is registered. A report writes down which rows it has, so that it can
be read again.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lnbench import catalog
from lnbench.errors import LnbenchError, SpecError, did_you_mean
from lnbench.spec.levels import is_number
from lnbench.spec.rules.findings import Findings
from lnbench.spec.rules.runs import RunRules
from lnbench.spec.study import Cell, OwnRow, Runs, Study
from lnbench.spec.tiers import at_tier
from lnbench.yamlfile import reader
from lnbench.yamlfile.tree import Mapping as Tree
from lnbench.yamlfile.tree import Sequence_, tree_of

AXIS = "method"
Method = str | dict[str, Any]


def asked_rows(study: Study, where: Collection[str]) -> Study:
    """Return the study with a row for each method that `where` asks for and that the grid does not have.

    `where` has texts such as "method=elr" or "method={kind: smoothing, amount: 0.2}". Texts that ask for no such row
    are left alone: an axis or a value that is not there is an error of who reads them. Raises LnbenchError for a method
    of the catalog that cannot be trained by the study's recipe, and for a mapping that is not one method.
    """
    rows = []
    for text in where:
        axis, equals, value = text.partition("=")
        levels = study.spec.runs.vary.get(AXIS)
        if axis == AXIS and equals and levels is not None and (method := _method(text, value, levels)) is not None:
            rows.append(OwnRow(value, _label(method), method))
    return with_rows(study, list({row.label: row for row in rows}.values()))


def with_rows(study: Study, rows: Iterable[OwnRow]) -> Study:
    """Return the study with these rows, each with a cell wherever another method has one. Raises LnbenchError for a
    method that is not known here, or that the recipe of `base` cannot be trained with."""
    rows = tuple(rows)
    if not rows:
        return study
    if AXIS not in study.spec.runs.vary:
        raise LnbenchError(f"{study.key} has no axis {AXIS}, so there is no place for a method of your own")
    for row in rows:
        if row.label in map(str, study.spec.runs.vary[AXIS]):
            raise LnbenchError(f"{study.key} has a method '{row.label}' itself")
    own = tuple(cell for row in rows for cell in _cells(study, row))
    return replace(study, cells=(*study.planned_cells, *own), own=rows)


def rows_of(found: Iterable[Mapping[str, Any]]) -> list[OwnRow]:
    """Return rows as a report wrote them down."""
    return [OwnRow(str(one["label"]), str(one["label"]), one["method"]) for one in found]


def _method(text: str, value: str, levels: tuple[Any, ...]) -> Method | None:
    """Return the method that a text asks for; None where it is one of the grid, or of no catalog."""
    if value.lstrip().startswith("{"):
        try:
            found = dict(reader.read_text(value, Path(f"--where {AXIS}")))
        except SpecError as error:
            raise LnbenchError(f"--where {text}: no mapping of options: {error.problems[0].what}") from None
        if not isinstance(found.get("kind"), str):
            raise LnbenchError(f"--where {text}: name the method, as in {AXIS}={{kind: smoothing, amount: 0.2}}")
        if found["kind"] not in catalog.names("method"):
            hint = did_you_mean(found["kind"], catalog.names("method"))
            raise LnbenchError(f"--where {text}: method: '{found['kind']}' is not known; {hint}")
        return found
    if value in map(str, levels) or value not in catalog.names("method"):
        return None
    return value


def _label(method: Method) -> str:
    """Return what the row is called: the method's name, with its options where it has any."""
    if isinstance(method, str):
        return method
    options = ", ".join(f"{key}={_word(value)}" for key, value in method.items() if key != "kind")
    return f"{method['kind']}({options})" if options else str(method["kind"])


def _word(value: Any) -> str:
    if is_number(value) and math.isfinite(value):
        return f"{value:g}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _cells(study: Study, row: OwnRow) -> Iterator[Cell]:
    """Yield the row's cells: the rules of a study's grid hold for them, and their recipes are those of `base` there."""
    merged = at_tier(reader.load(study.path), study.tier, lambda place, what: None)
    findings = Findings(study.path, [study.tier])
    rules = RunRules(_with_row(merged, row), study.tier, findings)
    whole = rules.check(Runs.model_validate(rules.tree["runs"]))
    wrong = [problem for problem in findings.problems() if problem.severity == "error"]
    if wrong or not whole:
        what = wrong[0].what if wrong else "it does not fit the study's grid"
        raise LnbenchError(f"{study.key}: {AXIS} {row.label}: {what}")
    places = [_elsewhere(cell.point) for cell in study.planned_cells]
    own = (cell for cell in rules.cells if cell.point[AXIS] == row.label)
    yield from (cell for cell in own if _elsewhere(cell.point) in places)


def _elsewhere(point: Mapping[str, Any]) -> dict[str, Any]:
    return {axis: value for axis, value in point.items() if axis != AXIS}


def _with_row(merged: Tree, row: OwnRow) -> Tree:
    """Return the study's tree with the row's method as one more level, put in after every other rule of the grid: what
    these say of another method is not said of this one, and inputs find the rows that they are of."""
    runs = merged["runs"]
    place = runs["vary"].key_positions[AXIS]
    levels = Sequence_(place)
    for level in (*runs["vary"][AXIS], row.label):
        levels.add(level, place)
    vary = runs["vary"].take(Tree(place))
    vary.put(AXIS, levels, place, place)
    rules = Sequence_(place)
    for rule in runs.get("set") or ():
        rules.add(rule, place)
    method = tree_of(row.method) if isinstance(row.method, dict) else row.method
    rules.add(tree_of({"at": {AXIS: row.label}, AXIS: method}), place)
    changed = runs.take(Tree(place))
    changed.put("vary", vary, place, place)
    changed.put("set", rules, place, place)
    tree = merged.without("choices")
    tree.put("runs", changed, merged.key_positions["runs"], merged.value_positions["runs"])
    return tree
