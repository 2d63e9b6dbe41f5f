"""A made-up study with made-up records: every kind of part, at whatever accuracies a test wants. Nothing is
trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lnbench.identity import sha256
from lnbench.judge import Evidence, StudyResult, gather, judge
from lnbench.plan import Plan, Run, plan_study
from lnbench.report import result_to_json
from lnbench.spec import load_study, variant
from lnbench.spec.locks import History, history_of, lock_path
from lnbench.store import Record, make_record
from tests.toys.project import DILUTED, base, write_project

BASELINE = """\
schema: 1
paper: nobody2020
title: Noise | and <labels> of $nobody$
authors: [Ada Nobody, Ben Noone, Cy Nemo]
year: 2020
url: https://example.org/nobody
code: none
provenance: Made up for tests.
references:
  t1/mlp-alpha10:
    metric: test_accuracy
    printed: "80.0"
    unit: percent
    relation: equals
    spread: "1.0"
    spread_kind: sd
    n: 5
    where: {table: 1}
    protocol: {dataset: digits, model: mlp1, noise: "dilution, alpha = 10", selection: last, split: test}
    source: table
    note: "A note with a | bar."
  s2/floor:
    metric: test_accuracy
    printed: "70"
    unit: percent
    relation: above
    spread: none
    spread_kind: unknown
    n: unknown
    where: {section: "2"}
    protocol: {dataset: digits, model: mlp1, noise: "dilution, alpha = 10", selection: last, split: test}
    source: text
"""

STUDY = (
    """\
schema: 1
paper: nobody2020
title: A study of *nothing* | much
choices:
  - {key: epochs, ours: "2 | passes", try: {epochs: {times: 2}}}
  - {key: selection, ours: the last epoch}
"""
    + base(clean=1000, noise=DILUTED.replace("alpha: 2", "alpha: 10"), model="mlp1", lr=0.1)
    + """\
  vary: {model: [perceptron, mlp1, convnet4], noise.alpha: [0, 10]}
  choose: {key: optimizer.lr, from: [0.1, 0.5], per: [model, noise.alpha], by: validation_accuracy,
           validation: 100, seeds: 1}
  seeds: {n: 5, pair: [split, noise, order, init, augment]}
effects:
  mlp: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 10}}
  perceptron: {metric: test_accuracy, at: {model: perceptron, noise.alpha: 10}}
  depth: {metric: test_accuracy, along: {noise.alpha: drop}, at: {model: perceptron},
          minus: {model: [mlp1, convnet4]}}
  same: {metric: test_accuracy, at: {model: convnet4, noise.alpha: 0}, minus: {model: mlp1}}
  fall: {metric: test_accuracy, along: {noise.alpha: slope}, at: {model: mlp1}}
claims:
  - id: N1
    says: The MLP stays above 70 % | with noise.
    quote: "It stays <b>above</b> 70 | percent."
    where: {section: "2", figure: 1}
    question: how-robust
    verdict: above
    parts:
      above: {kind: above, effect: mlp, reference: s2/floor}
      printed: {kind: agrees, effect: mlp, reference: t1/mlp-alpha10, margin: 0.03,
                because: "three times their sd"}
      every: {kind: every_run_above, effect: mlp, threshold: 0.7, pi: 0.5, ours: true}
  - id: N.2
    says: Depth helps.
    quote: "Deep networks lose less."
    where: {}
    verdict: {all: [depth, same]}
    parts:
      depth: {kind: ordered, effect: depth}
      same: {kind: equivalent, effect: same, margin: 0.05, because: "five points are nothing"}
  - id: n-2
    says: The perceptron fails, and so does the slope.
    quote: "It fails."
    where: {table: 3}
    verdict: {at_least: 1, of: [low, slope]}
    parts:
      low: {kind: below, effect: perceptron, threshold: 0.5}
      slope: {kind: ordered, effect: fall}
tiers:
  full: {deviations: []}
  smoke:
    runs: {choose: null, seeds: {n: 3, pair: [split, noise, order, init, augment]}}
    deviations: [three seeds, "no | choosing"]
    measured: smoke/nothing
"""
)

# model -> test accuracy at alpha 0 and 10
TYPICAL = {"perceptron": (0.80, 0.40), "mlp1": (0.90, 0.80), "convnet4": (0.91, 0.85)}
Accuracies = Mapping[str, tuple[float, float]]
Outcome = dict[str, Any]


def _as_long_as(epochs: int, curve: list[float]) -> list[float]:
    """A curve of two values as one of so many, of which it has the first and the last."""
    return [curve[0]] * (epochs - 1) + curve[-1:]


def fake_outcome(run: Run, accuracy: float, wobble: float = 0.01) -> Outcome:
    """What a run with this test accuracy would have left: its seed moves it a little, always by as much."""
    seed = run.seeds["init"]
    drawn = int(sha256([run.recipe["model"], seed])[:8], 16) / 0xFFFFFFFF
    shift = (drawn - 0.5) * 2 * wobble
    alpha = run.recipe["noise"]["alpha"]
    nominal = alpha / (1 + alpha) * 0.9
    final = round((accuracy + shift) * 497) / 497
    validation = run.recipe["dataset"]["validation"]
    curves = {
        "train_loss": [2.0 + drawn / 1000, 1.9 + drawn / 1000],  # no two seeds alike, also where their accuracies are
        "train_accuracy": [0.2, 0.3],
        "test_accuracy": [final - 0.05, final],
        "test_loss": [1.0, 0.9],
    }
    if validation:
        curves["validation_accuracy"] = [0.5, 0.6 + run.recipe["optimizer"]["lr"] / 10]
    return {
        "status": "ok",
        "curves": {name: _as_long_as(run.recipe["epochs"], values) for name, values in curves.items()},
        "examples": {"train": int(1000 * (1 + alpha)), "validation": validation, "test": 497},
        "classes": 10,
        "parameters": 1000,
        "noise": {"nominal_wrong": nominal, "realised_wrong": nominal + 0.0001 * (seed % 7),
                  "labels_sha256": f"{seed:064x}"},
        "data_sha256": "ab" * 32,
    }  # fmt: skip


def fake_record(run: Run, outcome: Outcome) -> Record:
    """A record as a machine would have made it."""
    environment = {"lnbench": "0.1.0", "python": "3.11.7", "torch": "2.11.0", "numpy": "2.0.0",
                   "platform": "Linux x86_64", "processor": "A | Processor", "cores": "2"}  # fmt: skip
    provenance = {
        "environment": environment, "device": "cpu", "backend": "loop", "threads": 1,
        "finished": f"2026-01-02T03:04:{run.seeds['init'] % 60:02d}+00:00", "seconds": 1.5, "resumed": False,
    }  # fmt: skip
    return make_record(run.content, outcome, provenance)


class World:
    """The study with records for all of its runs; tests change records, and judge."""

    def __init__(self, path: Path, tier: str):
        self.study = load_study(path).tiers[tier]
        self.plan = plan_study(self.study)
        self.records: dict[str, Record] = {}
        self.failures: dict[str, str] = {}

    def run_all(self, accuracies: Accuracies = TYPICAL, plan: Plan | None = None, wobble: float = 0.01) -> World:
        """Make the record of every run that the plan asks for."""
        plan = plan or self.plan
        for run in plan.choosing_runs:
            self.put(run, fake_outcome(run, 0.5))
        for _, run in plan.resolve(self.outcomes(plan)):
            assert run is not None
            level = accuracies[run.recipe["model"]][run.recipe["noise"]["alpha"] > 0]
            self.put(run, fake_outcome(run, level, wobble))
        return self

    def put(self, run: Run, outcome: Outcome) -> None:
        record = fake_record(run, outcome)
        self.records[record["id"]] = record

    def outcomes(self, plan: Plan) -> dict[str, Outcome]:
        """The outcome of every choice."""
        by_id = {run_id: record["outcome"] for run_id, record in self.records.items()}
        return {choice.id: choice.decide(by_id) for choice in plan.choices}

    def runs(self, model: str, alpha: float) -> list[Run]:
        """The verdict's runs of one cell, seed by seed."""
        found = [run for _, run in self.plan.resolve(self.outcomes(self.plan)) if run is not None]
        return [run for run in found if run.recipe["model"] == model and run.recipe["noise"]["alpha"] == alpha]

    def collapse(self, model: str, alpha: float, count: int, diverged: bool = False) -> None:
        """Let the first `count` seeds of a cell end at chance, or with a loss that is not finite."""
        for run in self.runs(model, alpha)[:count]:
            outcome = fake_outcome(run, 0.1, wobble=0.0)
            if diverged:
                outcome |= {"status": "diverged", "curves": {}}
            self.put(run, outcome)

    def evidence(self) -> Evidence:
        return gather(self.plan, self.records.get, self.failures)

    def tries(self) -> dict[str, Evidence]:
        """The evidence under the one alternative that the study names."""
        return {"epochs": gather(self.alternative(), self.records.get)}

    def alternative(self) -> Plan:
        return plan_study(variant(self.study, "epochs"))

    def result(self, tries: Mapping[str, Evidence] | None = None) -> StudyResult:
        return judge(self.evidence(), tries, self.history())

    def history(self) -> History | None:
        """What was registered, where there is a lock; without one nothing is said of it."""
        return history_of(self.study) if lock_path(self.study).exists() else None

    def json(self) -> dict[str, Any]:
        return result_to_json(self.result())


def write_study(folder: Path) -> Path:
    """The study's file, with its baseline beside it; returns the file."""
    return write_project(folder, STUDY, BASELINE, name="nothing", paper="nobody2020")


@pytest.fixture
def empty(tmp_path: Path) -> Callable[[str], World]:
    """A study at a tier, nothing run yet."""
    path = write_study(tmp_path / "checkout")
    return lambda tier: World(path, tier)


@pytest.fixture
def full(empty: Callable[[str], World]) -> World:
    """The study at tier full, all run, at typical accuracies."""
    return empty("full").run_all()


@pytest.fixture
def smoke(empty: Callable[[str], World]) -> World:
    return empty("smoke").run_all()
