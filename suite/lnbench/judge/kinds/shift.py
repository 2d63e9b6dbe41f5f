"""shift: an optimum moves along its axis, in octaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lnbench import stats
from lnbench.judge.kinds.kind import ALPHA, Json, Kind, Rule, Writer, labelled
from lnbench.judge.kinds.trend import along
from lnbench.judge.members import Member
from lnbench.spec import Effect, Number, parts
from lnbench.stats import Check, Region


class Shift(Kind[parts.Shift]):
    """The optimum moves up (down), by at least `delta` octaves."""

    words = "an optimum moves"

    def region(self, part: parts.Shift, number: Number | None) -> Region:
        return along(part.direction, part.delta)

    def check(self, part: parts.Shift, effect: Effect, member: Member, number: Number | None, rule: Rule) -> Check:
        region = self.region(part, number)
        return stats.shift(member.arms[1], member.arms[0], member.levels, region, **rule.options)

    def beside(
        self, part: parts.Shift, members: Sequence[Member], checks: Sequence[Check], numbers: Sequence[Number | None]
    ) -> dict[str, Any]:
        """Return the slope of B - A along log2 of the axis, one check per member: where the optimum moves up, B gains
        on A towards the axis's end."""
        return {"slope": [_slope(part, member) for member in members]}

    def beside_words(self, part: Json, write: Writer) -> Iterator[str]:
        for which, check in labelled(part, part["beside"]["slope"]):
            if check["effect"] is not None and check["interval"]:
                what = "slope of the difference between the two curves along log2 of the axis"
                yield f"not judged: {what}: {write.per_octave(check)}{which}"


def _slope(part: parts.Shift, member: Member) -> Check:
    dead = list(member.collapsed)
    step, a, b = member.curve_step, member.others, member.curves
    region = along(part.direction)
    return stats.shift_slope(member.levels, a, b, region, metric_step=step, alpha=ALPHA, collapsed=dead)
