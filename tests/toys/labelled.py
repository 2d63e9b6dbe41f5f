"""A study of digits whose arms have labels from a file, hard images and a matrix; and the files of labels it reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from lnbench.data import ImageData, load
from tests.toys.project import base, paper, write_project

DIGITS = load("digits")
SEEDS = "[split, noise, order, init, augment]"
MATRIX = [[0.8 if label == y else 0.2 if label == (y + 1) % 10 else 0.0 for label in range(10)] for y in range(10)]

STUDY = (
    """\
schema: 1
paper: toy
title: Labels from tables
choices:
  - {key: epochs, ours: two, try: {epochs: {times: 2}}}
"""
    + base(clean=300, noise="FILE").replace("    model:", "    arm: file\n    model:")
    + f"""\
  vary: {{arm: [file, hard, classes]}}
  set:
    - {{at: {{arm: hard}}, noise: {{kind: hard_images, rate: 0.2}}}}
    - {{at: {{arm: classes}}, noise: {{kind: class_conditional, matrix: {MATRIX}}}}}
  seeds: {{n: 3, pair: {SEEDS}}}
effects:
  file: {{metric: test_accuracy, at: {{arm: file}}}}
  hard: {{metric: test_accuracy, at: {{arm: hard}}}}
  classes: {{metric: test_accuracy, at: {{arm: classes}}}}
claims:
"""
    + "".join(
        f"""\
  - id: LAB-0{number}
    says: A perceptron learns digits ({arm}).
    quote: "it learns"
    where: {{section: "1"}}
    verdict: learns
    parts:
      learns: {{kind: above, effect: {arm}, threshold: 0.3}}
"""
        for number, arm in enumerate(("file", "hard", "classes"), start=1)
    )
    + """\
tiers:
  smoke: {deviations: []}
  full: {deviations: []}
"""
)


def noisy_digits(wrong: int = 130, data: ImageData = DIGITS) -> np.ndarray:
    """Return labels (1300,) int64 of the digits, of which the first `wrong` are the next class."""
    labels = data.train_labels.copy()
    labels[:wrong] = (labels[:wrong] + 1) % 10
    return labels


def write_labels(path: Path, labels: np.ndarray) -> str:
    """Write labels as .npy; return the file's sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, labels)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_labelled(folder: Path, text: str = STUDY, path: str = "labels/mine.npy") -> tuple[Path, Path, str]:
    """Write the study and, beside it, its labels; return (study, labels, sha256 of the labels' file)."""
    labels = folder / "claims" / path
    digest = write_labels(labels, noisy_digits())
    file = f'{{kind: labels_file, path: "{path}", sha256: {digest}}}'
    return write_project(folder, text.replace("FILE", file), paper(), name="labelled"), labels, digest
