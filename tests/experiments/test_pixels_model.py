"""A logistic regression on the pixels: what it sees, what it finds, and that runs without it stay what they were."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import softmax

from lnbench import experiments
from lnbench.data.images import load
from lnbench.errors import DataError
from lnbench.experiments import Hooks, Stopped, label_errors, pixels_model
from lnbench.experiments.label_errors import draw, folds_of
from lnbench.needs import _label_demands
from lnbench.noise.law import label_source
from lnbench.plan import Run, plan_study
from lnbench.resources import find_study
from lnbench.spec import load_study, recipe_of
from lnbench.store import make_record
from lnbench.training.checkpoints import load_state, save_state
from tests.toys.experiment_cases import LABEL_ERRORS, Interrupting, seeds

NEEDS_CLEANLAB = pytest.mark.skipif(
    importlib.util.find_spec("cleanlab") is None, reason="needs the package cleanlab (pip install 'lnbench[peers]')"
)
ROWS = [[0.7 if label == y else 0.3 if label == (y + 3) % 10 else 0.0 for label in range(10)] for y in range(10)]
OPTIONS = {**LABEL_ERRORS, "epochs": 4}


def recipe(**changes: Any) -> dict[str, Any]:
    return recipe_of({**OPTIONS, **changes}).identity()


def run(options: dict[str, Any], **more: Any) -> dict[str, Any]:
    outcome = experiments.run(options, seeds(3), None, **more)
    outcome.pop("took", None)
    return outcome


def folded(n: int = 300) -> tuple[Any, Any, Any]:
    drawn = draw(recipe(clean=n), seeds(1), load("digits"))
    return drawn.data.train_images, drawn.given, folds_of(drawn.given, 3, 1)


# ---- the model


def test_each_image_is_judged_by_a_model_that_was_not_fitted_on_it() -> None:
    """Another label of an image changes what is said of others, and nothing of what is said in its own fold."""
    images, given, fold = folded()
    found, iterations = pixels_model.out_of_fold(images, given, fold, 10)
    changed = given.copy()
    changed[0] = (changed[0] + 1) % 10
    other, _ = pixels_model.out_of_fold(images, changed, fold, 10)
    own = fold == fold[0]
    assert np.array_equal(found[own], other[own])
    assert not np.array_equal(found[~own], other[~own])
    assert len(iterations) == 3 and all(0 < count <= pixels_model.ITERATIONS for count in iterations)


def test_the_probabilities_are_where_the_penalised_loss_is_least() -> None:
    """The gradient of the stated loss, written out here, is near 0 at the fitted weights; and another penalty has
    another least point."""
    images, given, fold = folded()
    held = fold == 0
    x = images[~held].reshape((~held).sum(), -1).astype(np.float64)
    model, standard = pixels_model._fit(x, given[~held])
    z = standard(x)
    assert z.mean(axis=0) == pytest.approx(np.zeros(64), abs=1e-9)
    assert set(np.round(z.std(axis=0), 9)) == {0.0, 1.0}  # corners of a digit never change
    over = softmax(z @ model.coef_.T + model.intercept_, axis=1) - np.eye(10)[given[~held]]
    gradient = model.coef_ + pixels_model.C * over.T @ z
    assert np.abs(gradient).max() / (pixels_model.C * len(z)) < 10 * pixels_model.TOLERANCE
    assert np.abs(model.coef_ + 2 * pixels_model.C * over.T @ z).max() > np.abs(gradient).max() * 10
    found, _ = pixels_model.out_of_fold(images, given, fold, 10)
    p = softmax(standard(images[held].reshape(held.sum(), -1)) @ model.coef_.T + model.intercept_, axis=1)
    assert found[held] == pytest.approx(p, abs=1e-12)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(given)))


def test_a_class_that_no_label_of_a_fit_names_is_never_said() -> None:
    images, given, fold = folded()
    few = np.where(given == 9, 8, given)
    found, _ = pixels_model.out_of_fold(images, few, fold, 10)
    assert found.shape == (300, 10) and not found[:, 9].any() and (found[:, :9] > 0).all()


# ---- the run


@NEEDS_CLEANLAB
def test_a_run_with_it_has_its_numbers_and_the_others_are_what_they_were() -> None:
    plain, more = run(recipe()), run(recipe(pixels_model="logistic"))
    own = set(more["metrics"]) - set(plain["metrics"])
    assert own == set(label_errors.OF_PIXELS) and len(own) == 6
    assert {name: more["metrics"][name] for name in plain["metrics"]} == plain["metrics"]
    assert more["metrics"]["logistic_error_auc"] > 0.85
    assert all(more["metrics"][name] is not None for name in own)
    assert set(more["packages"]) == {"cleanlab", "scikit-learn"} and set(plain["packages"]) == {"cleanlab"}
    assert len(more["iterations"]) == 3 and "iterations" not in plain
    assert json.dumps(run(recipe(pixels_model="logistic"))) == json.dumps(more)  # nothing is drawn
    make_record(Run(recipe(pixels_model="logistic"), seeds()).content, more, {"environment": {}})


@NEEDS_CLEANLAB
def test_a_run_that_was_stopped_fits_the_same_model(tmp_path: Any) -> None:
    one, hooks, file = Run(recipe(pixels_model="logistic"), seeds(3)), Interrupting(60), tmp_path / "state.npz"
    with pytest.raises(Stopped):
        run(one.recipe, hooks=hooks)
    save_state(hooks.saved, [one.id], file, lambda path, data: path.write_bytes(data) and None)
    again = run(one.recipe, state=load_state([one.id], file), hooks=Hooks())
    assert json.dumps(again) == json.dumps(run(one.recipe))


def test_older_runs_have_no_such_option() -> None:
    """So their ids stay; and what is left out is asked for in vain."""
    assert "pixels_model" not in recipe() and recipe(pixels_model="none") == recipe()
    assert "pixels_model" not in recipe_of(OPTIONS).model_dump()
    assert Run(recipe(pixels_model="logistic"), seeds()).id != Run(recipe(), seeds()).id
    without = recipe_of(OPTIONS)
    assert "pixels_model: logistic" in without.leaves_out("logistic_error_auc")  # type: ignore[union-attr]
    assert not recipe_of({**OPTIONS, "pixels_model": "logistic"}).leaves_out("logistic_error_auc")  # type: ignore[union-attr]
    with pytest.raises(ValidationError, match="pixels_model: its probabilities are out of the folds"):
        recipe_of({**OPTIONS, "folds": 0, "pixels_model": "logistic"})


def test_what_no_gpu_fits_is_priced_on_a_core() -> None:
    plain, more = (Run(recipe(**one), seeds()) for one in ({}, {"pixels_model": "logistic"}))
    assert (more.seconds or 0) > (plain.seconds or 0)


# ---- the other kinds of noise


@pytest.mark.parametrize(
    "noise",
    [{"kind": "class_conditional", "matrix": ROWS}, {"kind": "hard_images", "rate": 0.3}],
    ids=["class-conditional", "hard images"],
)
def test_labels_of_a_table_are_those_of_the_same_images_in_the_whole_data_set(noise: dict[str, Any]) -> None:
    drawn, all_of_it = (draw(recipe(noise=noise, clean=clean), seeds(2), load("digits")) for clean in (400, 1300))
    assert 0.15 < drawn.wrong.mean() < 0.45
    known = {image.tobytes(): label for image, label in zip(all_of_it.data.train_images, all_of_it.given, strict=True)}
    assert all(
        known[image.tobytes()] == label for image, label in zip(drawn.data.train_images, drawn.given, strict=True)
    )
    assert drawn.facts["table"]["wrong"] == pytest.approx(0.3, abs=0.05)


def test_noise_that_does_not_fit_the_data_is_refused_at_its_key() -> None:
    with pytest.raises(ValidationError, match="digits has no human labels"):
        recipe_of({**OPTIONS, "noise": {"kind": "human", "labels": "worst"}})
    with pytest.raises(ValidationError, match="a matrix of 2 classes"):
        recipe_of({**OPTIONS, "noise": {"kind": "class_conditional", "matrix": [[1, 0], [0, 1]]}})


def test_a_study_of_experiments_asks_for_the_labels_that_it_reads() -> None:
    """Before anything is trained, by name of the data set; a matrix asks for none."""
    plan = plan_study(load_study(find_study("peers_by_noise")).tiers["cpu"])
    asked = [(name, noise.get("labels") or noise.get("like")) for name, noise in _label_demands(plan)]
    assert {("cifar10", "random1"), ("cifar10", "worst")} <= set(asked)
    assert label_source(recipe()) is None
    assert label_source({"experiment": "linear_network", "noise": "gaussian"}) is None


def test_absent_labels_of_people_are_one_error(tmp_path: Any) -> None:
    from lnbench.data.label_files import LabelFiles
    from lnbench.noise.law import demand_labels

    with pytest.raises(DataError, match=r"CIFAR-10_human\.pt"):
        demand_labels({"kind": "human", "labels": "worst"}, "cifar10", LabelFiles(tmp_path))
