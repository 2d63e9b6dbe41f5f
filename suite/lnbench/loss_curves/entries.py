"""Names of the catalog that belong to loss curves: readings, and the numbers they yield. No numpy here."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from lnbench.catalog.entry import Entry, Input, Metric
from lnbench.catalog.options import Options

INF = math.inf


Yield = tuple[float, float, str]  # lowest, highest, words


_AUC = "ROC AUC (mislabeled above clean) of"


DETECTION: dict[str, Yield] = {
    "loss_auc": (0, 1, f"{_AUC} the epoch's training loss"),
    "aul_auc": (0, 1, f"{_AUC} the AUL"),
    "aul_auc_skip_first": (0, 1, f"{_AUC} the AUL from epoch 2 on"),
    "aul_auc_eval": (0, 1, f"{_AUC} the AUL of losses in evaluation mode"),
    "aum_auc": (0, 1, f"{_AUC} the negative AUM"),
    "noise_estimate": (0, 1, "estimated share of wrong labels: mean responsibility of the upper Gaussian, guarded"),
    "noise_bias": (-1, 1, "estimated less realised share of wrong labels"),
    "noise_error": (0, 1, "estimated less realised share of wrong labels, its absolute value"),
    "recall": (0, 1, "share of the mislabeled examples that are found (responsibility > .5, guarded)"),
    "precision": (0, 1, "share of wrong labels among the examples found (responsibility > .5, guarded)"),
    "noise_estimate_unguarded": (0, 1, "estimated share of wrong labels, without the guard"),
    "recall_unguarded": (0, 1, "share of the mislabeled examples that are found, without the guard"),
    "precision_unguarded": (0, 1, "share of wrong labels among the examples found, without the guard"),
    "mislabeled_loss_median": (0, INF, "median training loss of the mislabeled examples"),
    "clean_loss_median": (0, INF, "median training loss of the clean examples"),
    "low_loss_share": (0, 1, "share of all training examples with a loss below .5"),
    "loss_distance": (-INF, INF, "how far the training losses of both groups lie apart, in sd (Cohen's d)"),
    "aul_distance": (-INF, INF, "how far the AULs of both groups lie apart, in sd (Cohen's d)"),
    "aul_mean_distance": (-INF, INF, "mean AUL of the mislabeled less that of the clean examples"),
    "aul_mode_distance": (0, INF, "distance between the two highest modes of the AUL's density"),
    "aul_ashman": (0, INF, "Ashman's D of the two Gaussians fitted to the AUL"),
    "aul_dip_p": (0, 1, "p of Hartigan's dip test that the AUL has one mode"),
    "aul_modes": (1, 2, "how many groups the AUL shows: one or two"),
    "aul_low_mean": (0, INF, "mean of the lower Gaussian fitted to the AUL"),
    "aul_high_mean": (0, INF, "mean of the upper Gaussian fitted to the AUL"),
    "aul_low_sd": (0, INF, "sd of the lower Gaussian fitted to the AUL"),
    "aul_high_sd": (0, INF, "sd of the upper Gaussian fitted to the AUL"),
    "aul_clean_ks": (0, 1, "Kolmogorov–Smirnov distance of the clean AULs from their normal"),
    "aul_mislabeled_ks": (0, 1, "Kolmogorov–Smirnov distance of the mislabeled AULs from their normal"),
    "aul_clean_skew": (-INF, INF, "skewness of the clean AULs"),
    "aul_mislabeled_skew": (-INF, INF, "skewness of the mislabeled AULs"),
    "aul_clean_kurtosis": (-2, INF, "excess kurtosis of the clean AULs"),
    "aul_mislabeled_kurtosis": (-2, INF, "excess kurtosis of the mislabeled AULs"),
    "aul_pair_order": (0, 1, "share of pairs whose clean example has the lower AUL at every epoch"),
    "loss_pair_order": (0, 1, "share of pairs whose clean example has the lower loss at every epoch"),
    "aul_roughness": (0, INF, "roughness of an example's AUL over epochs: mean |second difference| over range"),
    "loss_roughness": (0, INF, "roughness of an example's loss over epochs: mean |second difference| over range"),
    "aul_last_spearman": (-1, 1, "rank correlation of the AUL with that of the last epoch, over examples"),
    "recall_top_double": (0, 1, "share of the mislabeled among the highest AULs, twice as many as are mislabeled"),
}


AGREEMENT: dict[str, Yield] = {
    "aul_pearson": (-1, 1, "correlation of the AUL between two trainings, over examples"),
    "aul_spearman": (-1, 1, "rank correlation of the AUL between two trainings, over examples"),
    "aum_pearson": (-1, 1, "correlation of the AUM between two trainings, over examples"),
    "train_loss_pearson": (-1, 1, "correlation of the epoch's training loss between two trainings, over examples"),
    "mean_test_loss_pearson": (-1, 1, "correlation of the test loss, mean over epochs, between two trainings"),
    "test_loss_pearson": (-1, 1, "correlation of the epoch's test loss between two trainings, over images"),
    "mean_validation_loss_pearson": (-1, 1, "correlation of the validation loss, mean over epochs, of two trainings"),
    "validation_loss_pearson": (-1, 1, "correlation of the epoch's validation loss between two trainings"),
}


SUSPECTS: dict[str, Yield] = {
    "suspects_mislabeled": (0, 1, "share of wrong labels among the 64 training images of highest AUL"),
}


# metrics that are plain shares, and of what
_SHARES = {
    **dict.fromkeys(("recall", "recall_unguarded", "recall_top_double"), "mislabeled examples"),
    **dict.fromkeys(("precision", "precision_unguarded"), "examples found"),
    "low_loss_share": "training examples",
    **dict.fromkeys(("aul_pair_order", "loss_pair_order"), "pairs"),
    "suspects_mislabeled": "training images shown",
}
PAIRS = 1000  # of a clean and a mislabeled example, that the shares of pairs are of


INCV: dict[str, Yield] = {
    "incv_noise_estimate": (0, 1, "share of wrong labels as INCV's first round estimates it, from both halves"),
    "incv_noise_bias": (-1, 1, "INCV's estimate less the realised share of wrong labels"),
    "incv_noise_error": (0, 1, "INCV's estimate less the realised share of wrong labels, its absolute value"),
}


AUL_OR_INCV: dict[str, Yield] = {
    "incv_over_aul_noise_error": (
        *(-1, 1),
        "|estimated less realised share of wrong labels|: INCV's, of one half's agreement, less the AUL's",
    ),
}


_READINGS = {
    "detection": DETECTION,
    "agreement": AGREEMENT,
    "suspects": SUSPECTS,
    "incv_estimate": INCV,
    "aul_or_incv": AUL_OR_INCV,
}


OF_TWO = ("agreement", "incv_estimate", "aul_or_incv")  # readings of two runs


# what a reading's metrics need beside `example_loss`
_MORE_PROBES = {
    "aul_auc_eval": "example_loss_eval",
    "aum_auc": "example_margin",
    "aum_pearson": "example_margin",
    "mean_test_loss_pearson": "held_loss",
    "test_loss_pearson": "held_loss",
    "mean_validation_loss_pearson": "held_loss",
    "validation_loss_pearson": "held_loss",
    "suspects_mislabeled": "suspects",
    **dict.fromkeys(INCV, "left_out"),
}


def _read() -> dict[str, Metric]:
    """Return the metrics that are read from a training's arrays, by reading."""
    found = {}
    for reading, metrics in _READINGS.items():
        for name, (low, high, words) in metrics.items():
            split: Literal["validation", "none"] = "validation" if "validation" in name else "none"
            probe = _MORE_PROBES.get(name, "example_loss")
            found[name] = Metric(
                low,
                high,
                split,
                False,
                words,
                probe=probe,
                reading=reading,
                of_two=reading in OF_TWO,
                share_of=_SHARES.get(name, ""),
            )
    return found


class LowAul(Options):
    """Leave out the share `drop` of a training's examples with the highest area under the loss, over its epochs."""

    kind: Literal["low_aul"]
    drop: Annotated[float, Field(gt=0, lt=1)]


class Trust(Options):
    """How far each label is believed: two Gaussians are fitted to the scores of a training, over its epochs.

    weight: `clean`, how likely the label is right, or `literal`, how likely it is wrong, as the AUL paper's formula is
    printed. guard: no example below the lower mean is suspect, and every one above the upper mean is.
    """

    kind: Literal["aul_trust", "aum_trust"]
    weight: Literal["clean", "literal"]
    guard: bool


class Round(Options):
    """A round of INCV. symmetric: whether a wrong label is any of the other classes alike; examples of the largest loss
    are then discarded."""

    kind: Literal["incv_round"]
    symmetric: bool


def entries() -> list[Entry]:
    """Return readings of a training's arrays, the metrics they yield, and the inputs that are made of them."""
    readings = "lnbench.loss_curves.readings"
    return [
        Entry("reading", "detection", target=f"{readings}:detection",
              words="how well a run's loss curves tell wrong labels from right ones"),
        Entry("reading", "agreement", target=f"{readings}:agreement",
              words="how alike two runs' loss curves are, example by example"),
        Entry("reading", "suspects", target=f"{readings}:suspects",
              words="the training images of highest area under the loss"),
        Entry("input", "low_aul", target="lnbench.loss_curves.kept:low_aul", options=LowAul,
              value=Input(("example_loss",), "kept"), words="all examples but those of highest area under the loss"),
        Entry("input", "aul_trust", target="lnbench.loss_curves.trust:aul_trust", options=Trust,
              value=Input(("example_loss",), "trust"),
              words="how far each label is believed, by the area under its loss"),
        Entry("input", "aum_trust", target="lnbench.loss_curves.trust:aum_trust", options=Trust,
              value=Input(("example_loss", "example_margin"), "trust"),
              words="how far each label is believed, by the area under its margin"),
        Entry("reading", "incv_estimate", target="lnbench.loss_curves.incv:incv_estimate",
              words="how many labels the two runs of INCV's first round say are wrong"),
        Entry("reading", "aul_or_incv", target="lnbench.loss_curves.incv:aul_or_incv",
              words="which comes closer to the share of wrong labels, a training's AUL or a run of INCV's first round"),
        Entry("input", "incv_round", target="lnbench.loss_curves.incv:incv_round", options=Round,
              value=Input(("left_out",), "selection", ({"method.half": 0}, {"method.half": 1}), builds_on_given=True),
              words="the examples that a round of INCV selects, and those that it leaves to the next"),
        *(Entry("metric", name, value=metric, words=metric.words) for name, metric in _read().items()),
    ]  # fmt: skip
