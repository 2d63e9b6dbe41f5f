"""Figures of experiments, as the paper has them, from result.json alone: phases, single neurons, a linearisation."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

from lnbench.drawing import GREY, INK, NORMAL, OKABE_ITO, SMALL, Picture, bare, picture
from lnbench.report.names import experiment_figures
from lnbench.report.plain import Json

BLUE, ORANGE, GREEN, PINK, YELLOW = OKABE_ITO[:5]
PHASES = ("#F4E9D8", "#E3EEF6")  # behind phase I, phase II
MOST_PANELS = 3
BAND = 0.22
DECADES = 4  # of steps, up to the last: before that nothing moves


def draw_experiments(data: Json) -> dict[str, Picture]:
    """Draw the experiments' figures, by file name; none where the study has no such runs."""
    draw: dict[str, Callable[[Json], Picture]] = {
        "experiment-phases.png": phases,
        "experiment-neurons.png": neurons,
        "experiment-linearisation.png": linearisation,
    }
    return {file: draw[file](data) for file in experiment_figures(data)}


# ---- the linear network


def _phase_cells(data: Json) -> list[Json]:
    """Return the cells for which a claim asks whether neurons align after their norms fell; else the longest runs."""
    done = [cell for cell in data["cells"] if cell.get("experiment") == "linear_network" and cell["steps"]]
    asked = [cell for cell in done if "alignment_gain" in cell["metrics"]]
    longest = [cell for cell in done if cell["steps"][-1] == max(cell["steps"][-1] for cell in done)]
    return (asked or longest)[:MOST_PANELS]


def _control_of(data: Json, cell: Json) -> Json | None:
    """Return the cell of the same network without noise and without SAM."""
    for other in data["cells"]:
        recipe = other.get("recipe")
        if recipe and other["steps"] and not recipe["noisy"] and recipe["rho"] is None and not recipe["noise_period"]:
            same = all(recipe[key] == cell["recipe"][key] for key in ("neurons", "dimension", "lr", "batch"))
            if same and other is not cell:
                return dict(other)
    return None


def _name(recipe: Json) -> str:
    words = [f"label noise, σ = {recipe['sigma']:g}"] if recipe["noisy"] else []
    words += [f"SAM, ρ = {recipe['rho']:g}"] if recipe["rho"] else []
    return " and ".join(words) or "plain SGD"


def _shape(recipe: Json) -> str:
    return f"m = {recipe['neurons']:,}, d = {recipe['dimension']}, η = {recipe['lr']:g}"


def phases(data: Json) -> Picture:
    """Draw mean norm over its first value, and alignment, against steps; shaded by phase, the control dashed."""
    cells = _phase_cells(data)
    rows = (("mean_norm", "mean norm / first", BLUE), ("alignment", "alignment, mean |cos|", ORANGE))

    def paint(figure: Any) -> None:
        grid = figure.add_gridspec(
            2, len(cells), left=0.085, right=0.985, top=0.90, bottom=0.115, hspace=0.13, wspace=0.14
        )
        for column, cell in enumerate(cells):
            control, change = _control_of(data, cell), statistics.median(cell["change_points"])
            for row, (curve, label, color) in enumerate(rows):
                axes = figure.add_subplot(grid[row, column])
                _shade(axes, cell["steps"], change, words=row == 0)
                _curve(axes, cell, curve, color, "-", _name(cell["recipe"]))
                if control:
                    _curve(axes, control, curve, GREY, "--", "no noise, no SAM")
                _log_steps(axes, cell["steps"])
                axes.set_ylim(0, 1.09)
                axes.tick_params(labelbottom=row == 1, labelleft=column == 0)
                if column == 0:
                    axes.set_ylabel(label, fontsize=NORMAL)
                if row == 0:
                    title = f"{_name(cell['recipe'])}  ({_shape(cell['recipe'])})"
                    axes.set_title(title, fontsize=NORMAL, loc="left", color=INK)
                else:
                    axes.set_xlabel("step", fontsize=NORMAL)
                place = "lower left" if row == 0 else "upper left"
                axes.legend(loc=place, frameon=False, fontsize=SMALL, handlelength=2.2)
        seeds = max(len(cell["seeds"]) for cell in cells)
        figure.text(0.985, 0.97, f"line: mean of {seeds} seeds, band: their range; change point: median",
                    ha="right", va="center", fontsize=SMALL, color=GREY)  # fmt: skip

    return picture(5.4, paint)


def _shade(axes: Any, steps: list[int], change: float, words: bool) -> None:
    first, last = _first(steps), steps[-1]
    axes.axvspan(first, change, color=PHASES[0], linewidth=0, zorder=0)
    axes.axvspan(change, last, color=PHASES[1], linewidth=0, zorder=0)
    axes.axvline(change, color=GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    if not words:
        return
    for name, ends in (("phase I", (first, change)), ("phase II", (change, last))):
        if math.log10(ends[1] / ends[0]) > 0.06 * math.log10(last / first):
            middle = math.sqrt(ends[0] * ends[1])
            axes.text(middle, 1.045, name, ha="center", va="center", fontsize=SMALL, color=INK)


def _curve(axes: Any, cell: Json, name: str, color: str, line: str, label: str) -> None:
    """Draw a curve with its band; norms over their first value; step 0 is left of a log axis, so it is not drawn."""
    band, scale = cell["curves"][name], 1.0
    if name == "mean_norm":
        scale = 1 / band["mean"][0]
    low, mean, high = ([value * scale for value in band[key][1:]] for key in ("low", "mean", "high"))
    steps = cell["steps"][1:]
    axes.fill_between(steps, low, high, color=color, alpha=BAND, linewidth=0, zorder=2)
    axes.plot(steps, mean, color=color, linestyle=line, linewidth=1.9, label=label, zorder=3)


def _first(steps: list[int]) -> float:
    return max(float(steps[1]), steps[-1] / 10.0**DECADES)


def _log_steps(axes: Any, steps: list[int]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.set_xlim(_first(steps), steps[-1])
    axes.xaxis.set_major_locator(LogLocator(base=10, numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _steps_words(x)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    bare(axes, "left", "bottom")


def _steps_words(step: float) -> str:
    """Return "100", "10 k", "1 M"."""
    for size, unit in ((1_000_000, " M"), (1000, " k")):
        if step >= size:
            return f"{step / size:.3g}{unit}"
    return f"{step:.0f}"


def neurons(data: Json) -> Picture:
    """Draw each neuron as a dot at (its norm, its |cos| with the teacher), at several steps; one seed."""
    cells = [cell for cell in _phase_cells(data) if cell["neurons"] and cell["neurons"]["steps"]]
    if not cells:  # nothing kept: an empty frame says so
        return picture(1.2, lambda figure: figure.text(0.5, 0.5, "no single neurons were kept", ha="center"))

    def paint(figure: Any) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import BoundaryNorm, ListedColormap

        grid = figure.add_gridspec(1, len(cells), left=0.085, right=0.885, top=0.90, bottom=0.14, wspace=0.09)
        first = None
        for column, cell in enumerate(cells):
            axes = figure.add_subplot(grid[0, column], sharex=first)
            first = first or axes
            kept = cell["neurons"]
            for color, norms, cosines in zip(_times(len(kept["steps"])), kept["norm"], kept["cosine"], strict=True):
                axes.scatter(norms, [abs(value) for value in cosines], s=20, color=[color], alpha=0.85,
                             edgecolors="white", linewidths=0.3, zorder=3)  # fmt: skip
            axes.set_xscale("log")
            _plain_log(axes.xaxis)
            axes.set_ylim(0, 1.03)
            axes.set_xlabel("norm of a neuron", fontsize=NORMAL)
            axes.tick_params(labelleft=column == 0)
            axes.set_title(_name(cell["recipe"]), fontsize=NORMAL, loc="left", color=INK)
            bare(axes, "left", "bottom")
            axes.grid(color="#EBEBEB", linewidth=0.7, zorder=0)
            axes.set_axisbelow(True)
            if column == 0:
                axes.set_ylabel("alignment, |cos| with the teacher", fontsize=NORMAL)
        count = len(cells[0]["neurons"]["steps"])
        shades = ScalarMappable(BoundaryNorm(range(count + 1), count), ListedColormap(_times(count)))
        bar = figure.colorbar(shades, cax=figure.add_axes((0.905, 0.14, 0.018, 0.76)))
        bar.set_ticks([i + 0.5 for i in range(count)], labels=[_steps_words(s) for s in cells[0]["neurons"]["steps"]])
        bar.ax.tick_params(which="both", labelsize=SMALL, length=0)
        bar.outline.set_visible(False)
        figure.text(0.905, 0.95, "step", fontsize=SMALL, color=INK, va="center")
        figure.text(0.885, 0.95, f"{len(cells[0]['neurons']['norm'][0])} neurons, seed {cells[0]['seeds'][0]}",
                    fontsize=SMALL, color=GREY, va="center", ha="right")  # fmt: skip

    return picture(4.2, paint)


def _times(count: int) -> list[Any]:
    """Return one colour for each of so many times, dark to light."""
    import matplotlib

    return [matplotlib.colormaps["viridis"](index / max(1, count - 1)) for index in range(count)]


def _plain_log(axis: Any) -> None:
    """Write powers of ten as plain numbers: matplotlib parses no mathematics here."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(base=10, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.9f}".rstrip("0").rstrip(".")))
    axis.set_minor_formatter(NullFormatter())


# ---- the 64 images


def linearisation(data: Json) -> Picture:
    """Draw training and test loss of every arm with the linearisation's, and the change of the first layer's norm."""
    cells = [cell for cell in data["cells"] if cell.get("experiment") == "ntk" and cell["steps"]]
    cells = [cell for cell in cells if cell["recipe"]["kernel"] == cells[0]["recipe"]["kernel"]]
    styles = {id(cell): (OKABE_ITO[i % len(OKABE_ITO)], ("-", "--", "-.")[i // len(OKABE_ITO) % 3])
              for i, cell in enumerate(cells)}  # fmt: skip
    panels = (
        ("train_loss", "training loss"),
        ("test_loss", "test loss"),
        ("norm_change", "change of the first norm, in 10⁻⁵"),
    )

    def paint(figure: Any) -> None:
        grid = figure.add_gridspec(1, 3, left=0.085, right=0.975, top=0.87, bottom=0.31, wspace=0.27)
        for column, (curve, title) in enumerate(panels):
            axes = figure.add_subplot(grid[0, column])
            scale = 1e5 if curve == "norm_change" else 1.0
            for cell in cells:
                color, line = styles[id(cell)]
                band = cell["curves"][curve]
                axes.plot(cell["steps"], [scale * value for value in band["mean"]], color=color, linestyle=line,
                          linewidth=1.8, label=_arm(cell), zorder=3)  # fmt: skip
            if curve == "norm_change":
                axes.axhline(0, color=GREY, linewidth=0.8, zorder=1)
                sizes = [scale * max(map(abs, cell["curves"][curve]["mean"])) for cell in cells]
                if edge := _log_beyond(sizes):
                    _both_signs(axes, edge, max(sizes))
                    axes.text(0.98, 0.03, f"log beyond ±{edge:g}", transform=axes.transAxes, ha="right", va="bottom",
                              fontsize=SMALL, color=GREY)  # fmt: skip
            else:
                linear = cells[0]["curves"][f"linear_{curve}"]["mean"]
                axes.plot(cells[0]["steps"], linear, color="#000000", linestyle=(0, (1, 1.2)), linewidth=2.0,
                          label="linearisation", zorder=4)  # fmt: skip
            if curve == "test_loss":
                _near_the_end(axes, cells)
            if curve == "train_loss":
                axes.set_yscale("log")
                _plain_log(axes.yaxis)
            axes.set_title(title, fontsize=NORMAL, loc="left", color=INK)
            axes.set_xlabel("step", fontsize=NORMAL)
            axes.set_xlim(0, cells[0]["steps"][-1])
            _thousands(axes)
            bare(axes, "left", "bottom")
            axes.grid(axis="y", color="#EBEBEB", linewidth=0.7, zorder=0)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=min(3, len(labels)), frameon=False, fontsize=SMALL,
                      bbox_to_anchor=(0.5, 0.005), handlelength=2.2)  # fmt: skip
        figure.text(0.985, 0.97, f"means of {max(len(cell['seeds']) for cell in cells)} seeds", ha="right",
                    va="center", fontsize=SMALL, color=GREY)  # fmt: skip

    return picture(3.9, paint)


def _arm(cell: Json) -> str:
    recipe = cell["recipe"]
    words = [f"label noise, τ = {recipe['label_noise']:g}"] if recipe["label_noise"] else []
    words += [f"SAM, ρ = {recipe['rho']:g}"] if recipe["rho"] else []
    return " and ".join(words) or "gradient descent"


def _near_the_end(axes: Any, cells: list[Json]) -> None:
    """Cut the first steep fall off, so that the arms can be told apart."""
    tails = []
    for cell in cells:
        for name in ("test_loss", "linear_test_loss"):
            mean = cell["curves"][name]["mean"]
            tails += mean[len(mean) // 8 :]
    room = 0.08 * (max(tails) - min(tails)) or 0.01
    axes.set_ylim(min(tails) - room, max(tails) + room)


def _log_beyond(sizes: list[float]) -> float | None:
    """Return where an axis turns logarithmic, the 1, 2 or 5 × 10ⁿ above the smallest arm; None where all have about the
    same size."""
    if max(sizes) < 10 * min(sizes) or min(sizes) == 0:
        return None
    power = 10.0 ** math.floor(math.log10(min(sizes)))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= min(sizes))


def _both_signs(axes: Any, edge: float, most: float) -> None:
    """Make an axis linear within ±edge, logarithmic beyond, to `most`."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_yscale("symlog", linthresh=edge, linscale=1.2)
    powers = [edge * 10**power for power in range(math.ceil(math.log10(most / edge)) + 1)]
    axes.yaxis.set_major_locator(FixedLocator([-edge, -edge / 2, 0, edge / 2, *powers]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}".replace("-", "−")))
    axes.yaxis.set_minor_locator(NullLocator())


def _thousands(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _steps_words(x)))
