"""Beside the verdict, for `explain`: where a printed number predicts our mean, and whether the original's runs could
have seen our effect. Neither is judged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from lnbench.judge.kinds import ALPHA, Kind
from lnbench.judge.kinds.agrees import printed as printed_of
from lnbench.report.numbers import significant
from lnbench.report.plain import Json
from lnbench.report.units import Shown, Unit, is_rate, reference_of, shown
from lnbench.report.words import counted, listed, p_words, spaced_percent
from lnbench.spec import Number
from lnbench.stats import Check, Printed
from lnbench.stats.prediction import CONFIDENCE, predicted, prediction
from lnbench.stats.telescope import Telescope, spread_of_runs, telescope
from lnbench.verdict import Verdict

POINT_RELATIONS = ("equals", "about")  # of a printed number that is an estimate; the others are bounds
SUPPOSED = range(1, 6)  # runs of a paper that does not say how many it had


def prediction_lines(
    part: Json, member: Json, check: Check, number: Number | None, *, comparable: bool = True
) -> Iterator[str]:
    """Yield where the printed number predicts the mean of our runs, with what is assumed; what is missing for it, where
    something is. Nothing for a part without a printed number.

    part, member: as `result.json` has them. comparable: whether the number is of what our runs measure.
    """
    reference = reference_of(part, member)
    if reference is None or number is None:
        return
    why = _no_prediction(part, reference, check) if comparable else "it is not of what our runs measure"
    if why:
        yield f"prediction (not judged): none, as {why}"
        return
    assert check.sd_used is not None
    view, paper = shown(part, member), printed_of(number)
    ends = prediction(paper, check.sd_used, check.n)
    yield f"prediction (not judged): {_prediction(view, (ends.low, ends.high), check.n)}{assumption(reference)}"
    if paper.spread is None:
        near = prediction(paper, check.sd_used, check.n, like_ours=True)
        words = _ends(view, (near.low, near.high))
        yield f"  were its runs as alike as ours: {words}; ours lies {_where(view, (near.low, near.high))}"


def _no_prediction(part: Json, reference: Json, check: Check) -> str:
    """Return why a printed number predicts no mean of ours; "" where it does."""
    if reference["relation"] not in POINT_RELATIONS:
        bound = f"{reference['relation'].replace('_', ' ')} {reference['printed']}"
        return f"the paper prints a bound ({bound}), no estimate"
    if is_rate(part):
        return "the claim counts runs and takes no mean"
    if check.sd_used is None or check.typical:
        return "our runs have no mean with a spread"
    return ""


def page_prediction(part: Json, member: Json) -> str:
    """Return the prediction on one line, for a part that agrees with one printed number; "" for any other. From the
    numbers that `agrees` keeps."""
    reference, details = reference_of(part, member), member["check"]["details"]
    if part["kind"] != "agrees" or reference is None or details.get("wide_se") is None:
        return ""
    if reference["relation"] not in POINT_RELATIONS or part["verdict"] == Verdict.NOT_COMPARABLE:
        return ""
    found = predicted(details["printed"], details["wide_se"], details["wide_df"], details["half_digit"])
    view, n = shown(part, member), member["check"]["n"]
    return f"not judged: {_prediction(view, (found.low, found.high), n)}{assumption(reference)}"


def _prediction(view: Shown, ends: tuple[float, float], n: int) -> str:
    runs = counted(n, "seed")
    words = f"were luck all that differs, the mean of {runs} such as ours would lie in {_ends(view, ends)}"
    return f"{words} ({spaced_percent(CONFIDENCE)}); ours lies {_where(view, ends)}"


def _ends(view: Shown, ends: tuple[float, float]) -> str:
    """Return an interval of the metric's own unit as the page shows it, cut to what can be measured."""
    low, high = (min(max(view.unit.of(end), view.bounds[0]), view.bounds[1]) for end in ends)
    return view.ends_words((low, high))


def _where(view: Shown, ends: tuple[float, float]) -> str:
    assert view.effect is not None
    return "inside" if view.unit.of(ends[0]) <= view.effect <= view.unit.of(ends[1]) else "outside"


def assumption(reference: Json) -> str:
    """Return what is taken for granted where the paper does not say how many runs its number rests on, or how they
    vary; "" where it says both."""
    n = reference["n"]
    bare = reference["spread"] == "none" or reference["spread_kind"] == "epochs"
    if bare and n == "unknown":
        return ". Assumed, as neither spread nor number of runs is printed: one run, that varies twice as much as ours"
    if bare:
        runs = "its run varies" if n == 1 else f"its {n} runs vary"
        return f". Assumed, as no spread is printed: {runs} twice as much as ours"
    what = f"± {reference['spread']}"
    of = "three runs" if n == "unknown" else counted(n, "run")
    if reference["spread_kind"] == "unknown":
        return f". Assumed, as it is not said what {what} is: the standard error of a mean of {of}"
    if n == "unknown" and reference["spread_kind"] in ("sd", "range"):
        return f". Assumed, as the number of runs is not printed: {what} is the standard error of a mean of {of}"
    return ". Assumed, as the number of runs is not printed: three" if n == "unknown" else ""


def telescope_lines(
    told: Json, member: Json, check: Check, kind: Kind[Any], number: Number | None, unit: Unit
) -> Iterator[str]:
    """Yield whether the original's runs could have seen our effect; what is missing for it, and what runs such as ours
    could have seen, where the paper does not say how many it had. Nothing for a part that has no direction. `unit`: of
    the calculation."""
    side = _side(told, member, check, kind)
    if side is None:
        return
    assert check.sd_used is not None and check.effect is not None and check.region is not None
    (edge,) = check.region.edges
    effect = side * (check.effect - edge)
    size = f"{significant(abs(effect) * unit.scale)}{_name(unit, kind)}"
    lies = f"{size} {'inside' if effect > 0 else 'outside'} its edge, {abs(effect) / check.sd_used:.2g} of our sd"
    yield f"small telescopes (not judged; Simonsohn 2015): ours lies {lies}"
    paper = None if number is None else printed_of(number)
    sd0 = None if paper is None else spread_of_runs(paper)
    if paper is not None and paper.n is not None and sd0 is not None:
        found = telescope(effect, check.sd_used, check.n, paper.n, sd0=sd0, alpha=check.alpha)
        yield f"  {_known(found, unit, kind)}"
        return
    ns = SUPPOSED if paper is None or paper.n is None else (paper.n,)
    supposed = [telescope(effect, check.sd_used, check.n, n0, alpha=check.alpha) for n0 in ns]
    seen = [one for one in supposed if one.edge33 is not None]
    yield f"  {_missing(paper)} If ours is the truth, runs that vary as ours do would show it"
    yield f"  (one-sided, {spaced_percent(check.alpha)}) this often: {'; '.join(map(_power, supposed))}."
    if seen:
        sizes = "; ".join(f"{_runs(one)}: {significant((one.edge33 or 0.0) * unit.scale)}" for one in seen)
        yield f"  The effect that they would show one time in three{_in(unit, kind)}: {sizes};"
        yield f"  {_smaller(seen, check.alpha)}."


def _side(told: Json, member: Json, check: Check, kind: Kind[Any]) -> int | None:
    """Return 1 where the claim says above its edge, -1 where below; None where it has no direction, or no mean is
    judged, or the edge is the estimate that the paper prints: its runs were not held against their own mean."""
    edges = check.region.edges if check.region else ()
    reference = reference_of(told, member)
    estimate = reference is not None and reference["relation"] in POINT_RELATIONS
    if told["verdict"] == Verdict.NOT_COMPARABLE:
        return None
    if len(edges) != 1 or kind.rate or kind.distance or estimate or not told["decides"]:
        return None
    if check.error or check.typical or not check.sd_used or check.effect is None or check.df is None:
        return None
    return 1 if check.region is not None and math.isinf(check.region.high) else -1


def _missing(paper: Printed | None) -> str:
    if paper is None or (paper.n is None and paper.spread is None):
        return "The paper prints no number of runs and no spread for this."
    if paper.n is None:
        return "The paper prints a spread for this, and not of how many runs."
    what = "it does not print how they vary" if paper.spread is None else "its spread does not say how they vary"
    return f"The paper had {counted(paper.n, 'run')} for this; {what}."


def _known(found: Telescope, unit: Unit, kind: Kind[Any]) -> str:
    assert found.edge33 is not None and found.p_smaller is not None
    sees = f"The paper's {counted(found.n0, 'run')}, with the spread it prints, would show ours {_percent(found.power)}"
    d33 = f"{significant(found.edge33 * unit.scale)}{_name(unit, kind)}"
    smaller = "clearly smaller" if found.p_smaller <= ALPHA else "not clearly smaller"
    return (
        f"{sees} of the time, if ours is the truth, and an effect of {d33} one time in three; ours is {smaller} "
        f"({_p(found.p_smaller)})."
    )


def _runs(found: Telescope) -> str:
    return counted(found.n0, "run")


def _power(found: Telescope) -> str:
    return f"{_runs(found)}: {_percent(found.power) if found.d33 else 'never, it has no spread'}"


def _smaller(seen: list[Telescope], alpha: float) -> str:
    clearly = [one for one in seen if one.p_smaller is not None and one.p_smaller <= alpha]
    if not clearly:
        return "ours is not clearly smaller"
    than = listed(f"{_runs(one)} ({_p(one.p_smaller or 0.0)})" for one in clearly)
    return f"ours is clearly smaller than that of {than}"


def _p(p: float) -> str:
    words = p_words(p)
    return f"p {words}" if words[0] in "<>" else f"p = {words}"


def _percent(share: float) -> str:
    """Return a chance in whole percent, and none of 0 or 100 % that is not."""
    return f"{100 * share:.0f} %" if 0.005 <= share <= 0.995 else "under 1 %" if share < 0.5 else "over 99 %"


def _name(unit: Unit, kind: Kind[Any]) -> str:
    """Return the unit of a distance, a blank before it."""
    name = "points" if unit.name == "%" else unit.name or (f"on the scale of {kind.scale}" if kind.scale else "")
    return f" {name}" if name else ""


def _in(unit: Unit, kind: Kind[Any]) -> str:
    name = _name(unit, kind).removeprefix(" ")
    return f", {name if name.startswith('on ') else f'in {name}'}" if name else ""
