"""What a study may say about each experiment: its options, and what a run costs. Neither numpy nor numba here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from lnbench.catalog import find, names
from lnbench.catalog.options import BelowOne, Count, ExperimentRecipe, NotNegative, Positive
from lnbench.data.entries import Pixels
from lnbench.errors import did_you_mean
from lnbench.methods.entries import NoisyLoss
from lnbench.noise.entries import (
    ClassConditional,
    DiluteStructured,
    DiluteUniform,
    HardImages,
    Human,
    NoNoise,
    PairFlip,
    ReplaceUniform,
)
from lnbench.training.entries import (
    AdaDelta,
    Adam,
    ConstantSchedule,
    CosineSchedule,
    OneCycleSchedule,
    Sgd,
    StepSchedule,
)
from lnbench.yamlfile.model import Whole
from lnbench.yamlfile.problems import Misfit

Probability = Annotated[float, Field(ge=0, le=1)]


PIXEL_SECONDS = 3e-7  # of a core, for each pixel of each image that a model of the pixels is fitted on
LOOKED_AT = 1000  # test images on which `label_errors` looks, each epoch, how well its network learns


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
    batch: Literal["one", "all"]  # samples per step: one, drawn with replacement, or all
    noisy: bool  # whether labels have noise, fresh at each step
    noise: Literal["rademacher", "gaussian"]  # the noise's law
    sigma: NotNegative  # its standard deviation; not read where `noisy` is false
    noise_period: Annotated[int, Field(ge=0)]  # on for so many steps, off for so many, and so on; 0: always on
    rho: Positive | None  # sharpness-aware minimisation with this radius; null: plain gradients
    points: Annotated[int, Field(ge=2, le=10_000)]  # log-spaced steps at which the curves are read
    neurons_kept: Annotated[int, Field(ge=0, le=1_000)]  # whose norm and direction are kept at some steps, for figures

    def identity(self) -> dict[str, Any]:
        """Return the options that decide a run. Without noise, sigma is 0 whatever was written: arms without noise
        share their runs."""
        recipe = super().identity()
        return recipe if self.noisy else {**recipe, "sigma": 0.0}

    @model_validator(mode="after")
    def _whole_periods(self) -> LinearNetwork:
        if self.noise_period and self.steps % (2 * self.noise_period):
            what = f"noise_period: {self.steps} steps are no whole number of {self.noise_period} on and as many off"
            raise Misfit("noise_period", what)
        return self


def linear_network_seconds(recipe: dict[str, Any]) -> float:
    """Return seconds on one core, without compilation (fitted to measurements, docs/performance.md)."""
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
    downsample: Annotated[Literal[1, 2, 4], Whole]  # the means of so many by so many pixels
    hidden: Count
    weight_sd: Positive  # of the first weights, times 1/sqrt(fan-in)
    bias_sd: NotNegative
    lr: Positive
    steps: Annotated[int, Field(ge=1, lt=2**31)]
    read_every: Count  # steps from one reading of losses and norms to the next
    readings: Literal["even", "log"] = "even"  # log: about as many readings, evenly in the logarithm of the steps
    label_noise: Probability  # each label, at each step, is redrawn with this probability
    rho: Positive | None  # sharpness-aware minimisation with this radius; null: plain gradients
    kernel: Literal["full", "trace"]  # of the linearisation: between all outputs, or their mean for each (NTK)

    def identity(self) -> dict[str, Any]:
        """Return the options that decide a run. Even readings are not named: older runs have no such option."""
        recipe = super().identity()
        return {key: value for key, value in recipe.items() if (key, value) != ("readings", "even")}

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
    """Return seconds on one core (fitted to measurements, docs/performance.md)."""
    images, hidden = recipe["images"], recipe["hidden"]
    step = 6e-5 + images * hidden * (1.7e-8 + 6e-11 * (images + 30))
    return float(recipe["steps"] * step * (2 if recipe["rho"] else 1)) + 0.3


class LabelLaw(ExperimentRecipe):
    """What noise does to the labels of a balanced set, and what a loss makes of it (`experiments/label_law.py`)."""

    experiment: Literal["label_law"]
    images: Count
    classes: Annotated[int, Field(ge=2, le=1000)]
    noise: Annotated[
        NoNoise | DiluteUniform | ReplaceUniform | DiluteStructured | PairFlip,
        Field(discriminator="kind"),
    ]
    method: Literal["standard"] | NoisyLoss

    @model_validator(mode="after")
    def _no_inputs(self) -> LabelLaw:
        if getattr(self.noise, "needs", ()):
            raise Misfit("noise.order", "order: an experiment has no confusion matrix; take random")
        return self


def label_law_seconds(recipe: dict[str, Any]) -> float:
    """Return seconds on one core: a label takes two tenths of a microsecond."""
    return 2e-7 * float(recipe["images"] * (1 + recipe["noise"].get("alpha", 0))) + 0.1


def _name_of(kind: str) -> Any:
    """Return the type of a text that is a name of the catalog, plug-ins' included, which editors complete. The catalog
    is asked when a recipe is read: it needs this module first."""

    def check(value: str) -> str:
        if value not in names(kind):
            raise ValueError(f"{kind}: '{value}' is not known; {did_you_mean(value, names(kind))}")
        return value

    def complete(schema: dict[str, Any]) -> None:
        schema["enum"] = names(kind)

    return Annotated[str, Field(json_schema_extra=complete), AfterValidator(check)]


if TYPE_CHECKING:
    DatasetName = str
    ModelName = str
else:
    DatasetName, ModelName = _name_of("dataset"), _name_of("model")


class LabelErrors(ExperimentRecipe):
    """Wrong labels of one noise draw, found by loss curves, margins and confident learning (`label_errors.py`)."""

    experiment: Literal["label_errors"]
    dataset: DatasetName
    clean: Count  # images whose labels the noise draws
    noise: Annotated[
        ReplaceUniform | PairFlip | ClassConditional | Human | HardImages,
        Field(discriminator="kind"),
    ]
    model: ModelName
    method: Literal["standard"]
    optimizer: Annotated[AdaDelta | Sgd | Adam, Field(discriminator="kind")]
    schedule: Annotated[
        ConstantSchedule | StepSchedule | CosineSchedule | OneCycleSchedule,
        Field(discriminator="kind"),
    ]
    batch_size: Count
    epochs: Count  # of the network whose losses and margins are summed
    augment: Literal["none", "crop_flip"]
    precision: Literal["fp32"]
    pixels: Pixels | None
    folds: Annotated[int, Field(ge=0, le=100)]  # of confident learning; 0: without it
    pixels_model: Literal["logistic", "none"] = "none"  # of the images themselves, also given to confident learning

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a model of the pixels that there is not: older runs have no such option."""
        options: dict[str, Any] = plain(self)
        return {key: value for key, value in options.items() if (key, value) != ("pixels_model", "none")}

    def identity(self) -> dict[str, Any]:
        """Return the options that decide a run; of the noise, those that decide its labels."""
        recipe = super().identity()
        return {**recipe, "noise": self.noise.identity()} if hasattr(self.noise, "identity") else recipe

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.dataset,)

    @model_validator(mode="after")
    def _folds_cost_as_much(self) -> LabelErrors:
        if self.pixels_model != "none" and not self.folds:
            what = "pixels_model: its probabilities are out of the folds of confident learning; give folds: 2 or more"
            raise Misfit("pixels_model", what)
        if self.folds == 1:
            raise Misfit("folds", "folds: one fold leaves nothing to train on; take 2 or more, or 0 for none")
        if not self.folds:
            return self
        shares = self.folds - 1
        if self.epochs % shares:
            what = f"{self.folds} folds are trained for {self.epochs}/{shares} epochs each, which is not a whole number"
            raise Misfit("epochs", f"epochs: {what}")
        largest = -(-self.clean // self.folds)
        if self.batch_size > self.clean - largest:
            what = f"{self.batch_size} is larger than what a fold is trained on, {self.clean - largest} images"
            raise Misfit("batch_size", f"batch_size: {what}")
        lengths = [*getattr(self.schedule, "milestones", ()), getattr(self.schedule, "length", shares)]
        if getattr(self.schedule, "unit", "epochs") != "epochs" or any(length % shares for length in lengths):
            what = (
                f"{self.folds} folds have 1/{shares} of the epochs, so its lengths must be epochs, {shares} times whole"
            )
            raise Misfit("schedule", f"schedule: {what}")
        return self

    def training(self) -> dict[str, Any]:
        own = {"noise": self.identity()["noise"], "selection": "last_epoch"}
        return {**network_of(self.identity(), self.clean), **own}

    @property
    def packages(self) -> dict[str, str]:
        return {"cleanlab": "lnbench[peers]"} if self.folds else {}

    def leaves_out(self, metric: str) -> str:
        if not self.folds and metric.startswith("confident_"):
            return "confident learning is left out; give it folds: 2 or more"
        without = self.pixels_model == "none" and metric.startswith("logistic_")
        return "no model of the pixels is fitted; write `pixels_model: logistic`" if without else ""


def network_of(recipe: dict[str, Any], images: int, shares: int = 1) -> dict[str, Any]:
    """Return the training of one network of `label_errors` on so many images, for 1/shares of its epochs: a recipe as
    the engine takes it. Its schedule is shortened in the same way; the labels are used as they are given."""
    schedule = dict(recipe["schedule"])
    if "milestones" in schedule:
        schedule["milestones"] = [milestone // shares for milestone in schedule["milestones"]]
    if "length" in schedule:
        schedule["length"] //= shares
    kept = ("model", "method", "optimizer", "batch_size", "augment", "precision", "pixels")
    return {
        **{key: recipe[key] for key in kept if recipe[key] is not None},
        "dataset": {"name": recipe["dataset"], "clean": images, "validation": 0},
        "noise": {"kind": "none"},
        "schedule": schedule,
        "epochs": recipe["epochs"] // shares,
    }


class EpochTimes(ExperimentRecipe):
    """Epochs of SGD, SAM, ASAM and weight averaging, timed in turns on one machine (`experiments/epoch_times.py`)."""

    experiment: Literal["epoch_times"]
    dataset: DatasetName
    clean: Count  # training images of an epoch that is timed
    test: Count  # images that it is evaluated on
    model: ModelName
    batch_size: Count
    lr: Positive
    momentum: BelowOne
    weight_decay: NotNegative
    sam_rho: Positive
    asam_rho: Positive
    asam_eta: NotNegative
    asam_scaled: Literal["weights", "all"]
    epochs: Count  # of a whole training: it has one pass for the statistics of averaged weights
    turns: Annotated[int, Field(ge=3, le=1000)]
    augment: Literal["none", "crop_flip"]
    pixels: Pixels | None

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.dataset,)

    @model_validator(mode="after")
    def _has_a_batch(self) -> EpochTimes:
        if self.batch_size > self.clean:
            what = f"batch_size: {self.batch_size} is larger than the data, {self.clean} images"
            raise Misfit("batch_size", what)
        if self.asam_scaled == "all" and self.asam_eta:
            raise Misfit("asam_eta", "asam_eta: where all are scaled by their size alone there is none; write 0")
        return self

    def training(self) -> dict[str, Any]:
        return {**timed_network(self.identity(), "sgd", self.turns), "selection": "last_epoch"}


def timed_network(recipe: dict[str, Any], name: str, epochs: int) -> dict[str, Any]:
    """Return the training of `epoch_times` that is called `name` (sgd, sam, asam or swa), for so many epochs: a recipe
    as the engine takes it."""
    base = {"kind": "sgd", "momentum": recipe["momentum"], "nesterov": False}
    stepping = {"lr": recipe["lr"], "weight_decay": recipe["weight_decay"]}
    optimizer: dict[str, Any] = {
        "sam": {"kind": "sam", "rho": recipe["sam_rho"], "base": base, **stepping},
        "asam": {
            "kind": "asam",
            "rho": recipe["asam_rho"],
            "eta": recipe["asam_eta"],
            "scaled": recipe["asam_scaled"],
            "base": base,
            **stepping,
        },
    }.get(name, {**base, **stepping})
    average = {"average": {"kind": "swa", "start": 1, "every": 1, "unit": "epochs"}} if name == "swa" else {}
    pixels = {} if recipe["pixels"] is None else {"pixels": recipe["pixels"]}
    return {
        "dataset": {"name": recipe["dataset"], "clean": recipe["clean"], "validation": 0, "test": recipe["test"]},
        "noise": {"kind": "none"},
        "model": recipe["model"],
        "method": "standard",
        "optimizer": optimizer,
        "schedule": {"kind": "constant"},
        "batch_size": recipe["batch_size"],
        "epochs": epochs,
        "augment": recipe["augment"],
        "precision": "fp32",
        **pixels,
        **average,
    }


def epoch_times_seconds(recipe: dict[str, Any]) -> float:
    """Return seconds on one core: six epochs' steps (SAM and ASAM have two each), two passes and four evaluations a
    turn."""
    source, mmac = find("dataset", recipe["dataset"]).value, find("model", recipe["model"]).mmac
    macs = 1e6 * mmac(source.shape, source.classes) if mmac else 0.0
    a_turn = recipe["clean"] * (6 * 6 + 2 * 2) + recipe["test"] * 4 * 2
    steps = 6 * recipe["clean"] / recipe["batch_size"]
    return float((recipe["turns"] + 1) * (macs * a_turn / 6e10 + 4e-4 * steps))


def label_errors_seconds(recipe: dict[str, Any]) -> float:
    """Return seconds on one core: operations and steps as trainings are priced (cost.py), mixtures and confident
    learning."""
    source, mmac = find("dataset", recipe["dataset"]).value, find("model", recipe["model"]).mmac
    macs = 1e6 * mmac(source.shape, source.classes) if mmac else 0.0
    passes = float(recipe["clean"] * recipe["epochs"])
    looks = float(recipe["epochs"] * LOOKED_AT)
    if recipe["folds"]:
        looks += passes / (recipe["folds"] - 1)
        passes *= 2
    trained = macs * (6 * passes + 2 * looks) / 6e10 + 4e-4 * passes / recipe["batch_size"]
    return float(trained + 3e-5 * recipe["clean"] + label_errors_on_a_core(recipe))


def label_errors_on_a_core(recipe: dict[str, Any]) -> float:
    """Return seconds of one core for the models of the pixels, which no GPU fits. The rate is that of
    the fastest draws of the report peers_by_noise-cpu: 1.4e-7 s on Fashion-MNIST, 3.1e-7 s on CIFAR-10."""
    if "pixels_model" not in recipe:
        return 0.0
    shape, folds = find("dataset", recipe["dataset"]).value.shape, recipe["folds"]
    return float(PIXEL_SECONDS * math.prod(shape) * recipe["clean"] * (folds - 1))
