"""The options of everything that a spec may name: noise, optimisers, schedules. No torch here."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lnbench.validation import Misfit


class Options(BaseModel):
    """The options of one named thing. All must be given: a library's default cannot change a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class Pixels(Options):
    """What is taken off a pixel in [0, 1], and by what it is then divided: one number a channel."""

    mean: Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
    std: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]


class NoNoise(Options):
    """The labels as they are."""

    kind: Literal["none"]


class DiluteUniform(Options):
    """Every clean pair once, and `alpha` copies of each image with a uniform random label (Rolnick et al. 2018)."""

    kind: Literal["dilute_uniform"]
    alpha: NotNegative
    include_true_class: bool


class ReplaceUniform(Options):
    """Each label is, with probability `rate`, replaced by a uniform random one."""

    kind: Literal["replace_uniform"]
    rate: Annotated[float, Field(ge=0, le=1)]
    include_true_class: bool


class ResampleUniform(Options):
    """Each time an example is visited its label is, with probability `rate`, a uniform random one, drawn anew."""

    kind: Literal["resample_uniform"]
    rate: Annotated[float, Field(ge=0, le=1)]
    include_true_class: bool

    def identity(self) -> dict[str, Any]:
        """At rate 0 there is no noise: it shares the runs of `none`."""
        return self.model_dump(mode="json") if self.rate else {"kind": "none"}


class DiluteNovel(Options):
    """Every clean pair once, and `alpha` other images of the data set for each, with a uniform random label."""

    kind: Literal["dilute_novel"]
    alpha: NotNegative
    include_true_class: bool

    def novel(self, clean: int) -> int:
        """Images beyond the clean ones."""
        return round(self.alpha * clean)


class DiluteStructured(Options):
    """Dilution in which some wrong classes are likelier than others, by `delta` (Rolnick et al. 2018, Figure 5)."""

    kind: Literal["dilute_structured"]
    alpha: NotNegative
    delta: Annotated[float, Field(ge=0, le=1)]
    order: Literal["confusing", "reverse", "random"]  # of the wrong classes, from the likeliest on

    @property
    def needs(self) -> tuple[str, ...]:
        """The inputs that a run with this noise reads."""
        return ("confusion",) if self.delta and self.order != "random" else ()

    def identity(self) -> dict[str, Any]:
        """At delta 0 there is no order: it is uniform dilution, and shares its runs."""
        if self.delta:
            return self.model_dump(mode="json")
        return {"kind": "dilute_uniform", "alpha": self.alpha, "include_true_class": True}


class PairFlip(Options):
    """Each label y is, with probability `rate`, the next class, (y + 1) mod m."""

    kind: Literal["pair_flip"]
    rate: Annotated[float, Field(ge=0, le=1)]


class NoisyLoss(Options):
    """The noisy loss H_alpha (Rolnick et al. 2018, equation 3): on clean labels, what dilution is on average.

    form: `definition`, as the equation's first line has it, or `proportional`, (1 + alpha) times that, its second.
    """

    kind: Literal["noisy_loss"]
    alpha: NotNegative
    form: Literal["definition", "proportional"]

    def identity(self) -> dict[str, Any] | str:
        """At alpha 0 it is the cross-entropy, and shares its runs."""
        return self.model_dump(mode="json") if self.alpha else "standard"


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
