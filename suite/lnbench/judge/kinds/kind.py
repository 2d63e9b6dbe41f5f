"""What every kind of check knows. The defaults are those of one number per seed whose mean is judged by t tests."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Generic, Protocol, TypeVar, cast

from lnbench import catalog, stats
from lnbench.errors import LnbenchError
from lnbench.judge.kinds.planning import Pilot, Prospect, prospect
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, Part, Study
from lnbench.stats import Check, Region

ALPHA = 0.05

Json = dict[str, Any]
P = TypeVar("P", bound=Part)


@dataclass(frozen=True, slots=True)
class Rule:
    """How a member is judged: `dead` (n,) the seeds that count as collapsed, `looks` how many are planned.

    `limits` (n,): what a censored seed is known to lie beyond, NaN for any other; () where none is censored. `counted`
    (n,): how many examples each seed's number is a share of; () where it is no share.
    """

    dead: tuple[bool, ...]
    looks: int = 1
    limits: tuple[float, ...] = ()
    counted: tuple[int, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """Return the same as `stats` takes it."""
        options: dict[str, Any] = {"alpha": ALPHA, "looks": self.looks}
        options["collapsed"] = list(self.dead) if any(self.dead) else None
        if self.limits:
            options["limits"] = list(self.limits)
        if self.counted:
            options["counted"] = list(self.counted)
        return options


class Writer(Protocol):
    """How the report writes the numbers of one member, given to a kind that puts them into a sentence."""

    def effect(self) -> str:
        """Return the effect: "92.31 %", "not measured"."""

    def edge(self, x: float) -> str:
        """Return a number of the metric's own unit as an edge: "90 %"."""

    def number(self, x: float) -> str:
        """Return a measured number of the metric's own unit, on its side of the region's edge: "90.02 %"."""

    def margin(self) -> str:
        """Return the part's margin: "2 points"."""

    def interval(self) -> str | None:
        """Return the interval: "[91.2, 93.4] %"; None where there is none."""

    def confidence(self) -> str:
        """Return the confidence of the interval: "90 %"."""

    def region(self) -> str:
        """Return the region: "at least 90 %"."""

    def per_octave(self, check: Json) -> str:
        """Return the effect and interval of a check of a slope along log2 of the axis."""


class Kind(Generic[P]):
    """One kind of check. A subclass says what differs; its class is the `target` of the kind's catalog entry.

    `words`: what is checked, in a table's cell. `scale`: what its numbers are put into before they are averaged, where
    that is not the metric's own unit. `rate`: the effect is a share of runs, not a metric. `distance`: what the
    region is of, where that is not the effect.
    """

    words: str = ""
    scale: str = ""
    rate: bool = False
    distance: str = ""

    def region(self, part: P, number: Number | None) -> Region:
        """Return where the effect lies if the part is true, as a reader has it: in the metric's unit, a ratio, an r.

        The default reads the part's `region`, [low, high] with None for no edge. `number`: the printed number that the
        member is held against.
        """
        low, high = cast(Any, part).region
        return Region(-math.inf if low is None else low, math.inf if high is None else high)

    def judged_region(self, part: P, number: Number | None) -> Region:
        """Return the region on the scale on which the effect's numbers are averaged."""
        return self.region(part, number)

    def judged_values(self, member: Member) -> list[float]:
        """Return the effect's numbers (n,) on that scale; NaN where there is none."""
        return list(member.values)

    def check(self, part: P, effect: Effect, member: Member, number: Number | None, rule: Rule) -> Check:
        """Judge one member whose numbers are all there."""
        region = self.judged_region(part, number)
        values = self.judged_values(member)
        check = stats.judge_mean(values, region, step=member.step, kind=part.kind, **rule.options)
        if effect.reducer == "exponent" and check.error and not all(map(math.isfinite, values)):
            return replace(check, error=f"{check.error}: an exponent needs numbers above 0")
        return check

    def whole(self, part: P, checks: Sequence[Check]) -> Check:
        """Return the check of all members together: of the only one, or of a family, of which all must hold."""
        return checks[0] if len(checks) == 1 else stats.partial_conjunction(list(checks))

    def share_of_runs(self, part: Json) -> float:
        """Return the smallest share of runs in which a part (as `result.json` has it) is true, where `rate` is set."""
        return float(part["pi"])

    def sampled_by_seeds(self, part: P) -> bool:
        """Return whether more seeds are a larger sample."""
        return True

    def prospect(self, part: P, number: Number | None, pilot: Pilot | None, planned: int, looks: int) -> Prospect:
        """Return whether the planned seeds can decide it; see `planning.prospect`."""
        return prospect(self.judged_region(part, number), pilot, planned, looks, ALPHA)

    def beside(
        self, part: P, members: Sequence[Member], checks: Sequence[Check], numbers: Sequence[Number | None]
    ) -> dict[str, Any]:
        """Return what is shown next to the verdict and never judged, as JSON (checks as they are). All members are
        whole."""
        return {}

    def beside_words(self, part: Json, write: Writer) -> Iterator[str]:
        """Yield a sentence for each of these things; `part` as `result.json` has it."""
        yield from ()

    def shown(self, x: float, check: Json, printed: float | None) -> float:
        """Return a number of a check (of `result.json`) in the effect's own unit, logs left as they are."""
        return x

    def sentence(self, part: Json, member: Json, write: Writer) -> str:
        """Return what was measured of one member, where the general sentence does not say it; "" where it does."""
        return ""

    def explained(self, check: Check) -> Iterator[str]:
        """Yield the lines of a calculation that is not one of mean, spread and interval."""
        yield from ()

    def needed(self, runs: str) -> str:
        """Return that so many `runs` ("12 seeds") are needed to decide an inconclusive part."""
        return f"about {runs} are needed if effect and spread stay the same"

    def summary(self, part: Json, write: Writer) -> str:
        """Return all members in one line, where not each has one of its own; "" where it has. `part` as `result.json`
        has it."""
        return ""


@cache
def kind_named(name: str) -> Kind[Any]:
    """Return the kind of check of that name; a plain one where a report has a plug-in's kind that is not installed."""
    entry = catalog.entries()["check"].get(name)
    return Kind() if entry is None else cast("Kind[Any]", entry.load()())


def kind_of(part: Part) -> Kind[Any]:
    """Return the kind of check that a part asks for."""
    return kind_named(part.kind)


def region_of(part: Part, number: Number | None) -> Region:
    """Return where the part's effect lies if the part is true; see `Kind.region`."""
    return kind_of(part).region(part, number)


def numbers_of(part: Part, study: Study) -> tuple[Number | None, ...]:
    """Return the printed numbers that a part names: none, one, or one per member (None where that prints a word)."""
    return cast("tuple[Number | None, ...]", part.numbers(study.baseline))


def _checked(kind: Kind[Any], part: Part, effect: Effect, member: Member, number: Number | None, rule: Rule) -> Check:
    """Return the check of one member. Raises LnbenchError where a plug-in's kind fails or gives no check: it must not
    look like a bug of ours, and the records stay as they are."""
    package = catalog.entries()["check"][part.kind].package
    if package is None:
        return kind.check(part, effect, member, number, rule)
    who = f"the kind of check '{part.kind}' of the plug-in {package[0]}"
    try:
        check = kind.check(part, effect, member, number, rule)
    except Exception as error:
        raise LnbenchError(f"{who} fails on {member.label}: {type(error).__name__}: {error}") from error
    if not isinstance(check, Check):
        raise LnbenchError(f"{who} gives a {type(check).__name__} for {member.label}, and not a Check")
    return check


def check_member(
    part: Part, effect: Effect, member: Member, number: Number | None, *, counts: bool, looks: int
) -> Check:
    """Apply the part's kind of check to one member. What is not all there has both p at 1.

    `counts`: the claim is about collapse, so collapsed runs are numbers like any other. `looks`: how many are planned.
    """
    kind = kind_of(part)
    if member.missing or not member.values:
        return Check(kind=part.kind, region=kind.region(part, number), n=len(member.values), step=member.step)
    if member.same:
        n = len(member.values)
        return stats.unjudged(
            part.kind, member.same, region=kind.region(part, number), n=n, step=member.step, alpha=ALPHA
        )
    # a number that does not exist cannot be averaged, whatever the claim is about
    dead = [math.isnan(v) and c if counts else c for v, c in zip(member.values, member.collapsed, strict=True)]
    limits = member.limits if any(not math.isnan(limit) for limit in member.limits) else ()
    check = _checked(kind, part, effect, member, number, Rule(tuple(dead), looks, limits, member.counted))
    never = sum(map(math.isnan, member.values))
    if check.error is None and never:
        check = check.with_notes(f"{never} of {len(member.values)} seeds have no such number: it was not reached")
    return check


def uncounted(part: Part, member: Member, region: Region) -> Check | None:
    """Return the error of a member of which a seed that did not collapse has no number, for kinds that count runs (a
    mean sees it by itself); None where there is none."""
    n = len(member.values)
    bad = sum(
        not math.isfinite(v) and not c and not _settled(v, limit, region)
        for v, c, limit in zip(member.values, member.collapsed, limits_of(member), strict=True)
    )
    what = f"{bad} of {n} seeds have no finite value"
    return stats.unjudged(part.kind, what, region=region, n=n, step=member.step, alpha=ALPHA) if bad else None


def reached(member: Member, region: Region) -> int:
    """Return how many runs lie in the region; a collapsed one does not."""
    return sum(region.contains(v) and not c for v, c in zip(member.values, member.collapsed, strict=True))


def limits_of(member: Member) -> tuple[float, ...]:
    """Return one limit per seed, NaN for a seed that is not censored."""
    return member.limits or (math.nan,) * len(member.values)


def _settled(value: float, limit: float, region: Region) -> bool:
    """Return whether a censored number is known to be inside the region, or known to be outside."""
    if math.isnan(limit):
        return False
    if value < 0:
        return limit <= region.low or (limit <= region.high and math.isinf(region.low))
    return limit >= region.high or (limit >= region.low and math.isinf(region.high))


def labelled(part: Json, found: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield what was found of each member, with the member's label in brackets where there are several."""
    labels = [member["label"] for member in part["members"]]
    for label, item in zip(labels, found, strict=False):
        yield f" ({label})" if len(labels) > 1 else "", item
