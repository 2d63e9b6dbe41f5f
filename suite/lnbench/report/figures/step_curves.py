"""What probes measured at single steps: one figure for each curve, one panel for each combination of the other axes."""

from __future__ import annotations

import math
import statistics
from typing import Any

from scipy.stats import t

from lnbench import catalog
from lnbench.drawing import NORMAL, SMALL, Picture, bare, picture, style_of
from lnbench.report.figures.curves import MOST_PANELS, grouped, level_legend
from lnbench.report.names import curve_axis, place, step_curve_names, step_figures, text
from lnbench.report.plain import Json

LEAST = 3  # seeds with a number, for an interval


def draw_step_curves(data: Json) -> dict[str, Picture]:
    """Draw each curve over steps that the runs have, by file name."""
    return {
        file: step_figure(data, name) for file, name in zip(step_figures(data), step_curve_names(data), strict=True)
    }


def step_figure(data: Json, name: str) -> Picture:
    """Draw one curve: a line for each level of the numeric axis, the mean over seeds, with the 95 % interval of that
    mean as a band."""
    cells = [cell for cell in data["cells"] if cell.get("step_curves", {}).get(name)]
    axis = curve_axis(data)
    panels = grouped(cells, axis) if axis else {place(cell["point"]): [cell] for cell in cells}
    shown = dict(list(panels.items())[:MOST_PANELS])
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    levels = sorted({cell["point"][axis] for cell in cells}) if axis else [0]
    height = 2.5 * rows + 0.95
    bounds = _bounds(name)

    def paint(figure: Any) -> None:
        grid = figure.add_gridspec(rows, columns, left=0.085, right=0.985, top=1 - 0.32 / height, bottom=0.98 / height,
                                   hspace=0.42, wspace=0.14)  # fmt: skip
        first = None
        for number, (words, found) in enumerate(shown.items()):
            axes = figure.add_subplot(grid[number // columns, number % columns], sharey=first)
            first = first or axes
            for cell in found:
                _line(
                    axes, cell["step_curves"][name], style_of(levels.index(cell["point"][axis]) if axis else 0), bounds
                )
            axes.set_title(words, fontsize=NORMAL, loc="left")
            bare(axes, "left", "bottom")
            axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
            axes.tick_params(labelleft=number % columns == 0)
            if number % columns == 0:
                axes.set_ylabel(name.replace("_", " "), fontsize=SMALL)
            if number + columns >= len(shown):
                axes.set_xlabel("step", fontsize=SMALL)
        if axis:
            level_legend(figure, [f"{axis} {text(level)}" for level in levels], height)

    return picture(height, paint)


def _bounds(name: str) -> tuple[float, float]:
    """Return between what the curve's numbers lie, as the catalog says of a metric that is read off it."""
    own = [metric for metric in catalog.names("metric") if metric.startswith(f"{name}_")]
    about = catalog.find("metric", own[0]).value if own else None
    return (about.low, about.high) if about else (-math.inf, math.inf)


def _line(axes: Any, seeds: list[Json], style: dict[str, Any], bounds: tuple[float, float]) -> None:
    at, low, middle, high = band(seeds)
    least, most = bounds
    low, high = [max(value, least) for value in low], [min(value, most) for value in high]
    axes.plot(at, middle, linewidth=1.6, markersize=4, markevery=max(1, len(at) // 8), markeredgecolor="white", **style)
    axes.fill_between(at, low, high, color=style["color"], alpha=0.18, linewidth=0)


def band(seeds: list[Json]) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return (at, low, mean, high): where any seed has a number, the mean over those that have one, and the ends of its
    95 % t interval; the mean itself where there are fewer than LEAST, whose interval would be wider than the figure."""
    found: list[tuple[float, float, float, float]] = []
    for place_, step in enumerate(seeds[0]["at"]):
        values = [seed["values"][place_] for seed in seeds if place_ < len(seed["values"])]
        there = [value for value in values if value is not None]
        if there:
            mean, n = statistics.fmean(there), len(there)
            half = float(t.ppf(0.975, n - 1)) * statistics.stdev(there) / math.sqrt(n) if n >= LEAST else 0.0
            found.append((step, mean - half, mean, mean + half))
    columns = [list(column) for column in zip(*found, strict=True)] or [[], [], [], []]
    return columns[0], columns[1], columns[2], columns[3]
