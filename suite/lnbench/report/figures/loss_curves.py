"""Figures of loss curves, from result.json alone: histograms, bands and AUC over epochs, a contact sheet."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lnbench.drawing import GREY, INK, NORMAL, OKABE_ITO, SMALL, Picture, bare, picture
from lnbench.report.names import detection_figures, place
from lnbench.report.plain import Json

GROUPS = (("clean", OKABE_ITO[0]), ("mislabeled", OKABE_ITO[1]))
AUCS = (("aul", "AUL", OKABE_ITO[2], "-"), ("aum", "AUM", OKABE_ITO[3], "-."), ("loss", "loss", GREY, "--"))
MOST_ROWS, MOST_PANELS, MOST_CURVES = 5, 15, 3
SHEET_COLUMNS = 16
RARE = 0.05  # of all examples: counts are then drawn on a log axis


def draw_detection(data: Json) -> dict[str, Picture]:
    """Draw the figures, by file name; none where no arrays were read."""
    draw: dict[str, Callable[[Json], Picture]] = {
        "detection-histograms.png": histograms,
        "detection-curves.png": curves,
        "detection-suspects.png": suspects,
    }
    return {file: draw[file](data) for file in detection_figures(data)}


def histograms(data: Json) -> Picture:
    """Draw one cell with one row per epoch, the epoch's loss next to the AUL; or, of several cells, the AUL of each at
    its last epoch."""
    entries = data["detection"]
    if len({place(entry["point"]) for entry in entries}) == 1:
        return _by_epoch(_spread(entries, MOST_ROWS))
    last = {place(entry["point"]): entry for entry in entries}
    return _by_cell(list(last.values())[:MOST_PANELS])


def _spread(entries: list[Json], most: int) -> list[Json]:
    """Return at most `most` of them, both ends among them."""
    chosen = np.unique(np.linspace(0, len(entries) - 1, min(most, len(entries))).round().astype(int))
    return [entries[index] for index in chosen.tolist()]


def _by_epoch(entries: list[Json]) -> Picture:
    height = 1.6 * len(entries) + 0.9

    def paint(figure: Any) -> None:
        grid = _grid(figure, height, len(entries), 2, left=0.075, wspace=0.12)
        for row, entry in enumerate(entries):
            for column, (name, words) in enumerate((("loss", "loss"), ("aul", "AUL"))):
                axes = figure.add_subplot(grid[row, column])
                _bars(axes, entry[f"{name}_histogram"])
                if name == "aul":
                    _mixture(axes, entry)
                title = f"{words}, epoch {entry['epoch']}{_auc(entry, name)}"
                axes.set_title(title, fontsize=NORMAL, loc="left", color=INK)
        _legend(figure, height, mixture=True)

    return picture(height, paint)


def _by_cell(entries: list[Json]) -> Picture:
    columns = min(3, len(entries))
    rows = math.ceil(len(entries) / columns)
    height = 1.75 * rows + 0.9

    def paint(figure: Any) -> None:
        grid = _grid(figure, height, rows, columns, left=0.06, wspace=0.14)
        for index, entry in enumerate(entries):
            axes = figure.add_subplot(grid[index // columns, index % columns])
            _bars(axes, entry["aul_histogram"])
            _mixture(axes, entry)
            title = f"{place(entry['point'])}, epoch {entry['epoch']}"
            axes.set_title(title, fontsize=SMALL, loc="left", color=INK)
        _legend(figure, height, mixture=True)

    return picture(height, paint)


def _grid(
    figure: Any, height: float, rows: int, columns: int, *, left: float, wspace: float, hspace: float = 0.55
) -> Any:
    """Return panels below a line for the legend: half an inch above them and below, whatever the figure's height."""
    above = below = 0.5 / height
    return figure.add_gridspec(
        rows, columns, left=left, right=0.985, top=1 - above, bottom=below, hspace=hspace, wspace=wspace
    )


def _auc(entry: Json, name: str) -> str:
    """Return the score's ROC AUC with DeLong's interval over this one seed's examples, where there is one."""
    auc, ends = entry["metrics"][f"{name}_auc"], entry["intervals"][f"{name}_auc"]
    if auc is None:
        return ""
    return f", AUC {auc:.3f}" + ("" if ends is None else f" [{ends[0]:.3f}, {ends[1]:.3f}]")


def _bars(axes: Any, histogram: Json) -> None:
    edges = np.array(histogram["edges"], dtype=float)
    for name, color in GROUPS:
        counts = np.array(histogram[name], dtype=float)
        axes.stairs(counts, edges, fill=True, color=color, alpha=0.35, linewidth=0)
        axes.stairs(counts, edges, color=color, linewidth=1.2)
    if _rare(histogram):  # otherwise nothing of it would be seen
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
        axes.set_ylim(bottom=0.7, auto=True)
        bare(axes, "left", "bottom")
        axes.minorticks_off()
        return
    bare(axes, "bottom")
    axes.set_yticks([])
    axes.set_ylim(bottom=0, auto=True)


def _rare(histogram: Json) -> bool:
    """Return whether one group is so much smaller than the other that its bars vanish next to it."""
    sizes = sorted(sum(histogram[name]) for name, _ in GROUPS)
    return bool(0 < sizes[0] < RARE * sum(sizes))


def _mixture(axes: Any, entry: Json) -> None:
    """Draw the two Gaussians that were fitted without knowing the groups, at the histogram's scale."""
    fitted, edges = entry["mixture"], np.array(entry["aul_histogram"]["edges"], dtype=float)
    if not fitted or edges[0] == edges[-1]:
        return
    x = np.linspace(edges[0], edges[-1], 400)
    scale = entry["examples"] * (edges[1] - edges[0])
    for weight, mean, sd in zip(fitted["weights"], fitted["means"], fitted["sds"], strict=True):
        count = scale * weight * np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
        seen = count > (0.7 if _rare(entry["aul_histogram"]) else 0)  # a log axis would go down for ever
        axes.plot(x[seen], count[seen], color=INK, linewidth=1.0, linestyle=(0, (4, 2)))
    axes.margins(y=0.06)


def _legend(figure: Any, height: float, *, mixture: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(color=color, alpha=0.5, label=name) for name, color in GROUPS]
    if mixture:
        handles.append(Line2D([], [], color=INK, linewidth=1.0, linestyle=(0, (4, 2)), label="fitted, groups unknown"))
    figure.legend(handles=handles, loc="upper right", ncols=len(handles), frameon=False, fontsize=SMALL,
                  bbox_to_anchor=(0.99, 1 - 0.02 / height), borderaxespad=0.1)  # fmt: skip


def curves(data: Json) -> Picture:
    """Draw over the epochs quantiles of both groups' losses and running mean losses, and the AUC of each score."""
    entries = [entry for entry in data["detection"] if "auc" in entry][:MOST_CURVES]
    height = 2.45 * len(entries) + 0.6

    def paint(figure: Any) -> None:
        grid = _grid(figure, height, len(entries), 3, left=0.065, hspace=0.42, wspace=0.22)
        for row, entry in enumerate(entries):
            for column, (name, words) in enumerate((("loss", "loss"), ("aul", "AUL / epoch"))):
                axes = figure.add_subplot(grid[row, column])
                _bands(axes, entry, name)
                axes.set_title(words if row else f"{words}: median, 10–90 %", fontsize=NORMAL, loc="left", color=INK)
                _epochs(axes, row == len(entries) - 1)
            axes = figure.add_subplot(grid[row, 2])
            _aucs(axes, entry)
            where = place(entry["point"]) if len(entries) > 1 else ""
            axes.set_title(f"ROC AUC  {where}".rstrip(), fontsize=NORMAL, loc="left", color=INK)
            _epochs(axes, row == len(entries) - 1)
        _legend(figure, height, mixture=False)

    return picture(height, paint)


def _bands(axes: Any, entry: Json, name: str) -> None:
    for group, color in GROUPS:
        band = entry[name][group]
        if band is None:
            continue
        axes.fill_between(entry["epochs"], band["low"], band["high"], color=color, alpha=0.22, linewidth=0)
        axes.plot(entry["epochs"], band["median"], color=color, linewidth=1.6)
    axes.set_ylim(bottom=0)


def _aucs(axes: Any, entry: Json) -> None:
    for name, words, color, line in AUCS:
        if entry["auc"][name] is not None:
            axes.plot(entry["epochs"], entry["auc"][name], color=color, linestyle=line, linewidth=1.6, label=words)
    if axes.lines:
        axes.legend(loc="best", frameon=False, fontsize=SMALL)


def _epochs(axes: Any, last: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    bare(axes, "left", "bottom")
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
    if last:
        axes.set_xlabel("epoch", fontsize=SMALL)


def suspects(data: Json) -> Picture:
    """Draw the training images of highest AUL, the highest first, each with the label it was given and its true one."""
    sheet = data["suspects"]
    shape = sheet["shape"]
    images = np.frombuffer(base64.b64decode(sheet["pixels"]), dtype=np.uint8).reshape(shape).transpose(0, 2, 3, 1)
    most = max(int(images.max()), 1)
    columns = min(SHEET_COLUMNS, len(images))
    rows = math.ceil(len(images) / columns)
    height = rows * 0.80 + 0.35

    def paint(figure: Any) -> None:
        grid = figure.add_gridspec(
            rows, columns, left=0.01, right=0.99, top=1 - 0.42 / height, bottom=0.02, hspace=0.5, wspace=0.12
        )
        for index, image in enumerate(images):
            axes = figure.add_subplot(grid[index // columns, index % columns])
            shown = image[:, :, 0] if image.shape[2] == 1 else image
            axes.imshow(shown, cmap="gray_r", vmin=0, vmax=most, interpolation="nearest")
            axes.set_axis_off()
            given, true = sheet["label"][index], sheet["true"][index]
            planted = given != true
            words = f"{given} (is {true})" if planted else f"{given}"
            axes.set_title(words, fontsize=SMALL - 1.5, pad=2, color=OKABE_ITO[1] if planted else OKABE_ITO[0])
        figure.text(0.01, 1 - 0.06 / height, "given label; in orange, with its true one, where the label is wrong",
                    fontsize=SMALL, color=INK, va="top")  # fmt: skip

    return picture(height, paint)
