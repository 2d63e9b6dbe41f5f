"""A claim's verdict as a calculation that can be followed by hand, for a reader who is no statistician."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lnbench.judge import ALPHA, ClaimResult, PartResult, StudyResult
from lnbench.stats import Check, Region


def explain(result: StudyResult, claim_id: str) -> str:
    """The claim, its parts with every number put in, and how they make the verdict. KeyError for an unknown claim."""
    claim = next(claim for claim in result.claims if claim.claim.id == claim_id)
    return "\n".join(_claim(claim, result))


def _claim(claim: ClaimResult, result: StudyResult) -> Iterator[str]:
    spec, study = claim.claim, result.study
    yield f"{spec.id}: {spec.says}"
    yield f'The paper ({study.baseline.cite}, {spec.where}): "{spec.quote}"'
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
    role = (
        "this is the claim, or one of its parts" if part.name in claim.claim.verdict.of else "stands beside the claim"
    )
    yield f"Part {part.name} ({part.part.kind}): {role}."
    reference = getattr(part.part, "reference", None)
    if reference:
        entry = result.study.baseline.references[reference]
        printed = f"{entry.printed} ({entry.unit}, {entry.relation})"
        yield f"  The paper prints {printed} at {entry.where}: reference {reference}."
    because = part.part.because
    if because:
        yield f"  The margin {getattr(part.part, 'margin', '')} was set beforehand: {because}."
    for member, check in zip(part.members, part.checks, strict=True):
        values = ", ".join(f"{value:.4f}" for value in member.values)
        yield f"  {member.label}"
        yield f"    one number a seed (seeds {', '.join(map(str, member.seeds)) or 'none'}): {values or 'none'}"
        if member.missing:
            yield f"    {member.missing} of {member.planned} planned seeds lack a run: not judged"
        else:
            yield from _check(check)
    if len(part.checks) > 1:
        yield f"  All {len(part.checks)} must hold: the largest p for reproduced, {part.check.p_reproduced:.3g};"
        yield f"  {len(part.checks)} times the smallest for contradicted, {part.check.p_contradicted:.3g}."
    yield f"  -> {part.verdict}" + (f" ({part.why})" if part.why else "")
    if part.verdict == "inconclusive":
        need = part.seeds_to_decide
        yield (f"  -> {need} seeds would decide it with 80 % power" if need else "  -> over 1000 seeds would be needed")


def _check(check: Check) -> Iterator[str]:
    if check.error:
        yield f"    cannot be judged: {check.error}"
        return
    region = check.region or Region()
    if check.typical:
        yield f"    {check.collapsed} of {check.n} runs collapsed: the claim is about the typical run, by a sign test"
    elif check.interval is not None and check.se is not None and check.df is not None and check.effect is not None:
        assert check.sd is not None and check.sd_used is not None
        floor = (
            f" (raised from {check.sd:.5f}: one test example moves it by {check.step:.5f})"
            if check.sd_used > check.sd
            else ""
        )
        yield f"    effect = mean = {check.effect:.5f}; spread s = {check.sd_used:.5f}{floor}"
        yield f"    se = s/√n = {check.sd_used:.5f}/√{check.n} = {check.se:.5f}; {check.df:g} degrees of freedom"
        half = (check.interval.high - check.interval.low) / 2
        factor = half / check.se if check.se else math.nan
        yield (
            f"    90 % interval = {check.effect:.5f} ± {factor:.3f}·{check.se:.5f} = "
            f"[{check.interval.low:.5f}, {check.interval.high:.5f}]"
        )
    yield f"    the claim's region: {region.describe()}" + (
        " (of the distance from the printed number)" if check.kind == "agrees" else ""
    )
    against = f"p for contradicted {check.p_contradicted:.3g}"
    yield f"    p for reproduced {check.p_reproduced:.3g}, {against} (each must be at most {ALPHA})"
    for note in check.notes:
        yield f"    note: {note}"


def _verdict(claim: ClaimResult, result: StudyResult) -> Iterator[str]:
    if result.study.tier == "smoke":
        yield "Smoke: passes when the direction holds at fixed seeds and no effect has drifted (p at most 0.001)."
    else:
        among = f"all {len(result.claims)} claims of the study"
        yield f"An accusation must stand among {among} (Holm): p for contradicted becomes {claim.p_contradicted:.3g}."
    for key, verdict in claim.tried.items():
        yield f"Under the alternative for {key}: {verdict}."
    yield f"Verdict: {claim.verdict}" + (f" ({claim.why})" if claim.why else "")
