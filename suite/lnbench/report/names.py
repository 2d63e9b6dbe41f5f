"""Where things of a report are: anchors of its sections as GitHub makes them, and which figures it has."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lnbench.report.numbers import as_written
from lnbench.report.plain import Json


def anchors(headings: list[str]) -> list[str]:
    """Return the anchor of each heading, in the page's order: GitHub lowers, drops signs, and numbers what comes
    again."""
    seen: dict[str, int] = {}
    found = []
    for heading in headings:
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        again = seen.get(slug, 0)
        seen[slug] = again + 1
        found.append(f"{slug}-{again}" if again else slug)
    return found


def claim_anchors(data: Json) -> list[str]:
    """Return one anchor per claim, under the headings `Claim ID`."""
    return anchors([claim_heading(claim) for claim in data["claims"]])


def claim_heading(claim: Json) -> str:
    """Return the heading of a claim's section."""
    return f"Claim {claim['id']}"


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures that a result gives, by file name; None (or no entry) where there is nothing to draw."""

    forest: str | None
    curves: str | None
    training: str | None
    claims: dict[str, str]  # claim id -> file
    experiments: dict[str, str]  # file -> what it shows
    detection: dict[str, str]
    steps: dict[str, str]
    matrices: dict[tuple[str, str], str]  # (claim id, part) -> file

    def all(self) -> list[str]:
        """Return the name of every PNG, in the page's order."""
        named = (self.forest, self.curves, *self.experiments, *self.detection, *self.steps, self.training,
                 *self.claims.values(), *self.matrices.values())  # fmt: skip
        return [name for name in named if name]

    def files(self) -> list[str]:
        """Return the names of all pictures: each PNG, and the SVG beside it."""
        names = self.all()
        return [*names, *map(svg_name, names)]


def svg_name(name: str) -> str:
    """Return the name of the SVG that lies beside a figure's PNG."""
    return f"{name.removesuffix('.png')}.svg"


def figures_of(data: Json) -> Figures:
    """Return which figures there will be: known without drawing one."""
    shown = [claim for claim in data["claims"] if in_forest(claim)]
    claims = {
        claim["id"]: f"{anchor}.png"  # anchors are all different, also where file names ignore case
        for claim, anchor in zip(data["claims"], claim_anchors(data), strict=True)
        if any(measured(member) for part in in_forest(claim) for member in part["members"])
    }
    matrices = {
        (claim["id"], part["name"]): f"{anchor}-table-{number}.png"
        for claim, anchor in zip(data["claims"], claim_anchors(data), strict=True)
        for number, part in enumerate(claim["parts"])
        if "matrix" in part and any(cell["n"] for cell in part["matrix"]["cells"])
    }
    return Figures(
        # where even the least sure of each part are too many, each claim's own plot is all there is
        forest="forest.png" if len(claims) > 1 and forest_height(forest_rows(shown)) <= MOST_HEIGHT else None,
        curves="curves.png" if curve_axis(data) else None,
        training="training.png" if any(cell["epochs"] > 1 and has_accuracies(cell) for cell in data["cells"]) else None,
        claims=claims,
        experiments=experiment_figures(data),
        detection=detection_figures(data),
        steps=step_figures(data),
        matrices=matrices,
    )


MOST_HEIGHT = 16.0  # inches of a forest plot: at a page's width a screen and a half
HEADER, ROW, EMPTY_ROW, LEGEND, MARGIN = 0.36, 0.98, 0.84, 0.42, 0.12  # inches

Rows = list[tuple[Json, Json, int]]  # (part, member, how many members it stands for)


def forest_rows(claims: list[Json]) -> list[tuple[Json, Rows]]:
    """Return what a forest plot of these claims has rows for: every member of every part; where that is taller than
    MOST_HEIGHT, for each part the member that is least sure to be inside its range."""
    whole = [
        (claim, [(part, member, 1) for part in in_forest(claim) for member in part["members"]]) for claim in claims
    ]
    if forest_height(whole) <= MOST_HEIGHT:
        return whole
    return [
        (claim, [(part, max(part["members"], key=unsure), len(part["members"])) for part in in_forest(claim)
                 if part["members"]])
        for claim in claims
    ]  # fmt: skip


def forest_height(groups: list[tuple[Json, Rows]]) -> float:
    """Return how tall a forest plot of these rows is, in inches."""
    rows = sum(ROW if measured(member) else EMPTY_ROW for _, found in groups for _, member, _ in found)
    return HEADER * len(groups) + rows + LEGEND + MARGIN


def unsure(member: Json) -> float:
    """Return how unsure a member is to be inside its range: its p, and more where it was not judged at all."""
    p = member["check"]["p_reproduced"]
    return 2.0 if p is None or not measured(member) else float(p)


def in_forest(claim: Json) -> list[Json]:
    """Return the parts that a forest plot has a row for: a table of many cells has its matrix."""
    return [part for part in claim["parts"] if "matrix" not in part]


EXPERIMENT_FIGURES = {  # experiment -> file -> what it shows
    "linear_network": {
        "experiment-phases.png": "Norm and alignment against steps, the phases parted at the change point",
        "experiment-neurons.png": "Single neurons: alignment against norm, coloured by time",
    },
    "ntk": {"experiment-linearisation.png": "Losses of the networks and of their linearisation, and the first norm"},
}


def experiment_figures(data: Json) -> dict[str, str]:
    """Return the figures of the experiment that has runs that did not diverge, and what they show."""
    drawn = {cell["experiment"] for cell in data["cells"] if cell.get("experiment") and cell["steps"]}
    return {file: words for name in sorted(drawn) for file, words in EXPERIMENT_FIGURES.get(name, {}).items()}


DETECTION_FIGURES = {
    "detection-histograms.png": "Losses and the area under them (AUL) of clean and of mislabeled examples, and the two "
    "Gaussians fitted to the AUL; one seed",
    "detection-curves.png": "Losses of clean and of mislabeled examples over the epochs, and how well loss, AUL and "
    "AUM tell them apart; one seed",
    "detection-suspects.png": "The training images of highest AUL, the highest first; one seed",
}


def detection_figures(data: Json) -> dict[str, str]:
    """Return the figures of loss curves, where some were read, and what they show."""
    there = {
        "detection-histograms.png": bool(data.get("detection")),
        "detection-curves.png": any("auc" in entry and entry["epoch"] > 1 for entry in data.get("detection", [])),
        "detection-suspects.png": bool(data.get("suspects")),
    }
    return {file: words for file, words in DETECTION_FIGURES.items() if there[file]}


def step_curve_names(data: Json) -> list[str]:
    """Return the curves over steps that some run has, in the runs' order."""
    return list(dict.fromkeys(name for cell in data["cells"] for name in cell.get("step_curves", {})))


def step_figures(data: Json) -> dict[str, str]:
    """Return the figures of curves over steps, and what each shows."""
    names = step_curve_names(data)
    return {
        f"steps-{name.replace('_', '-')}.png": f"{name.replace('_', ' ').capitalize()} over steps" for name in names
    }


def measured(member: Json) -> bool:
    """Return whether there is anything of it to draw. (Typical runs may have no median, and yet seeds.)"""
    check = member["check"]
    there = any(value is not None for value in member["values"])
    return check["effect"] is not None or bool(check["typical"] and there)


def has_accuracies(cell: Json) -> bool:
    """Return whether a cell has test accuracies to draw: an experiment's has none, nor has one whose runs cannot be
    right."""
    return bool(cell["done"] and cell["metrics"].get("test_accuracy"))


def curve_axis(data: Json) -> str | None:
    """Return the numeric axis to draw accuracy along, if two of its levels were run: one that an effect runs along,
    else the one with most levels."""
    cells = [cell for cell in data["cells"] if has_accuracies(cell)]
    levels: dict[str, set[float]] = {}
    for cell in cells:
        for axis, value in cell["point"].items():
            levels.setdefault(axis, set())
            if is_number(value):
                levels[axis].add(value)
    numeric = [
        axis
        for axis, values in levels.items()
        if len(values) > 1 and all(is_number(cell["point"][axis]) for cell in data["cells"])
    ]
    along = {part["effect"]["axis"] for claim in data["claims"] for part in claim["parts"]}
    ranked = sorted(numeric, key=lambda axis: (axis not in along, -len(levels[axis])))
    return ranked[0] if ranked else None


def is_number(value: object) -> bool:
    """Return whether a value is a number, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def place(point: Json, without: str | None = None) -> str:
    """Return a point of the grid in words, "convnet4, noise.alpha 20"; a model's name stands alone."""
    shown = {axis: value for axis, value in point.items() if axis != without}
    words = [text(value) if axis == "model" else f"{axis} {text(value)}" for axis, value in shown.items()]
    return ", ".join(words) or "all runs"


def text(value: object) -> str:
    """Return a value of an axis as text: 20 and not 20.0."""
    return as_written(value) if isinstance(value, float) else "none" if value is None else str(value)
