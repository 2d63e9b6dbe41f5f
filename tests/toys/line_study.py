"""A study of the linear network, some seconds long: a line fitted under noise, without it, and at a wild rate."""

from __future__ import annotations

from pathlib import Path

from lnbench.spec import Study, load_study
from tests.toys.project import paper, write_project

STUDY = """\
schema: 1
paper: toy
title: A line fitted under noise
choices:
  - {key: noise, ours: signs, try: {noise: gaussian}}
runs:
  base:
    experiment: linear_network
    arm: noise
    neurons: 30
    dimension: 5
    samples: 40
    test_samples: 50
    first_scale: 1.0
    second_scale: 1.0
    lr: 0.02
    steps: 600
    batch: one
    noisy: true
    noise: rademacher
    sigma: 2
    noise_period: 0
    rho: null
    points: 20
    neurons_kept: 4
  vary: {arm: [noise, control, wild], sigma: [1, 2]}
  set:
    - {at: {arm: control}, noisy: false}
    - {at: {arm: wild}, lr: 5.0}
  seeds: {n: 3, pair: [split, noise, order, init, augment]}
effects:
  norm: {metric: norm_ratio_end, at: {arm: noise, sigma: 2}}
  less: {metric: norm_ratio_end, at: {arm: control, sigma: 1}, minus: {arm: noise}}
claims:
  - id: T-1
    says: Norms fall.
    quote: "norms fall"
    where: {section: "1"}
    verdict: {all: [falls, less]}
    parts:
      falls: {kind: below, effect: norm, threshold: 1.0}
      less: {kind: ordered, effect: less}
tiers:
  full: {deviations: []}
  smoke: {deviations: []}
"""


def write(folder: Path, old: str = "", new: str = "") -> Path:
    """Write the study, with `new` where `old` stands, and its baseline; return the study's file."""
    assert old in STUDY, old
    return write_project(folder, STUDY.replace(old, new) if old else STUDY, paper())


def study(folder: Path, old: str = "", new: str = "", tier: str = "full") -> Study:
    """Return the study of `write` at a tier."""
    return load_study(write(folder, old, new)).tiers[tier]
