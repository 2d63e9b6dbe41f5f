"""Names of the catalog that belong to training: optimisers, schedules, probes and the metrics of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lnbench.catalog.entry import Entry, Metric
from lnbench.catalog.options import BelowOne, Count, NotNegative, Options, Positive
from lnbench.errors import did_you_mean
from lnbench.yamlfile.problems import Misfit

PROBES = (  # what a recipe's `probes` may ask for
    "example_loss",
    "example_margin",
    "example_loss_eval",
    "held_loss",
    "suspects",
    "test_probabilities",
    "test_confusion",
    "gradient_cosine",
    "pruned_accuracy",
)


def probe_problem(probes: Sequence[str]) -> str | None:
    """Return what is wrong with a recipe's probes, in one line; None where nothing is."""
    for probe in probes:
        if probe not in PROBES:
            return f"probes: '{probe}' is not known; {did_you_mean(probe, PROBES)}"
    if "suspects" in probes and "example_loss" not in probes:
        return "probes: suspects are ranked by their losses; write [example_loss, suspects]"
    return None


# what the probe gradient_cosine yields, and when it looks
GRADIENT_COSINES = {
    "gradient_cosine_start": "before the first step",
    "gradient_cosine_tenth": "after a tenth of the steps",
    "gradient_cosine_half": "after half of the steps",
    "gradient_cosine_end": "after the last step",
}


# what the probe pruned_accuracy looks at: per cent of a network's weights that are kept, and of these what is a metric
PRUNED_KEPT = (100, 80, 60, 50, 40, 30, 20, 15, 10, 5)


PRUNED_SHARES_JUDGED = (80, 60, 50)


SMOOTHING = 0.9  # the decay, an epoch, of a smoothed curve


def _probed() -> dict[str, Metric]:
    """The metrics of a training that asks for probes."""
    found = {}
    for name, words in GRADIENT_COSINES.items():
        what = f"cosine between the loss's gradient and the cross-entropy's on clean labels, {words}"
        found[name] = Metric(-1, 1, "none", False, what, probe="gradient_cosine")
    what = "mean test accuracy over 5 to 60 per cent of the weights kept, the largest ones"
    found["pruned_area"] = Metric(0, 1, "test", True, what, probe="pruned_accuracy")
    what = f"{what}, as a share of the unpruned accuracy"
    found["pruned_relative"] = Metric(0, math.inf, "test", False, what, probe="pruned_accuracy")
    for share in PRUNED_SHARES_JUDGED:
        what = f"test accuracy with the largest {share} per cent of the weights"
        found[f"pruned_accuracy_{share}"] = Metric(0, 1, "test", True, what, probe="pruned_accuracy")
    return found


class AdaDelta(Options):
    """AdaDelta (Zeiler 2012, algorithm 1), its step multiplied by `lr`."""

    kind: Literal["adadelta"]
    lr: Positive
    rho: BelowOne
    eps: Positive
    weight_decay: NotNegative


class Sgd(Options):
    """Stochastic gradient descent with momentum (torch's form: v ← m·v + g; w ← w − lr·v)."""

    kind: Literal["sgd"]
    lr: Positive
    momentum: BelowOne
    nesterov: bool
    weight_decay: NotNegative


class Adam(Options):
    """Adam (Kingma & Ba 2015, algorithm 1); the decay is added to the gradient (L2, as in torch.optim.Adam)."""

    kind: Literal["adam"]
    lr: Positive
    beta1: BelowOne
    beta2: BelowOne
    eps: Positive
    weight_decay: NotNegative


class ConstantSchedule(Options):
    """The learning rate stays as it is."""

    kind: Literal["constant"]


class StepSchedule(Options):
    """The rate is multiplied by `gamma` at each milestone, a number of steps or of epochs from the start."""

    kind: Literal["step"]
    milestones: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
    gamma: Positive
    unit: Literal["steps", "epochs"]

    @field_validator("milestones")
    @classmethod
    def _rising(cls, milestones: tuple[int, ...]) -> tuple[int, ...]:
        if list(milestones) != sorted(set(milestones)):
            raise ValueError("milestones: each must be later than the one before")
        return milestones


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


def entries() -> list[Entry]:
    """Optimisers, schedules, and what a training yields."""
    optimizer, schedule = "lnbench.training.optimisers", "lnbench.training.schedules"
    metrics = {
        "test_accuracy": Metric(0, 1, "test", True, "accuracy on the clean test set"),
        "test_accuracy_ema": Metric(
            0, 1, "test", True, f"test accuracy, its curve smoothed (decay {SMOOTHING} an epoch)", curve="test_accuracy"
        ),
        "test_loss": Metric(0, math.inf, "test", False, "cross-entropy on the clean test set"),
        "validation_accuracy": Metric(0, 1, "validation", True, "accuracy on held-out clean images"),
        "train_accuracy": Metric(0, 1, "train", True, "accuracy on the training labels as given, during the epoch"),
        "train_loss": Metric(0, math.inf, "train", False, "loss on the training labels, during the epoch"),
        **_probed(),
    }
    return [
        Entry("optimizer", "adadelta", target=f"{optimizer}:AdaDelta", options=AdaDelta),
        Entry("optimizer", "sgd", target=f"{optimizer}:Sgd", options=Sgd),
        Entry("optimizer", "adam", target=f"{optimizer}:Adam", options=Adam),
        Entry("schedule", "constant", target=f"{schedule}:constant", options=ConstantSchedule),
        Entry("schedule", "step", target=f"{schedule}:step_decay", options=StepSchedule),
        Entry("schedule", "cosine", target=f"{schedule}:cosine", options=CosineSchedule),
        Entry("schedule", "one_cycle", target=f"{schedule}:one_cycle", options=OneCycleSchedule),
        *(Entry("metric", name, value=metric, words=metric.words) for name, metric in metrics.items()),
    ]
