"""What a study may say of each experiment: its options, and what a run costs. Neither numpy nor numba here."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lnbench import options as named
from lnbench.options import Count, NotNegative, Options, Positive
from lnbench.validation import Misfit

Probability = Annotated[float, Field(ge=0, le=1)]


class ExperimentRecipe(Options):
    """Everything that decides a run of an experiment but its seeds.

    `arm` names a place of the grid, so that `vary` can go over arms that differ in several options (`set` gives
    them): it is no part of a run's identity, and two arms with the same options share their runs.
    """

    experiment: str
    arm: str | None = None

    def identity(self) -> dict[str, Any]:
        """The recipe as plain data, without the name of its arm."""
        return self.model_dump(mode="json", exclude={"arm"})

    @property
    def datasets(self) -> tuple[str, ...]:
        """The image data that a run reads."""
        return ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The inputs, by name, that a run reads: none."""
        return ()


class LinearNetwork(ExperimentRecipe):
    """A two-layer linear network f(x) = aᵀWx fits a linear teacher (`experiments/linear_network.py`)."""

    experiment: Literal["linear_network"]
    neurons: Count  # m
    dimension: Count  # d
    samples: Count  # n
    test_samples: Count
    first_scale: Positive  # first weights W_ij ~ N(0, first_scale² / d)
    second_scale: Positive  # first weights a_i ~ N(0, second_scale² / m)
    lr: Positive  # η
    steps: Annotated[int, Field(ge=1, lt=2**32)]
    batch: Literal["one", "all"]  # samples a step: one, drawn with replacement, or all
    noisy: bool  # whether labels have noise, fresh at each step
    noise: Literal["rademacher", "gaussian"]  # its law
    sigma: NotNegative  # its standard deviation; not read where `noisy` is false
    noise_period: Annotated[int, Field(ge=0)]  # on for so many steps, off for so many, and so on; 0: always on
    rho: Positive | None  # sharpness-aware minimisation with this radius; null: plain gradients
    points: Annotated[int, Field(ge=2, le=10_000)]  # log-spaced steps at which the curves are read
    neurons_kept: Annotated[int, Field(ge=0, le=1_000)]  # whose norm and direction are kept at some steps, for figures

    def identity(self) -> dict[str, Any]:
        """Without noise, sigma is 0 whatever was said: arms without noise share their runs."""
        recipe = super().identity()
        return recipe if self.noisy else {**recipe, "sigma": 0.0}

    @model_validator(mode="after")
    def _whole_periods(self) -> LinearNetwork:
        if self.noise_period and self.steps % (2 * self.noise_period):
            what = f"noise_period: {self.steps} steps are no whole number of {self.noise_period} on and as many off"
            raise Misfit("noise_period", what)
        return self


def linear_network_seconds(recipe: dict[str, Any]) -> float:
    """Seconds on one core, compilation apart (fitted to measurements, docs/performance.md)."""
    dimension, wide = recipe["dimension"], min(recipe["neurons"], recipe["dimension"] + 1)
    pair = 2.0e-7 + 4.0e-10 * dimension * wide  # prediction, gradient and update
    if recipe["batch"] == "all":
        pair += 4.0e-10 * dimension * (wide + dimension)
        pair += 3.0e-9 * recipe["samples"] * (1 + dimension / 8) if recipe["sigma"] else 0.0
    readings = 6e-9 * recipe["neurons"] * dimension * 200 * math.log(max(2, recipe["steps"]))
    return float(recipe["steps"] * pair * (2 if recipe["rho"] else 1) + readings)


class Ntk(ExperimentRecipe):
    """A network of one hidden erf layer and its linearisation, on a few images (`experiments/ntk.py`)."""

    experiment: Literal["ntk"]
    dataset: Literal["cifar10", "synthetic_cifar10"]
    images: Annotated[int, Field(ge=2, le=2_000)]  # for training, and as many for testing
    draw: Literal["first", "random"]  # which images of each split
    downsample: Literal[1, 2, 4]  # the means of so many by so many pixels
    hidden: Count
    weight_sd: Positive  # of the first weights, times 1/sqrt(fan-in)
    bias_sd: NotNegative
    lr: Positive
    steps: Annotated[int, Field(ge=1, lt=2**31)]
    read_every: Count  # steps from one reading of losses and norms to the next
    label_noise: Probability  # each label, at each step, is redrawn with this probability
    rho: Positive | None  # sharpness-aware minimisation with this radius; null: plain gradients
    kernel: Literal["full", "trace"]  # of the linearisation: between all outputs, or their mean for each (NTK)

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.dataset,)

    @model_validator(mode="after")
    def _reads_at_the_end(self) -> Ntk:
        if self.steps % self.read_every:
            what = f"read_every: {self.steps} steps are no whole number of {self.read_every}; the end is never read"
            raise Misfit("read_every", what)
        return self


def ntk_seconds(recipe: dict[str, Any]) -> float:
    """Seconds on one core (fitted to measurements, docs/performance.md)."""
    images, hidden = recipe["images"], recipe["hidden"]
    step = 6e-5 + images * hidden * (1.7e-8 + 6e-11 * (images + 30))
    return float(recipe["steps"] * step * (2 if recipe["rho"] else 1)) + 0.3


class LabelLaw(ExperimentRecipe):
    """What noise does to the labels of a balanced set, and what a loss makes of it (`experiments/label_law.py`)."""

    experiment: Literal["label_law"]
    images: Count
    classes: Annotated[int, Field(ge=2, le=1000)]
    noise: Annotated[
        named.NoNoise | named.DiluteUniform | named.ReplaceUniform | named.DiluteStructured | named.PairFlip,
        Field(discriminator="kind"),
    ]
    method: Literal["standard"] | named.NoisyLoss

    @model_validator(mode="after")
    def _no_inputs(self) -> LabelLaw:
        if getattr(self.noise, "needs", ()):
            raise Misfit("noise.order", "order: an experiment has no confusion matrix; take random")
        return self


def label_law_seconds(recipe: dict[str, Any]) -> float:
    """Seconds on one core: a label takes two tenths of a microsecond."""
    return 2e-7 * float(recipe["images"] * (1 + recipe["noise"].get("alpha", 0))) + 0.1
