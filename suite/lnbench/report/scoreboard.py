"""The README's scoreboard, from the result.json of every committed report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lnbench.report.folder import RESULT, read_result
from lnbench.report.names import claim_anchors
from lnbench.report.plain import Json
from lnbench.report.said import as_tested, rests_on
from lnbench.report.words import counted, escaped, table, tally, verdict_words
from lnbench.tiers import TIERS
from lnbench.verdict import Standing

TIER_ORDER = tuple(reversed(TIERS))


def scoreboard(results: Iterable[Json], reports: str = "reports") -> str:
    """Return Markdown tables: the verdicts by study and tier; one row for every claim and tier, with the sentence that
    was tested at that tier, in one table for each standing; and, where claims of several papers answer the same
    question, these side by side. `reports`: the folder that links start from."""
    ordered = sorted(results, key=_order)
    if not ordered:
        return "No report is stored yet."
    blocks = [*_by_study(ordered, reports), *_by_claim(ordered, reports), *_by_question(ordered, reports)]
    return "\n\n".join(blocks)


def read_results(reports: Path) -> list[Json]:
    """Return result.json of every report in a folder of reports. Raises StoreError where one is damaged."""
    return [read_result(file.parent) for file in sorted(reports.glob(f"*/{RESULT}"))]


def _order(data: Json) -> tuple[str, str, int, str]:
    tier = data["tier"]
    place = TIER_ORDER.index(tier) if tier in TIER_ORDER else len(TIER_ORDER)
    return data["paper"]["id"], data["study"], place, tier


def _by_study(results: list[Json], reports: str) -> list[str]:
    rows = []
    for data in results:
        counts = dict(tally(data["claims"]))
        papers = counts.pop(Standing.PAPER, "–")
        others = [f"{standing.plural}: {verdicts}" for standing, verdicts in counts.items()]
        rows.append([
            escaped(data["paper"]["citation"]),
            escaped(data["title"]),
            f"[{data['tier']}]({reports}/{data['key']}/report.md)",
            counted(data["seeds"]["n"], "seed"),
            papers,
            "<br>".join(others) or "–",
        ])  # fmt: skip
    header = ["paper", "study", "tier and report", "seeds", "claims of the paper", "counted apart"]
    return ["\n".join(table(header, rows, right=(3,)))]


def _by_claim(results: list[Json], reports: str) -> list[str]:
    """Return, for each standing, a table with one row for a claim and tier."""
    rows: dict[Standing, list[tuple[tuple[str, str], list[str]]]] = {}
    for data in results:
        for claim, anchor in zip(data["claims"], claim_anchors(data), strict=True):
            row = [
                f"[{escaped(claim['id'])}]({reports}/{data['key']}/report.md#{anchor})",
                data["tier"],
                escaped(as_tested(claim)),
                "<br>".join(filter(None, [verdict_words(claim["verdict"]), rests_on(claim)])),
                _registered(data, claim["id"]),
            ]
            key = (data["study"], claim["id"])
            rows.setdefault(Standing(claim.get("standing", "paper")), []).append((key, row))
    blocks = []
    for standing in Standing:
        found = rows.get(standing, [])
        if not found:
            continue
        places = {key: place for place, key in reversed([*enumerate(key for key, _ in found)])}  # a claim's first row
        ordered = [row for _, row in sorted(found, key=lambda one: places[one[0]])]
        blocks.append(f"**{standing.plural}.** {standing.meaning}".rstrip())
        blocks.append(
            "\n".join(table(["claim", "tier", "what was tested at this tier", "verdict", "range registered"], ordered))
        )
    return blocks


def _registered(data: Json, claim: str) -> str:
    """Return when the claim's range was registered, against the records that it is judged on."""
    found = next((one for one in data.get("registration", {}).get("claims", []) if one["id"] == claim), None)
    if found is None or found["first_record"] is None:
        return "–"
    again = found["status"] == "before" and found["records_since"]
    words = {
        "before": "before these runs; earlier ones were known" if again else "before the runs",
        "late": "after the first run" if found.get("registered") else "not registered",
        "changed": "changed after the first run",
    }
    return words.get(found["status"], "–")


def _by_question(results: list[Json], reports: str) -> list[str]:
    """Return the questions that claims of at least two papers answer (smoke answers none)."""
    answers: dict[str, list[tuple[str, list[str]]]] = {}
    for data in results:
        if data["tier"] == "smoke":
            continue
        for claim, anchor in zip(data["claims"], claim_anchors(data), strict=True):
            if claim["question"]:
                link = f"[{escaped(claim['id'])}]({reports}/{data['key']}/report.md#{anchor})"
                row = [
                    escaped(data["paper"]["citation"]),
                    link,
                    data["tier"],
                    verdict_words(claim["verdict"]),
                ]
                answers.setdefault(claim["question"], []).append((data["paper"]["id"], row))
    shared = {name: found for name, found in answers.items() if len({paper for paper, _ in found}) > 1}
    rows = [[f"`{name}`", *row] for name in sorted(shared) for _, row in shared[name]]
    return ["\n".join(table(["question", "paper", "claim", "tier", "verdict"], rows))] if rows else []


def replace_between_markers(text: str, name: str, new: str) -> str:
    """Return `text` with what is between `<!-- NAME:begin -->` and `<!-- NAME:end -->` replaced by `new`.

    Raises ValueError unless both markers are there once, in this order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"expected one {begin} and, after it, one {end}")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{new.strip()}\n{end}{after}"
