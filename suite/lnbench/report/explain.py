"""A claim's verdict as a calculation that can be followed by hand, for a reader who is not a statistician."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lnbench.judge import ALPHA, ClaimResult, PartResult, StudyResult
from lnbench.judge.kinds import Kind, kind_of
from lnbench.report.numbers import computed_edge, significant
from lnbench.report.page.beside import beside_words
from lnbench.report.result.result import about_claim, part_to_json
from lnbench.report.said import as_tested, chosen_sentence, rests_sentence
from lnbench.report.telescopes import prediction_lines, telescope_lines
from lnbench.report.units import Unit, metric_unit, range_words, reference_of, region_of
from lnbench.report.words import (
    OWN_SCALE,
    counted,
    margin_words,
    member_sentence,
    p_words,
    part_line,
    printed_words,
    spaced_percent,
)
from lnbench.spec import Number
from lnbench.spec.comparable import differences
from lnbench.stats import Check, Region
from lnbench.verdict import Standing, Verdict

DIGITS = 5  # of a calculation: more than the report shows, so that it can be followed


def explain(result: StudyResult, claim_id: str) -> str:
    """Return the claim, its parts with every number put in, and how they make the verdict. Raises KeyError for an
    unknown claim."""
    claim = next(claim for claim in result.claims if claim.claim.id == claim_id)
    return "\n".join(_claim(claim, result))


def _claim(claim: ClaimResult, result: StudyResult) -> Iterator[str]:
    spec, study = claim.claim, result.study
    about = about_claim(claim, result)
    yield f"{spec.id}: {as_tested(about)}"
    standing = Standing(spec.standing)
    if standing is not Standing.HYPOTHESIS:
        said = f'"{spec.quote}"' if spec.quote else "shows it and has no sentence for it; the words are ours"
        place = ", ".join(filter(None, [study.baseline.cite, str(spec.where)]))
        yield f"{'The authors' if standing is Standing.AUTHORS_CODE else 'The paper'} ({place}): {said}"
    if standing is not Standing.PAPER:
        yield standing.meaning
    if study.tier == "smoke":
        scale = "Its results say nothing about a paper."
    elif study.spec.deviations:
        scale = f"Deviations: {'; '.join(study.spec.deviations)}."
    elif study.baseline.authors and standing is not Standing.HYPOTHESIS:
        scale = "No deviation is listed; what the paper leaves open is chosen by this study (`choices`)."
    else:
        scale = f"{OWN_SCALE[:1].upper()}{OWN_SCALE[1:]}."
    yield f"Tier {study.tier}. {scale}"
    if words := chosen_sentence(about):
        yield f"{words}."
    for part in claim.parts.values():
        yield ""
        yield from _part(part, claim, result)
    yield ""
    yield from _verdict(claim, result)


def _part(part: PartResult, claim: ClaimResult, result: StudyResult) -> Iterator[str]:
    data = part_to_json(part, claim, result)
    yield f"Part {part.name} ({kind_of(part.part).words or part.part.kind}): {_role(part, claim)}."
    references = [reference_of(data, member) for member in data["members"]]
    for reference in {one["id"]: one for one in references if one}.values():
        yield f"  Printed number: {printed_words(reference)}; reference {reference['id']}."
    if part.part.because:
        what = f"margin of {margin_words(data)}" if getattr(part.part, "margin", None) is not None else "range"
        yield f"  Reason for this {what}: {part.part.because}."
    for index, (member, check, told) in enumerate(zip(part.members, part.checks, data["members"], strict=True)):
        unit = replace(metric_unit(data["effect"], told["step"] or 0.0), decimals=None, ratio=False)
        name = f", in {unit.name}" if unit.name else ", logs of the ratio" if data["effect"].get("over") else ""
        edges = _beside_values(data, told, unit)
        values = ", ".join(
            significant(unit.of(value), DIGITS, edges) for value in member.values if math.isfinite(value)
        )
        never = sum(math.isnan(value) for value in member.values)
        values += f"; {never} without a number" if never else ""
        for value, limit in zip(member.values, member.limits, strict=False):
            if math.isinf(value):
                values += f"; {'above' if value > 0 else 'below'} {significant(unit.of(limit), DIGITS)}"
        yield f"  {member.label}"
        yield f"    per seed (seeds {', '.join(map(str, member.seeds)) or 'none'}){name}: {values or 'none'}"
        if member.missing:
            yield f"    {member.missing} of {member.planned} planned seeds lack a run: not judged"
        else:
            yield from _check(check, kind_of(part.part), unit, part.part.references())
            yield f"    so: {member_sentence(data, told)}"
            if result.study.tier != "smoke" and Standing(claim.claim.standing) is not Standing.HYPOTHESIS:
                number = part.numbers[index] if index < len(part.numbers) else None
                apart = differences(part.part, result.study)
                comparable = not (apart[index] if part.part.each else any(apart))
                yield from (f"    {line}" for line in _original(part, data, told, check, number, unit, comparable))
    cells = len(part.checks)
    asked = part.check.details.get("at_least", cells)
    if asked < cells:
        less = cells - asked + 1
        yield f"  At least {asked} of the {cells} cells must agree. Of their p values in rising order: p for is {less}"
        yield f"  times the one at place {asked}, {p_words(part.check.p_reproduced)}; p against is {asked} times the"
        yield f"  one at place {less}, {p_words(part.check.p_contradicted)} (1 at most)."
    elif cells > 1:
        yield f"  All {cells} must hold: p for is their largest, {p_words(part.check.p_reproduced)}; p against is"
        yield f"  {cells} times their smallest, {p_words(part.check.p_contradicted)} (1 at most)."
    for words in beside_words(data):
        yield f"  {words}"
    smoke = result.study.tier == "smoke" and part.verdict not in (Verdict.ERROR, Verdict.NOT_RUN)
    words = "direction holds" if part.direction_holds else "direction does not hold"
    yield f"  -> {words if smoke else Verdict(part.verdict).of_part}" + (f" ({part.why})" if part.why else "")
    if Verdict(part.verdict).open and not smoke:
        yield f"  -> {_needed(part)}"


def _original(
    part: PartResult,
    data: dict[str, Any],
    told: dict[str, Any],
    check: Check,
    number: Number | None,
    unit: Unit,
    comparable: bool,
) -> Iterator[str]:
    """Yield what the paper's own runs say of ours, beside the verdict."""
    kind = kind_of(part.part)
    yield from prediction_lines(data, told, check, number, comparable=comparable)
    yield from telescope_lines(data, told, check, kind, number, Unit(1.0, "", None) if kind.scale else unit)


def _beside_values(part: dict[str, Any], member: dict[str, Any], unit: Unit) -> list[float]:
    """Return the edges and the printed number that one seed's number is held against, in its unit; logs of a ratio."""
    region, reference = region_of(part, member), reference_of(part, member)
    found = [region["low"], region["high"], *([reference["value"]] if reference else [])]
    logs = bool(part["effect"].get("over") or part["effect"].get("per"))
    return [math.log(x) if logs else x * unit.scale for x in found if x is not None and (x > 0 or not logs)]


def _needed(part: PartResult) -> str:
    unit = "point" if getattr(part.part, "unit", "") == "point" else "seed"
    if part.seeds_to_decide is None:
        return f"more than 1,000 {unit}s are needed, or too few are there to tell"
    need = counted(part.seeds_to_decide, unit)
    return f"about {need} are needed for a power of 80 %, if effect and spread stay the same"


def _role(part: PartResult, claim: ClaimResult) -> str:
    if part.name in claim.claim.verdict.of:
        return "the claim" if len(claim.claim.verdict.of) == 1 else "part of the claim"
    if part.name in claim.claim.requires:
        return "must hold before the claim can be tested"
    ours = part.part.ours and Standing(claim.claim.standing) is not Standing.HYPOTHESIS
    return "extra check (ours, not the paper's)" if ours else "extra check"


def _check(check: Check, kind: Kind[Any], unit: Unit, references: tuple[str, ...]) -> Iterator[str]:
    if check.error:
        yield f"    cannot be judged: {check.error}"
        return
    own = [*kind.explained(check)]
    judged = Unit(1.0, "", None) if kind.scale else unit  # logs and atanh are computed with as they are
    if own:
        yield from (f"    {line}" for line in own)
    elif check.typical:
        yield f"    {check.collapsed} of {check.n} runs collapsed: the claim is about the typical run, by a sign test"
    elif check.interval is not None and check.se is not None and check.df is not None and check.effect is not None:
        yield from _interval(check, kind, judged, distance=bool(kind.distance))
    yield f"    required: {_required(check, kind, judged)}"
    times_of = check.details.get("looks", 1)
    times = f", after multiplying by {times_of} for looks and sets of seeds" if times_of > 1 else ""
    against = f"p against {p_words(check.p_contradicted)}"
    yield f"    p for {p_words(check.p_reproduced)}, {against} (each decides at {ALPHA} or below{times})"
    for note in check.notes:
        yield f"    note: {note}"


def _required(check: Check, kind: Kind[Any], unit: Unit) -> str:
    """Return the region on the scale of the calculation, and what it is a region of."""
    region = check.region or Region()
    plain = Unit(1.0, "", None)
    if "ratio_region" in check.details:
        return f"{range_words(check.details['ratio_region'], plain)}, so its log {_computed(check)}"
    if "r_region" in check.details:
        return f"r {range_words(check.details['r_region'], plain)}, so atanh(r) {_computed(check)}"
    if kind.rate:
        return f"runs {_edges(region, unit)}"
    if kind.distance:
        points = replace(unit, name="points" if unit.name == "%" else unit.name)
        return f"{_edges(region, points)} of the printed number"
    return _edges(region, unit)


def _computed(check: Check) -> str:
    """Return a region of which the edges were computed, with the digits that tell them from the numbers beside them."""
    region, interval = check.region or Region(), check.interval
    beside = [x for x in (check.effect, *((interval.low, interval.high) if interval else ())) if x is not None]
    words = {edge: computed_edge(edge, beside, DIGITS) for edge in region.edges}
    if math.isinf(region.high):
        return f"at least {words[region.low]}"
    return f"{'at most' if math.isinf(region.low) else f'between {words[region.low]} and'} {words[region.high]}"


def _edges(region: Region, unit: Unit) -> str:
    """Return a region in the unit that is shown: "at least 90 %", "within ±2 points"."""
    low, high = (edge if math.isinf(edge) else edge * unit.scale for edge in (region.low, region.high))
    return range_words((low, high), unit)


def _interval(check: Check, kind: Kind[Any], unit: Unit, distance: bool) -> Iterator[str]:
    """Yield effect, spread and interval, each computed from the one before."""
    assert check.interval is not None and check.se is not None and check.df is not None and check.effect is not None

    edges = [edge * unit.scale for edge in (*(check.region.edges if check.region else ()), 0.0)]

    def number(x: float) -> str:
        return significant(x * unit.scale, DIGITS, edges)

    confidence = spaced_percent(check.interval.confidence)
    ends = f"[{number(check.interval.low)}, {number(check.interval.high)}]"
    if check.details.get("design") == "points":
        zeta, n = check.details["zeta"], check.n
        yield f"    r = {number(check.effect)} of {n} points; Fisher's z = atanh(r), less its bias: {number(zeta)}"
        yield f"    its standard error: {number(check.se)} (normal)"
        yield f"    {confidence} interval of r = {ends}"
        return
    if check.sd is None or check.sd_used is None:
        yield f"    {confidence} interval = {ends}"
        return
    floor = ""
    if check.sd_used > check.sd:
        floor = f" (raised from {number(check.sd)}: one test example moves it by {number(check.step)})"
    what = f"mean of {kind.scale}" if kind.scale else "mean − printed number" if distance else "mean"
    yield f"    effect = {what} = {number(check.effect)}; standard deviation s = {number(check.sd_used)}{floor}"
    yield f"    se = s/√n = {number(check.sd_used)}/√{check.n} = {number(check.se)}; {check.df:.3g} degrees of freedom"
    student = check.details.get("alone", {}).get("interval", (check.interval.low, check.interval.high))
    factor = (student[1] - student[0]) / 2 / check.se if check.se else math.nan
    by_t = f"[{number(student[0])}, {number(student[1])}]"
    yield f"    {confidence} interval = {number(check.effect)} ± {factor:.3f}·{number(check.se)} = {by_t}"
    yield from _other_rules(check)
    if by_t != ends:
        yield f"    interval that covers these rules too = {ends}"
    for name, words in (("ratio", "as a ratio"), ("r", "as a correlation")):
        shown = check.details.get(f"{name}_interval")
        if shown is not None:
            region = [edge for edge in check.details.get(f"{name}_region", ()) if math.isfinite(edge)]
            low, high = (significant(end, DIGITS, region) for end in shown)
            yield f"    {words}: {significant(check.details[name], DIGITS, region)}, interval [{low}, {high}]"


def _other_rules(check: Check) -> Iterator[str]:
    """Yield what else must decide as Student's t does: the signs of the seeds, the counts of a share near 0 or 1."""
    signs, share = check.details.get("signs"), check.details.get("share")
    if signs:
        p = f"p for {p_words(signs['p_reproduced'], signs['level'])}, against "
        p += p_words(signs["p_contradicted"], signs["level"])
        sides = f"{signs['good']} of {counted(check.n, 'seed')} strictly inside, {signs['outside']} outside"
        yield f"    signs: {sides}: {p}"
        yield f"      (t decides only where these are at most {signs['level']:g}, else the larger p counts)"
    if share:
        yield f"    near 0 or 1: {share[0]:,} of {share[1]:,} examples of all seeds, by the exact law of counts too"


def _verdict(claim: ClaimResult, result: StudyResult) -> Iterator[str]:
    if result.study.tier == "smoke":
        yield "Smoke: passes when the direction holds at fixed seeds and no seed's number has drifted."
    else:
        among = f"all {counted(len(result.claims), 'claim')} of the study"
        p = p_words(claim.p_contradicted)
        yield f"p against is corrected over {among} (Holm) before a claim is called contradicted or failed: {p}."
    if claim.look:
        look = claim.look
        yield f"Look {look.number} of {look.of} planned ones, at {look.seeds} seeds: the first that decides stands."
    for key, verdict in claim.tried.items():
        yield f"With the alternative for {key}: {Verdict(verdict).words}."
        for part in claim.under.get(key, {}).values():
            if part.check.n:
                yield f"  {part.name}: {part_line(part_to_json(part, claim, result))}"
    if words := rests_sentence(about_claim(claim, result)):
        yield f"{words}."
    yield f"Verdict: {Verdict(claim.verdict).words}" + (f" ({claim.why})" if claim.why else "")
