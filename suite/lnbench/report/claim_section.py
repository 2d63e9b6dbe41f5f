"""One claim's section of report.md: what the paper says, the verdict in words, its parts, every seed."""

from __future__ import annotations

from lnbench.report.names import claim_heading
from lnbench.report.plain import Json
from lnbench.report.units import Shown, is_rate, shown
from lnbench.report.words import (
    KINDS,
    counted,
    decide_words,
    escaped,
    listed,
    member_sentence,
    p_words,
    part_words,
    table,
    verdict_words,
)

DASH = "–"


def claim_section(claim: Json, tier: str, figure: str | None) -> list[str]:
    """The lines of the section."""
    lines = [f"### {claim_heading(claim)}", "", f"**{escaped(claim['says'])}**", ""]
    where = f" ({escaped(claim['where'])})" if claim["where"] else ""
    lines += [f"> “{escaped(claim['quote'])}”{where}", ""]
    if claim["question"]:
        lines += [f"Question: `{claim['question']}`", ""]
    lines += [*_verdict(claim, tier), ""]
    if figure:
        alt = f"Interval against region for every part of claim {claim['id']}"
        lines += [f"![{escaped(alt)}]({figure})", ""]
    lines += [*_parts_table(claim, tier), ""]
    remarks = _remarks(claim, tier)
    if remarks:
        lines += [*[f"- {remark}" for remark in remarks], ""]
    return [*lines, *_every_seed(claim), ""]


def _verdict(claim: Json, tier: str) -> list[str]:
    """The verdict and, part by part, what it rests on."""
    deciding = [part for part in claim["parts"] if part["decides"]]
    reasons = [(part, member) for part in deciding for member in part["members"]]
    head = f"**{verdict_words(claim['verdict'])}**"
    why = f" ({escaped(claim['why'])})" if claim["why"] else ""
    if len(reasons) == 1:
        return [f"{head}{why}: {escaped(member_sentence(*reasons[0]))}."]
    lines = [f"{head}{why}. {_rule(claim, deciding)}", ""]
    for part, member in reasons:
        words = part_words(part, tier) if len(part["members"]) == 1 else escaped(member["label"])
        lines.append(f"- `{part['name']}` ({words}): {escaped(member_sentence(part, member))}")
    return lines


def _rule(claim: Json, deciding: list[Json]) -> str:
    names = [f"`{part['name']}`" for part in deciding]
    least = claim["rule"]["at_least"]
    if len(names) == 1:
        return f"The claim is {names[0]}, and all of its comparisons must hold:"
    if least == len(names):
        return f"{'Both' if least == 2 else 'All of'} {listed(names)} must hold:"
    return f"At least {least} of {listed(names)} must hold:"


def _parts_table(claim: Json, tier: str) -> list[str]:
    header = ["part", "what is compared", "effect", "90 % interval", "region", "n", "p for", "p against", "printed", ""]
    header[3] = f"{_confidence(claim):.0%} interval"
    rows = []
    for part in claim["parts"]:
        for index, member in enumerate(part["members"]):
            view, check = shown(part, member), member["check"]
            rows.append([
                _role(part) if index == 0 else "",
                f"{escaped(member['label'])}<br>*{KINDS.get(part['kind'], part['kind'])}*",
                view.effect_words() if view.effect is not None else DASH,
                view.interval_words() if view.interval else DASH,
                view.region_words(),
                f"{check['n']}",
                p_words(check["p_reproduced"]),
                p_words(check["p_contradicted"]),
                _printed(part),
                part_words(part, tier) if index == 0 else "",
            ])  # fmt: skip
    holm = f"p against, Holm-adjusted over the study's claims: {p_words(claim['p_contradicted_holm'])}"
    both = f"The claim as a whole: p for {p_words(claim['p_reproduced'])}, p against {p_words(claim['p_contradicted'])}"
    return [*table(header, rows, right=(2, 3, 5, 6, 7)), "", f"{both}; {holm}."]


def _confidence(claim: Json) -> float:
    views: list[Shown] = [shown(part, member) for part in claim["parts"] for member in part["members"]]
    return views[0].confidence if views else 0.9


def _role(part: Json) -> str:
    role = "**the claim**" if part["decides"] else "beside it"
    ours = ", *ours*" if part["ours"] else ""
    return f"`{part['name']}`<br>{role}{ours}"


def _printed(part: Json) -> str:
    reference = part["reference"]
    if reference is None:
        return DASH
    relation = {"equals": "", "above": "above ", "at_least": "at least ", "about": "about ", "below": "below "}
    unit = {"percent": " %", "fraction": "", "count": "", "ratio": "", "none": ""}[reference["unit"]]
    spread = "" if reference["spread"] == "none" else f" ± {reference['spread']}"
    number = f"{relation[reference['relation']]}{reference['printed']}{spread}{unit}"
    figure = " (read off a figure)" if reference["source"] == "digitised" else ""
    where = f" ({reference['where']})" if reference["where"] else ""
    return escaped(f"{number}{where}{figure}")


def _remarks(claim: Json, tier: str) -> list[str]:
    """What a reader must know beside the table: collapses, margins, notes, seeds, what was tried."""
    remarks = []
    for part in claim["parts"]:
        name = f"`{part['name']}`"
        if part["because"]:
            what = f"margin {_margin(part)}" if part.get("margin") is not None else "why so"
            remarks.append(f"{name}: {what}, because: {escaped(part['because'])}")
        reference = part["reference"]
        if reference and reference["note"]:
            remarks.append(f"{name}, on the printed number: {escaped(reference['note'])}")
        if reference and reference["n"] == "unknown":
            remarks.append(f"{name}: the paper does not say how many runs stand behind its number")
        if part["ours"]:
            remarks.append(f"{name} is our reading, not the paper's own sentence: shown, never the claim")
        if part["verdict"] == "inconclusive" and tier != "smoke":
            remarks.append(f"{name}: {decide_words(part)}")
        if part["why"] and part["verdict"] in ("error", "not-run"):
            remarks.append(f"{name}: {escaped(part['why'])}")
        for member in part["members"]:
            count, n = sum(member["collapsed"]), len(member["collapsed"])
            if count:
                how = "counted as the claim asks" if claim["collapse_counts"] else "never averaged away, never dropped"
                behind = escaped(member["label"])
                remarks.append(f"{name}, {behind}: {count} of {counted(n, 'seed')} with a collapsed run, {how}")
            remarks += [f"{name}: {escaped(note)}" for note in member["check"]["notes"]]
    for key, verdict in claim["tried"].items():
        remarks.append(f"tried otherwise, `{key}`: {verdict_words(verdict)}")
    return list(dict.fromkeys(remarks))


def _margin(part: Json) -> str:
    unit = shown(part, part["members"][0]).unit
    name = "points" if unit.name == "%" else unit.name
    number = f"{part['margin'] * unit.scale:.6g}"
    return f"{number} {name}" if name else number


def _every_seed(claim: Json) -> list[str]:
    """Per-seed values in a block that opens on a click; a dagger marks a seed with a collapsed run."""
    members = {
        member["label"]: (part, member) for part in claim["parts"] for member in part["members"] if member["values"]
    }
    if not members:
        return []
    seeds = sorted({seed for _, member in members.values() for seed in member["seeds"]})
    rows = []
    for label, (part, member) in members.items():
        view = shown({**part, "kind": "values"} if is_rate(part) else part, member)
        cells = {
            seed: view.unit.number(value * view.unit.scale) + ("†" if dead else "")
            for seed, value, dead in zip(member["seeds"], member["values"], member["collapsed"], strict=True)
        }
        rows.append([escaped(view.unit.with_name(f"{label}, in") if view.unit.name else label),
                     *(cells.get(seed, DASH) for seed in seeds)])  # fmt: skip
    header = ["one number a seed", *(f"seed {seed}" for seed in seeds)]
    dagger = any(any(member["collapsed"]) for _, member in members.values())
    foot = ["", "† a run behind it collapsed: at chance, or its loss was not finite."] if dagger else []
    body = table(header, rows, right=range(1, len(header)))
    return ["<details><summary>Every seed</summary>", "", *body, *foot, "", "</details>"]
