"""A judged study as rows of plain values, one per claim: what a table on the terminal or a DataFrame shows."""

from __future__ import annotations

from typing import Any

from lnbench.judge import ClaimResult, StudyResult
from lnbench.judge.kinds import region_of
from lnbench.report.result.result import about_claim
from lnbench.report.said import as_tested
from lnbench.stats import Check

Row = dict[str, Any]


def claim_rows(result: StudyResult) -> list[Row]:
    """Return one row per claim, in the study's order.

    `says` is the sentence as it was tested, with the hyper-parameter as chosen where one was.
    `effect`, `low` and `high` (the ends of its interval) are there where one number decides the claim: one part with
    one member. They are in the unit of `region`. Otherwise they are None; each part's numbers are in
    `claim.parts`. `would_be`: of a `post-hoc` claim, the verdict that it would have. `seeds` counts the seeds that have
    all runs of the deciding parts, `planned` those that the claim was judged for.
    """
    return [_row(claim, result) for claim in result.claims]


def _row(claim: ClaimResult, result: StudyResult) -> Row:
    deciding = [claim.parts[name] for name in claim.claim.verdict.of]
    members = [member for part in deciding for member in part.members]
    effect, low, high = None, None, None
    if len(deciding) == 1 and len(deciding[0].checks) == 1:
        effect, ends = shown_effect(deciding[0].checks[0])
        low, high = ends or (None, None)
    regions = [
        f"{part.name}: {region_of(part.part, part.reference).describe()}"
        for part in deciding
        if not part.part.each  # each cell has a region of its own
    ]
    return {
        "study": result.study.name,
        "tier": result.study.tier,
        "claim": claim.claim.id,
        "says": as_tested(about_claim(claim, result)),
        "standing": claim.claim.standing,
        "verdict": str(claim.verdict),
        "would_be": claim.would_be or None,
        "why": claim.why,
        "effect": effect,
        "low": low,
        "high": high,
        "region": "; ".join(regions).removeprefix(f"{deciding[0].name}: " if len(deciding) == 1 else ""),
        "p_reproduced": claim.check.p_reproduced,
        "p_contradicted": claim.check.p_contradicted,
        "p_contradicted_holm": claim.p_contradicted,
        "seeds": min((len(member.values) for member in members), default=0),
        "planned": claim.look.seeds if claim.look else len({job.seed for job in result.evidence.plan.jobs}),
        "look": claim.look.number if claim.look else None,
        "tried": ", ".join(f"{key}: {verdict}" for key, verdict in claim.tried.items()),
    }


def shown_effect(check: Check) -> tuple[float | None, tuple[float, float] | None]:
    """Return (effect, ends of its interval) on the scale of the claim's region: a ratio as a ratio, not as its log."""
    details, interval = check.details, check.interval
    scale = next((name for name in ("mean", "ratio", "r") if name in details), None)
    if scale is None:
        return check.effect, (interval.low, interval.high) if interval else None
    return details[scale], details.get(f"{scale}_interval")
