"""What toy studies are made of: the recipe of a small training on the embedded digits, a paper, the folder of both."""

from __future__ import annotations

from pathlib import Path

DILUTED = "{kind: dilute_uniform, alpha: 2, include_true_class: true}"
REPLACED = "{kind: replace_uniform, rate: 0.4, include_true_class: false}"


def base(
    *,
    clean: int | str = 400,
    noise: str = DILUTED,
    model: str = "perceptron",
    lr: float = 0.05,
    batch_size: int = 50,
    epochs: int | str = 2,
    selection: str = "last_epoch",
    probes: str = "",
) -> str:
    """Return the YAML lines of `runs:` and `base:`: SGD with momentum on digits, a second or less on one core."""
    lines = f"""\
runs:
  base:
    dataset: {{name: digits, clean: {clean}}}
    noise: {noise}
    model: {model}
    method: standard
    optimizer: {{kind: sgd, lr: {lr}, momentum: 0.9, nesterov: false, weight_decay: 0}}
    schedule: {{kind: constant}}
    batch_size: {batch_size}
    epochs: {epochs}
    augment: none
    precision: fp32
    selection: {selection}
"""
    return lines + (f"    probes: {probes}\n" if probes else "")


def paper(references: str = "", *, name: str = "toy", title: str = "A toy paper") -> str:
    """Return a baseline file's text; `references`: its lines, indented by two blanks."""
    head = f"""\
schema: 1
paper: {name}
title: {title}
authors: [Ada Example]
year: 2026
url: https://example.org
code: none
provenance: invented for the tests
"""
    return head + (f"references:\n{references}" if references else "references: {}\n")


def reference(name: str, printed: str, *, metric: str = "test_accuracy", unit: str = "percent", relation: str) -> str:
    """Return the lines of one printed number, of which only the value is known."""
    return f"""\
  {name}: {{metric: {metric}, printed: "{printed}", unit: {unit}, relation: {relation}, spread: none,
    spread_kind: unknown, n: unknown, where: {{section: "1"}}, protocol: {{}}, source: text}}
"""


def write_project(folder: Path, study: str, baseline: str, *, name: str = "toy", paper: str = "toy") -> Path:
    """Write claims/NAME.yaml and baselines/PAPER.yaml, and the folders they need; return the study's file."""
    (folder / "claims").mkdir(parents=True, exist_ok=True)
    (folder / "baselines" / "measured" / "smoke").mkdir(parents=True, exist_ok=True)
    (folder / "baselines" / f"{paper}.yaml").write_text(baseline, encoding="utf-8")
    file = folder / "claims" / f"{name}.yaml"
    file.write_text(study, encoding="utf-8")
    return file
