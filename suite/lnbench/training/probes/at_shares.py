"""Looks at a few shares of a training: their options, where they look, and what they cost. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lnbench import catalog
from lnbench.catalog.entry import Metric
from lnbench.catalog.options import Count, NotNegative, Options
from lnbench.data.sources import source_of

LOOKS = 5  # at most so many shares of a training
CLEAN_IMAGES = 4096  # at most so many clean training images give the gradient that others are compared with
LARGEST_BATCH = 512  # of clean images, with which effective_batch compares
LABEL_SUMS = 1 << 27  # numbers: summed gradients under other labels that noise_gradient holds at once, 512 MiB

SINGLES = 64  # images of each draw of effective_batch whose own gradients are computed, for small batches

# Forward passes that the gradient of one example costs where each one's own is wanted; in a batch it costs 3. Measured
# on one core: 10 to 20 for residual networks, 35 for plain convolutions with a wide dense layer. For dense networks,
# where it is the writing of all those gradients that takes the time, far more, but of a short time.
EACH = 15.0

# the looks whose numbers are metrics, in words
PARTS = {"start": "before the first step", "half": "at half of the training", "end": "after the last step"}
NEAR_HALF = (0.25, 0.75)  # a look outside of it is not at half of the training

# what the probe noise_gradient measures: lowest, highest, in words
NOISE_GRADIENT: dict[str, tuple[float, float, str]] = {
    "noise_isotropy_ratio": (
        0, 1, "squared length of the noisy examples' summed gradient over its greatest possible one",
    ),
    "noise_isotropy_over_null": (0, float("inf"), "that ratio over its mean under redrawn wrong labels"),
    "noise_isotropy_p": (0, 1, "share of redrawn wrong labels whose ratio is at least as large, a p value"),
    "noisy_clean_gradient_cosine": (-1, 1, "cosine of the noisy examples' mean gradient with the clean ones'"),
    "overfit_direction": (
        -float("inf"), float("inf"),
        "fall of the loss of other noisy examples per unit of length against the noisy examples' mean gradient",
    ),
    "overfit_direction_beyond": (
        -float("inf"), float("inf"), "overfit_direction less what it is under other wrong labels, in the mean",
    ),
    "overfit_direction_random": (
        -float("inf"), float("inf"), "fall of the same loss per unit of length, mean over random directions",
    ),
    "overfit_direction_scaled": (
        -float("inf"), float("inf"), "overfit_direction in standard deviations over random directions",
    ),
}  # fmt: skip


class AtShares(Options):
    """Look at shares of the training's steps, rising, at most five: before the step that comes after such a share of
    them, or, at 1, after the last one."""

    at: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(strict=False, max_length=LOOKS)]

    @model_validator(mode="after")
    def _rising(self) -> AtShares:
        _check_rising("at", self.at, 1)
        return self

    def leaves_out(self, metric: str) -> str:
        """Return why looks at these shares give no such number; "" where they do."""
        part = metric.rpartition("_")[2]
        if look_of(part, self.at) is not None:
            return ""
        wanted = {"start": "0", "end": "1"}.get(part, f"a share from {NEAR_HALF[0]} to {NEAR_HALF[1]}")
        return f"its probe does not look {PARTS[part]}; add {wanted} to `at`"


class NoiseGradientOptions(AtShares):
    """Look at the gradients of `images` noisy training examples, of as many others, and of as many clean ones; and at
    those of the first under other wrong labels, drawn `redraws` times."""

    kind: Literal["noise_gradient"]
    images: Annotated[int, Field(ge=2)]
    redraws: Count


class EffectiveBatchOptions(AtShares):
    """Look at mean gradients of batches: `draws` of `batch` diluted examples for each of `alphas`, noisy labels for
    each clean one, and of clean images, in batches of 1, 2, 4 and so on."""

    kind: Literal["effective_batch"]
    batch: Annotated[int, Field(ge=1, le=LARGEST_BATCH)]
    alphas: Annotated[tuple[NotNegative, ...], Field(strict=False)]
    draws: Count

    @model_validator(mode="after")
    def _alphas_rise(self) -> EffectiveBatchOptions:
        _check_rising("alphas", self.alphas, 2)
        return self


def _check_rising(key: str, values: Sequence[float], fewest: int) -> None:
    if len(values) < fewest:
        raise ValueError(f"{key}: give {fewest} at least, not {list(values)}")
    if list(values) != sorted(set(values)):
        raise ValueError(f"{key}: {list(values)} do not rise")


def look_of(part: str, at: Sequence[float]) -> int | None:
    """Return which of the looks `at` these shares is the `start`, the `half` (the nearest one, of two equally near ones
    the earlier) or the `end` of a training; None where none is."""
    if part == "half":
        nearest = min(range(len(at)), key=lambda look: abs(at[look] - 0.5))
        return nearest if NEAR_HALF[0] <= at[nearest] <= NEAR_HALF[1] else None
    wanted = {"start": 0.0, "end": 1.0}[part]
    return list(at).index(wanted) if wanted in at else None


def step_at(share: float, steps: int) -> int:
    """Return how many of a training's `steps` are done at a share of them: the whole number at or below it."""
    return int(share * steps + 1e-9)  # 0.29 · 100 is a little less than 29


def sizes_up_to(batch: int) -> tuple[int, ...]:
    """Return the sizes of clean batches with which one of `batch` diluted examples is compared: powers of 2, the last
    the first that is at least twice as large, or LARGEST_BATCH."""
    powers = [1 << power for power in range(LARGEST_BATCH.bit_length())]
    return tuple(size for size in powers if size < 4 * batch)


def noise_gradient_metrics() -> dict[str, Metric]:
    """Return the metrics of noise_gradient."""
    return {
        f"{name}_{part}": Metric(low, high, "none", False, f"{words}, {PARTS[part]}")
        for name, (low, high, words) in NOISE_GRADIENT.items()
        for part in ("half", "end")
    }


def effective_batch_metrics() -> dict[str, Metric]:
    """Return the metrics of effective_batch."""
    endless = float("inf")
    found = {
        "trend": (-1.0, 1.0, "rank correlation (Kendall's tau-a) of the effective batch size with alpha"),
        "slope": (-endless, endless, "slope of the log of the effective batch size over log(1 + alpha)"),
    }
    return {
        f"effective_batch_{name}_{part}": Metric(low, high, "none", False, f"{words}, {when}")
        for name, (low, high, words) in found.items()
        for part, when in PARTS.items()
    }


def noise_gradient_passes(options: dict[str, Any], recipe: dict[str, Any]) -> float:
    """Price four gradients in a batch, and each example's own under every class; and one in a batch for each draw of
    labels where their sums are too large to be held."""
    source = source_of(recipe["dataset"])
    layers = catalog.find("model", recipe["model"]).layers
    parameters = sum(layer.parameters for layer in layers(source.shape, source.classes)) if layers else 0
    rows = 1 + int(options["redraws"])
    alone = 0 if rows * parameters <= LABEL_SUMS else 3.0 * rows
    return _spread(options, recipe, int(options["images"]) * (12.0 + EACH * source.classes + alone))


def effective_batch_passes(options: dict[str, Any], recipe: dict[str, Any]) -> float:
    """Price the gradient of the clean images; of each draw, each image's own for small batches, and those of large
    ones."""
    clean, batch = min(CLEAN_IMAGES, int(recipe["dataset"]["clean"])), int(options["batch"])
    sizes = sizes_up_to(batch)
    single = max(size for size in sizes if size <= SINGLES)
    in_batches = batch * len(options["alphas"]) + sum(size for size in sizes if size > SINGLES)
    each_draw = EACH * single + 3.0 * in_batches
    return _spread(options, recipe, 3.0 * clean + int(options["draws"]) * each_draw)


def _spread(options: dict[str, Any], recipe: dict[str, Any], forward: float) -> float:
    """Return the `forward` passes of each look as passes over an epoch's examples."""
    from lnbench.training.shape import examples_an_epoch  # it asks the probes' entries, which import this module

    return len(options["at"]) * forward / (float(recipe["epochs"]) * examples_an_epoch(recipe))
