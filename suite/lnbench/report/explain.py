"""A claim's verdict as a calculation that can be followed by hand, for a reader who is not a statistician."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from lnbench.judge import ALPHA, ClaimResult, PartResult, StudyResult
from lnbench.judge.kinds import Kind, kind_of
from lnbench.report.page.beside import beside_words
from lnbench.report.result.result import part_to_json
from lnbench.report.units import significant
from lnbench.stats import Check, Region
from lnbench.verdict import Standing, Verdict


def explain(result: StudyResult, claim_id: str) -> str:
    """Return the claim, its parts with every number put in, and how they make the verdict. Raises KeyError for an
    unknown claim."""
    claim = next(claim for claim in result.claims if claim.claim.id == claim_id)
    return "\n".join(_claim(claim, result))


def _claim(claim: ClaimResult, result: StudyResult) -> Iterator[str]:
    spec, study = claim.claim, result.study
    yield f"{spec.id}: {spec.says}"
    standing = Standing(spec.standing)
    if standing is not Standing.HYPOTHESIS:
        said = f'"{spec.quote}"' if spec.quote else "shows it, and says it in no sentence"
        place = ", ".join(filter(None, [study.baseline.cite, str(spec.where)]))
        yield f"{'The authors' if standing is Standing.AUTHORS_CODE else 'The paper'} ({place}): {said}"
    if standing is not Standing.PAPER:
        yield standing.meaning
    if study.tier == "smoke":
        scale = "Its results say nothing about the paper."
    elif study.spec.deviations:
        scale = f"Reduced: {'; '.join(study.spec.deviations)}."
    else:
        scale = "At the paper's own scale."
    yield f"Tier {study.tier}. {scale}"
    for part in claim.parts.values():
        yield ""
        yield from _part(part, claim, result)
    yield ""
    yield from _verdict(claim, result)


def _part(part: PartResult, claim: ClaimResult, result: StudyResult) -> Iterator[str]:
    role = "stands beside the claim"
    if part.name in claim.claim.verdict.of:
        role = "this is the claim, or one of its parts"
    elif part.name in claim.claim.requires:
        role = "must hold before the claim can be tested"
    yield f"Part {part.name} ({part.part.kind}): {role}."
    for reference in part.part.references():
        entry = result.study.baseline.references[reference]
        printed = f"{entry.printed} ({entry.unit}, {entry.relation})"
        yield f"  The paper prints {printed} at {entry.where}: reference {reference}."
    because = part.part.because
    if because:
        margin = getattr(part.part, "margin", None)
        yield f"  The {f'margin {margin:g}' if margin is not None else 'region'} was set beforehand: {because}."
    for member, check in zip(part.members, part.checks, strict=True):
        values = ", ".join(_number(value, 4) for value in member.values)
        yield f"  {member.label}"
        yield f"    one number per seed (seeds {', '.join(map(str, member.seeds)) or 'none'}): {values or 'none'}"
        if member.missing:
            yield f"    {member.missing} of {member.planned} planned seeds lack a run: not judged"
        else:
            yield from _check(check, kind_of(part.part))
    cells = len(part.checks)
    asked = part.check.details.get("at_least", cells)
    if asked < cells:
        less = cells - asked + 1
        yield f"  At least {asked} of the {cells} cells must agree. Of their p in rising order: for reproduced,"
        yield f"  {less} times the {asked}. one, {part.check.p_reproduced:.3g}; for contradicted, {asked} times the"
        yield f"  {less}. one, {part.check.p_contradicted:.3g}."
    elif len(part.checks) > 1:
        yield f"  All {len(part.checks)} must hold: the largest p for reproduced, {part.check.p_reproduced:.3g};"
        yield f"  {len(part.checks)} times the smallest for contradicted, {part.check.p_contradicted:.3g}."
    for words in beside_words(part_to_json(part, claim, result)):
        yield f"  {words}"
    yield f"  -> {part.verdict}" + (f" ({part.why})" if part.why else "")
    if Verdict(part.verdict).open:
        need = part.seeds_to_decide
        unit = "points" if getattr(part.part, "unit", "") == "point" else "seeds"
        yield (
            f"  -> {need} {unit} would decide it with 80 % power" if need else f"  -> over 1000 {unit} would be needed"
        )


def _check(check: Check, kind: Kind[Any]) -> Iterator[str]:
    if check.error:
        yield f"    cannot be judged: {check.error}"
        return
    own = [*kind.explained(check)]
    if own:
        yield from (f"    {line}" for line in own)
    elif check.typical:
        yield f"    {check.collapsed} of {check.n} runs collapsed: the claim is about the typical run, by a sign test"
    elif check.interval is not None and check.se is not None and check.df is not None and check.effect is not None:
        yield from _interval(check, kind)
    region = (check.region or Region()).describe()
    if "ratio_region" in check.details:
        region = f"{Region(*check.details['ratio_region']).describe()}, of its log {region}"
    elif "r_region" in check.details:
        region = f"r {Region(*check.details['r_region']).describe()}, so atanh(r) {region}"
    yield f"    the claim's region: {region}{kind.distance}"
    looks = check.details.get("looks", 1)
    times = f", {looks} times over for {looks} planned looks" if looks > 1 else ""
    against = f"p for contradicted {check.p_contradicted:.3g}"
    yield f"    p for reproduced {check.p_reproduced:.3g}, {against} (each must be at most {ALPHA}{times})"
    for note in check.notes:
        yield f"    note: {note}"


def _interval(check: Check, kind: Kind[Any]) -> Iterator[str]:
    """Yield effect, spread and interval, each computed from the one before."""
    assert check.interval is not None and check.se is not None and check.df is not None and check.effect is not None
    confidence = f"{100 * check.interval.confidence:.4g} %"
    if check.details.get("design") == "points":
        zeta, n = check.details["zeta"], check.n
        yield f"    r = {_number(check.effect)} of {n} points; Fisher's z = atanh(r), less its bias: {_number(zeta)}"
        yield f"    its standard error: {_number(check.se)} (Normal)"
        yield f"    {confidence} interval of r = [{_number(check.interval.low)}, {_number(check.interval.high)}]"
        return
    if check.sd is None or check.sd_used is None:
        yield f"    {confidence} interval = [{_number(check.interval.low)}, {_number(check.interval.high)}]"
        return
    floor = ""
    if check.sd_used > check.sd:
        floor = f" (raised from {_number(check.sd)}: one test example moves it by {_number(check.step)})"
    scale = f" of {kind.scale}" if kind.scale else ""
    yield f"    effect = mean{scale} = {_number(check.effect)}; spread s = {_number(check.sd_used)}{floor}"
    yield f"    se = s/√n = {_number(check.sd_used)}/√{check.n} = {_number(check.se)}; {check.df:g} degrees of freedom"
    half = (check.interval.high - check.interval.low) / 2
    factor = half / check.se if check.se else math.nan
    yield (
        f"    {confidence} interval = {_number(check.effect)} ± {factor:.3f}·{_number(check.se)} = "
        f"[{_number(check.interval.low)}, {_number(check.interval.high)}]"
    )
    for name, words in (("ratio", "as a ratio"), ("r", "as a correlation")):
        ends = check.details.get(f"{name}_interval")
        if ends is not None:
            yield f"    {words}: {_number(check.details[name])} in [{_number(ends[0])}, {_number(ends[1])}]"


def _number(x: float, decimals: int = 5) -> str:
    """Return x with `decimals` decimals; a number far from 1 (a slope, a number of images) with as many digits as mean
    something."""
    return f"{x:.{decimals}f}" if x == 0 or 0.001 <= abs(x) < 1000 else significant(x, decimals)


def _verdict(claim: ClaimResult, result: StudyResult) -> Iterator[str]:
    if result.study.tier == "smoke":
        yield "Smoke: passes when the direction holds at fixed seeds and no effect has drifted (p at most 0.001)."
    else:
        among = f"all {len(result.claims)} claims of the study"
        yield f"An accusation must stand among {among} (Holm): p for contradicted becomes {claim.p_contradicted:.3g}."
    if claim.look:
        look = claim.look
        yield f"Look {look.number} of {look.of} planned ones, at {look.seeds} seeds: the first that decides stands."
    for key, verdict in claim.tried.items():
        yield f"Under the alternative for {key}: {Verdict(verdict).words}."
    yield f"Verdict: {Verdict(claim.verdict).words}" + (f" ({claim.why})" if claim.why else "")
