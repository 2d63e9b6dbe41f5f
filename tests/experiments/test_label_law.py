"""The identities of label noise, counted on the labels that trainings draw, and on the loss that they step along."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lnbench import experiments
from lnbench.experiments.label_law import _best_predictions
from lnbench.randomness import SEED_STREAMS
from lnbench.spec import recipe_of


def law(noise: dict[str, Any], method: Any = "standard", *, images: int = 20_000, seed: int = 0) -> dict[str, float]:
    recipe = recipe_of(
        {"experiment": "label_law", "images": images, "classes": 10, "noise": noise, "method": method}
    ).identity()
    metrics: dict[str, float] = experiments.run(recipe, dict.fromkeys(SEED_STREAMS, seed), None)["metrics"]
    return metrics


def dilution(alpha: float) -> dict[str, Any]:
    return {"kind": "dilute_uniform", "alpha": alpha, "include_true_class": True}


def noisy_loss(alpha: float, form: str = "definition") -> dict[str, Any]:
    return {"kind": "noisy_loss", "alpha": alpha, "form": form}


def test_eleven_of_101_labels_are_right() -> None:
    found = law(dilution(100))
    assert found["correct_labels"] == pytest.approx(11, abs=4 * (9 / 20_000) ** 0.5)
    assert found["label_accuracy_above_chance"] == pytest.approx(11 / 101 - 0.1, abs=1e-3)


@pytest.mark.parametrize("form", ["definition", "proportional"])
@pytest.mark.parametrize("alpha", [10, 100])
def test_the_noisy_loss_is_least_at_the_law_of_diluted_labels(alpha: int, form: str) -> None:
    exact = 1 / (1 + alpha) + alpha / (10 * (1 + alpha))
    assert law({"kind": "none"}, noisy_loss(alpha, form))["best_prediction"] == pytest.approx(exact, abs=1e-10)
    assert law(dilution(alpha))["best_prediction"] == pytest.approx(exact, abs=2e-3)


def test_the_cross_entropy_is_least_at_the_shares_themselves() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(10), size=10)
    assert _best_predictions("standard", shares) == pytest.approx(shares, abs=1e-9)


@pytest.mark.parametrize(("delta", "excess"), [(0.5, -0.5 / 21), (1.0, 0.0)])
def test_the_bias_of_structured_noise(delta: float, excess: float) -> None:
    found = law({"kind": "dilute_structured", "alpha": 20, "delta": delta, "order": "random"})
    assert found["likeliest_wrong_excess"] == pytest.approx(excess, abs=3e-3)
    assert found["correct_share"] == pytest.approx(3 / 21, abs=2e-3)
    assert found["share_misfit"] < 3e-3


def test_noise_that_breaks_its_law_is_seen() -> None:
    """A noise with the true class left out has fewer right labels: the experiment counts what is drawn."""
    found = law({**dilution(100), "include_true_class": False})
    assert found["correct_labels"] == pytest.approx(1, abs=1e-12)
    assert found["share_misfit"] > 0.05


def test_an_experiment_has_no_confusion_matrix() -> None:
    with pytest.raises(ValueError, match="an experiment has no confusion matrix"):
        law({"kind": "dilute_structured", "alpha": 20, "delta": 1, "order": "confusing"})
