"""Names of the catalog that belong to methods, and their options."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lnbench.catalog.entry import Entry
from lnbench.catalog.options import BelowOne, Count, MayReadInput, NotNegative, Options, ReadsInput


class NoisyLoss(Options):
    """The noisy loss H_alpha (Rolnick et al. 2018, equation 3): on clean labels, what dilution is on average.

    form: `definition`, as the equation's first line has it, or `proportional`, (1 + alpha) times that, its second.
    """

    kind: Literal["noisy_loss"]
    alpha: NotNegative
    form: Literal["definition", "proportional"]

    def identity(self) -> dict[str, Any] | str:
        """Return the options that decide a run: at alpha 0 it is the cross-entropy, so it shares its runs."""
        return self.model_dump(mode="json") if self.alpha else "standard"


class ReedHard(Options):
    """Hard bootstrapping (Reed et al. 2015): `beta` of the target is the label, the rest is the prediction."""

    kind: Literal["reed_hard"]
    beta: Annotated[float, Field(ge=0, le=1)]

    def identity(self) -> dict[str, Any] | str:
        """Return the options that decide a run: at beta 1 it is the cross-entropy, so it shares its runs."""
        return self.model_dump(mode="json") if self.beta < 1 else "standard"


class CoTeaching(Options):
    """Co-teaching (Han et al. 2018): each of two networks learns from the examples of small loss under the other.

    forget_rate: the share of a batch that is left out in the end (tau); it grows linearly over `gradual` epochs (T_k).
    answer: what is evaluated: the `first` network, or the `mean` of both networks' probabilities.
    """

    kind: Literal["co_teaching"]
    forget_rate: BelowOne
    gradual: Count
    answer: Literal["first", "mean"]


class MentorNetPD(Options):
    """MentorNet PD (Jiang et al. 2018): examples whose loss is above a moving threshold are left out.

    percentile: of a batch's losses, which the threshold follows; decay: of the threshold, per step. dropout_first,
    dropout: the shares of a batch that are dropped at random, early and later.
    """

    kind: Literal["mentornet_pd"]
    percentile: Annotated[float, Field(gt=0, lt=1)]
    decay: BelowOne
    dropout_first: BelowOne
    dropout: BelowOne


class D2L(Options):
    """Dimensionality-driven learning (Ma et al. 2018): when the representation's dimension rises, labels count less.

    window: how many epochs the rise is held against; initial: how many are left out before those.
    """

    kind: Literal["d2l"]
    window: Annotated[int, Field(ge=2)]
    initial: Annotated[int, Field(ge=0)]


class Reweighted(ReadsInput):
    """Re-weighting: each example's loss counts as much as its label is trusted, by the input `input` (`aul_trust`,
    `aum_trust`, or a plug-in's)."""

    kind: Literal["reweighted"]


class LabelSmoothing(Options):
    """Label smoothing: `smoothing` of the target is spread evenly over the classes other than the label."""

    kind: Literal["label_smoothing"]
    smoothing: BelowOne

    def identity(self) -> dict[str, Any] | str:
        """Return the options that decide a run: at smoothing 0 it is the cross-entropy, so it shares its runs."""
        return self.model_dump(mode="json") if self.smoothing else "standard"


class Bootstrapped(ReadsInput):
    """Bootstrapping (the report on SAM and label noise, section 4.3): the labels are what the input `input`
    (`predictions`) says that another training ended with, smoothed by `smoothing` as `label_smoothing` does."""

    gives: ClassVar[str] = "predictions"
    kind: Literal["bootstrapped"]
    smoothing: BelowOne


class GeneralisedCrossEntropy(Options):
    """Generalised cross-entropy (Zhang & Sabuncu 2018): (1 − p^q) / q of the label's probability p."""

    kind: Literal["gce"]
    q: Annotated[float, Field(gt=0, le=1)]


class EarlyLearning(Options):
    """Early-learning regularisation (Liu et al. 2020).

    memory: of the moving average of an example's probabilities (beta); strength: of the regulariser (lambda).
    """

    kind: Literal["elr"]
    memory: BelowOne
    strength: NotNegative


class Half(MayReadInput):
    """A run of a round of INCV: it trains on what the rounds before have selected, and on one half of the candidates.

    half: which of the two. input: the round before (`incv_round`); null in the first, where all are candidates.
    """

    gives: ClassVar[str] = "selection"
    kind: Literal["half"]
    half: Annotated[int, Field(ge=0, le=1)]


class INCV(ReadsInput):
    """INCV (Chen et al. 2019): Co-teaching on what its last round `input` (`incv_round`) has selected.

    gradual: epochs over which the forget rate grows (T_k). warm_up: epochs after which the remaining candidates join
    the batches. symmetric: whether a wrong label is any of the other classes alike, or always one of them. answer: as
    for Co-teaching.
    """

    gives: ClassVar[str] = "selection"
    kind: Literal["incv"]
    gradual: Count
    warm_up: Annotated[int, Field(ge=0)]
    symmetric: bool
    answer: Literal["first", "mean"]


def entries() -> list[Entry]:
    """Return the methods."""
    room = "lnbench.methods"
    return [
        Entry("method", "standard", target=f"{room}.standard:Standard", words="cross-entropy"),
        Entry("method", "noisy_loss", target=f"{room}.noisy_loss:NoisyLoss", options=NoisyLoss,
              words="H_alpha, the mean of what dilution gives"),
        Entry("method", "reed_hard", target=f"{room}.reed_hard:ReedHard", options=ReedHard,
              words="hard bootstrapping: the prediction is a part of the target"),
        Entry("method", "co_teaching", target=f"{room}.co_teaching:CoTeaching", options=CoTeaching,
              networks=2, stacks=False, passes=lambda options, recipe: 2,
              words="two networks that pick each other's examples"),
        Entry("method", "mentornet_pd", target=f"{room}.mentornet_pd:MentorNetPD", options=MentorNetPD, stacks=False,
              words="examples of large loss are left out, against a moving threshold"),
        Entry("method", "d2l", target=f"{room}.d2l:D2L", options=D2L, stacks=False,
              words="labels count less when the representation's dimension rises"),
        Entry("method", "random_weights", target=f"{room}.random_weights:RandomWeights", stacks=False,
              words="losses weighed by chance"),
        Entry("method", "oracle", target=f"{room}.oracle:Oracle", stacks=False,
              words="cross-entropy on the examples whose labels are right"),
        Entry("method", "reweighted", target=f"{room}.reweighted:Reweighted", options=Reweighted, stacks=False,
              words="losses weighed by how far another training trusts the label"),
        Entry("method", "label_smoothing", target=f"{room}.label_smoothing:LabelSmoothing", options=LabelSmoothing,
              words="a share of the target is spread over the other classes"),
        Entry("method", "bootstrapped", target=f"{room}.bootstrapped:Bootstrapped", options=Bootstrapped, stacks=False,
              words="cross-entropy against what another training predicts of the training images"),
        Entry("method", "gce", target=f"{room}.gce:GeneralisedCrossEntropy", options=GeneralisedCrossEntropy,
              words="generalised cross-entropy"),
        Entry("method", "elr", target=f"{room}.elr:EarlyLearning", options=EarlyLearning, stacks=False,
              words="a regulariser that holds on to early predictions"),
        Entry("method", "half", target=f"{room}.half:Half", options=Half, stacks=False,
              words="cross-entropy on what is selected and one half of the candidates: a run of a round of INCV"),
        Entry("method", "incv", target=f"{room}.incv:INCV", options=INCV,
              networks=2, stacks=False, passes=lambda options, recipe: 2,
              words="two networks on the examples that rounds of cross-validation select"),
    ]  # fmt: skip
