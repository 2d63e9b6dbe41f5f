"""The confusion matrix that structured noise reads, summed over small training runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Outcome = dict[str, Any]


def summed_confusion(outcomes: Sequence[Outcome]) -> Outcome:
    """Return `confusion` (classes, classes) integers, summed over the runs that did not diverge, and `runs`, their
    number.

    Rolnick et al. 2018, §3.2: classes are ordered by how networks trained on little data confuse them.
    """
    found = [outcome["confusion"] for outcome in outcomes if outcome["status"] == "ok"]
    if not found:
        return {"status": "failed", "message": "confusion: all of its runs diverged"}
    summed = [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*found, strict=True)]
    return {"status": "ok", "runs": len(found), "confusion": summed}
