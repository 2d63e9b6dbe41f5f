"""every_run_above, every_run_below: runs do, or a share of them does."""

from __future__ import annotations

from lnbench import stats
from lnbench.judge.kinds.kind import ALPHA, Json, Kind, Rule, Writer, reached, uncounted
from lnbench.judge.kinds.planning import Pilot, Prospect, prospect_of_share
from lnbench.judge.kinds.wording import counted
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, parts
from lnbench.stats import Check, Region


class EveryRunAbove(Kind[parts.EveryRun]):
    """Runs lie at or above the number, by the exact binomial test of their share."""

    words = "runs above a threshold"
    rate = True
    side = "at least"

    def region(self, part: parts.EveryRun, number: Number | None) -> Region:
        return Region.at_least(part.edge(number))

    def check(self, part: parts.EveryRun, effect: Effect, member: Member, number: Number | None, rule: Rule) -> Check:
        region = self.region(part, number)
        if bad := uncounted(part, member, region):
            return bad
        n = len(member.values)
        return stats.every_run(reached(member, region), n, part.pi, alpha=ALPHA, looks=rule.looks)

    def prospect(
        self, part: parts.EveryRun, number: Number | None, pilot: Pilot | None, planned: int, looks: int
    ) -> Prospect:
        """Return the chance where truly every run does."""
        return prospect_of_share(part.pi, pilot.effect if pilot else None, planned, ALPHA / looks)

    def sentence(self, part: Json, member: Json, write: Writer) -> str:
        found = member["check"]["details"].get("successes", 0)
        edge = part["region"]["low"] if self.side == "at least" else part["region"]["high"]
        count = f"{found} of {counted(member['check']['n'], 'run')}"
        runs = f"{count} {'is' if found == 1 else 'are'} {self.side} {write.edge(edge)}"
        interval = write.interval()
        if interval is None:
            return f"{runs}; too few runs for an interval"
        share = f"{write.confidence()} interval of the share of such runs: {interval}"
        return f"{runs} ({share}); required: {write.region()}"


class EveryRunBelow(EveryRunAbove):
    """Runs lie at or below the number."""

    words = "runs below a threshold"
    side = "at most"

    def region(self, part: parts.EveryRun, number: Number | None) -> Region:
        return Region.at_most(part.edge(number))
