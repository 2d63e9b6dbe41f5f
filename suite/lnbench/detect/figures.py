"""The two pictures: the most suspect images, and how the scores are spread."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from lnbench.detect.data import Labelled
from lnbench.detect.decode import Unreadable
from lnbench.detect.scoring import Scores
from lnbench.drawing import GREY, INK, NORMAL, OKABE_ITO, SMALL, WIDTH, bare, png
from lnbench.errors import visible

COLUMNS = 8
CELL = 1.42  # inches from row to row
HEAD = 0.55  # inches above the first row
PIXELS = 160  # of a picture's side, at most
DIM = 128  # images whose brightest pixel is below are shown brighter
LETTERS = 13  # of a class's name under a picture
LOW, HIGH = OKABE_ITO[0], OKABE_ITO[1]


def contact_sheet(data: Labelled, scores: Scores, top: int) -> bytes:
    """Draw the `top` most suspect images, row by row, each with its rank, given label and probability."""
    chosen = scores.order[:top].tolist()
    rows = math.ceil(len(chosen) / COLUMNS)
    gain = gain_of(data)

    def paint(figure: Any) -> None:
        tall = HEAD + rows * CELL
        figure.text(
            0.02,
            1 - 0.18 / tall,
            _sheet_title(len(chosen), scores.probability is not None),
            fontsize=NORMAL,
            color=INK,
            va="center",
        )
        for place, example in enumerate(chosen):
            row, column = divmod(place, COLUMNS)
            left, bottom = (column + 0.08) / COLUMNS, 1 - (HEAD + row * CELL + 0.84 * WIDTH / COLUMNS) / tall
            axes = figure.add_axes((left, bottom, 0.84 / COLUMNS, 0.84 * WIDTH / COLUMNS / tall))
            axes.imshow(seen(data, example, gain), interpolation="nearest", aspect="equal")
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_color(GREY)
            label = shortened(data.classes[data.labels[example]])
            axes.set_xlabel(f"{label}\n{_under(scores, example)}", fontsize=SMALL - 1.5, color=INK, labelpad=3)
            axes.set_title(f"{place + 1}", fontsize=SMALL - 1.5, color=GREY, pad=2, loc="left")

    return _quietly(HEAD + rows * CELL, paint)


def _sheet_title(count: int, known: bool) -> str:
    what = "how likely it is wrong" if known else "its AUL in standard deviations"
    return f"The {count} most suspect labels. Under each image: the label it was given, then {what}"


def _under(scores: Scores, example: int) -> str:
    if scores.probability is None:
        return f"AUL {scores.aul[example]:+.1f}"
    probability = scores.probability[example]
    return ">99 %" if probability > 0.99 else f"{100 * probability:.0f} %"


def gain_of(data: Labelled) -> float:
    """Return how much brighter images are shown, where the brightest pixel of all is dark."""
    brightest = int(data.images.max())
    return 255 / brightest if 0 < brightest < DIM else 1.0


def seen(data: Labelled, example: int, gain: float, most: int = PIXELS) -> Any:
    """Return the image (size, size, 3) uint8 in its own resolution, up to `most` pixels a side; as it was trained on,
    if its file has gone since."""
    try:
        image = data.view(example, most)
    except Unreadable:
        image = data.images[example].transpose(1, 2, 0)
        image = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    return np.minimum(image * gain, 255).astype(np.uint8)


def shortened(name: str, letters: int = LETTERS) -> str:
    """Return the name on one line, and no longer than `letters` letters."""
    line = " ".join(visible(name).split()) or repr(name)
    return line if len(line) <= letters else f"{line[: letters - 1]}…"


def histogram(scores: Scores) -> bytes:
    """Draw the averaged AUL of all examples and, where they are two groups, the mixture and where its odds are even."""

    def paint(figure: Any) -> None:
        axes = figure.add_axes((0.08, 0.16, 0.89, 0.76))
        low, high = float(scores.aul.min()), float(scores.aul.max())
        bins = np.linspace(low, high if high > low else low + 1, _bins(scores.aul) + 1)
        axes.hist(scores.aul, bins=bins, color="#D0D0D0", edgecolor="white", linewidth=0.3, label="all images")
        if scores.probability is not None:
            _mixture(axes, scores, bins)
        else:
            why = (
                "nothing learnt" if scores.learnt_nothing else "too little learnt" if scores.overruled else "one group"
            )
            words = f"{why}: no share of wrong labels can be told from these scores"
            axes.text(0.98, 0.94, words, transform=axes.transAxes, ha="right", va="top", fontsize=SMALL, color=INK)
        axes.set_xlabel("area under the loss (AUL), mean over runs, in standard deviations", fontsize=SMALL)
        axes.set_ylabel("images", fontsize=SMALL)
        axes.set_title(
            "How the scores are spread: on the right, labels that were hard to learn", fontsize=NORMAL, loc="left"
        )
        bare(axes, "left", "bottom")

    return _quietly(3.6, paint)


def _mixture(axes: Any, scores: Scores, bins: Any) -> None:
    assert scores.split is not None and scores.probability is not None
    mixture = scores.split.mixture
    x = np.linspace(bins[0], bins[-1], 600)
    styles = ((LOW, "-", "mixture: labels that are right"), (HIGH, "--", "mixture: labels that are wrong"))
    tallest = axes.get_ylim()[1]
    for weight, mean, sd, (colour, line, name) in zip(mixture.weights, mixture.means, mixture.sds, styles, strict=True):
        density = np.exp(-(((x - mean) / sd) ** 2) / 2) / (sd * math.sqrt(2 * math.pi))
        axes.plot(x, len(scores.aul) * weight * (bins[1] - bins[0]) * density, color=colour, linestyle=line, label=name)
    likely = scores.likely()
    if likely.any() and not likely.all():
        edge = (scores.aul[likely].min() + scores.aul[~likely].max()) / 2
        axes.axvline(edge, color=INK, linewidth=0.8, linestyle=":", label="even odds")
    axes.set_ylim(0, max(tallest, axes.get_ylim()[1]))
    axes.legend(frameon=False, fontsize=SMALL, loc="upper right")


def _bins(values: Any) -> int:
    return int(min(80, max(20, math.sqrt(len(values)))))


def _quietly(height: float, paint: Any) -> bytes:
    """Paint without matplotlib's warnings about letters that its font lacks: the tables have every name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        return png(height, paint)
