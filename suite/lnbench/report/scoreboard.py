"""The README's scoreboard, from the result.json of every committed report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lnbench.report.folder import RESULT, read_result
from lnbench.report.names import claim_anchors
from lnbench.report.plain import Json
from lnbench.report.words import MARKS, counted, escaped, table, verdict_words
from lnbench.tiers import TIERS

TIER_ORDER = tuple(reversed(TIERS))


def scoreboard(results: Iterable[Json], reports: str = "reports") -> str:
    """Return two Markdown tables, verdicts by study and tier, and every claim with its verdict at each tier; and,
    where claims of several papers answer the same question, these side by side. `reports`: the folder that links
    start from."""
    ordered = sorted(results, key=_order)
    if not ordered:
        return "No report is stored yet."
    lines = [*_by_study(ordered, reports), "", *_by_claim(ordered, reports)]
    questions = _by_question(ordered, reports)
    return "\n".join([*lines, *([""] if questions else []), *questions])


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
        counts = [f"{MARKS[verdict]} {n}" for verdict in MARKS if (n := data["verdicts"].get(verdict, 0))]
        rows.append([
            escaped(data["paper"]["citation"]),
            escaped(data["title"]),
            f"[{data['tier']}]({reports}/{data['key']}/report.md)",
            counted(data["seeds"]["n"], "seed"),
            str(len(data["claims"])),
            " · ".join(counts),
        ])  # fmt: skip
    seen = [verdict for verdict in MARKS if any(data["verdicts"].get(verdict) for data in results)]
    legend = ", ".join(verdict_words(verdict) for verdict in seen)
    header = ["paper", "study", "tier and report", "seeds", "claims", "verdicts"]
    return [*table(header, rows, right=(3, 4)), "", f"{legend}."]


def _by_claim(results: list[Json], reports: str) -> list[str]:
    """Return one row per claim; what it says is taken from its tier nearest to the paper."""
    tiers = [tier for tier in TIER_ORDER if any(data["tier"] == tier for data in results)]
    says: dict[tuple[str, str], str] = {}
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for data in results:
        for claim, anchor in zip(data["claims"], claim_anchors(data), strict=True):
            key = (data["study"], claim["id"])
            says.setdefault(key, claim["says"])
            link = f"[{verdict_words(claim['verdict'])}]({reports}/{data['key']}/report.md#{anchor})"
            cells.setdefault(key, {})[data["tier"]] = link
    rows = [[escaped(key[1]), escaped(says[key]), *(cells[key].get(tier, "–") for tier in tiers)] for key in says]
    return table(["claim", "what it says", *tiers], rows)


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
    return table(["question", "paper", "claim", "tier", "verdict"], rows) if rows else []


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
