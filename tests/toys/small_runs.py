"""Small recipes, runs and a study on the embedded digits, for the tests of training, execution and planted faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lnbench.plan import Plan, Run, plan_study
from lnbench.randomness import SEED_STREAMS
from lnbench.spec import load_study
from tests.toys.project import base, paper, reference, write_project

SGD = {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
ADADELTA = {"kind": "adadelta", "lr": 0.5, "rho": 0.95, "eps": 1e-8, "weight_decay": 0.0}


def dilution(alpha: float, include_true_class: bool = True) -> dict[str, Any]:
    return {"kind": "dilute_uniform", "alpha": alpha, "include_true_class": include_true_class}


def recipe(**changes: Any) -> dict[str, Any]:
    """A recipe as `Recipe.identity` gives it: 300 digits, one noisy copy each, a perceptron, one epoch."""
    plain: dict[str, Any] = {
        "dataset": {"name": "digits", "clean": 300, "validation": 0},
        "noise": dilution(1.0),
        "model": "perceptron",
        "method": "standard",
        "optimizer": SGD,
        "schedule": {"kind": "constant"},
        "batch_size": 32,
        "epochs": 1,
        "augment": "none",
        "precision": "fp32",
    }
    return {**plain, **changes}


def seeds(value: int = 0, **changes: int) -> dict[str, int]:
    return {**dict.fromkeys(SEED_STREAMS, value), **changes}


def run(seed: int = 0, **changes: Any) -> Run:
    return Run(recipe(**changes), seeds(seed))


BASELINE = paper(reference("s1/level", "80", relation="above") + reference("s1/high", "99.9", relation="above"))

STUDY = (
    """\
schema: 1
paper: toy
title: Noise on digits
choices: []
"""
    + base(clean="CLEAN", batch_size=32, epochs="EPOCHS", selection="SELECTION")
    + """\
  vary: {noise.alpha: ALPHAS}
  CHOOSE
  seeds: {n: SEEDS, pair: [split, noise, order, init, augment]}
effects:
  clean: {metric: test_accuracy, at: {noise.alpha: 0}}
  loss: {metric: test_accuracy, along: {noise.alpha: drop}}
claims:
  - id: T-1
    says: Digits are learnt.
    quote: "above 80"
    where: {section: "1"}
    verdict: level
    parts:
      level: {kind: above, effect: clean, reference: REFERENCE}
  - id: T-2
    says: Noise costs accuracy.
    quote: "noise costs"
    where: {section: "1"}
    verdict: costs
    parts:
      costs: {kind: ordered, effect: loss, delta: -0.9}
tiers:
  smoke: {deviations: [], measured: smoke/toy}
  full: {deviations: []}
"""
)


def write_study(
    folder: Path,
    *,
    clean: int = 300,
    epochs: int = 2,
    seeds: int = 2,
    alphas: str = "[0, 2]",
    choose: str = "",
    selection: str = "last_epoch",
    reference: str = "s1/level",
) -> Path:
    """The study file, with its baseline beside it."""
    values = {
        "CLEAN": clean,
        "EPOCHS": epochs,
        "SEEDS": seeds,
        "ALPHAS": alphas,
        "CHOOSE": f"choose: {choose}" if choose else "set: []",
        "SELECTION": selection,
        "REFERENCE": reference,
    }
    text = STUDY
    for name, value in values.items():
        text = text.replace(name, str(value))
    return write_project(folder, text, BASELINE)


def small_plan(folder: Path, tier: str = "smoke", **changes: Any) -> Plan:
    """The plan of the study above."""
    return plan_study(load_study(write_study(folder, **changes)).tiers[tier])
