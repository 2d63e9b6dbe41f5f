"""report.md, from `result.json` alone: the head, the claims, and what is behind them. Pure: data in, text
out."""

from __future__ import annotations

from lnbench.report.names import claim_anchors, figures_of
from lnbench.report.page.background import background_sections
from lnbench.report.page.claim import claim_section
from lnbench.report.page.registration import registration_fact
from lnbench.report.plain import Json
from lnbench.report.units import shown
from lnbench.report.words import (
    TIERS,
    counted,
    duration,
    escaped,
    listed,
    spaced_percent,
    table,
    tally,
    verdict_words,
)

FIGURES = "figures"
MOST_IN_SUMMARY = 6  # comparisons of one claim: a table of 40 cells would bury the others


def markdown(data: Json) -> str:
    """Return the whole page."""
    figures = figures_of(data)
    lines = [f"# {escaped(data['title'])}", "", _paper(data), "", _head(data), ""]
    lines += [
        *(f"- {fact}" for fact in _facts(data)),
        "",
        "## Claims",
        "",
        *_summary(data),
        "",
        _how_to_read(data),
        "",
    ]
    if figures.forest:
        lines += [
            f"![Every effect with its interval, against the region of its claim]({FIGURES}/{figures.forest})",
            "",
        ]
    if figures.curves:
        lines += [f"![Curves of the study, every seed a dot]({FIGURES}/{figures.curves})", ""]
    for file, words in (figures.experiments | figures.detection).items():
        lines += [f"![{words}]({FIGURES}/{file})", "", f"*{words}.*", ""]
    for claim in data["claims"]:
        figure = figures.claims.get(claim["id"])
        lines += claim_section(claim, data["tier"], f"{FIGURES}/{figure}" if figure else None)
    lines += background_sections(data, f"{FIGURES}/{figures.training}" if figures.training else None)
    return "\n".join(_without_double_blanks(lines)) + "\n"


def _paper(data: Json) -> str:
    paper = data["paper"]
    if not paper["authors"]:
        return f"Paper: {escaped(paper['citation'])}"
    return f"[{escaped(paper['citation'])}]({paper['url']})"


def _head(data: Json) -> str:
    """Return what was judged, at which scale, and what came out."""
    tier = data["tier"]
    text = f"Study `{data['study']}` at tier **{tier}** ({TIERS.get(tier, tier)})."
    for standing, verdicts in tally(data["claims"]):
        text += f" {standing.plural}: {verdicts}."
    return text


def _facts(data: Json) -> list[str]:
    """Return error rates by chance alone, seeds, cost, data."""
    facts = []
    if data["tier"] == "smoke":
        facts.append(
            "**Smoke says nothing about the paper.** A claim passes when its direction holds at fixed seeds "
            "and no effect has drifted from what lnbench measured before (where that is stored)."
        )
    else:
        alpha = spaced_percent(data["alpha"])
        facts.append(
            f"What chance alone would bring: on average at most {alpha} of the false claims would be called "
            f"`reproduced`; the chance of any false `contradicted` is at most {alpha} (for near-normal "
            "seeds; `docs/statistics.md`)."
        )
    facts += [_seeds(data), _cost(data), *_data(data), *registration_fact(data)]
    return facts + [escaped(note[:1].upper() + note[1:]) + "." for note in data["notes"]]


def _seeds(data: Json) -> str:
    seeds = data["seeds"]
    text = f"{counted(seeds['n'], 'seed')} for every cell of the grid"
    if seeds["paired"]:
        text += f", shared between arms for {listed(seeds['paired'])}"
    if seeds["choosing"]:
        text += f"; {counted(seeds['choosing'], 'more seed', 'more seeds')} for choosing hyper-parameters only"
    looks = seeds.get("looks")
    if looks:
        text += (
            f". Looks were planned at {listed(map(str, looks))} seeds: a claim keeps the first verdict that decides "
            f"it; for that every p is multiplied by {len(looks)}, and every interval is as much wider"
        )
    return text + "."


def _cost(data: Json) -> str:
    runs = data["runs"]
    text = f"{counted(runs['planned'], 'run')} planned"
    if runs["planned_choosing"]:
        text += f" ({runs['planned_choosing']:,} of them to choose hyper-parameters)"
    text += ", all done" if runs["done"] == runs["planned"] else f", {runs['done']:,} done"
    if runs["failed"]:
        text += f", {len(runs['failed']):,} failed"
    for word in ("diverged", "collapsed"):
        if runs[word]:
            text += f", {runs[word]:,} {word}"
    if not runs["done"]:
        return text + "."
    devices = listed(sorted({_device(entry) for entry in data["environments"]}))
    return (
        f"{text}: {runs['examples']:,} training examples in {duration(runs['seconds'])} of training, "
        f"summed over the runs, on {escaped(devices)}."
    )


def _device(entry: Json) -> str:
    processor = entry["environment"].get("processor", "")
    if entry["device"] != "cpu":
        return str(entry["device"])
    threads = f", {counted(entry['threads'], 'thread')} a run" if entry["threads"] else ""
    return f"{processor or 'a processor'} (no GPU{threads})"


def _data(data: Json) -> list[str]:
    names = [
        f"`{entry['name']}` ({counted(entry['test'], 'test image')}, "
        f"{counted(entry['classes'], 'class', 'classes')}, sha256 `{entry['sha256'][:16]}…`)"
        for entry in data["data"]
    ]
    return [f"Data: {listed(names)}."] if names else []


def _summary(data: Json) -> list[str]:
    rows = []
    for claim, anchor in zip(data["claims"], claim_anchors(data), strict=True):
        rows.append([
            f"[{escaped(claim['id'])}](#{anchor})",
            escaped(claim["says"]),
            verdict_words(claim["verdict"]),
            "<br>".join(_against_region(claim)),
        ])  # fmt: skip
    return table(["claim", "what it says", "verdict", "effect, interval, and the region in which it is true"], rows)


def _how_to_read(data: Json) -> str:
    if data["tier"] == "smoke":
        return "Intervals are shown for orientation; a smoke verdict is taken from directions and drift alone."
    alpha = f"{data['alpha']:g}"
    return (
        "A claim is a region in which the measured effect must lie. Interval inside it: reproduced; wholly "
        "outside: contradicted; across its edge: inconclusive. In the tables, *p for* is the p value against "
        "“the effect lies outside the region”, *p against* that against “it lies inside”; a verdict needs "
        f"p ≤ {alpha}, and a contradiction needs it after Holm's correction over all claims of the study."
    )


def _against_region(claim: Json) -> list[str]:
    cells = []
    deciding = [part for part in claim["parts"] if part["decides"]]
    for part in deciding:
        for member in part["members"]:
            name = _which(part, member, several=len(deciding) > 1)
            view = shown(part, member)
            measured = view.effect_words() + (f" {_plain_interval(view.interval_words())}" if view.interval else "")
            cells.append(f"{name}{measured}; to be {view.region_words()}")
    more = len(cells) - MOST_IN_SUMMARY
    return cells if more <= 1 else [*cells[:MOST_IN_SUMMARY], f"and {more} more comparisons, below"]


def _which(part: Json, member: Json, *, several: bool) -> str:
    """Return which comparison a line is about, as far as there are others: its part, and in a family the member's
    place."""
    names = [f"`{part['name']}`"] if several else []
    if len(part["members"]) > 1:
        names.append(escaped(member["label"].rsplit(": ", 1)[0]))
    return f"{', '.join(names)}: " if names else ""


def _plain_interval(words: str) -> str:
    """Return the interval without its unit, which is already given with the effect."""
    return words[: words.index("]") + 1]


def _without_double_blanks(lines: list[str]) -> list[str]:
    return [line for index, line in enumerate(lines) if line or index == 0 or lines[index - 1]]
