"""A study of two arms and two noise levels whose runs are written down instead of trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lnbench.judge import Evidence, gather
from lnbench.plan import Run, plan_study
from lnbench.spec import Study, load_study
from lnbench.store import Record, make_record
from tests.toys.project import base, paper, reference, write_project

STUDY = (
    """\
schema: 1
paper: toy
title: A toy study
choices:
  - {key: epochs, ours: two, try: {epochs: {times: 2}}}
  - {key: optimizer.lr, ours: 0.05, try: {optimizer.lr: 0.5}}
"""
    + base(epochs=3)
    + """\
  vary: {model: [perceptron, mlp1, mlp2], noise.alpha: [0, 2]}
  seeds: {n: 5, pair: [split, noise, order, init, augment]}
effects:
  accuracy: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 2}}
  loss: {metric: test_loss, at: {model: mlp1, noise.alpha: 2}}
  gap: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 2}, minus: {model: perceptron}}
  drops: {metric: test_accuracy, along: {noise.alpha: drop}, at: {model: perceptron}, minus: {model: [mlp1, mlp2]}}
claims:
  - id: T-01
    says: The MLP stays above 80 %.
    quote: "above 80"
    where: {section: "1"}
    verdict: above
    parts:
      above: {kind: above, effect: accuracy, reference: eighty}
      agrees: {kind: agrees, effect: accuracy, reference: ninety, margin: 0.02, because: "test"}
      every: {kind: every_run_above, effect: accuracy, threshold: 0.8, pi: 0.5}
      loss: {kind: below, effect: loss, threshold: 1.0}
  - id: T-02
    says: The MLP is better, and loses less than the perceptron.
    quote: "better"
    where: {section: "2"}
    verdict: {all: [better, robust]}
    parts:
      better: {kind: ordered, effect: gap}
      robust: {kind: ordered, effect: drops}
      same: {kind: equivalent, effect: gap, margin: 0.01, because: "test"}
  - id: T-03
    says: One of two.
    quote: "one"
    where: {section: "3"}
    verdict: {at_least: 1, of: [low, high]}
    parts:
      low: {kind: below, effect: accuracy, threshold: 0.5}
      high: {kind: above, effect: accuracy, threshold: 0.5}
tiers:
  full: {deviations: []}
"""
)

BASELINE = paper(reference("eighty", "80", relation="above") + reference("ninety", "90", relation="equals"))

Accuracy = Callable[[dict[str, Any], int], float | None]  # (recipe, seed) -> last accuracy; None: diverged
N = 1000  # test examples


@dataclass
class World:
    """A study, and made-up outcomes for its runs."""

    study: Study
    accuracy: Accuracy
    missing: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)

    def get(self, accuracy: Accuracy) -> Callable[[Run], Record]:
        def record(run: Run) -> Record:
            last = accuracy(run.recipe, run.seeds["init"])
            curves = {}
            if last is not None:
                curves = {
                    "test_accuracy": [max(last - 0.05, 0.0), min(last + 0.03, 1.0), last],
                    "test_loss": [2.0, 1.5, 1 - last],
                    "validation_accuracy": [0.1, 0.2, 0.15],
                }
            outcome = {
                "status": "ok" if last is not None else "diverged",
                "curves": curves,
                "examples": {"train": 400, "validation": 0, "test": N},
                "classes": 10,
                "parameters": 650,
                "noise": {
                    "examples": 400,
                    "right_labels": 400,
                    "nominal_wrong": 0.0,
                    "realised_wrong": 0.0,
                    "clean_images": 400,
                    "labels_sha256": "0" * 64,
                },
                "data_sha256": "0" * 64,
            }
            provenance = {
                "seconds": 1.0,
                "device": "cpu",
                "backend": "loop",
                "threads": 1,
                "environment": {},
                "finished": "2026-01-01T00:00:00+00:00",
                "resumed": False,
            }
            return make_record(run.content, outcome, provenance)

        return record

    def evidence(self, study: Study | None = None, seeds: int | None = None) -> Evidence:
        plan = plan_study(study or self.study, seeds)
        make = self.get(self.accuracy)
        records = {job.run().id: make(job.run()) for job in plan.jobs}
        return gather(plan, lambda i: None if i in self.missing else records.get(i), self.failures)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return load_study(write_project(tmp_path, STUDY, BASELINE)).tiers["full"]


# Last accuracies by (model, alpha), one a seed: chosen so that every check below has a verdict worked out by hand.
TABLE: dict[tuple[str, float], list[float]] = {
    ("perceptron", 0.0): [0.92, 0.91, 0.93, 0.92, 0.92],
    ("perceptron", 2.0): [0.70, 0.68, 0.71, 0.69, 0.72],
    ("mlp1", 0.0): [0.97, 0.96, 0.97, 0.98, 0.97],
    ("mlp1", 2.0): [0.90, 0.91, 0.89, 0.90, 0.90],
    ("mlp2", 0.0): [0.97, 0.97, 0.97, 0.98, 0.97],
    ("mlp2", 2.0): [0.88, 0.90, 0.89, 0.91, 0.90],
}


def from_table(recipe: dict[str, Any], seed: int) -> float | None:
    return TABLE[recipe["model"], recipe["noise"]["alpha"]][seed % 5]


@pytest.fixture
def world(study: Study) -> World:
    return World(study, from_table)
