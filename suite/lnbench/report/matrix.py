"""A table of a paper in words: what page and figure share of the `matrix` of a part (`report/result/matrix.py`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from lnbench.report.names import text
from lnbench.report.plain import Json
from lnbench.report.units import SHARE, Unit, metric_unit

DASH = "–"
OWN = "◇"  # in front of a row that is a user's own


class Letter(NamedTuple):
    """How a cell's verdict is written and coloured: tints of the verdicts' colours, which differ in lightness too."""

    letter: str
    colour: str
    of_table: str
    of_sides: str


LETTERS = {
    "agrees": Letter("A", "#9ED5C3", "agrees", "on the printed side"),
    "disagrees": Letter("D", "#EE9A66", "does not agree", "on the other side"),
    "open": Letter("o", "#FAEBB4", "open", "open"),
    "nothing": Letter("–", "#FFFFFF", "nothing to hold", "nothing to hold"),
    "not-run": Letter("·", "#E4E4E4", "not run, or not all seeds", "not run, or not all seeds"),
    "not-comparable": Letter("≠", "#C9C9C9", "not of what is printed", "not of what is printed"),
    "error": Letter("!", "#D3A5D3", "cannot be judged", "cannot be judged"),
}


def letter_of(cell: Json) -> str:
    """Return the letter of a cell's verdict."""
    return LETTERS[cell["says"]].letter


def legend(matrix: Json) -> list[tuple[str, str]]:
    """Return (what a cell says, the letter and its meaning) of what there is in a matrix."""
    there = {cell["says"] for cell in matrix["cells"]}
    words = {says: (one.of_sides if matrix["sides"] else one.of_table) for says, one in LETTERS.items()}
    return [(says, f"{LETTERS[says].letter} {words[says]}") for says in LETTERS if says in there]


def cell_at(matrix: Json) -> dict[tuple[object, object], Json]:
    """Return the cells by (row, column)."""
    return {(cell["row"], cell["column"]): cell for cell in matrix["cells"]}


def level_unit(part: Json, cell: Json) -> Unit:
    """Return the unit of a cell's mean: the metric's own, whatever the part compares."""
    return metric_unit({**part["effect"], "minus": None}, cell.get("step") or 0.0)


def unit_words(part: Json) -> str:
    """Return the name of the metric with its unit: "test error, in %"."""
    unit = level_unit(part, {})
    return unit.with_name(f"{str(part['effect']['metric']).replace('_', ' ')}, in") if unit.name else "as printed"


def printed_words(cell: Json) -> str:
    """Return what is printed in a cell; a dash where nothing is, as for a user's own row."""
    return DASH if cell["printed"] is None else str(cell["printed"])


def ours_words(part: Json, cell: Json) -> str:
    """Return our number of a cell with one decimal more than is printed (its mean; the median where a run collapsed,
    with a dagger), or how many runs collapsed where that is what is judged."""
    if cell.get("word") == "diverged" and cell["n"] and not part["matrix"]["sides"]:
        return f"{cell['collapsed']}/{cell['n']} collapsed"
    if cell["ours"] is None:
        return DASH
    unit = level_unit(part, cell)
    dagger = "†" if cell["collapsed"] else ""
    if unit.decimals is None:
        return unit.number(unit.of(cell["ours"])) + dagger
    return f"{unit.of(cell['ours']):.{_decimals(part)}f}{dagger}".replace("-", "−")


def _decimals(part: Json) -> int:
    """Return how many decimals our numbers have next to the printed ones: as many as these, at least one."""
    printed = [str(cell["printed"]) for cell in part["matrix"]["cells"] if cell["printed"]]
    return max([1, *(len(words.partition(".")[2]) for words in printed if words[:1].isdigit())])


def interval_words(part: Json, cell: Json) -> str:
    """Return effect and interval of what is judged in a cell: "24.13 [23.61, 24.65]"; a dash where there is none."""
    if cell["effect"] is None:
        return DASH
    word = cell.get("word") == "diverged" and not part["matrix"]["sides"]
    unit = Unit(100.0, SHARE, 1) if word else level_unit(part, cell)
    low, high = (0.0, 1.0) if word else part["effect"]["metric_bounds"]
    if part["matrix"]["sides"]:
        unit = replace(unit, name="points" if unit.name == "%" else unit.name)
        low, high = (None, None) if low is None or high is None else (low - high, high - low)
    effect = unit.of(cell["effect"])
    edges = _edges(part, cell, unit)
    if cell["interval"] is None:
        return f"{unit.number(effect, edges)}{' (median)' if cell.get('typical') else ''}"
    ends = [cell["interval"][end] for end in ("low", "high")]
    if low is not None:
        ends[0] = max(ends[0], low)
    if high is not None:
        ends[1] = min(ends[1], high)
    low, high = (unit.of(end) for end in ends)
    interval = replace(unit, name="").interval((low, high), edges, (effect,))
    return f"{unit.number(effect, edges, near=(low, high))} {interval}"


def _edges(part: Json, cell: Json, unit: Unit) -> tuple[float, ...]:
    """Return the edges of a cell's range in its unit."""
    if cell.get("margin") is None:
        return (0.0,) if part["matrix"]["sides"] else (50.0,) if cell.get("word") == "diverged" else ()
    index = [one["reference"] for one in part["matrix"]["cells"]].index(cell["reference"])
    judged = [one for one in part["members"] if (one.get("reference") or {}).get("id") == cell["reference"]]
    if not judged or index < 0:
        return ()
    return tuple(unit.of(judged[0]["region"][end]) for end in ("low", "high"))


def margin_of(part: Json, cell: Json) -> str:
    """Return what is required in a cell, beside its printed number: "± 2", "above", "at least half"."""
    if "side" in cell:
        return f"{cell['side']} 0"
    if cell.get("word") == "diverged" and not part["matrix"]["sides"]:
        return "at least 50"
    return (
        f"±{level_unit(part, cell).edge(level_unit(part, cell).of(cell['margin'])).split(' ')[0]}"
        if "margin" in cell
        else ""
    )


def seeds_words(cell: Json) -> str:
    """Return "n 5", "n 3 of 5", "n 5, 2 collapsed"."""
    n = f"n {cell['n']}" if cell["n"] == cell["planned"] else f"n {cell['n']} of {cell['planned']}"
    return f"{n}, {cell['collapsed']} collapsed" if cell["collapsed"] else n


def tally_words(part: Json) -> str:
    """Return how many of the judged cells say what: "34 A, 5 D, 10 o"."""
    found = Counter(cell["says"] for cell in part["matrix"]["cells"] if cell["says"] != "nothing")
    return ", ".join(f"{found[says]} {LETTERS[says].letter}" for says in LETTERS if found[says])


def row_name(matrix: Json, level: object) -> str:
    """Return a row's name; one that is not of the paper is marked."""
    return f"{OWN} {text(level)}" if level in matrix["own"] else text(level)


def matrix_parts(claim: Json) -> Iterator[Json]:
    """Yield the parts of a claim that are shown as a matrix."""
    yield from (part for part in claim["parts"] if "matrix" in part)


def has_matrix(data: Json) -> bool:
    """Return whether a result shows one."""
    return any(True for claim in data["claims"] for _ in matrix_parts(claim))
