"""What report.md says of the records themselves: their chain, and what the store's ledger tells of them."""

from __future__ import annotations

from lnbench import catalog
from lnbench.report.plain import Json
from lnbench.report.words import coded, counted, escaped, table

HEADING = "Removed, or made more than once"
AUDIT = (
    " `lnbench audit FOLDER -k 3` trains three of the runs again, drawn at random, and compares them with their "
    "records."
)


def chain_words(data: Json) -> list[str]:
    """Return a sentence on the chain over the report's records; none in a report of before there were chains."""
    chain = data.get("records")
    if not chain:
        return []
    return [
        f"The chain over {counted(chain['n'], 'record')} ends in {coded(chain['head'])}. With `--check`, a record that "
        "was removed or changed since is named. Who rewrites records, chain and page together leaves no trace here, "
        f"only in the history of the repository.{'' if _timed(data) else AUDIT}",
        "",
    ]


def _timed(data: Json) -> bool:
    """Return whether the numbers are times, which another run does not give again."""
    name = data.get("trained", {}).get("base", {}).get("experiment")
    return name in catalog.names("experiment") and bool(catalog.find("experiment", name).timed)


def ledger_fact(data: Json) -> list[str]:
    """Return a line for the head of the page where runs of the study were removed or made more than once; else none."""
    runs = {entry["id"] for entry in data.get("ledger", [])}
    if not runs:
        return []
    was = "was" if len(runs) == 1 else "were"
    where = f"[{HEADING}](#{HEADING.lower().replace(',', '').replace(' ', '-')})"
    what = "removed from the store, or made more than once"
    return [f"**{counted(len(runs), 'record')} of this study {was} {what}**; see {where}."]


def ledger_section(data: Json) -> list[str]:
    """Return the section with the ledger's lines on these runs; none where there are none."""
    by_record: dict[str, list[Json]] = {}
    for entry in data.get("ledger", []):
        by_record.setdefault(entry["id"], []).append(entry)
    if not by_record:
        return []
    intro = (
        "The ledger of the store that this report was written from has these lines on runs of the study, as the study "
        "is now. A removed run that was another recipe's, or another store's, is not among them."
    )
    rows = [
        [coded(record[:12]), escaped(entries[0]["kind"] or "unreadable"), "<br>".join(_history(entries))]
        for record, entries in by_record.items()
    ]
    return [f"## {HEADING}", "", intro, "", *table(["record", "kind", "what happened"], rows), ""]


def _history(entries: list[Json]) -> list[str]:
    """Return what happened to one record, a line for each line of the ledger."""
    lines = []
    outcome = ""
    for entry in entries:
        words = escaped(f"{entry['event']} {entry['time'][:10]} {entry['time'][11:16]} UTC (line {entry['n']})")
        if entry["event"] in ("removed", "set aside"):
            lines.append(f"{words}: {escaped(entry['why'])}")
            continue
        if outcome:
            words += ", with the same outcome" if entry["outcome"] == outcome else ", with another outcome"
        outcome = entry["outcome"]
        lines.append(words)
    if len(entries) == 1:
        lines.append("removed by hand since: no line says why")
    return lines
