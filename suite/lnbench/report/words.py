"""The report's sentences: verdicts, marks, p values, counts, and text made safe for Markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from lnbench.judge.kinds import kind_named
from lnbench.judge.kinds.wording import counted as counted
from lnbench.report.plain import Json
from lnbench.report.units import Shown, metric_unit, octave_slope_unit, shown
from lnbench.verdict import Standing, Verdict

MARKS: dict[str, str] = {verdict.value: verdict.mark for verdict in Verdict}
TIERS = {
    "smoke": "small embedded data, seconds of training, fixed seeds: it checks the suite, never the paper",
    "cpu": "real data at a scale that two processor cores carry; what it reduces is listed under Deviations",
    "lite": "real data, reduced to minutes of one GPU; what it reduces is listed under Deviations",
    "full": "the paper's own scale",
}


def verdict_words(verdict: str) -> str:
    """Return a verdict with its mark: `✅ reproduced`."""
    known = verdict in MARKS
    return f"{MARKS[verdict]} {Verdict(verdict).words}" if known else f"❔ {verdict}"


def tally(claims: Iterable[Json]) -> list[tuple[Standing, str]]:
    """Return, for each standing that occurs, its claims' verdicts in counts: `✅ 2 reproduced, ➖ 1 inconclusive`."""
    by_standing: dict[Standing, Counter[str]] = {}
    for claim in claims:
        by_standing.setdefault(Standing(claim.get("standing", "paper")), Counter())[claim["verdict"]] += 1
    return [
        (standing, ", ".join(f"{MARKS[word]} {found[word]} {Verdict(word).words}" for word in MARKS if found[word]))
        for standing in Standing
        if (found := by_standing.get(standing))
    ]


def part_words(part: Json, tier: str) -> str:
    """Return a part's verdict; at smoke only whether the direction holds, because smoke says nothing about a paper."""
    if tier != "smoke" or part["verdict"] in ("error", "not-run"):
        return verdict_words(part["verdict"])
    return "🔹 direction holds" if part["direction_holds"] else "🔻 direction does not hold"


def listed(words: Iterable[str], last: str = "and") -> str:
    """Return "a, b and c"."""
    items = list(words)
    return f" {last} ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def p_words(p: float) -> str:
    """Return a p value with two digits that mean something."""
    return "< 0.0001" if p < 0.0001 else "1" if p == 1 else f"{p:.2g}"


def spaced_percent(share: float) -> str:
    """Return "90 %"; "96.67 %" where looks are planned."""
    return f"{100 * share:.4g} %"


def duration(seconds: float) -> str:
    """Return "42 seconds", "12.3 minutes", "5.1 hours"."""
    if seconds < 120:
        return f"{seconds:.0f} second" + ("" if round(seconds) == 1 else "s")
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def position(ends: tuple[float, float], region: tuple[float, float]) -> str:
    """Return where an interval lies: inside, outside or across the edge of a region."""
    if region[0] <= ends[0] and ends[1] <= region[1]:
        return "inside"
    return "outside" if ends[1] < region[0] or ends[0] > region[1] else "across"


def member_sentence(part: Json, member: Json) -> str:
    """Return what was measured of one effect, and where that lies."""
    check, view = member["check"], shown(part, member)
    region = f"“{view.region_words()}”"
    if check["error"]:
        return f"cannot be judged: {check['error']}"
    if not member["values"]:
        return f"nothing measured yet (region: {region})"
    if member["missing"]:
        done = f"{len(member['values'])} of {counted(member['planned'], 'seed')}"
        return f"{done} measured so far, not judged until all are there (region: {region})"
    own = kind_named(part["kind"]).sentence(part, member, Written(part, member))
    if own:
        return own
    if check["typical"]:
        return _typical_sentence(member, view)
    if view.interval is None:
        few = f"{counted(check['n'], _sample(part))}, too few for an interval"
        return f"{view.effect_words()}; {few} (region: {region})"
    where = {
        "inside": f"lies inside the region {region}",
        "outside": f"lies wholly outside the region {region}",
        "across": f"lies across the edge of the region {region}",
    }[position(view.interval, view.region)]
    interval = f"the {spaced_percent(view.confidence)} interval {view.interval_words()}"
    text = f"{view.effect_words()}; {interval} {where}"
    if view.wide_interval and part["verdict"] not in ("reproduced", "held"):
        wide = view.unit.interval(view.wide_interval, view.edges)
        text += f"; with the paper's own luck allowed for, as a contradiction needs, it is {wide}"
    elif "outside" in where and check["p_contradicted"] > check["alpha"]:
        text += f"; yet p against it is {p_words(check['p_contradicted'])}, too much for a contradiction"
    return text


class Written:
    """The numbers of one member as the report writes them: `judge.kinds.Writer`."""

    def __init__(self, part: Json, member: Json) -> None:
        self.part, self.member, self.view = part, member, shown(part, member)

    def effect(self) -> str:
        return self.view.effect_words()

    def edge(self, x: float) -> str:
        unit = metric_unit(self.part["effect"], self.member["step"])
        return unit.edge(x * unit.scale)

    def interval(self) -> str | None:
        return self.view.interval_words() if self.view.interval is not None else None

    def confidence(self) -> str:
        return spaced_percent(self.view.confidence)

    def region(self) -> str:
        return self.view.region_words()

    def per_octave(self, check: Json) -> str:
        unit = octave_slope_unit(self.part["effect"])
        ends = unit.interval((check["interval"]["low"] * unit.scale, check["interval"]["high"] * unit.scale))
        return f"{unit.amount(check['effect'] * unit.scale)}, {ends}"


def _sample(part: Json) -> str:
    """Return what the check's n counts."""
    return "point" if part.get("unit") == "point" else "seed"


def _typical_sentence(member: Json, view: Shown) -> str:
    check = member["check"]
    collapsed = f"{check['collapsed']} of {counted(check['n'], 'run')} collapsed"
    median = view.effect_words() if view.effect is not None else "no median"
    good, beyond = check["details"].get("seeds_good"), check["details"].get("seeds_beyond")
    counts = f"; {good} on the region's side of its edge, {beyond} strictly beyond it" if good is not None else ""
    tests = f"sign tests against “{view.region_words()}”{counts}"
    return f"{collapsed}, so it is about the typical run: {median}, {tests}"


def decide_words(part: Json) -> str:
    """Return how many seeds would decide an inconclusive part."""
    need = part["seeds_to_decide"]
    if need is not None:
        return kind_named(part["kind"]).needed(counted(need, _sample(part)))
    if all(member["check"]["se"] is None and not member["check"]["typical"] for member in part["members"]):
        return f"too few {_sample(part)}s to tell how many would decide it"
    return f"over 1,000 {_sample(part)}s would be needed, were effect and spread as measured"


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line and inside a table too; `code` stays code."""
    pieces = re.split(r"(`[^`]+`)", " ".join(str(text).split()))
    return "".join(_code(piece) if index % 2 else _escaped(piece) for index, piece in enumerate(pieces))


def _code(piece: str) -> str:
    return piece.replace("|", "\\|")


def _escaped(piece: str) -> str:
    text = re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", piece)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def table(header: list[str], rows: Iterable[Iterable[str]], right: Iterable[int] = ()) -> list[str]:
    """Return a Markdown table; the cells are Markdown already. `right`: columns of numbers."""
    numbers = set(right)
    rule = ["---:" if index in numbers else "---" for index in range(len(header))]
    return [f"| {' | '.join(cells)} |" for cells in [header, rule, *(list(row) for row in rows)]]
