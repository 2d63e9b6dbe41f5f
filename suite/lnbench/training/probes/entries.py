"""Names of the catalog for what a training measures beside its curves, each with the metrics it yields. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from lnbench import catalog
from lnbench.catalog.entry import Entry, Metric, with_metrics
from lnbench.catalog.options import Count, Options, required
from lnbench.errors import did_you_mean
from lnbench.training.probes.at_shares import (
    CLEAN_IMAGES,
    EffectiveBatchOptions,
    NoiseGradientOptions,
    effective_batch_metrics,
    effective_batch_passes,
    noise_gradient_metrics,
    noise_gradient_passes,
)

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


TOP = 5  # classes of a network's answer that the probe top5 looks at
MARKS = 3  # at most so many steps at which a curve over steps is read
_FIRST_OF = ("first", "second", "third")

# the parts of a curve over steps whose means are metrics: from and to, as shares of its looks, and in words
CURVE_SPANS = {
    "first_third": (0, 1 / 3, "mean over the first third of the looks"),
    "last_third": (2 / 3, 1, "mean over the last third of the looks"),
    "last_tenth": (0.9, 1, "mean over the last tenth of the looks"),
}


_PREDICTED = "share of training examples whose image's prediction at the end"
_METHODS_COSINE = "cosine between the loss's gradient and the cross-entropy's on clean labels"
_PRUNED_AREA = "mean test accuracy over 5 to 60 per cent of the weights kept, the largest ones"


class EverySteps(Options):
    """Look at each step whose number, from 0, `every` divides.

    marks: numbers of steps, rising, at most three; a curve's mean over the looks that are at most `around` steps away
    from one is a metric. Both or neither.
    """

    every: Count
    marks: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, max_length=MARKS)] = ()
    around: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _both(self) -> EverySteps:
        if bool(self.marks) != (self.around is not None):
            raise ValueError("`marks` and `around` go together: which steps, and how far a look may be from them")
        if list(self.marks) != sorted(set(self.marks)):
            raise ValueError(f"marks: {list(self.marks)} do not rise")
        return self

    def leaves_out(self, metric: str) -> str:
        """Return why a look with these options gives no such number; "" where it does."""
        name, _, number = metric.rpartition("_mark_")
        if name and int(number) > len(self.marks):
            return f"its probe has {len(self.marks)} `marks`; give it {number}, with `around`"
        return ""

    @model_serializer(mode="wrap")
    def _what_is_used(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = whole(self)
        return found if self.marks else {key: found[key] for key in found if key not in ("marks", "around")}


class BatchGradientOptions(EverySteps):
    """Look at the batch before the step."""

    kind: Literal["batch_gradient"]


class FullGradientOptions(EverySteps):
    """Look at the batch before the step."""

    kind: Literal["full_clean_cosine"]


class FixedGradientOptions(EverySteps):
    """Look, before the step, at the first `images` training examples, the same in every look."""

    kind: Literal["fixed_gradient"]
    images: Count


class MemberAccuracyOptions(EverySteps):
    """Look at what the step's own forward pass gives for its batch."""

    kind: Literal["member_accuracy"]


def asked(recipe: dict[str, Any]) -> list[tuple[Entry, dict[str, Any] | None]]:
    """Return the probes that a recipe (`Recipe.identity`) asks for, each with its options, in the catalog's order."""
    wanted = dict(map(catalog.name_and_options, recipe.get("probes", ())))
    return [(catalog.find("probe", name), wanted[name]) for name in catalog.names("probe") if name in wanted]


def probe_problem(probes: Sequence[str | dict[str, Any]]) -> str | None:
    """Return what is wrong with a recipe's probes, in one line; None where nothing is."""
    wanted = [catalog.name_and_options(probe) for probe in probes]
    names = [name for name, _ in wanted]
    for name, options in wanted:
        if name not in catalog.names("probe"):
            return f"probes: '{name}' is not known; {did_you_mean(name, catalog.names('probe'))}"
        entry = catalog.find("probe", name)
        if entry.options is not None and options is None:
            keys = ", ".join(f"{key}: …" for key in required(entry.options))
            return f"probes: {name} takes options; write {{kind: {name}, {keys}}}"
        if entry.options is None and options is not None:
            return f"probes: {name} takes no options; write its name alone"
        if names.count(name) > 1:
            return f"probes: {name} is asked for more than once; a run measures it once"
        for needed in entry.needs:
            if needed not in names:
                return f"probes: {name} needs the probe {needed}; write [{needed}, {name}]"
    return None


def method_problem(method: str, probes: Sequence[str | dict[str, Any]]) -> str | None:
    """Return why a run cannot train with this method and these probes, in one line; None where it can."""
    asked_for = [catalog.name_and_options(probe)[0] for probe in probes]
    if "gradient_cosine" in asked_for and not catalog.find("method", method).stacks:
        return f"probes: gradient_cosine compares losses of logits and labels, and {method} is more than such a loss"
    return None


def entries() -> list[Entry]:
    """Return the probes in the order in which they look, and their metrics: a probe comes behind those it needs."""
    history, images, gradients, pruning = (
        f"lnbench.training.probes.{module}" for module in ("history", "test_images", "gradients", "pruning")
    )
    return [
        Entry("probe", "example_loss", target=f"{history}:ExampleLoss",
              words="the loss of each training example at each epoch's visit"),
        Entry("probe", "example_margin", target=f"{history}:ExampleMargin",
              words="the margin of each training example at each epoch's visit"),
        Entry("probe", "example_loss_eval", target=f"{history}:ExampleLossEval", passes=lambda options, recipe: 1.0,
              words="the loss of each training example after each epoch, in evaluation mode"),
        Entry("probe", "held_loss", target=f"{history}:HeldLoss",
              words="the cross-entropy of each held-out image after each epoch"),
        Entry("probe", "suspects", target=f"{history}:Suspects", needs=("example_loss",),
              words="the training examples of highest summed loss, with their images"),
        Entry("probe", "left_out", target="lnbench.training.probes.left_out:LeftOut",
              passes=lambda options, recipe: 0.5,  # a method that halves its examples leaves out that many at most
              words="what is predicted of the examples that the method leaves out, at the end and when most is right"),
        *with_metrics(
            Entry("probe", "top5", target=f"{images}:TopFive",
                  words="how many test images have their class among the five likeliest, at the end"),
            top5_accuracy=Metric(0, 1, "test", True, "share of the clean test set whose class is among the five "
                                      "likeliest, at the end", share_of="test images"),
        ),
        Entry("probe", "test_probabilities", target=f"{images}:TestProbabilities",
              words="the network's probabilities for each test image, at the end"),
        Entry("probe", "mean_test_probabilities", target=f"{images}:MeanTestProbabilities",
              words="the probabilities for each test image, averaged over the states after each epoch"),
        Entry("probe", "test_confusion", target=f"{images}:TestConfusion",
              words="how many test images of a class are taken for another, at the end"),
        *with_metrics(
            Entry("probe", "gradient_cosine", target=f"{gradients}:GradientCosine", stacks=False,
                  words="the cosine of the method's gradient with the cross-entropy's, at four times"),
            **{
                name: Metric(-1, 1, "none", False, f"{_METHODS_COSINE}, {words}")
                for name, words in GRADIENT_COSINES.items()
            },
        ),
        *with_metrics(
            Entry("probe", "pruned_accuracy", target=f"{pruning}:PrunedAccuracy",
                  words="test accuracy by the share of weights kept, at the end"),
            pruned_area=Metric(0, 1, "test", True, _PRUNED_AREA),
            pruned_relative=Metric(
                0, math.inf, "test", False, f"{_PRUNED_AREA}, as a share of the unpruned accuracy"
            ),
            **{
                f"pruned_accuracy_{share}": Metric(
                    0, 1, "test", True, f"test accuracy with the largest {share} per cent of the weights",
                    share_of="test images",
                )
                for share in PRUNED_SHARES_JUDGED
            },
        ),
        Entry("probe", "final_weights", target="lnbench.training.probes.weights:FinalWeights",
              words="the network's weights at the end, for another training to start from"),
        *with_metrics(
            Entry("probe", "final_predictions", target="lnbench.training.probes.predictions:FinalPredictions",
                  passes=lambda options, recipe: 1 / recipe["epochs"],  # one look in the whole training
                  words="the class that the network predicts of each training example, at the end"),
            predictions_changed=Metric(
                0, 1, "train", True, f"{_PREDICTED} is another class than the label as given",
                share_of="training examples",
            ),
            predictions_right=Metric(
                0, 1, "train", True, f"{_PREDICTED} is the true class", share_of="training examples"
            ),
        ),
        *with_metrics(
            Entry("probe", "batch_gradient", target=f"{gradients}:BatchGradient", options=BatchGradientOptions,
                  stacks=False, passes=lambda options, recipe: 6 / options["every"],
                  words="norm of a batch's gradient, and its cosine with that of the clean members, every k steps"),
            **_over_steps("batch_gradient_norm", 0, math.inf, "norm of the gradient of a batch's mean cross-entropy"),
            **_over_steps("batch_clean_cosine", -1, 1, "cosine of a batch's gradient with that of its clean members"),
        ),
        *with_metrics(
            Entry("probe", "full_clean_cosine", target=f"{gradients}:FullGradientCosine", options=FullGradientOptions,
                  stacks=False, passes=_full_gradient_passes,
                  words="cosine of a batch's gradient with that of the clean training data, every k steps"),
            **_over_steps("full_clean_cosine", -1, 1, "cosine of a batch's gradient with the clean training data's"),
        ),
        *with_metrics(
            Entry("probe", "fixed_gradient", target=f"{gradients}:FixedGradient", options=FixedGradientOptions,
                  stacks=False, passes=_fixed_gradient_passes,
                  words="cosines of gradients on the same training examples, every k steps"),
            **_over_steps("fixed_clean_cosine", -1, 1,
                          "cosine of the gradient of the same training examples with that of their clean members"),
            **_over_steps("fixed_noisy_cosine", -1, 1,
                          "cosine of the noisy members' gradient with the clean members', of the same examples"),
        ),
        *with_metrics(
            Entry("probe", "member_accuracy", target=f"{gradients.replace('gradients', 'members')}:MemberAccuracy",
                  options=MemberAccuracyOptions, stacks=True,
                  words="how many of a batch's noisy and clean members get the label given, every k steps"),
            **_over_steps("noisy_member_accuracy", 0, 1, "share of a batch's noisy members that get the label given"),
            **_over_steps("clean_member_accuracy", 0, 1, "share of a batch's clean members that get the label given"),
        ),
        *with_metrics(
            Entry("probe", "noise_gradient", target="lnbench.training.probes.noise_gradient:NoiseGradient",
                  options=NoiseGradientOptions, stacks=False, passes=noise_gradient_passes,
                  words="how far the gradients of wrong labels agree, and where they lead, at shares of the training"),
            **noise_gradient_metrics(),
        ),
        *with_metrics(
            Entry("probe", "effective_batch", target="lnbench.training.probes.effective_batch:EffectiveBatch",
                  options=EffectiveBatchOptions, stacks=False, passes=effective_batch_passes,
                  words="how many clean examples a batch of diluted ones is worth, at shares of the training"),
            **effective_batch_metrics(),
        ),
    ]  # fmt: skip


def _over_steps(curve: str, low: float, high: float, words: str) -> dict[str, Metric]:
    """Return the metrics of a curve over steps."""
    spans = {span: of for span, (_, _, of) in CURVE_SPANS.items()}
    marks = {f"mark_{number}": f"mean around the {name} of its `marks`" for number, name in enumerate(_FIRST_OF, 1)}
    return {
        f"{curve}_{span}": Metric(low, high, "none", False, f"{words}, {of}") for span, of in (spans | marks).items()
    }


def _fixed_gradient_passes(options: dict[str, Any], recipe: dict[str, Any]) -> float:
    """Two gradients a look."""
    return 6.0 * float(options["images"]) / float(options["every"] * recipe["batch_size"])


def _full_gradient_passes(options: dict[str, Any], recipe: dict[str, Any]) -> float:
    """Two gradients a look: of the batch, and of the clean images."""
    clean = min(CLEAN_IMAGES, int(recipe["dataset"]["clean"]))
    return 3.0 * (int(recipe["batch_size"]) + clean) / float(options["every"] * recipe["batch_size"])
