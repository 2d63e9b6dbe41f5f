"""A table of a paper on the page: printed and measured side by side, a letter in each cell; the intervals behind it."""

from __future__ import annotations

from lnbench.report.matrix import (
    OWN,
    cell_at,
    interval_words,
    legend,
    letter_of,
    margin_of,
    ours_words,
    printed_words,
    row_name,
    seeds_words,
    tally_words,
    unit_words,
)
from lnbench.report.names import text
from lnbench.report.plain import Json
from lnbench.report.units import shown
from lnbench.report.words import coded, counted, duration, escaped, margin_words, spaced_percent, table


def matrix_section(part: Json, data: Json, figure: str | None) -> list[str]:
    """Return the lines of one part's matrix: the figure, the table, and a second one that opens on a click."""
    matrix, name = part["matrix"], coded(part["name"])
    lines = [f"#### Table {name}", ""]
    if figure:
        what = f"Printed and measured, every cell of {part['name']} with the letter of its verdict"
        lines += [f"![{escaped(what)}]({figure})", ""]
    lines += [_how_to_read(part, data["tier"]), "", *_table(part, _first), ""]
    left = _missing(part, data)
    lines += [left, ""] if left else []
    judged = [member for member in part["members"] if member["check"]["interval"]]
    level = spaced_percent(shown(part, judged[0]).confidence) if judged else "90 %"
    what = "difference, seed by seed, from the cell that it is compared with" if matrix["sides"] else "mean"
    summary = f"Every cell's {what}, its {level} interval, what is required and the seeds"
    return [*lines, f"<details><summary>{summary}</summary>", "", *_table(part, _second), "", "</details>", ""]


def own_rows_words(data: Json) -> str:
    """Return what the rows are that no paper has; "" where there are none."""
    rows = data.get("own_rows", [])
    if not rows:
        return ""
    names = ", ".join(escaped(f"`{row['label']}`") for row in rows)
    one = len(rows) == 1
    head = f"{'A row' if one else 'Rows'} of your own, marked {OWN} in the tables: {names}"
    not_paper = f"{'It is' if one else 'They are'} not the paper's and {'decides' if one else 'decide'} no claim"
    return f"{head}, trained by the recipe of `base` in every column. {not_paper}"


def _table(part: Json, words: object) -> list[str]:
    matrix, cells = part["matrix"], cell_at(part["matrix"])
    rows, columns = matrix["rows"], matrix["columns"]
    header = [f"{rows['axis']} \\ {columns['axis']}", *(escaped(text(level)) for level in columns["levels"])]
    body = []
    for row in rows["levels"]:
        mark = "*" if row in matrix["own"] else ""
        found = [cells.get((row, column)) for column in columns["levels"]]
        body.append([
            f"{mark}{escaped(row_name(matrix, row))}{mark}",
            *("" if cell is None else escaped(words(part, cell)) for cell in found),  # type: ignore[operator]
        ])  # fmt: skip
    return table([escaped(header[0]), *header[1:]], body, right=range(1, len(header)))


def _first(part: Json, cell: Json) -> str:
    return f"{printed_words(cell)} / {ours_words(part, cell)} {letter_of(cell)}"


def _second(part: Json, cell: Json) -> str:
    required = margin_of(part, cell)
    return "; ".join(filter(None, [interval_words(part, cell), required, seeds_words(cell) if cell["n"] else ""]))


def _how_to_read(part: Json, tier: str) -> str:
    matrix = part["matrix"]
    words = f"Each cell: printed / ours ({escaped(unit_words(part))}; the mean over the seeds)"
    if any(cell["collapsed"] for cell in matrix["cells"]):
        words += "; † the median, as a run collapsed"
    words += f". {', '.join(label for _, label in legend(matrix))}."
    if tier == "smoke":
        words += " At smoke a letter says on which side the estimate lies, and nothing about the paper."
    elif part["kind"] == "table":
        words += f" Margin: {escaped(_margin(part))}."
    if matrix["own"]:
        words += f" {OWN} a row that is not the paper's; it decides nothing."
    return words + f" Judged: {tally_words(part) or 'none'}."


def _margin(part: Json) -> str:
    """Return the margin of the cells, and between which it lies where each has its own."""
    words = margin_words(part)
    own = [cell["margin"] for cell in part["matrix"]["cells"] if cell.get("margin") is not None]
    if not isinstance(part["margin"], dict) or not own:
        return words
    ends = [margin_words({**part, "margin": end}) for end in (min(own), max(own))]
    return f"{words}; here {ends[0]}" if ends[0] == ends[1] else f"{words}; here from {ends[0]} to {ends[1]}"


def _missing(part: Json, data: Json) -> str:
    """Return which cells lack runs and what these cost, in a line; "" where none does."""
    matrix = part["matrix"]
    rows, columns = matrix["rows"]["axis"], matrix["columns"]["axis"]
    lacking = {(cell["row"], cell["column"]) for cell in matrix["cells"] if cell["says"] == "not-run"}
    if not lacking:
        return ""
    fixed = part["effect"]["at"]
    left = [
        entry
        for entry in data.get("left", [])
        if (entry["point"].get(rows), entry["point"].get(columns)) in lacking
        and all(entry["point"].get(axis, value) == value for axis, value in fixed.items())
    ]
    number = sum(entry["runs"] for entry in left)
    seconds = sum(entry["runs"] * entry["seconds_each"] for entry in left)
    cost = f": {counted(number, 'run')}, {duration(seconds)} on one core" if number else ""
    runs = "lacks a run" if len(lacking) == 1 else "lack runs"
    return f"{len(lacking)} of {counted(len(matrix['cells']), 'cell')} {runs}{cost}; what they build on is not counted."
