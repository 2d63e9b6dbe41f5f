"""Records into verdicts. Pure: no file is written, nothing is trained, torch is not imported.

A part's effect gives an interval, the interval against the part's region a verdict (`lnbench.stats`); `verdict:` says
which parts are the claim; `requires:` says which must hold before it can be tested at all; Holm's correction over all
claims of the study comes before any accusation; a contradiction must survive every alternative (`try`) of what the
paper leaves open, and a reproduction each one that was run. Only planned seeds are judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lnbench import stats
from lnbench.judge.comparable import not_comparable, undecided
from lnbench.judge.drift import drift_of
from lnbench.judge.evidence import Evidence
from lnbench.judge.gathering import on_the_same_data
from lnbench.judge.kinds import ALPHA, check_member, kind_of, numbers_of
from lnbench.judge.kinds.wording import p_is
from lnbench.judge.registered import added_alternatives, compared, held_to
from lnbench.judge.results import ChoiceResult, ClaimResult, Look, PartResult, StudyResult
from lnbench.spec import Claim, Number, Part, Study, alternatives, touches
from lnbench.spec.locks import History
from lnbench.stats import Check, Verdict
from lnbench.verdict import Standing, worded

ONE_WAY = (Verdict.REPRODUCED, Verdict.CONTRADICTED)
DECIDED = (*ONE_WAY, Verdict.NOT_IN_REGIME)


def judge(
    evidence: Evidence,
    tries: Mapping[str, Evidence] | None = None,
    history: History | None = None,
    *,
    one_out: bool = True,
) -> StudyResult:
    """Judge a study from its evidence.

    `tries`: choice key -> the evidence under that alternative. `history`: what was registered; without it nothing is
    said of that, and no verdict is `post-hoc`. `one_out`: whether to judge decided claims without each of their seeds
    too, which is shown and changes no verdict.

    With planned looks each claim is judged on the first so many seeds, then on more, and keeps the first verdict that
    decides it; what came after does not enter.
    """
    study = evidence.study
    notes: list[str] = []
    found = compared(evidence, history)
    if study.tier == "smoke":
        claims = [_smoke(claim, evidence, notes) for claim in _judge_claims(evidence)]
    else:
        planned = _as_planned(evidence, notes)
        claims = _over_looks(planned)
        claims = _leave_one_out(claims, planned) if one_out else claims
        claims = _settle(claims, study, on_the_same_data(evidence, tries or {}), added_alternatives(found))
    claims = held_to([_worded(claim) for claim in claims], found)
    choices = tuple(_choices(evidence))
    return StudyResult(
        evidence, tuple(claims), choices, tuple(notes), dict(tries or {}), history=history, registration=found
    )


def look_sizes(study: Study, seeds: int | None = None) -> list[int]:
    """Return the numbers of seeds at which the study is judged, one after the other, with at most `seeds` of them."""
    most = seeds or study.spec.runs.seeds.n
    looks = study.spec.runs.seeds.looks if study.tier != "smoke" else None
    return [look for look in looks or () if look <= most] or [most]


def _as_planned(evidence: Evidence, notes: list[str]) -> Evidence:
    """Return the evidence of the planned seeds. Whoever adds seeds until a claim is decided decides it falsely in up to
    20 % of studies (docs/statistics.md), so seeds beyond the plan are never judged."""
    planned, run = evidence.study.spec.runs.seeds.n, len(evidence.seeds)
    if run <= planned:
        return evidence
    notes.append(
        f"{run} seeds were asked for and {planned} are planned: judged on the planned {planned}, as seeds that are "
        f"added after a look at the result make wrong verdicts likely; plan looks to judge more (`seeds: looks`)"
    )
    return evidence.first(planned)


def _over_looks(evidence: Evidence) -> list[ClaimResult]:
    """Return every claim as the first look that decides it has it, or else the last that was taken. A number of seeds
    that is no planned look gives numbers and no verdict."""
    study = evidence.study
    seeds = study.spec.runs.seeds
    planned = seeds.looks
    run = len(evidence.seeds)
    if planned is None or run not in (seeds.n, *planned):
        claims = _judge_claims(evidence)
        return claims if run == seeds.n else [_early(claim, run, planned or [seeds.n]) for claim in claims]
    claims = []
    for number, size in enumerate(look_sizes(study, run), start=1):
        look = Look(size, number, len(planned))
        now = _judge_claims(evidence, look)
        claims = [_later(before, after) for before, after in zip(claims or now, now, strict=True)]
    return claims


def _early(claim: ClaimResult, run: int, looks: Sequence[int]) -> ClaimResult:
    """Take the verdict off a claim that was looked at before any look that is planned."""
    if claim.verdict in (Verdict.ERROR, Verdict.NOT_RUN, Verdict.NOT_TESTABLE):
        return claim
    planned = " or ".join(map(str, looks))
    why = (
        f"{run} of {looks[-1]} planned seeds: numbers, and no verdict, before a look that is planned ({planned} seeds)"
    )
    return replace(claim, verdict=Verdict.NOT_RUN.value, why=why)


def _leave_one_out(claims: list[ClaimResult], evidence: Evidence) -> list[ClaimResult]:
    """Judge decided claims again without each of their seeds, to see which depend on one of them."""
    found: dict[int, dict[int, str]] = {number: {} for number, claim in enumerate(claims) if claim.verdict in ONE_WAY}
    for look in dict.fromkeys(claims[number].look for number in found):
        seen = evidence.first(look.seeds) if look else evidence
        for seed in seen.seeds:
            others = _judge_claims(seen.without(seed), look)
            for number in found:
                if claims[number].look == look:
                    found[number][seed] = others[number].alone
    return [replace(claim, without=found.get(number, {})) for number, claim in enumerate(claims)]


def _later(before: ClaimResult, after: ClaimResult) -> ClaimResult:
    """Return the result that stands: of a look that decided, or of one after which none was taken."""
    taken = before.verdict == Verdict.NOT_RUN or after.verdict != Verdict.NOT_RUN
    return after if taken and before.verdict not in DECIDED else before


def _judge_claims(evidence: Evidence, look: Look | None = None) -> list[ClaimResult]:
    """Judge all claims on the seeds of one look (or on all), with Holm's correction over them."""
    if look is not None:
        evidence = evidence.first(look.seeds)
    looks = (look.of if look else 1) * evidence.study.spec.runs.seeds.sets
    claims = [_judge_claim(claim, evidence, looks) for claim in evidence.study.spec.claims]
    adjusted = stats.holm([claim.check.p_contradicted for claim in claims])
    judged = []
    for claim, p in zip(claims, adjusted, strict=True):
        verdict = claim.verdict or claim.check.verdict(ALPHA, p_contradicted=p).value
        why = claim.why
        if verdict == Verdict.INCONCLUSIVE and claim.check.p_contradicted <= ALPHA:
            why = f"contradicted alone ({p_is(claim.check.p_contradicted)}), not among the study's claims (Holm)"
        judged.append(replace(claim, p_contradicted=p, verdict=verdict, why=why, look=look))
    return judged


def _judge_claim(claim: Claim, evidence: Evidence, looks: int) -> ClaimResult:
    """Judge the claim before Holm; `verdict` is left empty unless something other than the interval decides it."""
    parts = {name: _judge_part(name, part, claim, evidence, looks) for name, part in claim.parts.items()}
    decisive = [parts[name] for name in claim.verdict.of]
    regime = [parts[name] for name in claim.requires]
    check = decisive[0].check
    if len(decisive) > 1 or claim.verdict.at_least != len(decisive):
        check = stats.partial_conjunction([part.check for part in decisive], claim.verdict.at_least)
    check, verdict, why = _in_regime(check, regime, claim.requires)
    undecided = check.p_reproduced > ALPHA and check.p_contradicted > ALPHA
    for stop in (Verdict.ERROR, Verdict.NOT_RUN, Verdict.NOT_COMPARABLE):
        stopped = [part for part in (*regime, *decisive) if part.verdict == stop]
        if stopped and undecided and verdict in ("", Verdict.INCONCLUSIVE):
            verdict, why = stop.value, f"{stopped[0].name}: {stopped[0].why}"
    if claim.not_testable is not None and verdict not in (Verdict.ERROR, Verdict.NOT_RUN):
        check = replace(check, p_reproduced=1.0, p_contradicted=1.0)
        verdict, why = Verdict.NOT_TESTABLE.value, claim.not_testable
    return ClaimResult(claim, parts, check, 1.0, verdict, why, {})


def _in_regime(check: Check, regime: list[PartResult], remedies: Mapping[str, str]) -> tuple[Check, str, str]:
    """Return the claim's check given its regime, and the verdict with its reason where the regime decides it.

    A claim is decided, either way, only where its regime is shown to hold: both p are at least those of the parts that
    it requires. It is out of its regime where one of these is contradicted, by Bonferroni's rule over them.
    """
    if not regime:
        return check, "", ""
    shown = max(part.check.p_reproduced for part in regime)
    alone = check.p_reproduced <= ALPHA or check.p_contradicted <= ALPHA
    check = replace(check, p_reproduced=max(check.p_reproduced, shown), p_contradicted=max(check.p_contradicted, shown))
    outside = [part for part in regime if part.check.p_contradicted * len(regime) <= ALPHA]
    if outside:
        return check, Verdict.NOT_IN_REGIME.value, "; ".join(f"{part.name}: {remedies[part.name]}" for part in outside)
    if shown > ALPHA and alone:
        names = ", ".join(part.name for part in regime if part.check.p_reproduced > ALPHA)
        return check, Verdict.INCONCLUSIVE.value, f"whether the runs are in the claim's regime is not decided: {names}"
    return check, "", ""


def _judge_part(name: str, part: Part, claim: Claim, evidence: Evidence, looks: int) -> PartResult:
    effect = part.judged(evidence.study.spec.effects[part.effect])
    of_each = [evidence.members(one) for one in part.effects(evidence.study.spec.effects[part.effect])]
    members = tuple(member for found in of_each for member in found)
    apart = not_comparable(part, evidence.study, of_each)
    numbers: tuple[Number | None, ...] = numbers_of(part, evidence.study) or (None,)
    if len(numbers) < len(members):
        numbers = numbers * len(members)
    counts = claim.collapse == "counts"
    checks = tuple(
        check_member(part, effect, member, number, counts=counts, looks=looks)
        for member, number in zip(members, numbers, strict=True)
    )
    checks = tuple(undecided(check) if what else check for check, what in zip(checks, apart, strict=True))
    kind = kind_of(part)
    check = kind.whole(part, checks)
    verdict, why = check.verdict(ALPHA).value, check.error or ""
    failed = [message for member in members for message in member.failures]
    missing = [member for member in members if member.missing]
    if failed:
        verdict, why = Verdict.ERROR.value, failed[0]
    elif missing:
        done, planned = len(missing[0].values), missing[0].planned
        verdict, why = Verdict.NOT_RUN.value, f"{done} of {planned} seeds have all their runs"
        if part.each and getattr(part, "rows", None):
            why = f"{len(members) - len(missing)} of {len(members)} cells have all their runs"
    if any(apart) and (all(apart) or verdict == Verdict.INCONCLUSIVE):
        verdict, why = Verdict.NOT_COMPARABLE.value, next(filter(None, apart))
    need = stats.seeds_to_decide(check) if verdict == Verdict.INCONCLUSIVE else None
    whole = all(member.values and not member.missing for member in members)
    shown = kind.beside(part, members, checks, numbers) if whole else {}
    return PartResult(name, part, effect, members, checks, check, verdict, why, numbers, need, shown)


def _settle(
    claims: list[ClaimResult], study: Study, tries: Mapping[str, Evidence], added: Mapping[str, Sequence[str]]
) -> list[ClaimResult]:
    """Let a decision stand only if it stands under the alternatives of what the paper leaves open, each judged on as
    many seeds: a contradiction under every one, a reproduction under each one that was run. `added`: by claim, the
    alternatives that came after its first record; where one of these decides, it is said."""
    judged = {
        look: {key: _judge_claims(_planned(evidence), look) for key, evidence in tries.items()}
        for look in dict.fromkeys(claim.look for claim in claims if claim.verdict in ONE_WAY)
    }
    return [
        _against_alternatives(claim, number, judged[claim.look], study, added.get(claim.claim.id, ()))
        if claim.verdict in ONE_WAY
        else claim
        for number, claim in enumerate(claims)
    ]


def _planned(evidence: Evidence) -> Evidence:
    return evidence.first(evidence.study.spec.runs.seeds.n)


def _against_alternatives(
    claim: ClaimResult, number: int, judged: Mapping[str, list[ClaimResult]], study: Study, added: Sequence[str]
) -> ClaimResult:
    """Hold a decided claim, the study's `number`-th, against its verdicts under the alternatives."""
    keys = [key for key in alternatives(study) if touches(study, key, claim.claim)]
    tried = {key: judged[key][number].verdict if key in judged else Verdict.NOT_RUN.value for key in keys}
    under = {
        key: {name: judged[key][number].parts[name] for name in claim.claim.verdict.of}
        for key, verdict in tried.items()
        if key in judged and verdict != Verdict.NOT_RUN
    }
    claim = replace(claim, under=under, tried=tried)
    untried = [key for key, verdict in tried.items() if verdict in (Verdict.NOT_RUN, Verdict.ERROR)]
    opposite = Verdict.CONTRADICTED if claim.verdict == Verdict.REPRODUCED else Verdict.REPRODUCED
    against = [key for key, verdict in tried.items() if verdict == opposite]
    if against:
        there = "outside" if opposite == Verdict.CONTRADICTED else "inside"
        late = [key for key in against if key in added]
        why = f"it depends on what the paper leaves open: {there} the claimed range with {', '.join(against)}"
        why += f" (added after its first record: {', '.join(late)})" if late else ""
        return replace(claim, verdict=Verdict.DEPENDS_ON.value, why=why)
    if claim.verdict == Verdict.REPRODUCED:
        return claim
    others = [key for key, verdict in tried.items() if verdict != Verdict.CONTRADICTED and key not in untried]
    if others:
        why = f"outside the claimed range as run; not decided with what the paper leaves open: {', '.join(others)}"
        return replace(claim, verdict=Verdict.INCONCLUSIVE.value, why=why)
    void = [key for choice in study.spec.choices for key in choice.void]  # a reason not to run one is no run of it
    open_ = [*untried, *void]
    if open_:
        word = worded(Verdict.CONTRADICTED, claim.claim.standing)
        why = f"outside the claimed range; not called {word}, as not run with: {', '.join(open_)}"
        if all(key in added for key in open_):
            why += f" (added after its first record; until then it was {word})"
        return replace(claim, verdict=Verdict.OUTSIDE_AS_RUN.value, why=why)
    return claim


def _worded(claim: ClaimResult) -> ClaimResult:
    """Say the verdicts in the words of the claim's standing: what no paper claims is held, failed or open, and so is an
    extra check of ours beside a paper's claim."""
    standing = claim.claim.standing
    parts = {
        name: replace(part, verdict=worded(part.verdict, Standing.HYPOTHESIS if part.part.ours else standing))
        for name, part in claim.parts.items()
    }
    tried = {key: worded(word, standing) for key, word in claim.tried.items()}
    under = {
        key: {name: replace(part, verdict=worded(part.verdict, standing)) for name, part in found.items()}
        for key, found in claim.under.items()
    }
    why = claim.why
    alone = claim.verdict in (Verdict.INCONCLUSIVE, Verdict.OUTSIDE_AS_RUN, Verdict.DEPENDS_ON)
    if Standing(standing) is Standing.HYPOTHESIS and alone:  # no paper is silent here, none is contradicted
        why = why.replace("contradicted", "failed").replace("what the paper leaves open", "what is left open")
    return replace(claim, parts=parts, verdict=worded(claim.verdict, standing), why=why, tried=tried, under=under)


def _smoke(claim: ClaimResult, evidence: Evidence, notes: list[str]) -> ClaimResult:
    """Judge a claim at smoke, which says nothing about a paper: whether the direction holds at fixed seeds, and nothing
    has drifted."""
    if claim.verdict in (Verdict.ERROR, Verdict.NOT_RUN):
        return claim
    decisive = [claim.parts[name] for name in claim.claim.verdict.of]
    holding = [part for part in decisive if part.direction_holds]
    drift = drift_of(claim, evidence, notes)
    drifted = [result for result in drift if result.drifted]
    why = ""
    outside = [name for name in claim.claim.requires if not claim.parts[name].direction_holds]
    if outside:
        why = f"not in the claim's regime: {', '.join(outside)}"
    elif len(holding) < claim.claim.verdict.at_least:
        wrong = [part.name for part in decisive if not part.direction_holds]
        why = f"the direction does not hold: {', '.join(wrong)}"
    elif drifted:
        why = max(drifted, key=lambda result: result.share).words
    return replace(
        claim, verdict=(Verdict.SMOKE_FAIL if why else Verdict.SMOKE_PASS).value, why=why, drift=tuple(drift)
    )


def _choices(evidence: Evidence) -> list[ChoiceResult]:
    results = []
    for choice in evidence.plan.choices:
        runs = [run for _, candidates in choice.candidates for run in candidates]
        outcomes = {run.id: evidence.records[run.id]["outcome"] for run in runs if run.id in evidence.records}
        if len(outcomes) == len({run.id for run in runs}) and not outcomes.keys() & evidence.unsound.keys():
            made = choice.decide(outcomes)
            results.append(ChoiceResult(choice, made["chosen"], tuple(made["scores"]), made["margin"]))
    return results
