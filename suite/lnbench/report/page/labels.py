"""The tables "Labels, by true class": what became of the images of each class, from `labels` of result.json alone."""

from __future__ import annotations

from lnbench.report.page.recipe_words import option_words, value_words
from lnbench.report.plain import Json
from lnbench.report.words import coded, counted, table

MOST_TABLES = 6  # a line alone for each further noise: `result.json` has them all


def labels_section(data: Json) -> list[str]:
    """Return the lines of a table for each noise whose labels stand in one; none for other noise, and a line alone for
    more than ten classes."""
    found = data.get("labels", [])
    if not found:
        return []
    lines = ["### Labels, by true class", ""]
    for place, entry in enumerate(found):
        shown = "transition" in entry and place < MOST_TABLES
        lines += [_about(entry) + (" Row: true class; column: label given, in % of the row." if shown else ""), ""]
        if shown:
            lines += [*_matrix(entry["transition"]), ""]
    return lines


def _about(entry: Json) -> str:
    noise = entry["noise"]
    told = [key for key in noise if key not in ("kind", "matrix", "sha256")]
    options = ", ".join(option_words(key, value_words(noise[key]), noise["kind"]) for key in told)
    if entry["tables"] == 1:
        which = f" (sha256 {coded(entry['sha256'])})"
    else:
        which = f", in the mean over {counted(entry['tables'], 'draw')}"
    text = f"{coded(noise['kind'])}{f' ({options})' if options else ''}, {coded(entry['dataset'])}"
    return f"{text}: {100 * entry['wrong']:.2f} % of all {entry['images']:,} labels are wrong{which}."


def _matrix(counts: list[list[int]]) -> list[str]:
    header = ["", *map(str, range(len(counts)))]
    rows = []
    for true, row in enumerate(counts):
        total = sum(row)
        rows.append([str(true), *(f"{100 * count / total:.1f}" if count else "" for count in row)])
    return table(header, rows, right=range(1, len(header)))
