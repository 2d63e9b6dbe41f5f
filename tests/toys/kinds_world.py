"""A claim in the frame of docs/claims.md, judged on records that a test makes up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lnbench.judge import ClaimResult, PartResult, judge
from lnbench.judge.power import powers
from lnbench.report import markdown, result_to_json
from lnbench.report.explain import explain
from tests.toys.claims_page import Metrics, evidence_of, load_in_frame

Number = Callable[[dict[str, Any], int], float]


def accuracy(number: Number) -> Metrics:
    """Runs of which only the test accuracy matters."""
    return lambda recipe, seed: {"test_accuracy": number(recipe, seed), "test_loss": 1.0, "train_accuracy": 0.5}


def judged(folder: Path, example: str, number: Number | Metrics, seeds: int | None = None) -> ClaimResult:
    """The claim of an example in the page's frame, whole: it is also reported, explained and planned for."""
    study = load_in_frame(folder, example)
    probe = number(study.cells[0].recipe.identity(), 0)
    metrics = number if isinstance(probe, dict) else accuracy(number)  # type: ignore[arg-type]
    result = judge(evidence_of(study, metrics, seeds))  # type: ignore[arg-type]
    assert markdown(result_to_json(result)) and explain(result, "EX-01") and powers(result)
    return result.claims[0]


def part_of(folder: Path, example: str, number: Number | Metrics, seeds: int | None = None) -> PartResult:
    return judged(folder, example, number, seeds).parts["claim"]


def alpha(recipe: dict[str, Any]) -> float:
    return float(recipe["noise"]["alpha"])
