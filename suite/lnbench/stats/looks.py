"""Planned looks: stop at the first that decides, each at a level that keeps the whole at α."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lnbench.stats.values import Check, Verdict


@dataclass(frozen=True, slots=True)
class Looked:
    """check: the last look's; stopped_at: its seeds; trace: every look taken; finished: no further look is
    planned."""

    check: Check
    stopped_at: int
    trace: tuple[Check, ...]
    finished: bool


def planned_looks(
    judge: Callable[[int, int], Check],
    looks: Sequence[int],
    available: int | None = None,
    decided: Callable[[Check], bool] | None = None,
) -> Looked:
    """Judge at n = looks[0], looks[1], … and stop at the first that decides.

    judge(n, number of looks) judges the first n seeds and passes the number on as `looks`, by which both p
    are multiplied (Bonferroni; false verdict at an edge 4.2 % for [3, 5, 10], where each look at α would give
    11 %). Looks beyond `available` seeds are not taken. `decided` defaults to reproduced or contradicted;
    pass your own where the study's Holm adjustment decides. Raises ValueError unless looks rise from at least
    3 and the first can be taken.
    """
    plan = list(looks)
    if not plan or plan[0] < 3 or any(b <= a for a, b in pairwise(plan)):
        raise ValueError(f"looks must rise from at least 3, not {plan}")
    if available is not None and available < plan[0]:
        raise ValueError(f"the first look needs {plan[0]} seeds, there are {available}")
    trace: list[Check] = []
    for n in plan:
        if available is not None and n > available:
            return Looked(trace[-1], plan[len(trace) - 1], tuple(trace), finished=False)
        check = judge(n, len(plan))
        trace.append(check)
        if decided(check) if decided is not None else _decided(check):
            break
    return Looked(trace[-1], plan[len(trace) - 1], tuple(trace), finished=True)


def _decided(check: Check) -> bool:
    return check.verdict() in (Verdict.REPRODUCED, Verdict.CONTRADICTED)
