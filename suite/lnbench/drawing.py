"""What all figures share: palette, marks, a figure with no global state, and bytes that depend on nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lnbench.verdict import Verdict

WIDTH = 9.0  # inches; at GitHub's width a 10 pt letter is then some 13 pixels high
DPI = 150
SMALL, NORMAL = 9.5, 10.5  # points
INK, GREY, REGION = "#222222", "#777777", "#CFE5F3"

# Okabe & Ito's colours, told apart by colour-blind readers; marks differ too: no colour speaks alone.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1)))
VERDICT_STYLE = {  # verdict, or what smoke says of a part -> (colour, marker)
    **{verdict.words: (verdict.colour, verdict.marker) for verdict in Verdict},
    "direction holds": ("#0072B2", "o"),
    "direction does not hold": ("#D55E00", "X"),
}
OTHER_STYLE = (GREY, "s")


def style_of(index: int) -> dict[str, Any]:
    """Return colour, marker and line of the index-th of several lines; the line changes when the colours are used
    up."""
    return {
        "color": OKABE_ITO[index % len(OKABE_ITO)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[index // len(OKABE_ITO) % len(LINES)],
    }


class Picture(NamedTuple):
    """One figure, painted twice: as pixels for pages, and as lines that a paper's text can be set around."""

    png: bytes
    svg: bytes


def load() -> None:
    """Import what draws, which takes a second: a process that is about to be forked does so for all that follow."""
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401


def picture(height: float, paint: Callable[[Any], None]) -> Picture:
    """Return a figure `height` inches high, painted by `paint(figure)`, as PNG and as SVG.

    No pyplot and no settings of the user's: the same data give the same picture whatever a matplotlibrc says,
    and the process's own matplotlib settings are as before afterwards.
    """
    return Picture(*_drawn(height, paint, ("png", "svg")))


def png(height: float, paint: Callable[[Any], None]) -> bytes:
    """Return the same as PNG alone."""
    return _drawn(height, paint, ("png",))[0]


def _drawn(height: float, paint: Callable[[Any], None], forms: Sequence[str]) -> list[bytes]:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = []
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"text.parse_math": False, "axes.unicode_minus": True, "font.size": SMALL})
        # text stays text, to be searched and copied; names inside the file come from its content, not from chance
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lnbench"})
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        paint(figure)  # once: it takes as long as saving it
        for form in forms:
            out = io.BytesIO()
            # neither the date nor matplotlib's version in the bytes
            unsaid = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
            figure.savefig(out, format=form, metadata=unsaid)
            found.append(out.getvalue())
    return found


def bare(axes: Any, *keep: str) -> None:
    """Remove the frame except for the sides in `keep`."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in keep)
        spine.set_color(GREY)
    axes.tick_params(colors=INK, labelsize=SMALL, length=3)
