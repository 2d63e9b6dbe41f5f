"""can_reach: runs get there as often as a number printed as the best of several asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lnbench import stats
from lnbench.judge.kinds.kind import ALPHA, Json, Kind, Rule, Writer, reached, uncounted
from lnbench.judge.kinds.planning import Pilot, Prospect
from lnbench.judge.kinds.wording import counted
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, parts
from lnbench.stats import Check, Region


class CanReach(Kind[parts.CanReach]):
    """Runs lie at or beyond the number so often that the best of `best_of` does at least half the time."""

    words = "share of runs that reach a number"
    rate = True

    def region(self, part: parts.CanReach, number: Number | None) -> Region:
        edge = part.edge(number)
        return Region.at_least(edge) if part.side == "above" else Region.at_most(edge)

    def check(self, part: parts.CanReach, effect: Effect, member: Member, number: Number | None, rule: Rule) -> Check:
        region = self.region(part, number)
        if bad := uncounted(part, member, region):
            return bad
        n = len(member.values)
        check = stats.can_reach(reached(member, region), n, part.best_of, alpha=ALPHA, looks=rule.looks)
        there = [value for value in member.values if math.isfinite(value)]
        best = (max if part.side == "above" else min)(there, default=None)
        return check.with_details(best=best)

    def share_of_runs(self, part: Json) -> float:
        """Return π = 1 - ½^(1/k)."""
        return float(1 - 0.5 ** (1 / part["best_of"]))

    def prospect(
        self, part: parts.CanReach, number: Number | None, pilot: Pilot | None, planned: int, looks: int
    ) -> Prospect:
        """Return the chance where truly no run gets there: the claim is contradicted."""
        needed = math.ceil(part.best_of * math.log(ALPHA / looks) / math.log(0.5))
        return Prospect(pilot.effect if pilot else None, 1.0 if planned >= needed else 0.0, needed)

    def sentence(self, part: Json, member: Json, write: Writer) -> str:
        """Return how many runs got there, and how often they must."""
        found = member["check"]["details"]
        edge = part["region"]["low"] if part["side"] == "above" else part["region"]["high"]
        side = "at least" if part["side"] == "above" else "at most"
        count = f"{found['successes']} of {counted(found['runs'], 'run')}"
        best = f" (our best run: {write.number(found['best'])})" if found.get("best") is not None else ""
        runs = f"{count} reached {side} {write.edge(edge)}{best}"
        interval = write.interval()
        if interval is None:
            return f"{runs}; too few runs for an interval"
        share = f"{write.confidence()} interval of the share of such runs: {interval}"
        enough = f"so many that the best of {part['best_of']} reaches it at least half the time"
        return f"{runs}; {share}; required: {write.region()}, {enough}"

    def explained(self, check: Check) -> Iterator[str]:
        found = check.details
        yield f"{found['successes']} of {found['runs']} runs reached it; printed as the best of {found['best_of']}"
        yield f"the best of {found['best_of']} does half the time where a run does with 1 - ½^(1/k) = {found['pi']:.3g}"
