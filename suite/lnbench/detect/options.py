"""How the networks are trained: what a user may choose, and what is taken where they do not."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lnbench import catalog
from lnbench.detect.data import Images, Labelled
from lnbench.detect.ranges import CHOICES, RANGES
from lnbench.errors import LnbenchError, did_you_mean
from lnbench.models import plain

COLOUR_WORTH_CROPPING = 24  # pixels per side
LENET_FROM, LENET_UP_TO = 16, 32  # pixels per side; smaller ones leave its convolutions nothing
USUAL_EPOCHS, PAPER_EPOCHS = 30, 150
PAPER_RATE, RATE_WITHOUT_NORMALISATION = 0.1, 0.01
RATES = (1e-10, 1e6)  # beyond them single precision holds no step, or no weight
USUAL_STEPS = 800  # fewer leave a network with batch normalisation at its beginning


@dataclass(frozen=True)
class Options:
    """Options as on the command line; None is settled by the rules of `settled`."""

    runs: int = 3
    epochs: int | None = None
    model: str | None = None
    size: int | None = None
    batch_size: int = 64
    lr: float | None = None
    augment: str | None = None
    seed: int = 0
    precision: str = "fp32"
    top: int = 48
    folds: int = 3

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def usual_model(shape: tuple[int, int, int]) -> str:
    """Return `mlp1` for grey images below 16 pixels per side, `lenet` up to 32, and `resnet20_aum` for all others."""
    channels, side, _ = shape
    if channels == 1 and side <= LENET_UP_TO:
        return "lenet" if side >= LENET_FROM else "mlp1"
    return "resnet20_aum"


def usual_augment(shape: tuple[int, int, int]) -> str:
    """Return crops and flips for colour images of 24 pixels or more, else none. Grey ones are often signs, whose mirror
    image is another sign, and a crop takes away much of a small one."""
    channels, side, _ = shape
    return "crop_flip" if channels > 1 and side >= COLOUR_WORTH_CROPPING else "none"


def usual_epochs(model: str, count: int, batch: int) -> int:
    """Return 30; more for residual networks on few images, which are slow to begin with: until there are USUAL_STEPS
    steps, up to the paper's 150. Plain networks keep 30: they would learn wrong labels by heart."""
    if model in plain.NETWORKS:
        return USUAL_EPOCHS
    return max(USUAL_EPOCHS, min(PAPER_EPOCHS, -(-USUAL_STEPS // -(-count // batch))))


def usual_rate(model: str) -> float:
    """Return the paper's 0.1 for networks with batch normalisation, 0.01 for those without (docs/detect.md, "How the
    rate was chosen", has the rule, and why `lenet` departs from it)."""
    return RATE_WITHOUT_NORMALISATION if model in plain.NETWORKS else PAPER_RATE


def check(asked: Options) -> None:
    """Raise LnbenchError for options that no data can make good."""
    check_ranges(asked.as_dict())
    if asked.lr is not None and not math.isfinite(asked.lr):
        raise LnbenchError(f"--lr {asked.lr}: not a finite number")
    if asked.lr is not None and not RATES[0] <= asked.lr <= RATES[1]:
        usual = "0.1 is usual, 0.01 without batch normalisation"
        raise LnbenchError(
            f"--lr {asked.lr:g}: not between {RATES[0]:g} and {RATES[1]:g}, where learning rates lie; {usual}"
        )
    known = catalog.names("model")
    if asked.model is not None and str(asked.model) not in known:
        raise LnbenchError(f"--model {asked.model}: no such network; {did_you_mean(str(asked.model), known)}")


def check_ranges(options: dict[str, Any]) -> None:
    """Raise LnbenchError for an option that is not what `ranges` says; None is for `settled` to choose."""
    for name, value in options.items():
        option = f"--{name.replace('_', '-')} {value}"
        if name in RANGES and value is not None:
            least, most = RANGES[name]
            if isinstance(value, bool) or not isinstance(value, int):
                raise LnbenchError(f"{option}: is no whole number")
            if not least <= value <= most:
                raise LnbenchError(f"{option}: is not between {least} and {most}")
        if name in CHOICES and value is not None and value not in CHOICES[name]:
            raise LnbenchError(f"{option}: is none of {', '.join(CHOICES[name])}")
        if name == "lr" and value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise LnbenchError(f"{option}: is no number")


def settled(asked: Options, data: Labelled) -> tuple[Options, list[str]]:
    """Return the options with nothing left open, and what had to be changed, in words. Raises LnbenchError."""
    check(asked)
    model = asked.model or usual_model(data.shape)
    _check_model(model, data)
    count = len(data.labels)
    batch, notes = min(asked.batch_size, count), []
    if batch < asked.batch_size:
        notes.append(f"batches of {batch} in place of {asked.batch_size}: there are no more images")
    batch = fitting_batch(count, batch)
    if batch < min(asked.batch_size, count):
        notes.append(f"batches of {batch} in place of {asked.batch_size}, so that none has one image alone")
    done = replace(
        asked,
        model=model,
        lr=asked.lr or usual_rate(model),
        epochs=asked.epochs or usual_epochs(model, count, batch),
        size=data.shape[1],
        batch_size=batch,
        augment=asked.augment or usual_augment(data.shape),
    )
    return done, notes


def fitting_batch(count: int, batch: int) -> int:
    """Return the largest size up to `batch` whose batches of `count` images leave none alone: batch normalisation has
    nothing to compare there."""
    batch = min(batch, count)
    while count % batch == 1 and batch > 2:
        batch -= 1
    return batch


def _check_model(model: str, data: Labelled) -> None:
    mmac = catalog.find("model", model).mmac
    if mmac is not None:
        try:
            mmac(data.shape, len(data.classes))
        except ValueError as error:
            raise LnbenchError(f"--model {model}: {error}; choose another --size or --model") from None


def recipe(options: Options, data: Labelled) -> dict[str, Any]:
    """Return what the engine trains by: P004-A of the AUL paper (plain SGD at a constant rate) with these options.

    It names no data set, since the engine gets the images with it. Pixels are standardised by the mean and deviation of
    each channel over all the images.
    """
    mean, deviation = channel_statistics(data.images)
    return {
        "dataset": {"clean": len(data.labels), "validation": 0},
        "noise": {"kind": "none"},
        "model": options.model,
        "method": "standard",
        "optimizer": {"kind": "sgd", "lr": options.lr, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4},
        "schedule": {"kind": "constant"},
        "batch_size": options.batch_size,
        "epochs": options.epochs,
        "augment": options.augment,
        "precision": options.precision,
        "pixels": {"mean": mean, "std": deviation},
        "probes": ["example_loss", "example_margin"],
    }


def channel_statistics(images: Images) -> tuple[list[float], list[float]]:
    """Return (means, standard deviations) of each channel's pixels in [0, 1], exact: by counts of the 256 values. A
    channel of one value has deviation 1."""
    means, deviations = [], []
    value = np.arange(256) / 255
    for channel in range(images.shape[1]):
        share = np.bincount(images[:, channel].ravel(), minlength=256) / images[:, channel].size
        mean = float(share @ value)
        means.append(mean)
        deviations.append(float(np.sqrt(share @ (value - mean) ** 2)) or 1.0)
    return means, deviations
