"""trend and monotone: a metric tends up (down) along an axis, or goes up (down) at every step of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lnbench import stats
from lnbench.judge.kinds.kind import Json, Kind, Writer, labelled
from lnbench.judge.kinds.wording import p_is
from lnbench.judge.members import Member
from lnbench.spec import Number, parts
from lnbench.stats import Check, Region


class Trend(Kind[parts.Trend]):
    """A seed's slope or Kendall's tau lies above (below) 0. A curve that peaks before the end can pass."""

    words = "tendency along an axis"

    def region(self, part: parts.Trend, number: Number | None) -> Region:
        return along(part.direction)

    def beside(
        self, part: parts.Trend, members: Sequence[Member], checks: Sequence[Check], numbers: Sequence[Number | None]
    ) -> dict[str, Any]:
        """Return p of Page's test for an order, one per member."""
        return {"page_l_p": [_page(part, member) for member in members]}

    def beside_words(self, part: Json, write: Writer) -> Iterator[str]:
        for which, p in labelled(part, part["beside"]["page_l_p"]):
            if p is not None:
                yield f"not judged: Page's test of an order along the axis: {p_is(p)}{which}"


class Monotone(Kind[parts.Monotone]):
    """The difference of every two neighbouring levels lies above (below) 0: one member per step, all must hold."""

    words = "every step of an axis"

    def region(self, part: parts.Monotone, number: Number | None) -> Region:
        return along(part.direction)


def along(direction: str, size: float = 0.0) -> Region:
    """Return the region of what goes up, or down, by at least `size`."""
    return Region.at_least(size) if direction == "up" else Region.at_most(0.0 - size)


def _page(part: parts.Trend, member: Member) -> float | None:
    rows = np.asarray(member.curves, dtype=np.float64)
    if member.others:
        rows = rows - np.asarray(member.others, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[0] < 2 or rows.shape[1] < 3 or not np.isfinite(rows).all():
        return None
    return stats.page_l_p(rows, rising=part.direction == "up")
