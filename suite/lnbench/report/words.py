"""The report's sentences: verdicts, marks, p values, counts, and text made safe for Markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import quote

from lnbench.errors import visible
from lnbench.judge.kinds import kind_named
from lnbench.judge.kinds.wording import counted as counted
from lnbench.judge.kinds.wording import p_words as p_words
from lnbench.report.names import place
from lnbench.report.plain import Json
from lnbench.report.units import Shown, metric_unit, octave_slope_unit, shown
from lnbench.stats.signs import FEWEST_TO_DECIDE
from lnbench.verdict import Standing, Verdict

MARKS: dict[str, str] = {verdict.value: verdict.mark for verdict in Verdict}
TIERS = {
    "smoke": "small embedded data, seconds of training, fixed seeds: it tests the software, not a paper",
    "cpu": "real data at a scale that two processor cores can train; “Deviations” lists what is reduced",
    "lite": "real data, reduced to minutes of one GPU; “Deviations” lists what is reduced",
    "full": "the paper's own scale, where the paper states it; what it leaves open is listed below",
}
OWN_SCALE = "the scale that this study sets"


def verdict_words(verdict: str) -> str:
    """Return a verdict with its mark: `✅ reproduced`."""
    known = verdict in MARKS
    return f"{MARKS[verdict]} {Verdict(verdict).words}" if known else f"❔ {escaped(verdict)}"


def claim_words(claim: Json) -> str:
    """Return a claim's verdict with its mark, and of one that is `post-hoc` what it would be."""
    would = claim.get("would_be")
    return verdict_words(claim["verdict"]) + (f" (would be {Verdict(would).words})" if would in MARKS else "")


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
    """Return how a part lies to its range: it is no claim, so it is neither reproduced nor contradicted. At smoke only
    whether the direction holds, because smoke says nothing about a paper."""
    if part["verdict"] in ("error", "not-run"):
        return verdict_words(part["verdict"])
    if tier != "smoke":
        return Verdict(part["verdict"]).of_part if part["verdict"] in MARKS else escaped(part["verdict"])
    return "🔹 direction holds" if part["direction_holds"] else "🔻 direction does not hold"


def of_no_paper(data: Json) -> bool:
    """Return whether all claims are lnbench's own hypotheses, or the baseline names no author: no paper prints a number
    then, is silent on a choice, or has a scale."""
    own = all(Standing(claim.get("standing", "paper")) is Standing.HYPOTHESIS for claim in data["claims"])
    return own or not data["paper"]["authors"]


def tier_words(data: Json) -> str:
    """Return what a tier is; a study that tests no paper sets its own full scale."""
    if data["tier"] == "full" and of_no_paper(data):
        return OWN_SCALE
    return TIERS.get(data["tier"]) or escaped(data["tier"])


def listed(words: Iterable[str], last: str = "and") -> str:
    """Return "a, b and c"."""
    items = list(words)
    return f" {last} ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


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
    """Return what was measured of one effect, what was required, and how they lie to each other."""
    check, view = member["check"], shown(part, member)
    required = f"required: {view.region_words()}"
    if check["error"]:
        return f"cannot be judged: {check['error']}"
    if not member["values"]:
        return f"nothing measured yet; {required}"
    if member["missing"]:
        done = f"{len(member['values'])} of {counted(member['planned'], 'seed')}"
        return f"{done} measured so far, not judged until all are there; {required}"
    own = kind_named(part["kind"]).sentence(part, member, Written(part, member))
    if own:
        return own
    if check["typical"]:
        return _typical_sentence(member, view)
    if view.interval is None:
        few = f"{counted(check['n'], sample(part))}, too few for an interval"
        return f"measured {view.effect_words()} ({few}); {required}"
    where = position(view.interval, view.region)
    lies = {
        "inside": "the interval lies inside the required range",
        "outside": "the interval lies wholly outside the required range",
        "across": "the interval crosses the edge of the required range",
    }[where]
    interval = f"{spaced_percent(view.confidence)} interval {view.interval_words()}"
    text = f"measured {view.effect_words()} ({interval}){_higher(part, member, view)}; {required}; {lies}"
    if view.wide_interval and part["verdict"] not in ("reproduced", "held"):
        wide = view.ends_words(view.wide_interval)
        text += f"; with the uncertainty of the printed number, as a contradiction needs, the interval is {wide}"
        return text + (_withheld(part, check, where) if where == "inside" else "")
    return text + _withheld(part, check, where)


def _withheld(part: Json, check: Json, where: str) -> str:
    """Return why an interval that lies inside or outside decides nothing: its p asks for more than it shows."""
    p = {"inside": check["p_reproduced"], "outside": check["p_contradicted"]}.get(where, 0.0)
    if p <= check["alpha"]:
        return ""
    if part["verdict"] == Verdict.NOT_COMPARABLE:
        return "; it decides nothing, as the printed number is not of what our runs measure"
    if check["n"] < FEWEST_TO_DECIDE:
        return f"; {counted(check['n'], sample(part))} are too few to decide"
    if where == "inside":
        return f"; but p for it is {p_words(p)}, too large to decide"
    return f"; but p against it is {p_words(p)}, too large for a contradiction"


def _higher(part: Json, member: Json, view: Shown) -> str:
    """Return which of the two that a difference compares is higher, and by how much, where its interval shows it and
    the required range does not say it already."""
    effect, ends = part["effect"], view.interval
    against = member["minus"] if not effect.get("over") else None
    if ends is None or effect["along"] or not (against or effect.get("less")) or view.effect is None:
        return ""
    expected = position(ends, view.region) == "inside" and 0 in view.region
    if ends[0] <= 0 <= ends[1] or expected:
        return ""
    if against:
        changed = {axis: value for axis, value in against.items() if member["at"].get(axis) != value}
        pair = place({axis: member["at"][axis] for axis in changed if axis in member["at"]}), place(changed)
    else:
        pair = f"`{effect['metric']}`", f"`{effect['less']}`"
    first, second = pair if ends[0] > 0 else pair[::-1]
    sides = tuple(map(abs, view.landmarks))
    return f": {first} is higher than {second}, by {view.unit.amount(abs(view.effect), sides, ends)}"


def part_line(part: Json) -> str:
    """Return a part on one line, as the command line shows it: each member's effect and interval, and the required
    range."""
    members = part["members"]
    summary = kind_named(part["kind"]).summary(part, Written(part, members[0])) if members else ""
    if summary:
        return summary
    required = " or ".join(dict.fromkeys(shown(part, member).region_words() for member in members))
    lines = [_member_line(part, member) for member in members]
    own = any(kind_named(part["kind"]).sentence(part, member, Written(part, member)) for member in members)
    return "; ".join([*lines, *([] if own else [f"required: {required}"])])


def _member_line(part: Json, member: Json) -> str:
    """Return "convnet4, noise.alpha 10: 96.10 % [95.17, 97.04]"."""
    view, place = shown(part, member), member["label"].partition(":")[0]
    if member["check"]["error"]:
        return f"{place}: cannot be judged: {member['check']['error']}"
    own = kind_named(part["kind"]).sentence(part, member, Written(part, member))
    if own:
        return f"{place}: {own}"
    interval = f" {without_unit(view.interval_words(), view)}" if view.interval else ""
    collapsed = sum(member["collapsed"])
    dead = f", {collapsed} of {counted(len(member['collapsed']), 'seed')} collapsed" if collapsed else ""
    effect = view.effect_words() if view.effect is not None else censored_words(member, view) or view.effect_words()
    return f"{place}: {effect}{interval}{dead}"


def without_unit(words: str, view: Shown) -> str:
    """Return an interval without its unit's name, which is already given with the effect."""
    return words.removesuffix(f" {view.unit.name}") if view.unit.name else words


class Written:
    """The numbers of one member as the report writes them: `judge.kinds.Writer`."""

    def __init__(self, part: Json, member: Json) -> None:
        self.part, self.member, self.view = part, member, shown(part, member)

    def effect(self) -> str:
        return self.view.effect_words()

    def edge(self, x: float) -> str:
        unit = metric_unit(self.part["effect"], self.member["step"])
        return unit.edge(x * unit.scale)

    def number(self, x: float) -> str:
        unit = metric_unit(self.part["effect"], self.member["step"])
        edges = [edge for edge in (self.part["region"]["low"], self.part["region"]["high"]) if edge is not None]
        return unit.amount(x * unit.scale, tuple(edge * unit.scale for edge in edges))

    def margin(self) -> str:
        return margin_words(self.part)

    def interval(self) -> str | None:
        return self.view.interval_words() if self.view.interval is not None else None

    def confidence(self) -> str:
        return spaced_percent(self.view.confidence)

    def region(self) -> str:
        return self.view.region_words()

    def per_octave(self, check: Json) -> str:
        unit = octave_slope_unit(self.part["effect"])
        low, high = (check["interval"][end] * unit.scale for end in ("low", "high"))
        effect = check["effect"] * unit.scale
        ends = unit.interval((low, high), (0.0,), (effect,))
        return f"{unit.amount(effect, (0.0,), near=(low, high))}, {ends}"


def margin_words(part: Json) -> str:
    """Return a part's margin, a difference: "2 points" of an accuracy."""
    unit = metric_unit(part["effect"], part["members"][0]["step"] or 0.0)
    margin, points = part["margin"], replace(unit, name="points" if unit.name == "%" else unit.name)
    if isinstance(margin, dict):
        return f"the larger of {points.edge(unit.of(margin['floor']))} and {margin['spreads']:g} printed spreads"
    return points.edge(unit.of(margin))


def printed_words(reference: Json) -> str:
    """Return a printed number as the paper has it: "above 90 % (§3.1, Figure 1)"."""
    relation = {
        "equals": "",
        "above": "above ",
        "at_least": "at least ",
        "about": "about ",
        "below": "below ",
    }
    unit = {"percent": " %", "fraction": "", "count": "", "ratio": "", "none": ""}[reference["unit"]]
    spread = "" if reference["spread"] == "none" else f" ± {reference['spread']}"
    number = f"{relation[reference['relation']]}{reference['printed']}{spread}{unit}"
    figure = " (read off a figure)" if reference["source"] == "digitised" else ""
    where = f" ({reference['where']})" if reference["where"] else ""
    return f"{number}{where}{figure}"


def sample(part: Json) -> str:
    """Return what the check's n counts."""
    return "point" if part.get("unit") == "point" else "seed"


def censored_words(member: Json, view: Shown) -> str:
    """Return "2 seeds below 500, 1 seed above 8,000"; "" where no seed is censored."""
    found = Counter((one["side"], one["limit"]) for one in member.get("censored", []))
    return ", ".join(
        f"{counted(n, 'seed')} {side} {view.unit.edge(view.unit.of(limit))}" for (side, limit), n in found.items()
    )


def _typical_sentence(member: Json, view: Shown) -> str:
    check = member["check"]
    collapsed = f"{check['collapsed']} of {counted(check['n'], 'run')} collapsed"
    censored = check["details"].get("censored", 0)
    if censored:
        lie = "lies" if censored == 1 else "lie"
        beyond_all = f"{censored} of {counted(check['n'], 'seed')} {lie} beyond the levels that were run"
        collapsed = f"{collapsed}, and {beyond_all}" if check["collapsed"] else beyond_all
    median = view.effect_words() if view.effect is not None else censored_words(member, view) or "no median"
    good, beyond = check["details"].get("seeds_good"), check["details"].get("seeds_beyond")
    counts = f" ({counted(good, 'seed')} inside, {beyond} strictly outside)" if good is not None else ""
    return (
        f"{collapsed}, so no mean is taken and the typical run is judged: {median}; required: {view.region_words()}; "
        f"by a sign test{counts}"
    )


def decide_words(part: Json) -> str:
    """Return how many seeds are needed to decide an inconclusive part."""
    need = part["seeds_to_decide"]
    if need is not None:
        return kind_named(part["kind"]).needed(counted(need, sample(part)))
    if all(member["check"]["se"] is None and not member["check"]["typical"] for member in part["members"]):
        return f"too few {sample(part)}s to tell how many are needed"
    return f"more than 1,000 {sample(part)}s are needed if effect and spread stay the same"


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line and inside a table too; `code` stays code. What cannot be
    seen of it (control characters, changes of the writing's direction) is shown as an escape."""
    pieces = re.split(r"(`[^`]+`)", _one_line(text))
    return _inline("".join(_code(piece) if index % 2 else _escaped(piece) for index, piece in enumerate(pieces)))


def coded(text: object) -> str:
    """Return a name as code, as Markdown and its tables show it: as escaped text where code cannot hold it."""
    line = _one_line(text)
    return _code(f"`{line}`") if line and "`" not in line and _is_code(line) else _inline(_escaped(line))


def unescaped(markdown: str) -> str:
    """Return the text that `escaped` or `coded` made safe for Markdown, for a page that is not Markdown; `code` stays
    code."""
    return _MADE_SAFE.sub(_as_it_was, markdown)


_MADE_SAFE = re.compile(r"\\([\\`*_\[\]|~$#\-+=.)])|(`[^`]+`)|&(lt|gt|amp);")


def _as_it_was(found: re.Match[str]) -> str:
    sign, code, entity = found.groups()
    return code.replace("\\|", "|") if code else sign or {"lt": "<", "gt": ">", "amp": "&"}[entity]


def link(text: str, address: str) -> str:
    """Return a link whose text is Markdown already, or the text alone where the address is none of http(s)."""
    return f"[{text}]({address})" if HTTP.fullmatch(address) else text


def path_link(text: str, *parts: str) -> str:
    """Return a link to a file of the repository by the parts of its path, whatever signs they have."""
    return f"[{text}]({'/'.join(quote(part, safe='/#') for part in parts)})"


HTTP = re.compile(r"https?://[A-Za-z0-9][^\s()<>\\\x00-\x1f\x7f-\uffff]*")


def _one_line(text: object) -> str:
    return visible(" ".join(str(text).split()))


def _inline(text: str) -> str:
    """Return Markdown that begins no list, rule or heading where it stands first on its line."""
    return re.sub(r"^([-+=])(?=\1|\s|$)|^(\d{1,9})([.)])(?=\s|$)", r"\2\\\1\3", text)


def _code(piece: str) -> str:
    return piece.replace("|", "\\|") if _is_code(piece) else _escaped(piece)


def _is_code(piece: str) -> bool:
    """Return whether code can hold it: no backslash escapes another one there, so a table would be cut at a bar behind
    one; and a comment would look like the markers of README."""
    return "\\|" not in piece and "<!--" not in piece


def _escaped(piece: str) -> str:
    text = re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", piece)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def table(header: list[str], rows: Iterable[Iterable[str]], right: Iterable[int] = ()) -> list[str]:
    """Return a Markdown table; the cells are Markdown already. `right`: columns of numbers."""
    numbers = set(right)
    rule = ["---:" if index in numbers else "---" for index in range(len(header))]
    return [f"| {' | '.join(cells)} |" for cells in [header, rule, *(list(row) for row in rows)]]
