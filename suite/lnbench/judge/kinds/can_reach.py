"""can_reach: one run gets there, printed as the best of several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from lnbench import stats
from lnbench.judge.kinds.kind import ALPHA, Json, Kind, Rule, Writer, reached, uncounted
from lnbench.judge.kinds.planning import Pilot, Prospect
from lnbench.judge.kinds.wording import counted, p_words
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, parts
from lnbench.stats import Check, Region


class CanReach(Kind[parts.CanReach]):
    """At least one run lies at or beyond the number."""

    words = "at least one run reaches a number"

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
        return replace(check, effect=best, region=region)

    def prospect(
        self, part: parts.CanReach, number: Number | None, pilot: Pilot | None, planned: int, looks: int
    ) -> Prospect:
        """Return the chance where truly no run does: one that does decides at once."""
        needed = math.ceil(part.best_of * math.log(ALPHA / looks) / math.log(0.5))
        return Prospect(pilot.effect if pilot else None, 1.0 if planned >= needed else 0.0, needed)

    def sentence(self, part: Json, member: Json, write: Writer) -> str:
        """Return how many runs got there, and the nearest one."""
        check = member["check"]
        count = f"{check['details']['reached']} of {counted(check['details']['runs'], 'run')}"
        best = f"; our best run: {write.effect()}" if check["effect"] is not None else ""
        return f"{count} reached “{write.region()}”, printed as the best of {part['best_of']}{best}; required: one run"

    def explained(self, check: Check) -> Iterator[str]:
        found = check.details
        yield f"{found['reached']} of {found['runs']} runs reached it; printed as the best of {found['best_of']}"
        if not found["reached"]:
            none = f"the chance that none of {found['runs']} does"
            yield f"if our runs reached it as often as the paper's, {none}: ½^(n/k) = {p_words(check.p_contradicted)}"

    def needed(self, runs: str) -> str:
        return f"about {runs.replace('seed', 'run')}, none of which reaches it, would contradict it"
