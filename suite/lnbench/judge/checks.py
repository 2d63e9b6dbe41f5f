"""A part of a claim and the numbers of its effect, as a check of `lnbench.stats`; and the region that it states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lnbench import stats
from lnbench.judge.members import Member
from lnbench.spec import (
    Agrees,
    CanReach,
    Correlation,
    Effect,
    Equivalent,
    EveryRun,
    Monotone,
    Number,
    Ordered,
    Part,
    Shift,
    Study,
    Table,
    Threshold,
    Trend,
)
from lnbench.stats import Check, Region

ALPHA = 0.05


def region_of(part: Part, number: Number | None) -> Region:
    """Where the part's effect lies if the part is true, as a reader has it: in the metric's unit, a ratio, an r."""
    if isinstance(part, Threshold | EveryRun | CanReach):
        edge = _edge(part, number)
        above = part.side == "above" if isinstance(part, CanReach) else part.kind.endswith("above")
        return Region.at_least(edge) if above else Region.at_most(edge)
    if isinstance(part, Agrees | Table):
        assert number is not None, f"`{part.kind}` names a reference"
        return Region.from_margin(number.value, part.margin)
    if isinstance(part, Equivalent):
        return Region.from_margin(0.0, part.margin)
    if isinstance(part, Trend | Monotone | Shift):
        size = part.delta if isinstance(part, Shift) else 0.0
        return Region.at_least(size) if part.direction == "up" else Region.at_most(0.0 - size)
    if isinstance(part, Ordered):
        return Region.at_least(part.delta)
    low, high = part.region
    return Region(-math.inf if low is None else low, math.inf if high is None else high)


def judged_region(part: Part, number: Number | None) -> Region:
    """The region on the scale on which the effect's numbers are averaged: logs of ratios, atanh of correlations."""
    region = region_of(part, number)
    if isinstance(part, Correlation):
        return region.map(math.atanh)
    return region.map(math.log) if part.kind == "ratio" else region


def judged_values(part: Part, member: Member) -> list[float]:
    """The effect's numbers on that scale; NaN where there is none, as of a correlation of exactly 1."""
    if isinstance(part, Correlation):
        return [math.atanh(value) if abs(value) < 1 else math.nan for value in member.values]
    return list(member.values)


def numbers_of(part: Part, study: Study) -> tuple[Number, ...]:
    """The printed numbers that a part names: none, one, or one for each cell of a table."""
    names = list(part.cells) if isinstance(part, Table) else [getattr(part, "reference", None)]
    found = [study.baseline.references[name].number() for name in names if name]
    return tuple(number for number in found if number is not None)


def check_member(
    part: Part, effect: Effect, member: Member, number: Number | None, *, counts: bool, looks: int
) -> Check:
    """Apply the part's kind of check to one member. What is not all there has both p at 1.

    `counts`: the claim is about collapse, so collapsed runs are numbers like any other. `looks`: how many are planned.
    """
    if member.missing or not member.values:
        return Check(kind=part.kind, region=region_of(part, number), n=len(member.values), step=member.step)
    # a number that does not exist cannot be averaged, whatever the claim is about
    dead = [math.isnan(v) and c if counts else c for v, c in zip(member.values, member.collapsed, strict=True)]
    check = _check(part, effect, member, number, dead, looks)
    never = sum(map(math.isnan, member.values))
    if check.error is None and never:
        check = check.with_notes(f"{never} of {len(member.values)} seeds have no such number: it was not reached")
    return check


def _check(
    part: Part, effect: Effect, member: Member, number: Number | None, dead: list[bool], looks: int
) -> Check:  # fmt: skip
    region, values = region_of(part, number), list(member.values)
    rule: dict[str, Any] = {"alpha": ALPHA, "looks": looks, "collapsed": dead if any(dead) else None}
    step = member.step
    bad = sum(not math.isfinite(v) and not c for v, c in zip(values, member.collapsed, strict=True))
    if bad and isinstance(part, EveryRun | CanReach):  # the others see it by themselves; a count would pass over it
        what = f"{bad} of {len(values)} seeds have no finite value"
        return stats.unjudged(part.kind, what, region=region, n=len(values), step=step, alpha=ALPHA)
    if isinstance(part, EveryRun):
        good = [region.contains(v) and not c for v, c in zip(values, member.collapsed, strict=True)]
        return stats.every_run(sum(good), len(good), part.pi, alpha=ALPHA, looks=looks)
    if isinstance(part, CanReach):
        return _can_reach(part, values, list(member.collapsed), region, looks)
    if isinstance(part, Threshold):
        test = stats.above if part.kind == "above" else stats.below
        return test(values, _edge(part, number), step=step, **rule)
    if isinstance(part, Agrees | Table):
        assert number is not None, f"`{part.kind}` names a reference"
        return stats.agrees(values, printed(number), part.margin, step=step, **rule)
    if isinstance(part, Equivalent):
        return stats.equivalent(values, part.margin, step=step, **rule)
    if isinstance(part, Ordered):
        return stats.ordered(values, part.delta, step=step, **rule)
    if isinstance(part, Shift):
        return stats.shift(member.arms[1], member.arms[0], member.levels, region, **rule)
    if isinstance(part, Correlation):
        return _correlation(part, effect, member, dead, looks)
    if part.kind == "ratio":
        return stats.ratio(*member.arms, region, step=step, **rule)
    check = stats.judge_mean(values, region, step=step, kind=part.kind, **rule)
    if effect.reducer == "exponent" and check.error and not all(map(math.isfinite, values)):
        return replace(check, error=f"{check.error}: an exponent needs numbers above 0")
    return check


def _can_reach(part: CanReach, values: list[float], collapsed: list[bool], region: Region, looks: int) -> Check:
    reached = sum(region.contains(v) and not c for v, c in zip(values, collapsed, strict=True))
    check = stats.can_reach(reached, len(values), part.best_of, alpha=ALPHA, looks=looks)
    there = [value for value in values if math.isfinite(value)]
    best = (max if part.side == "above" else min)(there, default=None)
    return replace(check, effect=best, region=region)


def _correlation(part: Correlation, effect: Effect, member: Member, dead: list[bool], looks: int) -> Check:
    region = region_of(part, None)
    if part.unit == "point":
        n = len(member.curves[0])
        if any(dead):
            note = f"{sum(dead)} seeds with a collapsed run: their points have no mean that could be correlated"
            return Check(kind="correlation", region=region, n=n, collapsed=sum(dead), alpha=ALPHA, notes=(note,))
        r = stats.coefficient_of(*point_means(member), str(effect.reducer))
        return stats.correlation(r, n, region, str(effect.reducer), alpha=ALPHA, looks=looks)
    one = sum(abs(v) >= 1 and not c for v, c in zip(member.values, dead, strict=True))
    if one:
        what = f"in {one} of {len(dead)} seeds r is 1 or -1: the two are one measurement"
        return stats.unjudged("correlation", what, region=region, n=len(dead), alpha=ALPHA)
    step = zeta_step(member.step)
    zetas = judged_values(part, member)
    return stats.correlation_replicates(zetas, region, step=step, alpha=ALPHA, looks=looks, collapsed=dead)


def zeta_step(step: float) -> float:
    """The step of atanh(r) from that of a rank correlation's r, taken where it is largest: next to 1."""
    return math.atanh(1 - step / 2) - math.atanh(1 - step) if 0 < step < 1 else 0.0


def point_means(member: Member) -> tuple[list[float], list[float]]:
    """(x, y) of each point of a correlation: the mean over the seeds of either metric."""
    x, y = (np.asarray(columns, dtype=np.float64).mean(axis=0) for columns in (member.curves, member.others))
    return [float(v) for v in x], [float(v) for v in y]


def whole_part(part: Part, checks: Sequence[Check]) -> Check:
    """All members of a part together: its one check, all of a family, or the quota of a table."""
    if isinstance(part, Table):
        return stats.table(checks, part.at_least)
    return checks[0] if len(checks) == 1 else stats.partial_conjunction(list(checks))


def beside(
    part: Part, members: Sequence[Member], checks: Sequence[Check], numbers: Sequence[Number | None]
) -> dict[str, Any]:
    """What is shown beside a part's verdict and never judged; empty where the kind has nothing such.

    trend: `page_l_p`, Page's test for an order, one a member. shift: `slope`, that of B - A along log2 of the axis, one
    check a member. table: cells by verdict, cells outside the interval that the printed number predicts, Kendall's
    tau-b of each column.
    """
    if any(member.missing or not member.values for member in members):
        return {}
    if isinstance(part, Trend):
        return {"page_l_p": [_page(part, member) for member in members]}
    if isinstance(part, Shift):
        return {"slope": [_slope(part, member) for member in members]}
    if isinstance(part, Table):
        found = stats.table(checks, part.at_least).details
        shown = {key: found[key] for key in ("cells", "outside_prediction", "predicted")}
        return shown | ({"columns": _columns(part, members, numbers)} if part.columns else {})
    return {}


def _page(part: Trend, member: Member) -> float | None:
    rows = np.asarray(member.curves, dtype=np.float64)
    if member.others:
        rows = rows - np.asarray(member.others, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[0] < 2 or rows.shape[1] < 3 or not np.isfinite(rows).all():
        return None
    return stats.page_l_p(rows, rising=part.direction == "up")


def _slope(part: Shift, member: Member) -> Check:
    """Where the optimum moves up, B gains on A towards the axis's end."""
    region = Region.at_least(0.0) if part.direction == "up" else Region.at_most(0.0)
    dead = list(member.collapsed)
    step, a, b = member.curve_step, member.others, member.curves
    return stats.shift_slope(member.levels, a, b, region, metric_step=step, alpha=ALPHA, collapsed=dead)


def _columns(part: Table, members: Sequence[Member], numbers: Sequence[Number | None]) -> dict[str, float]:
    """Kendall's tau-b between our means and the printed numbers, within each column of at least two cells."""
    columns: dict[str, list[tuple[float, float]]] = {}
    for member, number in zip(members, numbers, strict=True):
        value = member.at[part.columns or ""]
        name = f"{value:g}" if isinstance(value, float) else str(value)
        ours = float(np.median(member.values) if any(member.collapsed) else np.mean(member.values))
        columns.setdefault(name, []).append((ours, number.value if number else math.nan))
    return {
        name: stats.kendall_tau_b([ours for ours, _ in cells], [theirs for _, theirs in cells])
        for name, cells in columns.items()
        if len(cells) > 1
    }


def _edge(part: Threshold | EveryRun | CanReach, number: Number | None) -> float:
    if part.threshold is not None:
        return part.threshold
    assert number is not None, "a spec names a reference or a threshold"
    return number.value


def printed(number: Number) -> stats.Printed:
    """A reference as the statistics want it."""
    return stats.Printed(
        mean=number.value,
        unit=number.unit,
        spread=number.spread,
        spread_unit=number.spread_unit,
        kind=number.spread_kind,
        n=number.n,
        reading_error=number.reading_error,
    )
