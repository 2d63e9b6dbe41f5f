"""The matrix of a table: printed and measured side by side in every cell, coloured and lettered by its verdict."""

from __future__ import annotations

import textwrap
from typing import Any

from lnbench.drawing import GREY, INK, NORMAL, SMALL, WIDTH, Picture, picture
from lnbench.report.matrix import (
    LETTERS,
    OWN,
    cell_at,
    legend,
    letter_of,
    ours_words,
    printed_words,
    row_name,
    unit_words,
)
from lnbench.report.names import text
from lnbench.report.plain import Json

# In inches.
ROW, TITLE, COLUMNS, LEGEND_ROW, MARGIN, GAP = 0.46, 0.56, 0.34, 0.25, 0.14, 0.10
LETTER = 0.077  # the width of a letter at SMALL
NARROW = 0.95  # a cell narrower than this has smaller letters
MOST_NAME = 2.1  # inches for the rows' names


def matrix_figure(claim: Json, part: Json, tier: str) -> Picture:
    """Draw one part's matrix."""
    matrix, cells = part["matrix"], cell_at(part["matrix"])
    rows, columns = matrix["rows"]["levels"], matrix["columns"]["levels"]
    names = [row_name(matrix, row) for row in rows]
    left = min(MOST_NAME, MARGIN + LETTER * max(len(name) for name in (*names, matrix["rows"]["axis"])) + 0.1)
    width = min(1.6, (WIDTH - left - MARGIN) / len(columns))
    labels = legend(matrix)
    lines = _legend_lines(labels)
    own_gap = GAP if matrix["own"] else 0.0
    foot = LEGEND_ROW * (len(lines) + bool(matrix["own"]) + 1)
    height = TITLE + COLUMNS + ROW * len(rows) + own_gap + foot + 2 * MARGIN

    def paint(figure: Any) -> None:
        def write(x: float, y: float, words: str, **options: Any) -> None:
            figure.text(x / WIDTH, y / height, words, **{"color": INK, "fontsize": SMALL, "va": "center", **options})

        top = height - MARGIN
        write(MARGIN, top - 0.12, f"{claim['id']}, {part['name']}", fontsize=NORMAL, fontweight="bold")
        left_words = "left: printed; right: ours, the mean over the seeds"
        write(MARGIN, top - 0.36, f"{unit_words(part)}; {left_words}", color=GREY)
        top -= TITLE
        size = SMALL if width >= NARROW else SMALL - 1.5
        write(
            MARGIN,
            top - COLUMNS / 2,
            f"{matrix['rows']['axis']} \\ {matrix['columns']['axis']}"[:26],
            color=GREY,
            fontsize=size,
        )
        for place, column in enumerate(columns):
            x = left + width * (place + 0.5)
            write(x, top - COLUMNS / 2, text(column), ha="center", fontweight="bold", fontsize=size)
        top -= COLUMNS
        for name, row in zip(names, rows, strict=True):
            if row in matrix["own"] and (row == matrix["own"][0]):
                top -= own_gap
            style = "italic" if row in matrix["own"] else "normal"
            room = int((left - MARGIN) / LETTER)
            write(MARGIN, top - ROW / 2, "\n".join(textwrap.wrap(name, room)[:2]), fontstyle=style)
            for place, column in enumerate(columns):
                cell = cells.get((row, column))
                if cell is not None:
                    _cell(figure, write, part, cell, (left + width * place, top, width), height, size)
            top -= ROW
        top -= LEGEND_ROW * 0.8
        for line in lines:
            x = MARGIN
            for says, label in line:
                _box(figure, (x, top + 0.08, 0.2, 0.16), LETTERS[says].colour, height)
                write(x + 0.27, top, label)
                x += 0.27 + LETTER * len(label) + 0.3
            top -= LEGEND_ROW
        if matrix["own"]:
            write(MARGIN, top, f"{OWN} a row that is not the paper's: it decides nothing")
            top -= LEGEND_ROW
        if tier == "smoke":
            write(MARGIN, top, "smoke: letters say where estimates lie, and nothing about the paper", color=GREY)

    return picture(height, paint)


def _legend_lines(labels: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Return the entries of the legend in lines that fit."""
    lines: list[list[tuple[str, str]]] = [[]]
    used = MARGIN
    for says, label in labels:
        room = 0.57 + LETTER * len(label)
        if lines[-1] and used + room > WIDTH - MARGIN:
            lines.append([])
            used = MARGIN
        lines[-1].append((says, label))
        used += room
    return lines


def _cell(
    figure: Any, write: Any, part: Json, cell: Json, box: tuple[float, float, float], height: float, size: float
) -> None:
    """Draw a cell: printed and ours in the first line, the letter below."""
    x, top, width = box
    _box(figure, (x + 0.015, top - 0.015, width - 0.03, ROW - 0.03), LETTERS[cell["says"]].colour, height, edge=True)
    first, second = top - ROW * 0.32, top - ROW * 0.72
    printed, ours = printed_words(cell), ours_words(part, cell)
    if len(printed) + len(ours) > width / LETTER * 1.05:  # a word: one above the other, the letter at the side
        write(x + 0.06, first, printed, fontsize=size - 1, color=GREY)
        write(x + 0.06, second, ours.replace(" collapsed", " coll."), fontsize=size - 1)
        write(x + width - 0.07, second, letter_of(cell), ha="right", fontweight="bold", fontsize=size)
        return
    write(x + width * 0.5 - 0.04, first, printed, ha="right", color="#555555", fontsize=size)
    write(x + width * 0.5 + 0.04, first, ours, ha="left", fontsize=size)
    write(x + width / 2, second, letter_of(cell), ha="center", fontweight="bold", fontsize=NORMAL)


def _box(figure: Any, box: tuple[float, float, float, float], colour: str, height: float, edge: bool = True) -> None:
    from matplotlib.patches import Rectangle

    x, top, width, tall = box
    line = "#BBBBBB" if edge else colour
    place = (x / WIDTH, (top - tall) / height)
    figure.add_artist(Rectangle(place, width / WIDTH, tall / height, facecolor=colour, edgecolor=line, linewidth=0.6))
