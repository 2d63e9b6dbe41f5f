"""Digits with planted label errors, and the calls that tests of `lnbench detect` share."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

FILES = (
    "scores.csv",
    "suspects.csv",
    "conflicts.csv",
    "issues.json",
    "contact_sheet.png",
    "histogram.png",
    "page.html",
    "result.json",
    "report.md",
)


@dataclass(frozen=True)
class Planted:
    """folder, archive: the same images in the same order; wrong: names of the files with a wrong label."""

    folder: Path
    archive: Path
    wrong: set[str]
    names: list[str]


def planted(root: Path, count: int, rate: float, seed: int = 0) -> Planted:
    """The first `count` digits; each label is replaced, at `rate`, by another one."""
    bunch = load_digits()
    images, true = (bunch.images[:count] * 255 / 16).astype(np.uint8), bunch.target[:count]
    rng = np.random.default_rng(seed)
    wrong = rng.random(count) < rate
    given = np.where(wrong, (true + rng.integers(1, 10, count)) % 10, true)
    names = [f"{label}/{number:04d}.png" for number, label in enumerate(given)]
    for name, image in zip(names, images, strict=True):
        (root / "digits" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / "digits" / name)
    order = np.argsort(names)
    classes = [str(digit) for digit in range(10)]
    np.savez(root / "digits.npz", images=images[order], labels=given[order], classes=classes)
    names = [names[place] for place in order]
    flagged = {names[place] for place in np.flatnonzero(wrong[order])}
    return Planted(root / "digits", root / "digits.npz", flagged, names)


def detect(*arguments: object) -> int:
    """`lnbench detect` in this process; its exit code."""
    from lnbench.cli.main import main

    with pytest.raises(SystemExit) as stop:
        main(["detect", *map(str, arguments), "--device", "cpu"])
    return int(stop.value.code or 0)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as text:
        return list(csv.DictReader(text))
