"""The forest plot: every part's interval against the region of its claim, each on an axis of its own."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from lnbench.drawing import GREY, INK, NORMAL, OTHER_STYLE, REGION, SMALL, VERDICT_STYLE, WIDTH, Picture, bare, picture
from lnbench.report.names import (
    EMPTY_ROW,
    HEADER,
    MARGIN,
    ROW,
    Rows,
    forest_height,
    forest_rows,
    in_forest,
    measured,
)
from lnbench.report.numbers import exponent_of, power_of_ten
from lnbench.report.plain import Json
from lnbench.report.units import Shown, shown
from lnbench.report.words import position
from lnbench.verdict import Verdict

# All in inches, from the left: text, axis, text; heights are in `names`.
LEFT, AXIS, RIGHT = (0.15, 2.95), (3.25, 6.25), (6.5, 8.9)
LABEL_LETTERS, VERDICT_LETTERS = 40, 33
TICK_ROOM = 0.02  # of an axis, at its ends: half of a tick's words reach beyond it


@dataclass(frozen=True, slots=True)
class Row:
    """One member of a part; of a part whose members are too many, the least sure of `of` members."""

    part: Json
    member: Json
    view: Shown
    words: str  # of the part's verdict; of a family's member, where its own interval lies
    verdict: str  # what that counts as: a name of VERDICT_STYLE
    role: str
    of: int = 1

    @property
    def height(self) -> float:
        return ROW if measured(self.member) else EMPTY_ROW

    @property
    def style(self) -> tuple[str, str]:
        return VERDICT_STYLE.get(self.verdict, OTHER_STYLE)


def forest(claims: list[Json], tier: str) -> Picture:
    """Draw these claims, one below the other, no taller than a screen and a half as long as a row a part is."""
    found = forest_rows([claim for claim in claims if in_forest(claim)])
    groups = [(claim, _rows(claim, rows, tier)) for claim, rows in found]
    height = forest_height(found)

    def paint(figure: Any) -> None:
        top = height - MARGIN / 2
        for claim, rows in groups:
            _claim_line(figure, claim, top, height)
            top -= HEADER
            for row in rows:
                _row(figure, row, top, height)
                top -= row.height
        _legend(figure, [row for _, rows in groups for row in rows], height)

    return picture(height, paint)


def _rows(claim: Json, found: Rows, tier: str) -> list[Row]:
    rows = []
    for part, member, of in found:
        view = shown(part, member)
        if tier == "smoke":  # the paper's number is for other data
            view = replace(view, printed=None)
        words, verdict = verdict_of(part, member, view, tier)
        rows.append(Row(part, member, view, words, verdict, role_of(part, claim), of))
    return rows


def role_of(part: Json, claim: Json) -> str:
    """Return what a part is to its claim."""
    if part["decides"]:
        return "part of the claim"
    if part["name"] in claim.get("requires", {}):
        return "must hold first"
    ours = part["ours"] and claim.get("standing", "paper") != "hypothesis"
    return "extra check, ours" if ours else "extra check"


def verdict_of(part: Json, member: Json, view: Shown, tier: str) -> tuple[str, str]:
    """Return (words, what it counts as) of a row: how the part lies to its range where it has one member; else what the
    member's own interval says, for one that lies inside stays inside, whatever the others do."""
    whole = verdict_in_figure(part, tier)
    if len(part["members"]) == 1 or member["missing"] or not member["values"] or member["check"]["error"]:
        return (whole if tier == "smoke" else Verdict(part["verdict"]).of_part), whole
    if tier == "smoke":
        words = "direction holds" if _holds(view) else "direction does not hold"
        return words, words
    check = member["check"]
    alpha = check["alpha"]
    if check["p_reproduced"] <= alpha:
        return "inside", "reproduced"
    if check["p_contradicted"] <= alpha:
        return "outside", "contradicted"
    if view.interval is None:
        return "not decided", "inconclusive"
    where = {"inside": "inside, not clearly", "outside": "outside, not clearly", "across": "across the edge"}
    return where[position(view.interval, view.region)], "inconclusive"


def _holds(view: Shown) -> bool:
    """Return whether the estimate is inside the region; a tie is no order."""
    if view.effect is None:
        return False
    tie = view.edges == (0.0,) and view.effect == 0
    return view.region[0] <= view.effect <= view.region[1] and not tie


def verdict_in_figure(part: Json, tier: str) -> str:
    """Return the verdict as text; at smoke whether the direction holds."""
    if tier == "smoke" and part["verdict"] not in ("error", "not-run"):
        return "direction holds" if part["direction_holds"] else "direction does not hold"
    return Verdict(part["verdict"]).words


def _claim_line(figure: Any, claim: Json, top: float, height: float) -> None:
    words = f"{claim['id']}  {Verdict(claim['verdict']).words}"
    y = (top - HEADER * 0.42) / height
    figure.text(LEFT[0] / WIDTH, y, words, fontsize=NORMAL, fontweight="bold", color=INK, va="center")
    figure.add_artist(_rule(top - HEADER * 0.86, height))


def _rule(y: float, height: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([LEFT[0] / WIDTH, RIGHT[1] / WIDTH], [y / height] * 2, color="#BBBBBB", linewidth=0.8)


def _row(figure: Any, row: Row, top: float, height: float) -> None:
    part, view = row.part, row.view
    title = f"{part['name']}  ({row.role})"
    words = row.member["label"]
    words = f"the least sure of {row.of}: {words}" if row.of > 1 else words
    label = textwrap.wrap(words, LABEL_LETTERS)[:3]
    _text(figure, LEFT[0], top - 0.08, height, title[: LABEL_LETTERS + 4], INK, bold=part["decides"])
    _text(figure, LEFT[0], top - 0.27, height, "\n".join(label), GREY)

    measured_words = [view.effect_words()] if view.effect is not None else []
    measured_words += textwrap.wrap(view.interval_words(), VERDICT_LETTERS) if view.interval else []
    if row.member["check"]["typical"]:
        measured_words += textwrap.wrap(_typical_words(row.member["check"]), VERDICT_LETTERS)
    region = textwrap.wrap(f"required: {view.region_words()}", VERDICT_LETTERS)[:2]
    _text(figure, RIGHT[0], top - 0.08, height, row.words, row.style[0], bold=True)
    _text(figure, RIGHT[0], top - 0.27, height, "\n".join([*measured_words, *region]), INK)
    if measured(row.member):
        box = (AXIS[0] / WIDTH, (top - 0.60) / height, (AXIS[1] - AXIS[0]) / WIDTH, 0.52 / height)
        _axis(figure.add_axes(box), row)
    else:
        x = (AXIS[0] + AXIS[1]) / 2
        _text(figure, x, top - 0.27, height, "nothing measured", GREY, align="center")


def _typical_words(check: Json) -> str:
    """Return why the typical run is judged."""
    censored = check["details"].get("censored", 0)
    why = [f"{check['collapsed']} of {check['n']} collapsed"] if check["collapsed"] or not censored else []
    why += [f"{censored} of {check['n']} censored"] if censored else []
    return f"{', '.join(why)}: sign test"


def _text(
    figure: Any,
    x: float,
    y: float,
    height: float,
    words: str,
    color: str,
    bold: bool = False,
    align: str = "left",
) -> None:
    weight = "bold" if bold else "normal"
    figure.text(
        x / WIDTH,
        y / height,
        words,
        fontsize=SMALL,
        color=color,
        fontweight=weight,
        va="top",
        ha=align,
        linespacing=1.2,
    )


def limits(view: Shown, beyond: Sequence[float] = ()) -> tuple[float, float]:
    """Return what an axis must show: interval, seeds, edges of the region, printed number, the levels that censored
    seeds lie `beyond`; and some air."""
    there = [*beyond, *(value for value in view.values if value is not None)]
    seen = [*(view.interval or ()), *(view.wide_interval or ()), *there, *view.edges]
    seen += [x for x in (view.effect, view.printed) if x is not None]
    low, high = min(seen), max(seen)
    air = 0.10 * (high - low) or 0.05 * abs(high) or 1.0
    if view.unit.name == "% of runs":  # there is no share beyond these
        return max(low - air, -2.0), min(high + air, 102.0)
    return low - air, high + air


def _axis(axes: Any, row: Row) -> None:
    from matplotlib.ticker import MaxNLocator

    view, (color, marker) = row.view, row.style
    censored = row.member.get("censored", [])
    low, high = limits(view, [view.unit.of(one["limit"]) for one in censored])
    axes.set_xlim(low, high)
    axes.set_ylim(-1.0, 1.0)
    start, end = max(view.region[0], low), min(view.region[1], high)
    axes.axvspan(start, end, color=REGION, zorder=0, linewidth=0)
    for edge in view.edges:
        axes.axvline(edge, color="#4C8DB8", linewidth=1.2, zorder=1)
    if view.wide_interval:
        axes.plot(view.wide_interval, [0.15] * 2, color=color, linewidth=1.0, zorder=2, solid_capstyle="butt")
    if view.interval:
        axes.plot(view.interval, [0.15] * 2, color=color, linewidth=3.0, zorder=3, solid_capstyle="butt")
        for end_point in view.interval:
            axes.plot([end_point] * 2, [-0.1, 0.4], color=color, linewidth=1.4, zorder=3)
    if view.effect is not None:
        axes.plot([view.effect], [0.15], marker=marker, markersize=8, color=color, markeredgecolor="white",
                  markeredgewidth=0.6, zorder=4)  # fmt: skip
    for value, dead in zip(view.values, row.member["collapsed"], strict=False):
        if value is None:
            continue
        axes.plot([value], [-0.62], marker="x" if dead else "o", markersize=4.5, color=INK, fillstyle="none",
                  markeredgewidth=0.9, zorder=3)  # fmt: skip
    for one in censored:  # an arrow from the last level that was run, to the side that is known
        arrow = ">" if one["side"] == "above" else "<"
        axes.plot([view.unit.of(one["limit"])], [-0.62], marker=arrow, markersize=5.5, color=INK, zorder=3)
    if view.printed is not None:
        axes.plot([view.printed], [0.83], marker="v", markersize=7, color=INK, zorder=5, clip_on=False)
    axes.set_yticks([])
    small = bool(exponent_of(low, high))
    axes.xaxis.set_major_locator(MaxNLocator(2 if small else 4, min_n_ticks=2))
    bare(axes, "bottom")
    _number_ticks(axes, view)


def _number_ticks(axes: Any, view: Shown) -> None:
    """Write plain numbers with their unit or power of ten: an axis label would cost every row a line. Ticks whose words
    would reach past the axis are left out."""
    low, high = axes.get_xlim()
    room = TICK_ROOM * (high - low)
    ticks = [float(tick) for tick in axes.get_xticks() if low + room <= tick <= high - room]
    if len(ticks) < 2:
        ticks = [float(tick) for tick in axes.get_xticks() if low <= tick <= high]
    exponent = exponent_of(low, high) if view.unit.decimals is None else 0
    size = 10.0**exponent
    steps = [(b - a) / size for a, b in pairwise(ticks)]
    decimals = max(0, -math.floor(math.log10(min(steps)) + 1e-9)) if steps else 2
    if steps and abs(min(steps) * 10**decimals - round(min(steps) * 10**decimals)) > 1e-6:
        decimals += 1
    axes.set_xticks(ticks)
    words = [f"{tick / size + 0.0:,.{decimals}f}".replace("-", "−") for tick in ticks]
    if exponent:
        words = [
            word if tick == 0 else f"{word} × {power_of_ten(exponent)}" for word, tick in zip(words, ticks, strict=True)
        ]
    elif view.unit.name.startswith("%"):
        words = [f"{word} %" for word in words]
    axes.set_xticklabels(words)


def _legend(figure: Any, rows: list[Row], height: float) -> None:
    """Draw a legend of only what is in the picture."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    drawn = [row for row in rows if measured(row.member)]
    confidence = drawn[0].view.confidence if drawn else 0.9
    handles: list[Any] = [Patch(facecolor=REGION, edgecolor="#4C8DB8", label="required")]
    if any(row.view.interval for row in drawn):
        label = f"measured, {100 * confidence:.4g} % interval"
        handles.append(Line2D([], [], color=INK, linewidth=3, marker="o", markersize=7, label=label))
    if any(row.view.wide_interval for row in drawn):
        handles.append(Line2D([], [], color=INK, linewidth=1, label="with the paper's own uncertainty"))
    if any(row.view.values for row in drawn):
        handles.append(_mark("o", "one seed"))
    if any(any(row.member["collapsed"]) for row in drawn if row.view.values):
        handles.append(_mark("x", "collapsed run"))
    if any(row.view.printed is not None for row in drawn):
        handles.append(Line2D([], [], color=INK, linestyle="", marker="v", markersize=7, label="printed number"))
    figure.legend(
        handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=SMALL,
        bbox_to_anchor=(0.5, 0.02 / height), handletextpad=0.5, columnspacing=1.4, borderaxespad=0.1,
    )  # fmt: skip


def _mark(marker: str, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=INK, linestyle="", marker=marker, markersize=5, fillstyle="none", label=label)
