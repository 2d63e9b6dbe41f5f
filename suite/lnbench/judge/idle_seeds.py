"""Seeds that did nothing: runs of one cell that are one run counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lnbench.stats import is_collapsed
from lnbench.store import Record


def twins(runs: Iterable[tuple[str, int, Record]]) -> str:
    """Return what two seeds of one cell have in common that no two draws have; "" where there is nothing.

    `runs`: (cell, seed, record). Equal accuracies may be chance. Equal training losses after every epoch, or equal
    wrong labels, are not: the seed did nothing.
    """
    seen: dict[tuple[str, str, Any], int] = {}
    for cell, seed, record in sorted(runs, key=lambda run: (run[1], run[0])):
        for what, value in fingerprints(record):
            other = seen.setdefault((cell, what, value), seed)
            if other != seed:
                return f"seeds {other} and {seed} have {what}, to the last digit: the seed did nothing"
    return ""


def fingerprints(record: Record) -> Iterator[tuple[str, Any]]:
    """Yield (words, value) of what no two draws have in common. A collapsed or diverged run has none: it may have
    learned nothing at all, which is the same for all seeds."""
    outcome = record["outcome"]
    curves = outcome.get("curves", {})
    losses, accuracies = curves.get("train_loss"), curves.get("test_accuracy")
    if outcome.get("status") != "ok" or "examples" not in outcome:  # an experiment's curves have forms of their own
        return
    if losses and accuracies and isinstance(accuracies[-1], int | float):
        chance, examples = 1.0 / outcome["classes"], outcome["examples"]["test"]
        if not is_collapsed(accuracies[-1], chance, examples):
            yield "the same training loss after every epoch", tuple(losses)
    noise, law = outcome.get("noise", {}), record["content"]["recipe"]["noise"]
    # wrong labels that are given (by people) or certain (every label moves) are the same for all seeds
    drawn = noise["table"].get("drawn") if "table" in noise else bool(law.get("alpha")) or 0 < law.get("rate", 0) < 1
    if drawn and noise.get("realised_wrong") and noise.get("labels_sha256"):
        yield "the same wrong labels", noise["labels_sha256"]
