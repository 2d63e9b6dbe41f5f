"""Readings of whole trainings: planted losses, data without noise, runs that ended early, what figures draw."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import numpy as np
import pytest

from lnbench.loss_curves.entries import AGREEMENT, DETECTION, SUSPECTS, Yield
from lnbench.loss_curves.readings import OF_THE_SPLIT, agreement, detection, suspects
from lnbench.stats import coefficient_of
from tests.toys.planted_losses import planted_losses, wrong_of

COMPARE_GROUPS = [
    *("loss_auc", "aul_auc", "aul_auc_skip_first", "aul_auc_eval", "aum_auc", "recall", "precision"),
    *("recall_unguarded", "precision_unguarded", "loss_distance", "aul_distance", "aul_mean_distance"),
    *("aul_pair_order", "loss_pair_order", "aul_roughness", "loss_roughness", "recall_top_double"),
]


def within_bounds(outcome: dict, table: dict[str, Yield]) -> None:
    assert outcome["status"] == "ok"
    assert list(outcome["metrics"]) == list(table)
    for name, value in outcome["metrics"].items():
        assert value is None or (type(value) is float and table[name][0] <= value <= table[name][1]), name


def test_a_reading_has_every_metric_within_its_bounds_and_is_plain_json() -> None:
    outcome = detection(planted_losses(), 20)
    within_bounds(outcome, DETECTION)
    missing = {name for name, value in outcome["metrics"].items() if value is None}
    assert missing <= {"aul_mode_distance"}
    assert json.loads(json.dumps(outcome, allow_nan=False)) == outcome


def test_planted_noise_is_found() -> None:
    arrays = planted_losses(n=3000)
    found = detection(arrays, 20)["metrics"]
    wrong = wrong_of(arrays)
    assert found["aul_auc"] > 0.99 and found["aul_modes"] == 2 and found["aul_dip_p"] < 0.01
    assert found["noise_estimate"] == pytest.approx(wrong.mean(), abs=0.02)
    assert found["noise_bias"] == pytest.approx(found["noise_estimate"] - wrong.mean())
    assert found["noise_error"] == abs(found["noise_bias"])
    assert found["recall"] > 0.98 and found["precision"] > 0.98
    assert found["aul_auc"] > found["loss_auc"] - 1e-9
    assert found["aul_pair_order"] > found["loss_pair_order"]
    assert found["aul_roughness"] < found["loss_roughness"]


def test_the_simple_metrics_are_what_they_say() -> None:
    arrays = planted_losses(noise=0.4)
    loss, wrong = arrays["example_loss"], wrong_of(arrays)
    found = detection(arrays, 7)["metrics"]
    assert found["mislabeled_loss_median"] == pytest.approx(np.median(loss[6, wrong]))
    assert found["clean_loss_median"] == pytest.approx(np.median(loss[6, ~wrong]))
    assert found["low_loss_share"] == np.mean(loss[6] < 0.5)
    sums = [loss[:t].sum(axis=0, dtype=np.float64) for t in (7, 20)]
    assert found["aul_last_spearman"] == pytest.approx(coefficient_of(*sums, "spearman"))
    assert found["aul_mean_distance"] == pytest.approx(sums[0][wrong].mean() - sums[0][~wrong].mean())


def test_epochs_after_the_asked_one_do_not_enter() -> None:
    arrays = planted_losses()
    found = detection(arrays, 7)
    cut = {
        name: values[:7] if name.startswith(("example_loss", "example_margin")) else values
        for name, values in arrays.items()
    }
    again = detection(cut, 7)
    assert found["shown"] == again["shown"]
    assert {**found["metrics"], "aul_last_spearman": 1.0} == {**again["metrics"], "aul_last_spearman": 1.0}


def test_low_margins_are_suspect() -> None:
    arrays = planted_losses(n=400)
    assert detection(arrays, 20)["metrics"]["aum_auc"] > 0.95
    turned = {**arrays, "example_margin": -arrays["example_margin"]}
    assert detection(turned, 20)["metrics"]["aum_auc"] < 0.05


def test_arrays_that_were_not_kept_leave_their_metrics_empty_and_no_other() -> None:
    arrays = planted_losses(n=300)
    whole = detection(arrays, 20)
    fewer = {name: arrays[name] for name in ("example_loss", "example_label", "example_true", "example_image")}
    found = detection(fewer, 20)
    lost = {"aul_auc_eval", "aum_auc"}
    assert all(found["metrics"][name] is None for name in lost)
    assert all(found["metrics"][name] == whole["metrics"][name] for name in set(DETECTION) - lost)
    assert found["shown"]["auc"]["aum"] is None


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_with_one_group_only_the_mixture_and_that_group_are_measured(noise: float) -> None:
    outcome = detection(planted_losses(n=300, noise=noise), 20)
    within_bounds(outcome, DETECTION)
    found = outcome["metrics"]
    assert all(found[name] is None for name in COMPARE_GROUPS)
    empty, full = ("mislabeled", "clean") if noise == 0 else ("clean", "mislabeled")
    for name in (f"{empty}_loss_median", f"aul_{empty}_ks", f"aul_{empty}_skew", f"aul_{empty}_kurtosis"):
        assert found[name] is None and found[name.replace(empty, full)] is not None
    assert found["noise_estimate"] is not None and found["aul_low_mean"] is not None and found["aul_dip_p"] is not None
    assert outcome["shown"]["loss"][empty] is None and outcome["shown"]["auc"]["aul"] is None
    assert sum(outcome["shown"]["aul_histogram"][empty]) == 0
    json.dumps(outcome, allow_nan=False)


def test_constant_losses_give_a_reading_without_a_mixture() -> None:
    arrays = planted_losses(n=100)
    arrays["example_loss"] = np.ones_like(arrays["example_loss"])
    outcome = detection(arrays, 20)
    within_bounds(outcome, DETECTION)
    assert all(outcome["metrics"][name] is None for name in OF_THE_SPLIT)
    assert outcome["metrics"]["aul_auc"] == 0.5 and outcome["shown"]["mixture"] is None


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_a_handful_of_examples_gives_a_reading(n: int) -> None:
    within_bounds(detection(planted_losses(n=n, noise=0.5), 20), DETECTION)


def test_the_first_epoch_has_a_reading() -> None:
    outcome = detection(planted_losses(n=300), 1)
    within_bounds(outcome, DETECTION)
    assert outcome["metrics"]["aul_auc"] == outcome["metrics"]["loss_auc"]
    assert outcome["metrics"]["aul_auc_skip_first"] is None and outcome["metrics"]["aul_roughness"] is None
    assert outcome["shown"]["epochs"] == [1]


def test_a_reading_is_deterministic() -> None:
    arrays = planted_losses(n=500)
    assert detection(arrays, 15) == detection(arrays, 15)


def test_a_run_that_ended_early_or_lacks_an_array_fails_with_one_line() -> None:
    arrays = planted_losses(epochs=12, n=50)
    without = {name: values for name, values in arrays.items() if name != "example_loss"}
    broken = {**arrays, "example_loss": arrays["example_loss"].copy()}
    broken["example_loss"][3, 7] = np.nan
    short = {**arrays, "example_label": arrays["example_label"][:-1]}
    for given, epoch, says in (
        (arrays, 13, "12 finished epochs, not 13"),
        (arrays, 0, "no epoch 0"),
        (without, 5, "example_loss"),
        (broken, 4, "not finite"),
        (short, 5, "do not fit 50 examples"),
    ):
        outcome = detection(given, epoch)
        assert set(outcome) == {"status", "message"} and outcome["status"] == "failed"
        assert says in outcome["message"] and "\n" not in outcome["message"]
    assert detection(broken, 3)["status"] == "ok"  # what came later does not matter
    # to the reading; but then the last AUL is not known
    assert detection(broken, 3)["metrics"]["aul_last_spearman"] is None


def test_what_figures_draw_fits_the_arrays() -> None:
    arrays = planted_losses(n=800, epochs=150)
    wrong, loss = wrong_of(arrays), arrays["example_loss"]
    outcome = detection(arrays, 130)
    shown = outcome["shown"]
    assert (shown["examples"], shown["mislabeled"]) == (800, wrong.sum())
    for name in ("aul_histogram", "loss_histogram"):
        assert len(shown[name]["edges"]) == 41
        assert (sum(shown[name]["clean"]), sum(shown[name]["mislabeled"])) == ((~wrong).sum(), wrong.sum())
    epochs = shown["epochs"]
    assert (len(epochs), epochs[0], epochs[-1]) == (60, 1, 130) and max(np.diff(epochs)) - min(np.diff(epochs)) <= 1
    k, t = 31, epochs[31]
    assert shown["loss"]["clean"]["low"][k] == pytest.approx(np.quantile(loss[t - 1, ~wrong], 0.1), rel=1e-5)
    mean = loss[:t].mean(axis=0, dtype=np.float64)
    assert shown["aul"]["mislabeled"]["median"][k] == pytest.approx(np.median(mean[wrong]), rel=1e-5)
    assert shown["aul"]["mislabeled"]["high"][k] == pytest.approx(np.quantile(mean[wrong], 0.9), rel=1e-5)
    for score in ("loss", "aul", "aum"):
        assert shown["auc"][score][-1] == pytest.approx(outcome["metrics"][f"{score}_auc"], abs=1e-5)
    assert shown["mixture"]["means"][1] == pytest.approx(outcome["metrics"]["aul_high_mean"], rel=1e-5)
    low, high = shown["intervals"]["loss_auc"]
    assert low <= outcome["metrics"]["loss_auc"] + 1e-6 and high >= outcome["metrics"]["loss_auc"] - 1e-6
    assert len(json.dumps(shown)) < 20_000


def test_agreement_of_a_run_with_itself_and_with_another() -> None:
    first = planted_losses(n=500)
    second = {
        **first,
        **{
            name: values + np.random.default_rng(1).random(values.shape).astype(np.float32)
            for name, values in first.items()
            if values.dtype == np.float32
        },
    }
    itself, other = agreement(first, first, 20), agreement(first, second, 12)
    within_bounds(itself, AGREEMENT)
    within_bounds(other, AGREEMENT)
    assert all(value == pytest.approx(1) for value in itself["metrics"].values())
    assert other["shown"] == {"epoch": 12, "examples": 500, "test": 50, "validation": 25}
    found = other["metrics"]
    a, b = (run["test_example_loss"][:12].astype(np.float64) for run in (first, second))
    assert found["test_loss_pearson"] == pytest.approx(np.corrcoef(a[11], b[11])[0, 1])
    assert found["mean_test_loss_pearson"] == pytest.approx(np.corrcoef(a.mean(axis=0), b.mean(axis=0))[0, 1])
    auls = [run["example_loss"][:12].sum(axis=0, dtype=np.float64) for run in (first, second)]
    assert found["aul_pearson"] == pytest.approx(np.corrcoef(*auls)[0, 1])
    assert found["aul_spearman"] == pytest.approx(coefficient_of(*auls, "spearman"))
    margins = [run["example_margin"][:12].sum(axis=0, dtype=np.float64) for run in (first, second)]
    assert found["aum_pearson"] == pytest.approx(np.corrcoef(*margins)[0, 1])
    assert found["train_loss_pearson"] == pytest.approx(
        np.corrcoef(first["example_loss"][11], second["example_loss"][11])[0, 1], abs=1e-6
    )
    assert agreement(second, first, 12)["metrics"] == pytest.approx(found)


def test_agreement_needs_the_same_examples_and_labels() -> None:
    first, second = planted_losses(n=100), planted_losses(n=100, seed=1)
    outcome = agreement(first, second, 20)
    assert outcome["status"] == "failed" and "same data and noise" in outcome["message"]
    assert agreement(first, planted_losses(n=100, epochs=5), 20)["status"] == "failed"
    other_images = {**first, "test_example_loss": first["test_example_loss"][:, :-1]}
    assert "test_example_loss" in agreement(first, other_images, 20)["message"]
    without = {name: values for name, values in first.items() if not name.startswith(("test", "validation"))}
    assert agreement(first, without, 20)["metrics"]["test_loss_pearson"] is None


def test_the_contact_sheet_has_its_pixels_and_labels() -> None:
    arrays = planted_losses(n=300, noise=0.1)
    outcome = suspects(arrays, 20)
    within_bounds(outcome, SUSPECTS)
    shown = json.loads(json.dumps(outcome["shown"], allow_nan=False))
    pixels = np.frombuffer(base64.b64decode(shown["pixels"]), dtype=np.uint8).reshape(shown["shape"])
    assert np.array_equal(pixels, arrays["suspect_images"])
    assert shown["aul"] == sorted(shown["aul"], reverse=True) and len(shown["aul"]) == 64
    wrong = np.array(shown["label"]) != np.array(shown["true"])
    assert outcome["metrics"]["suspects_mislabeled"] == wrong.mean() == wrong_of(arrays)[shown["examples"]].mean()
    assert suspects(planted_losses(n=30, noise=0.0), 20)["metrics"] == {"suspects_mislabeled": 0.0}


def test_a_contact_sheet_that_does_not_fit_fails() -> None:
    arrays = planted_losses(n=100)
    outside = {**arrays, "suspect_examples": arrays["suspect_examples"] + 90}
    without = {name: values for name, values in arrays.items() if name != "suspect_images"}
    for given, epoch, says in (
        (arrays, 10, "after epoch 20"),
        (outside, 20, "outside"),
        (without, 20, "suspect_images"),
    ):
        outcome = suspects(given, epoch)
        assert outcome["status"] == "failed" and says in outcome["message"]


def test_what_checks_of_a_study_read_needs_no_numpy() -> None:
    code = "import sys, lnbench.loss_curves.entries; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_reading_needs_no_torch() -> None:
    code = "import sys, lnbench.loss_curves.readings; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("table", [DETECTION, AGREEMENT, SUSPECTS])
def test_every_yield_has_bounds_and_words(table: dict[str, Yield]) -> None:
    assert all(low < high and words and not words.endswith(".") for low, high, words in table.values())
