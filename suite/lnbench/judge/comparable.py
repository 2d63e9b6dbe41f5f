"""Numbers of ours that are no numbers of what the paper printed: nothing is decided by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lnbench.judge.members import Member
from lnbench.spec import Part, Study
from lnbench.spec.comparable import differences
from lnbench.stats import Check


def not_comparable(part: Part, study: Study, of_each: Sequence[Sequence[Member]]) -> list[str]:
    """Return, for each member, what differs between the printed number and ours; "" where they can be compared.
    `of_each`: the members of each effect of the part."""
    found = differences(part, study)
    return ["; ".join(apart.values()) for apart, members in zip(found, of_each, strict=True) for _ in members]


def undecided(check: Check) -> Check:
    """Return a check that decides nothing: its number is shown, and both p are 1."""
    return replace(check, p_reproduced=1.0, p_contradicted=1.0)
