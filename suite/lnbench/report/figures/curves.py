"""Curves of a study: accuracy along its numeric axis, and after every epoch. Every seed is shown, collapsed
ones too."""

from __future__ import annotations

import math
import statistics
import textwrap
from typing import Any

from lnbench.drawing import GREY, INK, NORMAL, SMALL, WIDTH, Picture, bare, picture, style_of
from lnbench.report.names import curve_axis, has_accuracies, place, text
from lnbench.report.plain import Json

MOST_PANELS = 12


def curves(data: Json, axis: str) -> Picture:
    """Draw test accuracy against the axis, one line for each combination of the others."""
    lines = grouped([cell for cell in data["cells"] if has_accuracies(cell)], axis)

    def paint(figure: Any) -> None:
        longest = max(len(name) for name in lines)
        right = 0.80 if longest < 18 else 0.72
        axes = figure.add_axes((0.085, 0.15, right - 0.085, 0.75))
        for index, (name, cells) in enumerate(lines.items()):
            _line(axes, axis, cells, name, style_of(index), index % 4)
        chance_line(axes, [cell for cells in lines.values() for cell in cells])
        levels = sorted({cell["point"][axis] for cells in lines.values() for cell in cells})
        _level_axis(axes, levels, axis)
        axes.set_ylabel("test accuracy (%)", fontsize=NORMAL)
        _accuracy_limits(axes)
        bare(axes, "left", "bottom")
        axes.grid(axis="y", color="#E5E5E5", linewidth=0.8, zorder=0)
        axes.set_axisbelow(True)
        axes.set_title(_seeds_title(data, lines), fontsize=NORMAL, loc="left", color=INK)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles, ["\n".join(textwrap.wrap(label, 24)) for label in labels], loc="upper left",
            frameon=False, bbox_to_anchor=(right + 0.01, 0.91), fontsize=SMALL, handlelength=2.6,
            borderaxespad=0.0,
        )  # fmt: skip

    return picture(4.4, paint)


def _seeds_title(data: Json, lines: dict[str, list[Json]]) -> str:
    counts = {cell["done"] for cells in lines.values() for cell in cells}
    seeds = (
        f"{min(counts)} to {max(counts)} seeds" if len(counts) > 1 else f"{min(counts)} seed" + "s" * (counts != {1})
    )
    dead = any(any(cell["collapsed"]) for cells in lines.values() for cell in cells)
    middle = "line: mean (median where a run collapsed: ×)" if dead else "line: mean"
    return f"{data['key']}: dots are single runs, {seeds} per cell; {middle}"


def grouped(cells: list[Json], axis: str) -> dict[str, list[Json]]:
    """Return line name -> its cells in order of the axis; lines in the file's order."""
    lines: dict[str, list[Json]] = {}
    for cell in cells:
        lines.setdefault(place(cell["point"], without=axis), []).append(cell)
    return {name: sorted(found, key=lambda cell: cell["point"][axis]) for name, found in lines.items()}


def centre(cell: Json) -> float:
    """Return the mean over the seeds in percent; the median once a run has collapsed, so that no collapse is averaged
    away."""
    values = cell["metrics"]["test_accuracy"]
    return 100 * (statistics.median(values) if any(cell["collapsed"]) else statistics.fmean(values))


def _line(axes: Any, axis: str, cells: list[Json], name: str, style: dict[str, Any], shift: int) -> None:
    from matplotlib.transforms import offset_copy

    xs = [cell["point"][axis] for cell in cells]
    axes.plot(xs, [centre(cell) for cell in cells], label=name, markersize=7, linewidth=1.8, zorder=3,
              clip_on=False, markeredgecolor="white", **style)  # fmt: skip
    beside = offset_copy(axes.transData, fig=axes.figure, x=8 + 3 * shift, units="points")  # else the mean hides them
    for cell in cells:  # matplotlib sees no data in what is shifted: without these its axis may end above a run
        axes.update_datalim([(cell["point"][axis], 100 * value) for value in cell["metrics"]["test_accuracy"]])
        for value, dead in zip(cell["metrics"]["test_accuracy"], cell["collapsed"], strict=True):
            axes.plot([cell["point"][axis]], [100 * value], marker="x" if dead else "o", color=style["color"],
                      markersize=6 if dead else 4, alpha=1.0 if dead else 0.5,
                      markeredgewidth=1.5 if dead else 0, zorder=4, clip_on=False, transform=beside)  # fmt: skip


def chance_line(axes: Any, cells: list[Json]) -> None:
    """Draw chance as a dotted line, unless every run is in the upper half between it and the best one: then the line
    would only press together what is to be seen."""
    values = [value for cell in cells for value in cell["metrics"]["test_accuracy"]]
    chances = sorted({1 / cell["classes"] for cell in cells})
    if 2 * min(values) > chances[-1] + max(values):
        return
    for chance in chances:
        label = "chance" if chance == chances[0] else None
        axes.axhline(100 * chance, color=GREY, linestyle=":", linewidth=1.2, label=label)


def _level_axis(axes: Any, levels: list[float], axis: str) -> None:
    """Put ticks at the levels that were run; use a logarithmic axis where they span more than a factor of 20."""
    if levels[0] > 0 and levels[-1] / levels[0] >= 20:
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.set_xticks(levels)
    axes.set_xticklabels([text(level) for level in levels])
    axes.set_xlabel(axis, fontsize=NORMAL)


def _accuracy_limits(axes: Any) -> None:
    """Show percentages from a round number below all that is drawn up to at most 100."""
    low, high = axes.get_ylim()
    axes.set_ylim(max(0.0, 10 * math.floor(low / 10)), min(100.0, 10 * math.ceil(high / 10)))


def training(data: Json) -> Picture:
    """Draw test accuracy after every epoch: one panel for each combination of the other axes, one line for each level
    of the numeric one (or one panel for all)."""
    axis = curve_axis(data)
    cells = [cell for cell in data["cells"] if has_accuracies(cell)]
    panels = grouped(cells, axis) if axis else {"": cells}
    shown = dict(list(panels.items())[:MOST_PANELS])
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    levels = sorted({cell["point"][axis] for cell in cells}) if axis else []
    names = [f"{axis} {text(level)}" for level in levels] if axis else [place(cell["point"]) for cell in cells]
    if len(names) == 1:
        names = [f"{names[0]}: mean; thin lines are single seeds"]
    height = 2.5 * rows + 0.95

    def paint(figure: Any) -> None:
        grid = figure.add_gridspec(
            rows,
            columns,
            left=0.085,
            right=0.985,
            top=1 - 0.32 / height,
            bottom=0.98 / height,
            hspace=0.42,
            wspace=0.14,
        )
        first = None
        for number, (name, found) in enumerate(shown.items()):
            axes = figure.add_subplot(grid[number // columns, number % columns], sharey=first)
            first = first or axes
            for cell in found:
                index = levels.index(cell["point"][axis]) if axis else cells.index(cell)
                _epochs(axes, cell, style_of(index))
            axes.set_title(name, fontsize=NORMAL, loc="left")
            _epoch_axis(axes, max(cell["epochs"] for cell in found))
            bare(axes, "left", "bottom")
            axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
            axes.tick_params(labelleft=number % columns == 0)
            if number % columns == 0:
                axes.set_ylabel("test accuracy (%)", fontsize=SMALL)
            if number + columns >= len(shown):
                axes.set_xlabel("epoch", fontsize=SMALL)
        _accuracy_limits(first)
        level_legend(figure, names, height)

    return picture(height, paint)


def _epochs(axes: Any, cell: Json, style: dict[str, Any]) -> None:
    seeds = [[100 * value for value in curve] for curve in cell["curves"]["test_accuracy"] if curve]
    for curve in seeds:
        axes.plot(
            range(1, len(curve) + 1),
            curve,
            color=style["color"],
            linewidth=0.8,
            alpha=0.35,
            marker="o",
            markersize=2,
        )
    if any(cell["collapsed"]) or not seeds:
        return  # a mean over runs of which one is dead says nothing; every seed is drawn
    mean = [statistics.fmean(values) for values in zip(*seeds, strict=False)]
    axes.plot(range(1, len(mean) + 1), mean, linewidth=1.8, markersize=5, markeredgecolor="white", **style)


def _epoch_axis(axes: Any, epochs: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0.7, epochs + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def level_legend(figure: Any, names: list[str], height: float) -> None:
    """Put a legend of several lines under the panels of a figure `height` inches high."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=name, markersize=6, **style_of(index)) for index, name in enumerate(names)]
    columns = max(1, min(len(names), int(WIDTH * 12 / (max(map(len, names)) + 8))))
    figure.legend(handles=handles, loc="lower center", ncols=columns, frameon=False, fontsize=SMALL,
                  bbox_to_anchor=(0.5, 0.02 / height), handlelength=2.4)  # fmt: skip
