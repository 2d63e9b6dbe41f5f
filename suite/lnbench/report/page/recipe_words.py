"""The words of a recipe: what its options are called, and how their values are written."""

from __future__ import annotations

import re
from typing import Any

from lnbench.report.names import is_number, text
from lnbench.report.numbers import as_written
from lnbench.report.plain import Json
from lnbench.report.words import coded, escaped, listed

SELECTIONS = {
    "last_epoch": "the last epoch",
    "best_test": "the epoch with the best test accuracy",
    "best_validation": "the epoch with the best validation accuracy",
}

AUGMENTATIONS = {
    "none": "none",
    "crop_flip": "random crops after padding by 4 black pixels, and mirror images half of the time",
}

PRECISIONS = {
    "fp32": "float32 throughout (TF32 off)",
    "fast": "bfloat16 arithmetic with float32 weights (`fast`)",
}

LABELS = {  # of keys whose name alone does not say it
    "lr": "learning rate",
    "eps": "ε",
    "clean": "training images",
    "include_true_class": "the true class may be drawn",
    "per": "moves per",
    # experiments/options.py
    "experiment": "experiment",
    "neurons": "hidden neurons m",
    "dimension": "input dimension d",
    "samples": "training samples n",
    "first_scale": "first weights: standard deviation × √d",
    "second_scale": "second weights: standard deviation × √m",
    "batch": "samples per step",
    "noisy": "label noise",
    "noise": "law of the label noise",
    "sigma": "standard deviation σ of the label noise",
    "noise_period": "label noise on and off in turns of so many steps (0: always on)",
    "rho": "radius ρ of SAM",
    "rho_schedule": "schedule of ρ",
    "scaled": "scaled by their own size:",
    "adadelta.rho": "ρ",
    "points": "steps at which curves are read (log-spaced)",
    "neurons_kept": "neurons kept for figures",
    "images": "images",
    "ntk.images": "training images, and as many test images",
    "draw": "which images (of each split)",
    "downsample": "images shrunk by the factor",
    "hidden": "hidden neurons",
    "weight_sd": "first weights: standard deviation × √(fan-in)",
    "bias_sd": "biases: standard deviation",
    "read_every": "steps between readings",
    "readings": "spacing of the readings (log: evenly in the logarithm of the steps)",
    "label_noise": "chance that a label is redrawn at a step",
    "kernel": "kernel of the linearisation",
    "probes": "also measured",
    "augment": "augmentation",
    "folds": "folds of confident learning (0: without it)",
    "pixels_model": "model of the pixels, given to confident learning too",
    "dataset": "data set",
    "model": "network",
    "method": "loss",
}


def changed_value_words(key: str, changes: Json) -> str:
    """Return a changed value, as the table's row has it."""
    renders = {"augment": augment_words, "pixels": pixels_words, "precision": precision_words}
    return renders[key](changes) if key in renders else value_words(changes[key])


def ordered(options: Json) -> list[str]:
    """Return the names of a block's options: the learning rate first, its kind left out."""
    return sorted((name for name in options if name != "kind"), key=lambda name: name != "lr")


def pixels_words(recipe: Json) -> str:
    pixels = recipe["pixels"]
    if pixels is None:
        return "scaled to 0 … 1, not standardised"
    mean, sd = (", ".join(map(as_written, pixels[key])) for key in ("mean", "std"))
    return f"scaled to 0 … 1, less the mean ({mean}), over the standard deviation ({sd}) of each channel"


def augment_words(recipe: Json) -> str:
    return AUGMENTATIONS.get(recipe["augment"], coded(recipe["augment"]))


def precision_words(recipe: Json) -> str:
    return PRECISIONS.get(recipe["precision"], coded(recipe["precision"]))


def label(key: str, kind: str = "") -> str:
    """Return what an option is called; `kind`: of the thing, or the experiment, whose option it is."""
    return LABELS.get(f"{kind}.{key}") or LABELS.get(key) or escaped(key.replace("_", " "))


def full_label(key: str) -> str:
    """Return the label of a dotted key, with its block where the option alone would not say whose it is."""
    block, _, option = key.rpartition(".")
    names = {"noise": "label noise", "optimizer": "optimiser", "dataset": "data"}
    if not block:
        return names.get(key, label(key))
    return f"{names.get(block) or escaped(block)}, {label(option)}"


def code(value: Any) -> str:
    return coded(value) if isinstance(value, str) else value_words(value)


def option_words(name: str, value: str, kind: str = "") -> str:
    """Return an option with its value: "learning rate 0.1", "nesterov: yes"."""
    return f"{label(name, kind)}{':' if value in ('yes', 'no') else ''} {value}"


def value_words(value: Any) -> str:
    """Return an option's value as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if is_number(value):
        return as_written(value)
    if isinstance(value, dict):
        kind = str(value.get("kind", ""))
        kind = kind if re.fullmatch("[A-Za-z0-9]+(_[A-Za-z0-9]+)*", kind) else escaped(kind)
        return ", ".join(
            [*filter(None, [kind]), *(option_words(k, value_words(v), kind) for k, v in value.items() if k != "kind")]
        )
    if isinstance(value, list) and value and all(isinstance(row, list) for row in value):
        return f"a {len(value)} × {len(value[0])} matrix"
    if isinstance(value, list):
        return listed(map(value_words, value)) or "none"
    return escaped(text(value))


def axis_words(axis: str) -> str:
    return coded(axis)


def place_words(axis: str, value: Any) -> str:
    return coded(value) if axis == "model" else f"{axis_words(axis)} {value_words(value)}"


def places_words(axes: tuple[str, ...], where: list[str]) -> str:
    """Return "`noise.alpha` 0 and 10": the axis named once where it is the only one."""
    if len(axes) == 1 and len(where) > 1 and axes[0] != "model":
        name = f"{axis_words(axes[0])} "
        return name + listed(words.removeprefix(name) for words in where)
    return listed(where)
