"""One claim's section of report.md: what the paper says, the verdict in words, its parts, every seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lnbench.judge.kinds import kind_named
from lnbench.report.names import claim_heading
from lnbench.report.numbers import as_written
from lnbench.report.page.beside import beside_words
from lnbench.report.plain import Json
from lnbench.report.said import as_tested, chosen_sentence, rests_sentence
from lnbench.report.telescopes import page_prediction
from lnbench.report.units import is_rate, of_runs, reference_of, shown
from lnbench.report.words import (
    censored_words,
    coded,
    counted,
    decide_words,
    escaped,
    listed,
    margin_words,
    member_sentence,
    p_words,
    part_line,
    part_words,
    printed_words,
    spaced_percent,
    table,
    verdict_words,
)
from lnbench.verdict import Standing

DASH = "–"


def claim_section(claim: Json, tier: str, figure: str | None, tables: Sequence[str] = ()) -> list[str]:
    """Return the lines of the section; `tables`: those of the parts that are shown as a matrix."""
    lines = [f"### {escaped(claim_heading(claim))}", "", f"**{escaped(as_tested(claim))}**", ""]
    where = f" ({escaped(claim['where'])})" if claim["where"] else ""
    lines += [_said(claim, where), ""]
    if claim["question"]:
        lines += [f"Question: {coded(claim['question'])}", ""]
    lines += [*_verdict(claim, tier), ""]
    rests = [f"{escaped(words)}." for words in (chosen_sentence(claim), rests_sentence(claim)) if words]
    if rests:
        lines += [" ".join(rests), ""]
    lines += tables
    if figure:
        alt = f"What was measured and what was required, for every part of claim {claim['id']}"
        lines += [f"![{escaped(alt)}]({figure})", ""]
    lines += [*_parts_table(claim, tier), ""]
    told = [*remarks(claim, tier), *_tried(claim)]
    if told:
        lines += [*[f"- {remark}" for remark in told], ""]
    return [*lines, *_every_seed(claim), ""]


def _said(claim: Json, where: str) -> str:
    """Return who says it: the paper, word for word or in our words; or, where no paper does, who else."""
    standing = Standing(claim.get("standing", "paper"))
    quote = f"> “{escaped(claim['quote'])}”{where}" if claim["quote"] else ""
    if standing is Standing.PAPER:
        return quote or f"*The paper shows this{where} and has no sentence for it: the words are ours.*"
    return f"{quote}\n\n*{standing.meaning}*" if quote else f"*{standing.meaning}*"


def _verdict(claim: Json, tier: str) -> list[str]:
    """Return the verdict and, part by part, what it rests on."""
    deciding = [part for part in claim["parts"] if part["decides"]]
    reasons = [(part, member) for part in deciding for member in _one_by_one(part)]
    head = f"**{verdict_words(claim['verdict'])}**"
    why = f" ({escaped(claim['why'])})" if claim["why"] else ""
    look = claim.get("look")
    if look:
        why += f", at look {look['number']} of {look['of']} ({counted(look['seeds'], 'seed')})"
    if len(reasons) == 1 and "matrix" not in reasons[0][0]:
        return [f"{head}{why}: {escaped(member_sentence(*reasons[0]))}.", *_regime(claim, tier)]
    lines = [f"{head}{why}. {rule_words(claim, deciding)}", ""]
    return [*lines, *(_reason(part, member, tier) for part, member in reasons), *_regime(claim, tier)]


def _one_by_one(part: Json) -> list[Json]:
    """Return the members that have a line each; a table in matrix form has one for all."""
    members: list[Json] = part["members"]
    return members[:1] if "matrix" in part else members


def _reason(part: Json, member: Json, tier: str) -> str:
    if "matrix" in part:
        return f"- {coded(part['name'])} ({part_words(part, tier)}): {escaped(part_line(part))}"
    words = part_words(part, tier) if len(part["members"]) == 1 else escaped(member["label"])
    return f"- {coded(part['name'])} ({words}): {escaped(member_sentence(part, member))}"


def _regime(claim: Json, tier: str) -> list[str]:
    """Return what must hold before the claim can be tested, and whether it does."""
    regime = [part for part in claim["parts"] if part["name"] in claim.get("requires", {})]
    if not regime:
        return []
    lines = [_reason(part, member, tier) for part in regime for member in _one_by_one(part)]
    return ["", "The claim can be tested only where this holds:", "", *lines]


def rule_words(claim: Json, deciding: list[Json]) -> str:
    """Return how many of the deciding parts must hold: "Both `a` and `b` must hold:"."""
    names = [coded(part["name"]) for part in deciding]
    least = claim["rule"]["at_least"]
    if len(names) == 1 and "at_least" in deciding[0]:
        cells = len(deciding[0]["members"])
        if deciding[0]["kind"] == "table_sides":
            must = "must lie on the printed side of the cell that they are compared with"
            return f"The claim is {names[0]}, and at least {deciding[0]['at_least']} of its {cells} cells {must}:"
        return f"The claim is {names[0]}, and at least {deciding[0]['at_least']} of its {cells} cells must agree:"
    if len(names) == 1:
        return f"The claim is {names[0]}, and all of its comparisons must hold:"
    if least == len(names):
        return f"{'Both' if least == 2 else 'All of'} {listed(names)} must hold:"
    return f"At least {least} of {listed(names)} must hold:"


def _parts_table(claim: Json, tier: str) -> list[str]:
    """Return one row per comparison. At smoke there are no p values, because there they decide nothing."""
    with_p = tier != "smoke"
    printed = any(reference_of(part, member) for part in claim["parts"] for member in part["members"])
    header = ["part", "what is compared", "measured", f"{_confidence(claim)} interval", "required", "n"]
    header += [*(["p for", "p against"] if with_p else []), *(["printed number"] if printed else []), "lies"]
    rows = []
    for part in claim["parts"]:
        if "matrix" in part:
            rows.append(_table_row(part, claim, tier, printed=printed))
            continue
        for index, member in enumerate(part["members"]):
            view, check = shown(part, member), member["check"]
            p_values = [p_words(check["p_reproduced"]), p_words(check["p_contradicted"])] if with_p else []
            rows.append(
                [
                    _role(part, claim) if index == 0 else "",
                    f"{escaped(member['label'])}<br>*{kind_named(part['kind']).words or escaped(part['kind'])}*",
                    view.effect_words() if view.effect is not None else censored_words(member, view) or DASH,
                    view.interval_words() if view.interval else DASH,
                    view.region_words(),
                    str(check["n"]),
                    *p_values,
                    *([_printed(reference_of(part, member))] if printed else []),
                    part_words(part, tier) if index == 0 else "",
                ]
            )
    lines = [*table(header, rows, right=(2, 3, 5, 6, 7) if with_p else (2, 3, 5)), "", _metrics(claim)]
    if not with_p:
        return lines
    raw = f"p for {p_words(claim['p_reproduced'])}, p against {p_words(claim['p_contradicted'])}"
    holm = f"{p_words(claim['p_contradicted_holm'])} after Holm's correction over the study's claims"
    return [*lines, "", f"The claim as a whole: {raw} ({holm})."]


def _table_row(part: Json, claim: Json, tier: str, *, printed: bool) -> list[str]:
    """Return the one row of a part whose cells stand in a matrix."""
    cells = len(part["members"])
    p_values = [p_words(part["p_reproduced"]), p_words(part["p_contradicted"])] if tier != "smoke" else []
    return [
        _role(part, claim),
        f"{counted(cells, 'cell')}, in the table above<br>*{kind_named(part['kind']).words or escaped(part['kind'])}*",
        DASH,
        DASH,
        f"at least {part['at_least']} of {cells}",
        str(min(member["check"]["n"] for member in part["members"])),
        *p_values,
        *([DASH] if printed else []),
        part_words(part, tier),
    ]


def _metrics(claim: Json) -> str:
    """Return what the names of metrics in the table mean."""
    words = {part["effect"]["metric"]: part["effect"]["metric_words"] for part in claim["parts"]}
    return "; ".join(f"{coded(metric)}: {escaped(meaning)}" for metric, meaning in words.items()) + "."


def _confidence(claim: Json) -> str:
    return spaced_percent(shown(claim["parts"][0], claim["parts"][0]["members"][0]).confidence)


def _role(part: Json, claim: Json) -> str:
    role = "extra check"
    if part["decides"]:
        role = "**the claim**" if len(claim["rule"]["of"]) == 1 else "**part of the claim**"
    elif part["name"] in claim.get("requires", {}):
        role = "**must hold first**"
    elif part["ours"] and Standing(claim.get("standing", "paper")) is not Standing.HYPOTHESIS:
        role = "extra check (ours, not the paper's)"
    return f"{coded(part['name'])}<br>{role}"


def _printed(reference: Json | None) -> str:
    return DASH if reference is None else escaped(printed_words(reference))


def remarks(claim: Json, tier: str) -> list[str]:
    """Return what a reader must know besides the table, each remark once, under the names of all parts that it is
    about."""
    about: dict[str, list[str]] = {}
    for part in claim["parts"]:
        for remark in _of_part(part, claim, tier):
            names = about.setdefault(remark, [])
            if coded(part["name"]) not in names:
                names.append(coded(part["name"]))
    return [f"{listed(names)}: {remark}" for remark, names in about.items()]


def _tried(claim: Json) -> Iterator[str]:
    """Yield each alternative of what the paper leaves open, with its verdict and what was measured under it."""
    for key, word in claim["tried"].items():
        told = f"with the alternative for {coded(key)}: {verdict_words(word)}"
        measured = measured_under(claim, key)
        yield told + (f" ({'; '.join(measured)})" if measured else "")


def measured_under(claim: Json, key: str) -> list[str]:
    """Return what the deciding parts measured under an alternative; nothing where it was not run."""
    return [f"{coded(part['name'])} {escaped(part_line(part))}" for part in claim.get("under", {}).get(key, [])]


def _of_part(part: Json, claim: Json, tier: str) -> Iterator[str]:
    if part["because"]:
        what = f"margin of {margin_words(part)}" if part.get("margin") is not None else "range"
        yield f"Reason for this {what}: {escaped(part['because'])}"
    references = [found for member in part["members"] if (found := reference_of(part, member))]
    for reference in references:
        if reference["note"] and reference["value"] is not None:
            yield f"Note on the printed number: {escaped(reference['note'])}"
    if claim.get("standing") != "identity" and any(reference["n"] == "unknown" for reference in references):
        numbers = "number" if part["reference"] else "numbers"
        yield f"The paper does not say how many runs its {numbers} {'rests' if part['reference'] else 'rest'} on"
    if part["verdict"] in ("inconclusive", "open") and tier != "smoke":
        yield decide_words(part)
    if part["verdict"] in ("error", "not-run", "not-comparable") and part["why"] and part["why"] not in claim["why"]:
        yield escaped(part["why"])
    for member in () if "matrix" in part else part["members"]:
        count, n = sum(member["collapsed"]), len(member["collapsed"])
        if count and not member["check"]["typical"]:  # else a note of the check says so
            yield f"{count} of {counted(n, 'seed')} with a collapsed run ({escaped(member['label'])})"
        # the verdict's sentence already says how many runs are above a threshold
        yield from (escaped(note) for note in member["check"]["notes"] if not of_runs(part, member))
    yield from (escaped(words) for words in beside_words(part))
    if tier != "smoke" and claim.get("standing") not in ("identity", "hypothesis"):
        yield from (escaped(words) for member in part["members"] if (words := page_prediction(part, member)))


@dataclass(frozen=True)
class SeedTable:
    """Every seed's number of each comparison: `rows`, (what is compared with its unit, a cell for each of `seeds`).
    `foot` says what a dagger marks; "" where there is none."""

    seeds: tuple[int, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    foot: str


def seed_table(claim: Json) -> SeedTable:
    """Return the numbers of every seed; a dagger marks a seed with a collapsed run."""
    members = {
        member["label"]: (part, member) for part in claim["parts"] for member in part["members"] if member["values"]
    }
    seeds = sorted({seed for _, member in members.values() for seed in member["seeds"]})
    rows = []
    for label, (part, member) in members.items():
        view = shown({**part, "kind": "values"} if is_rate(part) else part, {**member, "word": None})
        others = tuple(value for value in view.values if value is not None)  # one power of ten for all seeds
        cells = {
            seed: (DASH if value is None else view.number(view.unit.of(value), others)) + "†" * dead
            for seed, value, dead in zip(member["seeds"], member["values"], member["collapsed"], strict=True)
        }
        for one in member.get("censored", []):
            cells[one["seed"]] = f"{'>' if one['side'] == 'above' else '<'} {as_written(view.unit.of(one['limit']))}"
        name = view.unit.with_name(f"{label}, in") if view.unit.name else label
        rows.append((name, tuple(cells.get(seed, DASH) for seed in seeds)))
    dagger = any(any(member["collapsed"]) for _, member in members.values())
    never = any(
        value is None and dead
        for _, member in members.values()
        for value, dead in zip(member["values"], member["collapsed"], strict=True)
    )
    what = "† a run behind this number collapsed: at chance, or its loss was not finite"
    foot = f"{what}{'; –†: there is no number, as its level was not reached' if never else ''}." if dagger else ""
    return SeedTable(tuple(seeds), tuple(rows), foot)


def _every_seed(claim: Json) -> list[str]:
    """Return per-seed values in a block that opens on a click."""
    found = seed_table(claim)
    if not found.rows:
        return []
    rows = [[escaped(label), *cells] for label, cells in found.rows]
    header = ["per seed", *(f"seed {seed}" for seed in found.seeds)]
    foot = ["", found.foot] if found.foot else []
    body = table(header, rows, right=range(1, len(header)))
    return ["<details><summary>Every seed</summary>", "", *body, *foot, "", "</details>"]
