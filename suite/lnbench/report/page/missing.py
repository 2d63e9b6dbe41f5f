"""The section on what was not run, and what it would cost."""

from __future__ import annotations

from collections.abc import Iterator

from lnbench.report.names import place
from lnbench.report.plain import Json
from lnbench.report.words import coded, counted, duration, escaped, listed, table


def left_section(data: Json) -> list[str]:
    """Return the lines about what was not run; none where all runs are there."""
    left, untried = data.get("left", []), data.get("untried", [])
    if not left and not untried:
        return []
    axes = [part["matrix"]["rows"]["axis"] for claim in data["claims"] for part in claim["parts"] if "matrix" in part]
    return ["## What is missing", "", *_of_the_study(left, axes[0] if axes else None), *_of_alternatives(untried)]


CORE = "on one core of a small server; several cores share the runs (`docs/performance.md`)"


MOST = 12  # lines; the missing cells of a table are added up row by row where there are more


def _by_row(left: list[Json], axis: str) -> Iterator[Json]:
    """Yield what is missing, that of a table's cells once for each row."""
    rows: dict[object, list[Json]] = {}
    for entry in left:
        if axis in entry["point"] and not entry["what"]:
            rows.setdefault(entry["point"][axis], []).append(entry)
        else:
            yield entry
    for row, entries in rows.items():
        runs = sum(entry["runs"] for entry in entries)
        seconds = sum(entry["runs"] * entry["seconds_each"] for entry in entries)
        what = counted(len(entries), "cell")
        yield {"what": what, "point": {axis: row}, "runs": runs, "seconds_each": seconds / runs}


def _of_the_study(left: list[Json], rows_axis: str | None = None) -> list[str]:
    if not left:
        return []
    if len(left) > MOST and rows_axis is not None:
        left = list(_by_row(left, rows_axis))
    rows = [
        [
            escaped(", ".join(filter(None, (entry["what"], place(entry["point"]) if entry["point"] else "")))
                    or "all runs"),
            f"{entry['runs']:,}",
            duration(entry["seconds_each"]),
            duration(entry["runs"] * entry["seconds_each"]),
        ]
        for entry in left
    ]  # fmt: skip
    total = sum(entry["runs"] * entry["seconds_each"] for entry in left)
    number = sum(entry["runs"] for entry in left)
    intro = (
        f"{counted(number, 'run')} {'is' if number == 1 else 'are'} missing. Estimated time: {duration(total)} {CORE}."
    )
    header = ["runs", "missing", "one run", "together"]
    return [intro, "", *table(header, rows, right=(1, 2, 3)), ""]


def _of_alternatives(untried: list[Json]) -> list[str]:
    if not untried:
        return []
    claims = list(dict.fromkeys(claim for entry in untried for claim in entry["claims"]))
    total = sum(entry["seconds"] for entry in untried)
    intro = (
        f"{listed(map(escaped, claims))}: outside the claimed range as run. Called contradicted (or failed) only if "
        f"that holds under every alternative of what is left open; {counted(len(untried), 'alternative')} "
        f"{'has' if len(untried) == 1 else 'have'} not been run. Estimated time: {duration(total)} {CORE}."
    )
    rows = [
        [
            coded(entry["choice"]),
            ", ".join(map(escaped, entry["claims"])),
            f"{entry['runs']:,}",
            duration(entry["seconds"]),
        ]
        for entry in untried
    ]
    return [intro, "", *table(["alternative for", "claims", "missing runs", "together"], rows, right=(2, 3)), ""]
