"""All figures of a report, each as PNG and as SVG, by file name."""

from __future__ import annotations

from lnbench.drawing import Picture
from lnbench.report.figures.curves import curves, training
from lnbench.report.figures.experiments import draw_experiments
from lnbench.report.figures.forest import forest
from lnbench.report.figures.loss_curves import draw_detection
from lnbench.report.figures.matrix import matrix_figure
from lnbench.report.figures.step_curves import draw_step_curves
from lnbench.report.names import curve_axis, figures_of, svg_name
from lnbench.report.plain import Json


def draw_all(data: Json) -> dict[str, bytes]:
    """Draw every figure that `names.figures_of` announces, and its SVG beside it. The same result.json gives the same
    pictures."""
    drawn = _pictures(data)
    return {name: one.png for name, one in drawn.items()} | {svg_name(name): one.svg for name, one in drawn.items()}


def _pictures(data: Json) -> dict[str, Picture]:
    figures = figures_of(data)
    drawn: dict[str, Picture] = {}
    if figures.forest:
        drawn[figures.forest] = forest(data["claims"], data["tier"])
    axis = curve_axis(data)
    if figures.curves and axis:
        drawn[figures.curves] = curves(data, axis)
    if figures.training:
        drawn[figures.training] = training(data)
    drawn |= draw_experiments(data)
    drawn |= draw_detection(data)
    drawn |= draw_step_curves(data)
    for claim in data["claims"]:
        if claim["id"] in figures.claims:
            alone = figures.forest if data["claims"] == [claim] else None  # then it is the picture of all claims
            drawn[figures.claims[claim["id"]]] = drawn[alone] if alone else forest([claim], data["tier"])
        for part in claim["parts"]:
            if (claim["id"], part["name"]) in figures.matrices:
                drawn[figures.matrices[claim["id"], part["name"]]] = matrix_figure(claim, part, data["tier"])
    return drawn
