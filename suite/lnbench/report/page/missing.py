"""The section on what was not run, and what it would cost."""

from __future__ import annotations

from lnbench.report.names import place
from lnbench.report.plain import Json
from lnbench.report.words import counted, duration, escaped, listed, table


def left_section(data: Json) -> list[str]:
    """Return the lines about what was not run; none where all runs are there."""
    left, untried = data.get("left", []), data.get("untried", [])
    if not left and not untried:
        return []
    return ["## What is missing", "", *_of_the_study(left), *_of_alternatives(untried)]


CORE = "on one core of a small server; several cores share the runs (`docs/performance.md`)"


def _of_the_study(left: list[Json]) -> list[str]:
    if not left:
        return []
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
        f"{listed(claims)}: outside the claimed range as run. Called contradicted (or failed) only if that holds under "
        f"every alternative of what is left open; {counted(len(untried), 'alternative')} "
        f"{'has' if len(untried) == 1 else 'have'} not been run. Estimated time: {duration(total)} {CORE}."
    )
    rows = [
        [f"`{entry['choice']}`", ", ".join(entry["claims"]), f"{entry['runs']:,}", duration(entry["seconds"])]
        for entry in untried
    ]
    return [intro, "", *table(["alternative for", "claims", "missing runs", "together"], rows, right=(2, 3)), ""]
