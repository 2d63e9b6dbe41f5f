"""An interval against its required range as SVG: places along the axis in percent, so that it fits any width and its
letters keep their size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from lnbench.report.figures.forest import limits
from lnbench.report.numbers import exponent_of, power_of_ten
from lnbench.report.plain import Json
from lnbench.report.units import Ends, Shown, shown

AIR = 3.0  # percent at both ends of the axis
TICK_ROOM = 5.0  # percent that half of a tick's words may need
SMALL_ROW = 24
Y_PRINTED, Y_REGION, Y_INTERVAL, Y_SEEDS = 8, 14, 26, 48  # the seeds' first line; more lie below it
DOT, GAP = 9, 2.2  # from line to line of seeds; percent of the width that two seeds on one line are apart
MOST_LINES = 12


@dataclass(frozen=True)
class Axis:
    """Numbers to places: `low` and `high` are the ends of the axis, in the unit that is shown."""

    low: float
    high: float

    def at(self, x: float) -> float:
        """Return a number's place in percent of the picture's width; numbers beyond the axis lie at its end."""
        share = (min(max(x, self.low), self.high) - self.low) / (self.high - self.low)
        return AIR + share * (100 - 2 * AIR)

    def place(self, x: float) -> str:
        """Return the same as SVG has it: `42.1%`."""
        return f"{self.at(x):.2f}%"


def pictures(part: Json, member: Json, tone: str, label: str) -> list[tuple[str, Markup]]:
    """Return (caption, picture) of one comparison: its interval against the range with every seed a dot; where the
    effect is a share of runs, first each run against the threshold. Nothing where nothing was measured, and no caption
    where there is one picture."""
    view = shown(part, member)
    found = []
    if not view.values and member["values"] and part["region"] is not None and member.get("word") is None:
        runs = shown({**part, "kind": "values"}, member)
        picture = _picture(member, runs, tone, f"{label} Here run by run.", interval=False)
        found.append(("Each run, and the range that is asked of it", picture))
    if view.effect is not None or any(value is not None for value in view.values) or member.get("censored"):
        found.append(("The share of such runs" if found else "", _picture(member, view, tone, label)))
    return found


def small_picture(rows: Sequence[tuple[Json, Json, str]]) -> Markup:
    """Return lines without words, for a list: interval and range of each (part, member, tone) on an axis of its own.
    Nothing where one was not measured: the others would stand for the whole."""
    views = [shown(part, member) for part, member, _ in rows]
    if not views or any(view.effect is None for view in views):
        return Markup("")
    inside = []
    for number, (view, (_, member, tone)) in enumerate(zip(views, rows, strict=True)):
        axis, top = Axis(*_limits(view, member)), number * SMALL_ROW
        inside.append(_region(axis, view.region, top + 2, SMALL_ROW - 4))
        inside += _interval(axis, view, tone, top + SMALL_ROW / 2, 3)
    return _svg("small", len(rows) * SMALL_ROW, Markup("").join(inside), "")


def _picture(member: Json, view: Shown, tone: str, label: str, interval: bool = True) -> Markup:
    axis = Axis(*_limits(view, member))
    first = Y_SEEDS if interval else Y_REGION + DOT
    seeds, lines = _seeds(axis, view, member, first)
    bottom = first + lines * DOT + 4 if lines else Y_INTERVAL + 14
    inside = [_region(axis, view.region, Y_REGION, bottom - Y_REGION)]
    inside += _axis(axis, view, bottom)
    inside += _interval(axis, view, tone, Y_INTERVAL, 4) if interval else []
    inside += seeds
    if view.printed is not None:
        inside.append(_mark(axis, view.printed, Y_PRINTED, "M-6 -5H6L0 5Z", "printed", _words(view, view.printed)))
    return _svg("interval", bottom + 26, Markup("").join(inside), label)


def _limits(view: Shown, member: Json) -> Ends:
    return limits(view, [view.unit.of(one["limit"]) for one in member.get("censored", [])])


def _svg(kind: str, height: int, inside: Markup, label: str) -> Markup:
    named = Markup(' role="img" aria-label="{}"').format(label) if label else Markup(' aria-hidden="true"')
    return Markup('<svg class="{}" width="100%" height="{}"{}>{}</svg>').format(kind, height, named, inside)


def _region(axis: Axis, region: Ends, y: float, height: float) -> Markup:
    start, end = axis.at(region[0]), axis.at(region[1])
    start, end = (0.0 if math.isinf(region[0]) else start), (100.0 if math.isinf(region[1]) else end)
    band = Markup('<rect class="region" x="{}%" y="{}" width="{}%" height="{}"/>').format(
        f"{start:.2f}", f"{y:g}", f"{max(end - start, 0.4):.2f}", f"{height:g}"
    )
    edges = [
        Markup('<line class="edge" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
            axis.place(edge), f"{y:g}", f"{y + height:g}"
        )
        for edge in region
        if math.isfinite(edge)
    ]
    return band + Markup("").join(edges)


def _interval(axis: Axis, view: Shown, tone: str, y: float, width: int) -> list[Markup]:
    found = []
    for ends, kind in ((view.wide_interval, "wide"), (view.interval, f"bar {tone}")):
        if ends is None:
            continue
        found.append(
            Markup('<line class="{}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(
                kind, axis.place(ends[0]), axis.place(ends[1]), y=f"{y:g}"
            )
        )
    for end in view.interval or ():
        found.append(
            Markup('<line class="cap {0}" x1="{1}" x2="{1}" y1="{2}" y2="{3}"/>').format(
                tone, axis.place(end), f"{y - 2 * width:g}", f"{y + 2 * width:g}"
            )
        )
    if view.effect is not None:
        found.append(_mark(axis, view.effect, y, SHAPES.get(tone, SHAPES["plain"]), f"effect {tone}", ""))
    return found


# tone -> path of the effect's mark: shapes differ, so that colour never speaks alone
SHAPES = {
    "yes": "M-6 0A6 6 0 1 1 6 0A6 6 0 1 1 -6 0Z",
    "no": "M-6 -3L-3 -6L0 -3L3 -6L6 -3L3 0L6 3L3 6L0 3L-3 6L-6 3L-3 0Z",
    "unsure": "M0 -7L7 0L0 7L-7 0Z",
    "warn": "M-6 -5H6L0 6Z",
    "fork": "M-6 -5H6L0 6Z",
    "slate": "M-6 5H6L0 -6Z",
    "plain": "M-5 -5H5V5H-5Z",
}


def _mark(axis: Axis, x: float, y: float, path: str, kind: str, title: str) -> Markup:
    told = Markup("<title>{}</title>").format(title) if title else Markup("")
    return Markup('<svg x="{}" y="{}" overflow="visible"><path class="{}" d="{}">{}</path></svg>').format(
        axis.place(x), f"{y:g}", kind, path, told
    )


def _seeds(axis: Axis, view: Shown, member: Json, first: float) -> tuple[list[Markup], int]:
    """Return a dot for every seed, and how many lines they take: those at one place lie below each other."""
    found, taken = [], _Lines()
    for seed, value, dead in zip(member["seeds"], view.values, member["collapsed"], strict=False):
        if value is None:
            continue
        title = f"seed {seed}: {_words(view, value)}{', collapsed' if dead else ''}"
        path = "M-4 -4L4 4M-4 4L4 -4" if dead else "M-4.5 0A4.5 4.5 0 1 1 4.5 0A4.5 4.5 0 1 1 -4.5 0Z"
        y = first + taken.line(axis.at(value)) * DOT
        found.append(_mark(axis, value, y, path, "seed dead" if dead else "seed", title))
    for one in member.get("censored", []):  # an arrow from the last level that was run to the side that is known
        above = one["side"] == "above"
        limit = view.unit.of(one["limit"])
        title = f"seed {one['seed']}: {one['side']} {_words(view, limit)}"
        path = "M-4 -5L5 0L-4 5Z" if above else "M4 -5L-5 0L4 5Z"
        found.append(_mark(axis, limit, first + taken.line(axis.at(limit)) * DOT, path, "seed", title))
    return found, taken.count


class _Lines:
    """Places on lines below each other, so that no two of a line are closer than `GAP`."""

    def __init__(self) -> None:
        self._lines: list[list[float]] = []

    @property
    def count(self) -> int:
        return len(self._lines)

    def line(self, place: float) -> int:
        """Return the first line that has room at a place, and take it; the last one where there are too many."""
        for number, there in enumerate(self._lines):
            if all(abs(place - other) >= GAP for other in there):
                there.append(place)
                return number
        if self.count < MOST_LINES:
            self._lines.append([place])
        return self.count - 1


def _words(view: Shown, x: float) -> str:
    return view.unit.with_name(view.number(x))


def _axis(axis: Axis, view: Shown, y: float) -> list[Markup]:
    found = [Markup('<line class="axis" x1="0%" x2="100%" y1="{0}" y2="{0}"/>').format(f"{y:g}")]
    small = exponent_of(axis.low, axis.high) and view.unit.decimals is None  # its words are long
    ticks = [
        tick
        for tick in nice_ticks(axis.low, axis.high, 3 if small else 5)
        if TICK_ROOM <= axis.at(tick) <= 100 - TICK_ROOM
    ]
    for tick, words in zip(ticks, tick_words(ticks, view), strict=True):
        found.append(
            Markup('<line class="axis" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
                axis.place(tick), f"{y:g}", f"{y + 5:g}"
            )
        )
        found.append(Markup('<text x="{}" y="{}">{}</text>').format(axis.place(tick), f"{y + 18:g}", words))
    return found


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` + 1 round numbers between the ends, evenly apart by 1, 2 or 5 times a power of ten."""
    width = high - low
    power = 10.0 ** math.floor(math.log10(width / most))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * most >= width)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, first + most + 2) if number * step <= high + 1e-9 * step]


def tick_words(ticks: Sequence[float], view: Shown) -> list[str]:
    """Return the ticks' numbers with the unit; a power of ten with each where they are very small or large."""
    if not ticks:
        return []
    exponent = exponent_of(*ticks) if view.unit.decimals is None else 0
    size = 10.0**exponent
    step = (ticks[1] - ticks[0]) / size if len(ticks) > 1 else abs(ticks[0] / size) or 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    numbers = [f"{tick / size + 0.0:,.{decimals}f}" for tick in ticks]
    words = ["0" if float(number.replace(",", "")) == 0 else number.replace("-", "−") for number in numbers]
    if exponent:
        return [word if word == "0" else f"{word} × {power_of_ten(exponent)}" for word in words]
    return [f"{word} %" if view.unit.name.startswith("%") else word for word in words]
