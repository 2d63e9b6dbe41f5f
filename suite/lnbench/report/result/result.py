"""A judged study as plain data: `result.json`, from which the rest of a report is written.

What only some kinds of claim have (a `look`, `inner` axes, `censored` seeds, what is shown `beside` a part, the cells
of a table with a region and a reference of their own) is there for these only.

Lossless: floats as they are, everything that a verdict depends on. JSON knows no infinity and no NaN: an
infinite edge of a region is null, and the region's `words` say what it means; any other number that is not
finite is null too. Nothing in it tells when it was written (dates are the records' own), so equal records
give equal bytes.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict

from lnbench import catalog
from lnbench.judge import ALPHA, ChoiceResult, ClaimResult, DriftResult, Member, PartResult, StudyResult
from lnbench.judge.kinds import region_of
from lnbench.report.plain import Json, interval_to_json, plain, region_to_json, without_paths
from lnbench.report.result.beside import beside_to_json
from lnbench.report.result.chain import chain_to_json
from lnbench.report.result.chosen import chosen_to_json
from lnbench.report.result.labels import labels_to_json
from lnbench.report.result.loss_curves import detection_to_json, suspects_to_json
from lnbench.report.result.matrix import matrix_to_json
from lnbench.report.result.missing import left_to_json, untried_to_json
from lnbench.report.result.plugins import judged_by
from lnbench.report.result.runs import cells_to_json, data_to_json, environments_to_json, runs_to_json
from lnbench.report.result.trained import trained_to_json
from lnbench.spec import Effect, Number, Part, Table, TableSides
from lnbench.spec.cells import Margin
from lnbench.stats import Check
from lnbench.verdict import worded

SCHEMA = 1


def result_to_json(result: StudyResult) -> Json:
    """Return the whole result; see the module's first lines for what is promised of it."""
    study, evidence = result.study, result.evidence
    spec, baseline = study.spec, study.baseline
    return {
        "schema": SCHEMA,
        "study": study.name,
        "tier": study.tier,
        "key": study.key,
        "title": spec.title,
        "paper": {
            "id": baseline.paper,
            "title": baseline.title,
            "authors": list(baseline.authors),
            "year": baseline.year,
            "url": baseline.url,
            "code": baseline.code,
            "citation": baseline.cite,
        },
        "alpha": ALPHA,
        "seeds": {
            "n": len({job.seed for job in evidence.plan.jobs}),
            "paired": list(spec.runs.seeds.pair),
            "choosing": spec.runs.choose.seeds if spec.runs.choose else 0,
            **({"looks": list(spec.runs.seeds.looks)} if spec.runs.seeds.looks and study.tier != "smoke" else {}),
            **({"fresh": spec.runs.seeds.fresh} if spec.runs.seeds.fresh else {}),
        },
        "verdicts": dict(sorted(Counter(claim.verdict for claim in result.claims).items())),
        "claims": [_claim(claim, result) for claim in result.claims],
        "choices_open": [
            {
                "key": choice.key,
                "ours": choice.ours,
                "try": plain(choice.try_),
                **({"void": dict(choice.void)} if choice.void else {}),
            }
            for choice in spec.choices
        ],
        "choices_made": [_choice(choice) for choice in result.choices],
        "deviations": list(spec.deviations),
        "trained": trained_to_json(study),
        "notes": [without_paths(note) for note in dict.fromkeys(result.notes)],
        "cells": cells_to_json(evidence),
        **_where_there_is(result),
        "runs": runs_to_json(evidence),
        "data": data_to_json(evidence),
        "environments": environments_to_json(evidence),
        "records": chain_to_json([evidence, *result.tries.values()]),
    }


def _where_there_is(result: StudyResult) -> Json:
    """Return what was read from arrays next to the records, and what runs are missing, if any."""
    evidence = result.evidence
    found = {
        "detection": detection_to_json(evidence),
        "suspects": suspects_to_json(evidence),
        "labels": labels_to_json(evidence),
        "left": left_to_json(evidence),
        "untried": untried_to_json(result),
        "judged_by": judged_by(result.study),
        "registration": dict(result.registration),
        "ledger": list(result.ledger),
        "own_rows": [{"label": row.label, "method": plain(row.method)} for row in result.study.own],
    }
    return {name: shown for name, shown in found.items() if shown}


def _claim(claim: ClaimResult, result: StudyResult) -> Json:
    spec = claim.claim
    return {
        "id": spec.id,
        "says": spec.says,
        "standing": spec.standing,
        "quote": spec.quote,
        "where": str(spec.where),
        "question": spec.question,
        "collapse_counts": spec.collapse == "counts",
        "rule": {"at_least": spec.verdict.at_least, "of": list(spec.verdict.of)},
        "verdict": claim.verdict,
        **({"would_be": claim.would_be} if claim.would_be else {}),
        "why": without_paths(claim.why),
        "p_reproduced": claim.check.p_reproduced,
        "p_contradicted": claim.check.p_contradicted,
        "p_contradicted_holm": claim.p_contradicted,
        "tried": dict(claim.tried),
        **_under(claim, result),
        **left_out_to_json(claim),
        "parts": [part_to_json(part, claim, result) for part in claim.parts.values()],
        "drift": [_drift(drift) for drift in claim.drift],
        **({"look": asdict(claim.look)} if claim.look else {}),
        **({"chosen": chosen} if (chosen := chosen_to_json(claim, result)) else {}),
        **({"requires": dict(spec.requires)} if spec.requires else {}),
    }


def about_claim(claim: ClaimResult, result: StudyResult) -> Json:
    """Return what `report.said` makes sentences of, as `result.json` has it: the claim's words, what was chosen for it,
    and the seeds that it rests on."""
    return {"says": claim.claim.says, "chosen": chosen_to_json(claim, result), **left_out_to_json(claim)}


def left_out_to_json(claim: ClaimResult) -> Json:
    """Return the seeds that decide the claim alone, and the verdict without each seed; empty where none is decided."""
    if not claim.without:
        return {}
    return {"hangs_on": list(claim.hangs_on), "without": _by_seed(claim)}


def _by_seed(claim: ClaimResult) -> Json:
    return {str(seed): worded(verdict, claim.claim.standing) for seed, verdict in claim.without.items()}


def _under(claim: ClaimResult, result: StudyResult) -> Json:
    """Return the deciding parts as measured under each alternative that was run."""
    found = {
        key: [part_to_json(part, claim, result) for part in parts.values() if part.check.n]
        for key, parts in claim.under.items()
    }
    return {"under": kept} if (kept := {key: parts for key, parts in found.items() if parts}) else {}


def part_to_json(result: PartResult, claim: ClaimResult, study: StudyResult) -> Json:
    """Return one part with its members; `claim` and `study`: those it belongs to."""
    part = result.part
    return {
        "name": result.name,
        "kind": part.kind,
        "decides": result.name in claim.claim.verdict.of,
        "ours": part.ours,
        "because": part.because,
        **part.said(),
        "region": None if part.each else region_to_json(region_of(part, result.reference)),
        "effect": _effect(part.effect, result.effect),
        "reference": _reference(getattr(part, "reference", None), result.reference, study),
        "verdict": result.verdict,
        "why": without_paths(result.why),
        "direction_holds": result.direction_holds,
        "p_reproduced": result.check.p_reproduced,
        "p_contradicted": result.check.p_contradicted,
        "seeds_to_decide": result.seeds_to_decide,
        "members": [
            {**_member(member), "check": check_to_json(check), **cell}
            for member, check, cell in zip(result.members, result.checks, _cells(result, study), strict=True)
        ],
        **matrix_to_json(result, claim, study),
        **({"beside": plain(beside_to_json(result.beside, check_to_json))} if result.beside else {}),
    }


def _cells(result: PartResult, study: StudyResult) -> list[Json]:
    """Return what the members have of their own where each is held against its own number."""
    part = result.part
    if not part.each:
        return [{}] * len(result.members)
    return [
        {
            "region": region_to_json(region_of(part, number)),
            "reference": _reference(name, number, study),
            **_of_cell(part, name, number, study),
        }
        for name, number in zip(part.references(), result.numbers, strict=True)
    ]


def _of_cell(part: Part, name: str, number: Number | None, study: StudyResult) -> Json:
    """Return what only some tables' cells have: a margin of their own, a word in place of a number, the number that
    they are compared with."""
    found: Json = {}
    if isinstance(part, Table):
        if isinstance(part.margin, Margin):
            found["margin"] = None if number is None else part.margin.of(number)
        if number is None:
            found["word"] = study.study.baseline.references[name].word
    elif isinstance(part, TableSides):
        found["against"] = part.others()[name]
    return found


def _effect(name: str, effect: Effect) -> Json:
    about = catalog.find("metric", effect.metric).value
    return {
        "name": name,
        "metric": effect.metric,
        "metric_words": about.words,
        "counted": about.counted,
        "metric_bounds": [plain(float(about.low)), plain(float(about.high))],
        "axis": effect.axis,
        "along": effect.reducer,
        "at": plain(effect.at),
        "minus": plain(effect.minus),
        **{key: plain(value) for key, value in _more(effect).items() if value},
    }


def _more(effect: Effect) -> Json:
    """Return what few effects have."""
    inner = [{"axis": axis, "along": reducer} for axis, reducer in zip(effect.axes, effect.reducers, strict=True)][:-1]
    goal = {"level": effect.goal[0], "rises": effect.goal[1], "interpolate": effect.interpolate} if effect.goal else {}
    other = {"with": effect.with_, "less": effect.less, "per": effect.per}
    return {"inner": inner, "over": effect.over, **other, "crossing": goal}


def _member(member: Member) -> Json:
    return {
        "label": member.label,
        "at": plain(member.at),
        "minus": plain(member.minus),
        "values": plain(member.values),
        "seeds": list(member.seeds),
        "collapsed": list(member.collapsed),
        "step": plain(member.step),
        "planned": member.planned,
        "missing": member.missing,
        "failures": [without_paths(message) for message in member.failures],
        **_censored(member),
    }


def _censored(member: Member) -> Json:
    """Return the seeds of which only a side is known: their values are null."""
    found = [
        {"seed": seed, "side": "above" if value > 0 else "below", "limit": plain(limit)}
        for seed, value, limit in zip(member.seeds, member.values, member.limits, strict=False)
        if math.isinf(value)
    ]
    return {"censored": found} if found else {}


def _reference(name: str | None, number: Number | None, study: StudyResult) -> Json | None:
    if not name:
        return None
    reference = study.study.baseline.references[name]
    if number is None and reference.word is None:
        return None
    return {
        "id": name,
        "printed": reference.printed,
        "unit": reference.unit,
        "relation": reference.relation,
        "spread": reference.spread,
        "spread_kind": reference.spread_kind,
        "n": reference.n,
        "where": str(reference.where),
        "quote": reference.quote,
        "paraphrase": reference.paraphrase,
        "protocol": dict(reference.protocol),
        "source": reference.source,
        "note": reference.note,
        "value": None if number is None else number.value,
    }


def _drift(drift: DriftResult) -> Json:
    return {
        "effect": drift.effect,
        "label": drift.member.label,
        "seeds": list(drift.seeds),
        "before": plain(drift.before),
        "now": plain(drift.now),
        "tolerances": plain(drift.tolerances),
        "share": plain(drift.share),
        "drifted": drift.drifted,
    }


def _choice(result: ChoiceResult) -> Json:
    choice = result.choice
    return {
        "key": choice.key,
        "by": choice.by,
        "point": plain(choice.point),
        "candidates": [value for value, _ in choice.candidates],
        "scores": plain(result.scores),
        "chosen": result.chosen,
        "margin": plain(result.margin),
    }


def check_to_json(check: Check) -> Json:
    """Return a check with its interval, region and details (the checks of a composite are in its members)."""
    return {
        "kind": check.kind,
        "effect": plain(check.effect),
        "interval": interval_to_json(check.interval),
        "contradiction_interval": interval_to_json(check.contradiction_interval),
        "region": region_to_json(check.region) if check.region else None,
        "p_reproduced": check.p_reproduced,
        "p_contradicted": check.p_contradicted,
        "n": check.n,
        "sd": plain(check.sd),
        "sd_used": plain(check.sd_used),
        "se": plain(check.se),
        "df": plain(check.df),
        "step": plain(check.step),
        "collapsed": check.collapsed,
        "typical": check.typical,
        "error": check.error,
        "alpha": check.alpha,
        "notes": list(check.notes),
        "details": {key: plain(value) for key, value in sorted(check.details.items()) if key != "parts"},
    }
