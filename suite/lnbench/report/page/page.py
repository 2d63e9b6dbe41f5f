"""report.md, from `result.json` alone: the head, the claims, and what is behind them. Pure: data in, text
out."""

from __future__ import annotations

from lnbench.report.matrix import matrix_parts
from lnbench.report.names import claim_anchors, figures_of
from lnbench.report.page.background import background_sections, core_seconds
from lnbench.report.page.claim import claim_section
from lnbench.report.page.labels import labels_section
from lnbench.report.page.ledger import ledger_fact
from lnbench.report.page.matrix import matrix_section, own_rows_words
from lnbench.report.page.registration import registration_fact
from lnbench.report.page.trained import trained_section
from lnbench.report.peers import peers_section
from lnbench.report.plain import Json
from lnbench.report.said import as_tested, rests_on
from lnbench.report.units import shown
from lnbench.report.words import (
    censored_words,
    claim_words,
    coded,
    counted,
    duration,
    escaped,
    link,
    listed,
    part_line,
    spaced_percent,
    table,
    tally,
    tier_words,
    without_unit,
)
from lnbench.verdict import Standing

FIGURES = "figures"
MOST_IN_SUMMARY = 6  # comparisons of one claim: a table of 40 cells would bury the others


def markdown(data: Json, *, linked: bool = False) -> str:
    """Return the whole page. `linked`: whether the study's file lies beside it, in `../../claims` of the page's
    folder."""
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
        *trained_section(data, linked),
        *labels_section(data),
        "## Claims, one by one",
        "",
    ]
    if figures.forest:
        lines += [
            f"![What was measured and what was required, for every part of every claim]({FIGURES}/{figures.forest})",
            "",
        ]
    if figures.curves:
        lines += [f"![Test accuracy of every cell, one dot per seed]({FIGURES}/{figures.curves})", ""]
    for file, words in (figures.experiments | figures.detection | figures.steps).items():
        lines += [f"![{words}]({FIGURES}/{file})", "", f"*{words}.*", ""]
    for claim in data["claims"]:
        figure = figures.claims.get(claim["id"])
        tables = []
        for part in matrix_parts(claim):
            drawn = figures.matrices.get((claim["id"], part["name"]))
            tables += matrix_section(part, data, f"{FIGURES}/{drawn}" if drawn else None)
        lines += claim_section(claim, data["tier"], f"{FIGURES}/{figure}" if figure else None, tables)
    lines += peers_section(data)
    lines += background_sections(data, f"{FIGURES}/{figures.training}" if figures.training else None)
    return "\n".join(_without_double_blanks(lines)) + "\n"


def _paper(data: Json) -> str:
    paper = data["paper"]
    if not paper["authors"]:
        return f"No paper: {escaped(paper['citation'])}"
    return link(escaped(paper["citation"]), str(paper["url"]))


def _head(data: Json) -> str:
    """Return what was judged, at which scale, and what came out."""
    tier = data["tier"]
    text = f"Study {coded(data['study'])} at tier **{escaped(tier)}** ({tier_words(data)})."
    for standing, verdicts in tally(data["claims"]):
        text += f" {standing.plural}: {verdicts}."
    return text


def _facts(data: Json) -> list[str]:
    """Return error rates, seeds, cost, data."""
    facts = []
    if data["tier"] == "smoke":
        facts.append(
            "**Smoke says nothing about a paper.** A claim passes when its direction holds at fixed seeds "
            "and no effect has drifted from what lnbench measured before (where that is stored)."
        )
    else:
        alpha = spaced_percent(data["alpha"])
        good, bad = _words_of_verdicts(data)
        facts.append(
            f"Error rates: on average at most {alpha} of the false claims are called {good}; the chance of any false "
            f"{bad} is at most {alpha}, if the seeds are close to normally distributed. Whatever their distribution, a "
            "false part of a claim is decided in at most 7 % of studies: verdicts are about a typical run, not about "
            "the mean of all (`docs/statistics.md`)."
        )
    own = own_rows_words(data)
    facts += [f"{own}."] if own else []
    facts += [_seeds(data), _cost(data), *_data(data), *registration_fact(data), *ledger_fact(data)]
    return facts + [escaped(note[:1].upper() + note[1:]) + "." for note in data["notes"]]


def _words_of_verdicts(data: Json) -> tuple[str, str]:
    """Return what claims are called that pass, and that fail: a paper's, our own, or both."""
    paper = {
        Standing(claim.get("standing", "paper")) in (Standing.PAPER, Standing.AUTHORS_CODE) for claim in data["claims"]
    }
    good = [word for own, word in ((True, "`reproduced`"), (False, "`held`")) if own in paper]
    bad = [word for own, word in ((True, "`contradicted`"), (False, "`failed`")) if own in paper]
    return listed(good, "or"), listed(bad, "or")


def _seeds(data: Json) -> str:
    seeds = data["seeds"]
    text = f"{counted(seeds['n'], 'seed')} per cell of the grid"
    if seeds["paired"]:
        text += f"; cells share, seed by seed, the random draws for {listed(map(escaped, seeds['paired']))}"
    if seeds["choosing"]:
        text += f"; {counted(seeds['choosing'], 'more seed', 'more seeds')} for choosing hyper-parameters only"
    looks = seeds.get("looks")
    if looks:
        text += (
            f". Looks were planned at {listed(map(str, looks))} seeds: a claim keeps the first verdict that decides "
            f"it; to pay for that, every p is multiplied by {len(looks)} and every interval is wider"
        )
    fresh = seeds.get("fresh", 0)
    if fresh:
        text += (
            f". Runs with other seeds were looked at before: these are the seeds of set {fresh}, from {fresh}000 on; "
            f"to pay for that, every p is multiplied by {2**fresh}{' again' if looks else ''}, and intervals are wider"
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
    cores = core_seconds(data["environments"])
    cpu = f" (at most {duration(cores)} of CPU time: seconds × threads of each run)" if cores else ""
    return (
        f"{text}: {runs['examples']:,} training examples in {duration(runs['seconds'])} of training{cpu}, "
        f"summed over the runs, on {escaped(devices)}."
    )


def _device(entry: Json) -> str:
    processor = entry["environment"].get("processor", "")
    if entry["device"] != "cpu":
        return str(entry["device"])
    threads = f", {counted(entry['threads'], 'thread')} per run" if entry["threads"] else ""
    return f"{processor or 'a processor'} (no GPU{threads})"


def _data(data: Json) -> list[str]:
    names = [
        f"{coded(entry['name'])} ({counted(entry['test'], 'test image')}, "
        f"{counted(entry['classes'], 'class', 'classes')}, sha256 {coded(entry['sha256'][:16] + '…')})"
        for entry in data["data"]
    ]
    return [f"Data: {listed(names)}."] if names else []


def _summary(data: Json) -> list[str]:
    rows = []
    for claim, anchor in zip(data["claims"], claim_anchors(data), strict=True):
        rows.append([
            f"[{escaped(claim['id'])}](#{anchor})",
            escaped(as_tested(claim)),
            _verdict_cell(claim),
            "<br>".join(_against_region(claim)),
        ])  # fmt: skip
    level = spaced_percent(shown(data["claims"][0]["parts"][0], data["claims"][0]["parts"][0]["members"][0]).confidence)
    return table(["claim", "what it says", "verdict", f"measured [{level} interval]; required"], rows)


def _verdict_cell(claim: Json) -> str:
    return "<br>".join(filter(None, [claim_words(claim), rests_on(claim)]))


def _how_to_read(data: Json) -> str:
    if data["tier"] == "smoke":
        return "Intervals are shown for orientation; a smoke verdict is taken from directions and drift alone."
    alpha = f"{data['alpha']:g}"
    good, bad = _words_of_verdicts(data)
    return (
        f"A claim requires the measured effect to lie in a range. Interval inside the range: {good}; wholly outside: "
        f"{bad}; across its edge: not decided. In the tables, *p for* tests against “the effect lies outside the "
        "range” (small: evidence for the claim), *p against* tests against “it lies inside” (small: evidence against "
        f"it). A verdict needs p ≤ {alpha}; {bad} needs it after Holm's correction over all claims of the study."
    )


def _against_region(claim: Json) -> list[str]:
    cells = []
    deciding = [part for part in claim["parts"] if part["decides"]]
    for part in deciding:
        if "matrix" in part:
            name = _which(part, part["members"][0], several=True).partition(",")[0].removesuffix(": ")
            cells.append(f"{name}: {escaped(part_line(part))}")
            continue
        for member in part["members"]:
            name = _which(part, member, several=len(deciding) > 1)
            view = shown(part, member)
            interval = f" {without_unit(view.interval_words(), view)}" if view.interval else ""
            effect = "" if view.effect is not None else censored_words(member, view)
            cells.append(f"{name}{effect or view.effect_words()}{interval}; required: {view.region_words()}")
    more = len(cells) - MOST_IN_SUMMARY
    return cells if more <= 1 else [*cells[:MOST_IN_SUMMARY], f"and {more} more comparisons, below"]


def _which(part: Json, member: Json, *, several: bool) -> str:
    """Return which comparison a line is about, as far as there are others: its part, and in a family the member's
    place."""
    names = [coded(part["name"])] if several else []
    if len(part["members"]) > 1:
        names.append(escaped(member["label"].rsplit(": ", 1)[0]))
    return f"{', '.join(names)}: " if names else ""


def _without_double_blanks(lines: list[str]) -> list[str]:
    return [line for index, line in enumerate(lines) if line or index == 0 or lines[index - 1]]
