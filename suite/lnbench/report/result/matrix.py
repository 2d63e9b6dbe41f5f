"""A table of a paper as `result.json` has it: every cell with what is printed, what we measured and what that says.

`matrix` of a part: `rows` and `columns` ({axis, levels}), `own` (levels of rows that are a user's own), `sides`
(whether the cells are compared with another of their column) and `cells`. Of a cell: `row`, `column`; `reference`,
`printed`, `spread` (null where it is of no paper); `says`, one of `SAYS`; `ours`, the mean in the metric's unit (the
median where a run collapsed; null where nothing is measured); `n` of `planned` seeds, `collapsed` of them; `effect` and
`interval` of what is judged there (of sides the difference, else the mean), and `margin` where there is one.
"""

from __future__ import annotations

import math
import statistics

from lnbench import stats
from lnbench.judge import ALPHA, ClaimResult, Evidence, Member, PartResult, StudyResult
from lnbench.judge.results import inside
from lnbench.report.plain import Json, interval_to_json, plain
from lnbench.spec import Effect, Point, Scalar, Table, TableSides
from lnbench.spec.cells import Cells
from lnbench.spec.comparable import differences
from lnbench.stats import Check, Interval, Region, Verdict

SAYS = ("agrees", "disagrees", "open", "nothing", "not-run", "not-comparable", "error")


def matrix_to_json(result: PartResult, claim: ClaimResult, study: StudyResult) -> Json:
    """Return {"matrix": …} of a part that has rows and columns; {} for any other."""
    part = result.part
    if not isinstance(part, Cells) or part.rows is None or part.columns is None:
        return {}
    seen = study.evidence.first(claim.look.seeds) if claim.look else study.evidence
    looks = (claim.look.of if claim.look else 1) * seen.study.spec.runs.seeds.sets
    effect = seen.study.spec.effects[part.effect]
    apart = differences(part, study.study)
    judged = {
        name: (member, check, bool(what))
        for name, member, check, what in zip(part.references(), result.members, result.checks, apart, strict=True)
    }
    cells = []
    for name, point in part.cells.items():
        level = _member(seen, effect.at_point(point))
        cell = {"row": plain(point[part.rows]), "column": plain(point[part.columns]), **_printed(part, name)}
        cell |= {**_level(level, len(seen.seeds)), **_judged(part, name, judged.get(name), study.study.tier)}
        if name not in judged and cell["says"] == "nothing" and not cell["n"] and part.printed[name].word is None:
            cell["says"] = "not-run"
        cell |= _shown(part, effect, point, judged.get(name), level, seen, looks)
        cells.append(cell)
    own = [row.label for row in study.study.own] if part.rows == "method" else []
    for row in own:
        for point in _columns(part):
            place = {**point, part.rows: row}
            level = _member(seen, effect.at_point(place))
            cell = {
                "row": row,
                "column": plain(point[part.columns]),
                "reference": None,
                "printed": None,
                "spread": None,
            }
            cell |= {**_level(level, len(seen.seeds)), "says": "nothing"}
            cell["says"] = "nothing" if cell["n"] else "not-run"
            cells.append(cell | _shown(part, effect, place, None, level, seen, looks))
    return {
        "matrix": {
            "rows": {"axis": part.rows, "levels": [*_levels(part, part.rows, study), *own]},
            "columns": {"axis": part.columns, "levels": _levels(part, part.columns, study)},
            "own": own,
            "sides": isinstance(part, TableSides),
            "cells": cells,
        }
    }


def _levels(part: Cells, axis: str, study: StudyResult) -> list[Scalar]:
    """Return the levels of an axis that cells of the table have, in the order of the study."""
    there = [point[axis] for point in part.cells.values()]
    return [plain(level) for level in study.study.levels(axis) if level in there]


def _columns(part: Cells) -> list[dict[str, Scalar]]:
    """Return the places of the table's columns, each once: a cell's point without its row."""
    found: dict[Scalar, dict[str, Scalar]] = {}
    for point in part.cells.values():
        found.setdefault(point[str(part.columns)], {axis: at for axis, at in point.items() if axis != part.rows})
    return list(found.values())


def _member(evidence: Evidence, effect: Effect) -> Member | None:
    """Return what was measured at a place; None where the study has no run of it."""
    try:
        return evidence.members(effect)[0]
    except KeyError:
        return None


def _printed(part: Cells, name: str) -> Json:
    reference = part.printed[name]
    spread = None if reference.spread == "none" else reference.spread
    word = {"word": reference.word} if reference.word else {}
    return {"reference": name, "printed": reference.printed, "spread": spread, **word}


def _level(member: Member | None, planned: int) -> Json:
    """Return the mean of a cell's runs, or their median where one collapsed."""
    if member is None:
        return {"ours": None, "n": 0, "planned": 0, "collapsed": 0}
    there = [value for value in member.values if math.isfinite(value)]
    dead = sum(member.collapsed)
    middle = statistics.median if dead else statistics.fmean
    return {
        "ours": plain(float(middle(there))) if there else None,
        "n": len(member.values),
        "planned": planned,
        "collapsed": dead,
        "step": plain(member.step),
    }


def _judged(part: Cells, name: str, found: tuple[Member, Check, bool] | None, tier: str) -> Json:
    if found is None:
        return {"says": "nothing"}
    member, check, apart = found
    return {"says": _says(member, check, apart, tier)}


def _says(member: Member, check: Check, apart: bool, tier: str) -> str:
    """Return what a cell says, judged alone; at smoke only where its estimate lies."""
    if member.failures or check.error:
        return "error"
    if member.missing or not member.values:
        return "not-run"
    if apart:
        return "not-comparable"
    if tier == "smoke":
        return "agrees" if inside(check) else "disagrees"
    verdict = check.verdict(ALPHA)
    return {Verdict.REPRODUCED: "agrees", Verdict.CONTRADICTED: "disagrees"}.get(verdict, "open")


def _shown(
    part: Cells,
    effect: Effect,
    point: Point,
    found: tuple[Member, Check, bool] | None,
    level: Member | None,
    evidence: Evidence,
    looks: int,
) -> Json:
    """Return effect and interval of what is judged in a cell, or would be: the mean, or the difference of sides; of a
    cell that prints "Diverged" the share of collapsed runs."""
    if found is not None:
        check = found[1]
        name = next(name for name, cell in part.cells.items() if cell == point)
        number = part.printed[name].number()
        margin: Json = {"margin": part.margin_of(number)} if isinstance(part, Table) and number is not None else {}
        shift = number.value if isinstance(part, Table) and number is not None else 0.0
        if isinstance(part, TableSides):
            margin = {"side": "above" if check.region is not None and check.region.low == 0 else "below"}
        return {**_ends(check.effect, check.interval, shift), **_typical(check), **margin}
    if isinstance(part, TableSides):
        if all(point.get(axis) == value for axis, value in part.against.items()):
            return _ends(None, None)
        level = _member(evidence, part.judged(effect).at_point(point))
    if level is None or not level.values or level.failures:
        return _ends(None, None)
    check = stats.judge_mean(
        level.values, Region.at_least(0.0), step=level.step, alpha=ALPHA, looks=looks,
        collapsed=list(level.collapsed) if any(level.collapsed) else None,
        limits=list(level.limits) if any(not math.isnan(limit) for limit in level.limits) else None,
    )  # fmt: skip
    return {**_ends(check.effect, check.interval), **_typical(check)}


def _typical(check: Check) -> Json:
    """Return that the effect is a median, as a run behind it collapsed; nothing where it is a mean."""
    return {"typical": True} if check.typical else {}


def _ends(effect: float | None, interval: Interval | None, shift: float = 0.0) -> Json:
    moved = None if interval is None else interval.shift(shift)
    return {"effect": None if effect is None else plain(float(effect) + shift), "interval": interval_to_json(moved)}
