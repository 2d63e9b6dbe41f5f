"""Names of the catalog that belong to training: optimisers, schedules, weight averages, and what a training yields."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lnbench.catalog import find
from lnbench.catalog.entry import Entry, Input, Metric
from lnbench.catalog.options import BelowOne, Count, NotNegative, Options, Positive
from lnbench.data.sources import source_of
from lnbench.training.probes import entries as probes
from lnbench.yamlfile.problems import Misfit

SMOOTHING = 0.9  # the decay, an epoch, of a smoothed curve


class _Stepping(Options):
    """What every optimiser has, a wrapping one too: `optimizer.lr` is the rate of a step, whatever takes it."""

    lr: Positive
    weight_decay: NotNegative


class AdaDeltaBase(Options):
    """AdaDelta as the base of another optimiser, which has the rate and the decay."""

    kind: Literal["adadelta"]
    rho: BelowOne
    eps: Positive

    @property
    def has_momentum(self) -> bool:
        """Return whether there is a momentum that a schedule could cycle."""
        return False


class AdaDelta(AdaDeltaBase, _Stepping):
    """AdaDelta (Zeiler 2012, algorithm 1), its step multiplied by `lr`."""


class SgdBase(Options):
    """SGD as the base of another optimiser, which has the rate and the decay."""

    kind: Literal["sgd"]
    momentum: BelowOne
    nesterov: bool

    @property
    def has_momentum(self) -> bool:
        """Return whether there is a momentum that a schedule could cycle."""
        return self.momentum > 0


class Sgd(SgdBase, _Stepping):
    """Stochastic gradient descent with momentum (torch's form: v ← m·v + g; w ← w − lr·v)."""


class AdamBase(Options):
    """Adam as the base of another optimiser, which has the rate and the decay."""

    kind: Literal["adam"]
    beta1: BelowOne
    beta2: BelowOne
    eps: Positive

    @property
    def has_momentum(self) -> bool:
        """Return whether there is a momentum that a schedule could cycle: Adam's is beta1."""
        return True


class Adam(AdamBase, _Stepping):
    """Adam (Kingma & Ba 2015, algorithm 1); the decay is added to the gradient (L2, as in torch.optim.Adam)."""


class ConstantSchedule(Options):
    """The learning rate stays as it is."""

    kind: Literal["constant"]


def rising(milestones: tuple[int, ...]) -> tuple[int, ...]:
    """Return the milestones of a schedule. Raises ValueError where one is no later than the one before."""
    if list(milestones) != sorted(set(milestones)):
        raise ValueError("milestones: each must be later than the one before")
    return milestones


class StepSchedule(Options):
    """The rate is multiplied by `gamma` at each milestone, a number of steps or of epochs from the start."""

    kind: Literal["step"]
    milestones: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
    gamma: Positive
    unit: Literal["steps", "epochs"]

    _rising = field_validator("milestones")(rising)


class _Paced(Options):
    """A schedule with an end: `length` counts steps or epochs; the rate moves at every step, or at every epoch only."""

    length: Count
    unit: Literal["steps", "epochs"]
    per: Literal["step", "epoch"]

    @model_validator(mode="after")
    def _whole_epochs(self) -> Self:
        if (self.per, self.unit) == ("epoch", "steps"):
            raise Misfit("unit", "unit: a rate that moves per epoch has its length in epochs")
        return self


class CosineSchedule(_Paced):
    """The rate falls along half a cosine to `final` times itself, and stays there (torch's CosineAnnealingLR)."""

    kind: Literal["cosine"]
    final: BelowOne


class CycledMomentum(Options):
    """The momentum falls from `high` to `low` while the rate rises, and rises again while it falls."""

    low: BelowOne
    high: BelowOne


class OneCycleSchedule(_Paced):
    """The rate rises from 1/div_factor to itself within a share `rise` of the length, then falls to 1/(div_factor ×
    final_div_factor), both along half a cosine, and stays there (torch's OneCycleLR). `momentum: null` keeps the
    optimizer's; a mapping takes its place (of Adam's beta1, with adam)."""

    kind: Literal["one_cycle"]
    rise: Annotated[float, Field(ge=0, le=1)]
    div_factor: Positive
    final_div_factor: Positive
    momentum: CycledMomentum | None


class LevelsSchedule(Options):
    """The rate is multiplied by one of `factors` from each milestone on, a number of steps or of epochs from the
    start."""

    kind: Literal["levels"]
    milestones: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
    factors: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]
    unit: Literal["steps", "epochs"]

    _rising = field_validator("milestones")(rising)

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if len(self.factors) != len(self.milestones):
            what = f"factors: {len(self.factors)} for {len(self.milestones)} milestones; give one for each"
            raise Misfit("factors", what)
        return self


class MomentumTurn(Options):
    """The momentum (of Adam: beta1) before a schedule's start, and from there on."""

    before: BelowOne
    after: BelowOne


class LinearSchedule(_Paced):
    """The rate stays as it is up to `start`, in the unit of the length, then falls along a line to `final` times itself
    and stays there. `momentum: null` keeps the optimizer's; a mapping takes its place (of Adam's beta1, with adam)."""

    kind: Literal["linear"]
    start: Annotated[int, Field(ge=0)]
    final: NotNegative
    momentum: MomentumTurn | None

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        if self.start >= self.length:
            raise Misfit("start", f"start: {self.start} is not before the schedule's end, {self.length}")
        return self


class ExponentialSchedule(Options):
    """The rate falls by the factor e^−k with each `unit`, k = `rate`: e^(−k·t), with t in epochs or in steps; the rate
    moves at every step, or at every epoch only (torch's ExponentialLR, its gamma e^−k)."""

    kind: Literal["exponential"]
    rate: Positive
    unit: Literal["steps", "epochs"]
    per: Literal["step", "epoch"]

    @model_validator(mode="after")
    def _whole_epochs(self) -> Self:
        if (self.per, self.unit) == ("epoch", "steps"):
            raise Misfit("unit", "unit: a rate that moves per epoch falls with each epoch, not with each step")
        return self


class CyclicSchedule(_Paced):
    """The rate stays as it is up to `start`; from there it falls along a line from `high` to `low` times itself, again
    in each cycle of `length` (Izmailov et al. 2018, section 3.2). The last step of a cycle is taken at `low`."""

    kind: Literal["cyclic"]
    start: Annotated[int, Field(ge=0)]
    high: Positive
    low: NotNegative

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.low > self.high:
            raise Misfit("low", f"low: {self.low:g} is above high, {self.high:g}; a cycle falls from high to low")
        return self


# how the neighbourhood of a wrapping optimiser moves: any of these gives the factor of `rho` at each step
RhoSchedule = Annotated[
    ConstantSchedule | StepSchedule | LevelsSchedule | ExponentialSchedule, Field(discriminator="kind")
]


class _Wrapping(_Stepping):
    """An optimiser that hands another gradient to its `base`, which then steps with this one's rate and decay.

    rho_schedule: the factor of `rho` at each step, as a schedule gives that of the learning rate; null: always 1, which
    `constant` is another word for.
    """

    later: ClassVar[tuple[str, ...]] = ("rho_schedule",)  # than the first records: no part of them where not used

    rho: Positive
    base: Annotated[SgdBase | AdaDeltaBase | AdamBase, Field(discriminator="kind")]
    rho_schedule: RhoSchedule | None = None

    @property
    def has_momentum(self) -> bool:
        """Return whether there is a momentum that a schedule could cycle."""
        return self.base.has_momentum

    @field_validator("rho_schedule")
    @classmethod
    def _constant_is_none(cls, schedule: Options | None) -> Options | None:
        return None if isinstance(schedule, ConstantSchedule) else schedule

    def identity(self) -> dict[str, Any]:
        """Return the options that decide a run."""
        unused = {name for name in self.later if getattr(self, name) == type(self).model_fields[name].default}
        return self.model_dump(mode="json", exclude=unused)


class Sam(_Wrapping):
    """Sharpness-aware minimisation (Foret et al. 2021, algorithm 1): the gradient is taken `rho` uphill."""

    kind: Literal["sam"]


class Asam(_Wrapping):
    """Adaptive SAM (Kwon et al. 2021, algorithm 1): uphill in units of each weight's own size.

    scaled: `weights`, as in the authors' code: |w| + `eta` for weights, 1 for biases. `all`, as in the widely used code
    of D. Samuel (davda54/sam): |w| for biases too, and no eta; that code suggests rho 2.
    """

    later: ClassVar[tuple[str, ...]] = (*_Wrapping.later, "scaled")
    kind: Literal["asam"]
    eta: NotNegative
    scaled: Literal["weights", "all"] = "weights"

    @model_validator(mode="after")
    def _no_eta_of_all(self) -> Self:
        if self.scaled == "all" and self.eta:
            raise Misfit("eta", "eta: where all are scaled by their size alone there is none; write eta: 0")
        return self


class SwaAverage(Options):
    """Stochastic weight averaging (Izmailov et al. 2018, algorithm 1): the mean of the weights after `start` steps (or
    epochs) and after each further `every`."""

    kind: Literal["swa"]
    start: Count
    every: Count
    unit: Literal["steps", "epochs"]


class EmaAverage(Options):
    """The exponential moving average: a ← decay·a + (1 − decay)·w after each step, from the first step's weights on."""

    kind: Literal["ema"]
    decay: BelowOne


def _averaged() -> dict[str, Metric]:
    """Return the metrics of a training that keeps an average of its weights."""
    of = "of the averaged weights"
    return {
        "test_accuracy_averaged": Metric(
            0, 1, "test", True, f"accuracy {of} on the clean test set", key="average", share_of="test images"
        ),
        "test_loss_averaged": Metric(
            0, math.inf, "test", False, f"cross-entropy {of} on the clean test set", key="average"
        ),
        "validation_accuracy_averaged": Metric(
            0,
            1,
            "validation",
            True,
            f"accuracy {of} on held-out clean images",
            key="average",
            share_of="validation images",
        ),
    }


def _norm_passes(options: dict[str, Any], recipe: dict[str, Any]) -> float:
    """Count one pass an epoch for the statistics of batch normalisations; where the layers are not known, as if with
    some."""
    model, source = find("model", recipe["model"]), source_of(recipe["dataset"])
    if model.layers is None:
        return 1.0
    return float(any(layer.kind == "norm" for layer in model.layers(source.shape, source.classes)))


def _two(options: dict[str, Any], recipe: dict[str, Any]) -> float:
    """Two gradients a step."""
    return 2


def entries() -> list[Entry]:
    """Optimisers, schedules, and what a training yields."""
    optimizer, schedule = "lnbench.training.optimisers", "lnbench.training.schedules"
    average = "lnbench.training.averages"
    metrics = {
        "test_accuracy": Metric(0, 1, "test", True, "accuracy on the clean test set", share_of="test images"),
        "test_accuracy_ema": Metric(
            0, 1, "test", True, f"test accuracy, its curve smoothed (decay {SMOOTHING} an epoch)", curve="test_accuracy"
        ),
        "test_error": Metric(
            0, 1, "test", True, "error on the clean test set", share_of="test images", rest_of="test_accuracy"
        ),
        "test_loss": Metric(0, math.inf, "test", False, "cross-entropy on the clean test set"),
        "validation_accuracy": Metric(
            0, 1, "validation", True, "accuracy on held-out clean images", share_of="validation images"
        ),
        "train_accuracy": Metric(
            0,
            1,
            "train",
            True,
            "accuracy on the training labels as given, during the epoch",
            share_of="training examples",
        ),
        "train_loss": Metric(0, math.inf, "train", False, "loss on the training labels, during the epoch"),
        **_averaged(),
    }
    return [
        Entry("optimizer", "adadelta", target=f"{optimizer}:AdaDelta", options=AdaDelta),
        Entry("optimizer", "sgd", target=f"{optimizer}:Sgd", options=Sgd),
        Entry("optimizer", "adam", target=f"{optimizer}:Adam", options=Adam),
        Entry("optimizer", "sam", target=f"{optimizer}:Sam", options=Sam, passes=_two, stacks=False),
        Entry("optimizer", "asam", target=f"{optimizer}:Asam", options=Asam, passes=_two, stacks=False),
        Entry("schedule", "constant", target=f"{schedule}:constant", options=ConstantSchedule),
        Entry("schedule", "step", target=f"{schedule}:step_decay", options=StepSchedule),
        Entry("schedule", "levels", target=f"{schedule}:levels", options=LevelsSchedule),
        Entry("schedule", "linear", target=f"{schedule}:linear", options=LinearSchedule),
        Entry("schedule", "cosine", target=f"{schedule}:cosine", options=CosineSchedule),
        Entry("schedule", "one_cycle", target=f"{schedule}:one_cycle", options=OneCycleSchedule),
        Entry("schedule", "exponential", target=f"{schedule}:exponential", options=ExponentialSchedule),
        Entry("schedule", "cyclic", target=f"{schedule}:cyclic", options=CyclicSchedule),
        Entry("average", "swa", target=f"{average}:Swa", options=SwaAverage, passes=_norm_passes,
              words="the plain mean of the weights at regular points, from a start on"),
        Entry("average", "ema", target=f"{average}:Ema", options=EmaAverage, passes=_norm_passes,
              words="the exponential moving average of the weights of all steps"),
        *(Entry("metric", name, value=metric, words=metric.words) for name, metric in metrics.items()),
        *probes.entries(),
        Entry("input", "weights", target="lnbench.training.warm_start:last_weights",
              value=Input(("final_weights",), "weights"), words="the weights that a training run ended with"),
        Entry("input", "predictions", target="lnbench.training.predicted:last_predictions",
              value=Input(("final_predictions",), "predictions"),
              words="what a training run takes its training images for at its end"),
    ]  # fmt: skip
