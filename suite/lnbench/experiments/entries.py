"""Names of the catalog that belong to experiments, and the numbers that their runs yield. No numpy here."""

from __future__ import annotations

import math

from lnbench.catalog.entry import Entry, Metric
from lnbench.experiments import options as experiment

INF = math.inf


Yield = tuple[float, float, str]  # lowest, highest, words


_BOTH: dict[str, Yield] = {
    "train_loss_end": (0, INF, "loss on the training data, labels without noise, at the end"),
    "test_loss_end": (0, INF, "loss on the test data, at the end"),
}


_LINEAR_NETWORK: dict[str, Yield] = {
    "norm_ratio_end": (0, INF, "mean norm of first-layer neurons at the end, over its first value"),
    "norm_trend_tau": (-1, 1, "Kendall's tau of the mean norm against time, over the points"),
    "norm_trend_p": (0, 1, "Mann-Kendall p, one-sided, that the mean norm falls over the points"),
    "relative_movement": (0, INF, "distance of the first layer from its start, over its first norm"),
    "alignment_start": (0, 1, "mean |cos| between neurons and the teacher, before training"),
    "alignment_end": (0, 1, "mean |cos| between neurons and the teacher, at the end"),
    "alignment_change": (-1, 1, "the alignment's gain over the whole run"),
    "alignment_gain": (-1, 1, "the alignment's gain from its change point to the end"),
    "change_point_step": (1, INF, "where the alignment begins to rise: the knee of a fitted ramp"),
    "half_life_steps": (1, INF, "steps until the mean norm has halved"),
    "half_life_scaled": (0, INF, "steps until the mean norm has halved, times lr² sigma²"),
    "half_life_of_bound": (0, INF, "steps until the mean norm has halved, over theorem 4.2's T1"),
    "slowest_halved_steps": (1, INF, "steps until the slowest of all neurons has halved its norm"),
    "slowest_halved_of_bound": (0, INF, "steps until the slowest of all neurons has halved its norm, over T1"),
    "halved_by_bound": (0, 1, "share of the neurons that have halved their norm by theorem 4.2's T1"),
    "slowest_moved_steps": (1, INF, "steps until the slowest of all neurons has moved by half its first norm"),
    "slowest_moved_of_bound": (0, INF, "steps until the slowest of all neurons has moved by half its norm, over T1"),
    "moved_by_bound": (0, 1, "share of the neurons that have moved by half their first norm by theorem 4.2's T1"),
    "phase_lag": (-INF, INF, "decades (log10 of steps) from the norm's half-life to the alignment's change point"),
    "test_loss_early": (0, INF, "loss on fresh clean samples after 2 % of the steps"),
    "test_loss_ratio": (0, INF, "loss on fresh clean samples at the end, over that after 2 %"),
    "norm_change_on": (
        -INF,
        INF,
        "change of the mean norm while the noise is on; of all such periods, the smallest fall",
    ),
    "norm_change_off": (
        0,
        INF,
        "absolute change of the mean norm while the noise is off; the largest of all such periods",
    ),
    "second_weights_sd_on": (
        0,
        INF,
        "sd of second-layer weights over the last 500 steps of a period with noise; the smallest",
    ),
    "second_weights_sd_off": (
        0,
        INF,
        "sd of second-layer weights over the last 500 steps of a period without; the largest",
    ),
}


_NTK: dict[str, Yield] = {
    "linear_train_loss_end": (0, INF, "training loss of the linearisation, at the end"),
    "linear_test_loss_end": (0, INF, "test loss of the linearisation, at the end"),
    "departure": (0, INF, "how far the test loss lies from the linearisation's at the end, relative to it"),
    "departure_train": (0, INF, "how far the training loss lies from the linearisation's at the end"),
    "first_norm_start": (0, INF, "mean norm of first-layer neurons, before training"),
    "first_norm_end": (0, INF, "mean norm of first-layer neurons, at the end"),
    "first_norm_change": (-INF, INF, "change of the mean norm of first-layer neurons over the run"),
    "frobenius_change": (-INF, INF, "change of the first layer's Frobenius norm over the run"),
    "first_norm_least_step": (0, INF, "the step at which the mean norm of first-layer neurons is least"),
}


# Computed from the curves in a run's record when they are judged: name -> (lowest, highest, experiment, words)
FROM_CURVES: dict[str, tuple[float, float, str, str]] = {
    "frobenius_trend": (-1, 1, "ntk", "Kendall's tau of the first layer's Frobenius norm against time"),
    "frobenius_relative_change": (
        -1, INF, "ntk", "change of the first layer's Frobenius norm over the run, over its first value",
    ),
}  # fmt: skip


_LABEL_LAW: dict[str, Yield] = {
    "correct_labels": (0, INF, "right labels an image, on average"),
    "label_accuracy_above_chance": (-1, 1, "share of right labels, less one over the number of classes"),
    "correct_share": (0, 1, "share of the true class among an image's labels"),
    "likeliest_wrong_excess": (-1, 1, "share of the likeliest wrong class, less that of the true class"),
    "share_misfit": (0, 1, "largest distance of a class's share from the one that the paper's law gives"),
    "best_prediction": (0, 1, "probability of the true class where the loss is least"),
}


_FOUND = "ROC AUC (mislabeled above clean) of"


_MIXTURE = "the mixture of two Gaussians of the"


_PIXELS = "from a logistic regression on the pixels, out of fold"


_LABEL_ERRORS: dict[str, Yield] = {
    "aul_error_auc": (0, 1, f"{_FOUND} the area under the loss"),
    "aum_error_auc": (0, 1, f"{_FOUND} the negative area under the margin"),
    "last_loss_error_auc": (0, 1, f"{_FOUND} the last epoch's training loss"),
    "confident_error_auc": (0, 1, f"{_FOUND} cleanlab's self-confidence out of fold, negative"),
    "confident_margin_error_auc": (0, 1, f"{_FOUND} cleanlab's normalised margin out of fold, negative"),
    **{
        f"{method}_error_{name}": (low, 1, f"{words}, by {by}")
        for method, by in (
            ("aul", f"{_MIXTURE} AUL"),
            ("aum", f"{_MIXTURE} negative AUM"),
            ("confident", "confident learning"),
            ("logistic", f"confident learning {_PIXELS}"),
        )
        for name, low, words in (
            ("precision", 0, "share of wrong labels among the examples found"),
            ("recall", 0, "share of the mislabeled examples that are found"),
            ("noise_bias", -1, "estimated less realised share of wrong labels"),
            ("noise_error", 0, "estimated less realised share of wrong labels, its absolute value"),
        )
    },
    "logistic_error_auc": (0, 1, f"{_FOUND} cleanlab's self-confidence {_PIXELS}, negative"),
    "logistic_margin_error_auc": (0, 1, f"{_FOUND} cleanlab's normalised margin {_PIXELS}, negative"),
}


_OVER = "time of an epoch over SGD's, median over turns:"


_EPOCH_TIMES: dict[str, Yield] = {
    "time_ratio_sam": (0, INF, f"{_OVER} SAM"),
    "time_ratio_asam": (0, INF, f"{_OVER} ASAM"),
    "time_ratio_asam_sam": (0, INF, "time of an epoch of ASAM over SAM's, median over turns"),
    "time_ratio_swa": (0, INF, f"{_OVER} SGD with averaged weights"),
    "time_ratio_bootstrapped": (0, INF, f"{_OVER} SGD with bootstrapping, predictions in each epoch, computed"),
    "time_ratio_bootstrapped_once": (0, INF, f"{_OVER} SGD with bootstrapping, predictions once, computed"),
    "time_ratio_sam_bootstrapped": (0, INF, f"{_OVER} SAM with bootstrapping, predictions in each epoch, computed"),
    "seconds_an_epoch": (0, INF, "seconds of an epoch of SGD on the images that are timed, median over turns"),
}


# name -> (lowest, highest, the experiments that yield it, words)
YIELDS: dict[str, tuple[float, float, tuple[str, ...], str]] = {
    name: (low, high, experiments, words)
    for experiments, yields in (
        (("linear_network",), _LINEAR_NETWORK),
        (("ntk",), _NTK),
        (("label_law",), _LABEL_LAW),
        (("label_errors",), _LABEL_ERRORS),
        (("epoch_times",), _EPOCH_TIMES),
        (("linear_network", "ntk"), _BOTH),
    )
    for name, (low, high, words) in yields.items()
}


# metrics that are plain shares, and of what
_SHARES = {
    **dict.fromkeys(("halved_by_bound", "moved_by_bound"), "neurons"),
    **{f"{method}_error_recall": "mislabeled examples" for method in ("aul", "aum", "confident", "logistic")},
    **{f"{method}_error_precision": "examples found" for method in ("aul", "aum", "confident", "logistic")},
}


def entries() -> list[Entry]:
    """Return the experiments, and the metrics they yield."""
    where = "lnbench.experiments"
    return [
        Entry("experiment", "linear_network", version=2, target=f"{where}.linear_network:run",
              options=experiment.LinearNetwork,
              seconds=experiment.linear_network_seconds,
              words="a two-layer linear network fits a linear teacher under label noise or SAM"),
        Entry("experiment", "ntk", target=f"{where}.ntk:run", options=experiment.Ntk, seconds=experiment.ntk_seconds,
              words="a network of one hidden erf layer and its linearisation, on a few images"),
        Entry("experiment", "label_law", target=f"{where}.label_law:run", options=experiment.LabelLaw,
              seconds=experiment.label_law_seconds,
              words="labels of a balanced set counted under label noise, and a loss's least point on them"),
        Entry("experiment", "label_errors", target=f"{where}.label_errors:run", options=experiment.LabelErrors,
              seconds=experiment.label_errors_seconds, on_a_core=experiment.label_errors_on_a_core,
              words="wrong labels of one noise draw found by AUL, by AUM and by confident learning"),
        Entry("experiment", "epoch_times", target=f"{where}.epoch_times:run", options=experiment.EpochTimes,
              seconds=experiment.epoch_times_seconds, timed=True,
              words="epochs of SGD, SAM, ASAM and weight averaging, timed in turns on one machine"),
        *(Entry("metric", name, words=words,
                value=Metric(low, high, "none", False, words, yielded_by, share_of=_SHARES.get(name, "")))
          for name, (low, high, yielded_by, words) in YIELDS.items()),
        *(Entry("metric", name, target=f"{where}.{of}:{name}", value=Metric(low, high, "none", False, words, (of,)),
                words=words)
          for name, (low, high, of, words) in FROM_CURVES.items()),
    ]  # fmt: skip
