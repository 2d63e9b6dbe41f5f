"""Wrong labels found by loss curves, margins and confident learning: what is planted is found, at equal cost."""

from __future__ import annotations

import importlib.util
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from lnbench import catalog, experiments
from lnbench.data.images import ImageData, load
from lnbench.errors import LnbenchError, SpecError
from lnbench.experiments import Hooks, State, Stopped, label_errors
from lnbench.experiments.entries import YIELDS
from lnbench.experiments.label_errors import by_confident_learning, by_loss_curves, draw, folds_of
from lnbench.experiments.options import LabelErrors, network_of
from lnbench.judge import gather, judge
from lnbench.loss_curves.readings import detection
from lnbench.plan import Run, plan_study
from lnbench.report.folder import write_report
from lnbench.spec import load_study, recipe_of
from lnbench.store import make_record
from lnbench.training.checkpoints import load_state, save_state
from lnbench.training.engine import train, train_group
from tests.toys.experiment_cases import LABEL_ERRORS, Interrupting, seeds

STUDY = Path(__file__).parents[2] / "claims" / "peers_label_errors.yaml"
NEEDS_CLEANLAB = pytest.mark.skipif(
    importlib.util.find_spec("cleanlab") is None, reason="needs the package cleanlab (pip install 'lnbench[peers]')"
)
PAIR = {"kind": "pair_flip", "rate": 0.3}
STEP = {"kind": "step", "milestones": [6, 10], "gamma": 0.1, "unit": "epochs"}
OPTIONS = LABEL_ERRORS
UNIFORM = OPTIONS["noise"]
CONFIDENT = [name for name in label_errors.METRICS if name.startswith("confident")]


def recipe(**changes: Any) -> dict[str, Any]:
    return recipe_of({**OPTIONS, **changes}).identity()


def run(options: dict[str, Any], own: dict[str, int] | None = None, **more: Any) -> dict[str, Any]:
    """The outcome, without how long it took: the one thing that differs from time to time."""
    outcome = experiments.run(options, own or seeds(), None, **more)
    outcome.pop("took", None)
    return outcome


@cache
def digits() -> ImageData:
    return load("digits")


@pytest.fixture
def no_confident_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the trainings around it, where cleanlab may be missing: a plain ranking in its place."""

    def ranked(given: Any, probabilities: Any, wrong: Any) -> dict[str, float]:
        assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(given)), abs=1e-5)
        quality = probabilities[np.arange(len(given)), given]
        return {"confident_error_auc": label_errors.roc_auc(-quality, wrong)}

    monkeypatch.setattr(label_errors, "cleanlab", lambda: None)
    monkeypatch.setattr(label_errors, "by_confident_learning", ranked)


# ---- what is drawn


@pytest.mark.parametrize("noise", [UNIFORM, PAIR], ids=["uniform", "pair"])
def test_images_and_labels_are_those_of_a_training_with_this_noise(noise: dict[str, Any]) -> None:
    """So AUL and AUM are those of that training, to the last bit."""
    options, own = recipe(noise=noise, folds=0), seeds(4, noise=7, split=2)
    probes = ["example_loss", "example_margin"]
    plain = {**network_of(options, 400), "noise": noise, "probes": probes}
    read = detection(train(plain, own, digits())["arrays"], 12)["metrics"]
    ours = run(options, own)["metrics"]
    for name, theirs in {
        "aul_error_auc": "aul_auc", "aum_error_auc": "aum_auc", "last_loss_error_auc": "loss_auc",
        "aul_error_precision": "precision", "aul_error_recall": "recall", "aul_error_noise_bias": "noise_bias",
        "aul_error_noise_error": "noise_error",
    }.items():  # fmt: skip
        assert ours[name] == read[theirs], name
    assert ours["aum_error_auc"] != ours["aul_error_auc"]


def test_a_draw_says_which_labels_are_wrong() -> None:
    drawn = draw(recipe(noise=PAIR), seeds(1), digits())
    assert drawn.wrong.mean() == pytest.approx(drawn.facts["realised_wrong"]) == pytest.approx(0.3, abs=0.1)
    images = {image.tobytes(): label for image, label in zip(digits().train_images, digits().train_labels, strict=True)}
    true = np.array([images[image.tobytes()] for image in drawn.data.train_images])
    assert np.array_equal(drawn.given, (true + drawn.wrong) % 10)
    assert drawn.checksum == digits().checksum


def test_every_seed_is_another_draw() -> None:
    first, second = (draw(recipe(), seeds(number), digits()) for number in (0, 1))
    assert not np.array_equal(first.data.train_images, second.data.train_images)
    assert first.facts["labels_sha256"] != second.facts["labels_sha256"]


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_folds_share_out_the_examples_and_each_label(folds: int) -> None:
    given = np.random.default_rng(0).integers(0, 10, 401)
    fold = folds_of(given, folds, 5)
    assert np.ptp(np.bincount(fold, minlength=folds)) <= 1
    for label in range(10):
        assert np.ptp(np.bincount(fold[given == label], minlength=folds)) <= 1
    assert np.array_equal(fold, folds_of(given, folds, 5))
    assert not np.array_equal(fold, folds_of(given, folds, 6))


# ---- the budget


@pytest.mark.parametrize(("folds", "clean"), [(2, 401), (3, 400), (5, 398)])
def test_confident_learning_sees_as_many_examples_as_the_one_network(
    folds: int, clean: int, monkeypatch: pytest.MonkeyPatch, no_confident_learning: None
) -> None:
    """Counted in the steps of the trainings themselves."""
    seen: list[int] = []

    def counted(recipe: Any, own: Any, data: Any, device: Any, *, state: Any, hooks: Hooks) -> Any:
        done = []
        noted = Hooks(lambda progress: bool(done.append(progress.examples_done)), hooks.should_stop, hooks.save)
        outcome = train(recipe, own, data, device, state=state, hooks=noted)
        seen.append(done[-1])
        return outcome

    monkeypatch.setattr("lnbench.training.engine.train", counted)
    outcome = run(recipe(folds=folds, clean=clean, epochs=4))
    assert len(seen) == 1 + folds
    assert seen[0] == sum(seen[1:]) == 4 * clean
    assert outcome["passes"] == {"network": 4 * clean, "folds": 4 * clean}


def test_a_fold_does_not_see_what_it_judges_and_starts_by_itself() -> None:
    options = recipe(folds=3)
    drawn = draw(options, seeds(), digits())
    first, *folds = label_errors._networks(options, seeds(), drawn)
    assert len(first.data.train_labels) == 400
    held = [{image.tobytes() for image in network.data.test_images} for network in folds]
    assert set().union(*held) == {image.tobytes() for image in drawn.data.train_images}
    for network, own in zip(folds, held, strict=True):
        assert not own & {image.tobytes() for image in network.data.train_images}
        assert network.recipe["epochs"] == 6 and network.recipe["dataset"]["clean"] == len(network.data.train_labels)
    assert len({network.seeds["init"] for network in (first, *folds)}) == 4


def test_a_schedule_is_shortened_like_the_epochs() -> None:
    assert network_of(recipe(schedule=STEP), 100, 2)["schedule"]["milestones"] == [3, 5]
    cosine = {"kind": "cosine", "length": 12, "unit": "epochs", "per": "step", "final": 0.0}
    shorter = network_of(recipe(schedule=cosine), 100, 2)
    assert (shorter["schedule"]["length"], shorter["epochs"]) == (6, 6)
    assert network_of(recipe(schedule=cosine), 100)["schedule"] == cosine


@pytest.mark.parametrize(
    ("changes", "key", "what"),
    [
        ({"folds": 1}, "folds", "one fold leaves nothing to train on"),
        ({"epochs": 11}, "epochs", "3 folds are trained for 11/2 epochs each"),
        ({"clean": 40, "batch_size": 30}, "batch_size", "30 is larger than what a fold is trained on, 26 images"),
        (
            {"schedule": {**STEP, "milestones": [5]}},
            "schedule",
            "2 times whole",
        ),
        ({"schedule": {**STEP, "unit": "steps"}}, "schedule", "be epochs"),
        ({"clean": 1301}, "clean", "clean: 1301 clean images, but digits has 1300 for training"),
        ({"clean": 30, "folds": 0}, "batch_size", "32 is larger than the data, 30 clean images"),
        ({"model": "lenet"}, "model", "model: lenet on digits"),
        ({"pixels": {"mean": [0.1, 0.2], "std": [1.0, 1.0]}}, "pixels", "digits has 1 channels"),
    ],
)
def test_what_cannot_be_trained_is_said_at_its_key(changes: dict[str, Any], key: str, what: str) -> None:
    with pytest.raises(ValidationError, match=what) as refused:
        recipe_of({**OPTIONS, **changes})
    assert refused.value.errors()[0]["ctx"]["error"].key == key


@pytest.mark.parametrize(("key", "hint"), [("dataset", "did you mean 'digits'"), ("model", "known")])
def test_unknown_names_are_said(key: str, hint: str) -> None:
    with pytest.raises(ValidationError, match=f"{key}: 'digts' is not known"):
        LabelErrors.model_validate({**OPTIONS, key: "digts"})


# ---- what is found


@pytest.mark.parametrize("noise", [UNIFORM, PAIR], ids=["uniform", "pair"])
def test_planted_errors_are_found(noise: dict[str, Any], no_confident_learning: None) -> None:
    found = run(recipe(noise=noise, clean=1000, model="mlp1"))
    metrics = found["metrics"]
    assert metrics["aul_error_auc"] > 0.9 and metrics["aum_error_auc"] > 0.9
    assert metrics["confident_error_auc"] > 0.8  # out of fold: networks that had seen these labels would believe them
    assert metrics["aul_error_auc"] > metrics["last_loss_error_auc"] > 0.5
    assert metrics["aul_error_recall"] > 0.6 and metrics["aul_error_precision"] > 0.6
    assert found["status"] == "ok" and found["diverged"] == [] and found["diverged_at"] is None
    assert len(found["curves"]["test_accuracy"]) == 12 and found["steps"] == list(range(1, 13))
    assert found["curves"]["test_accuracy"][-1] > 0.6
    json.dumps(found, allow_nan=False)


def test_scores_that_do_not_part_have_no_mixture() -> None:
    wrong = np.arange(8) % 2 == 0
    level = {"aul": np.ones(8), "aum": np.ones(8), "last_loss": np.ones(8)}
    found = by_loss_curves(level, wrong)
    assert found == {"aul_error_auc": 0.5, "aum_error_auc": 0.5, "last_loss_error_auc": 0.5}
    apart = by_loss_curves({**level, "aum": np.where(wrong, -5.0, 5.0) + 0.01 * np.arange(8)}, wrong)
    assert apart["aum_error_auc"] == apart["aum_error_recall"] == apart["aum_error_precision"] == 1.0
    assert apart["aum_error_noise_bias"] == pytest.approx(0.0, abs=1e-6)


@NEEDS_CLEANLAB
def test_a_hand_made_matrix_gives_cleanlabs_issues() -> None:
    """Three classes, two wrong labels, by the confident joint as the paper defines it, counted by hand."""
    given = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    probabilities = np.full((12, 3), 0.05)
    probabilities[np.arange(12), given] = 0.9
    probabilities[3], probabilities[7] = [0.1, 0.85, 0.05], [0.03, 0.02, 0.95]  # say 1, 2
    wrong = np.isin(np.arange(12), [3, 7])
    thresholds = np.array([probabilities[given == j, j].mean() for j in range(3)])
    joint = np.zeros((3, 3))
    for row, label in zip(probabilities, given, strict=True):
        sure = np.flatnonzero(row >= thresholds)
        if len(sure):
            joint[label, sure[np.argmax(row[sure])]] += 1
    assert joint.tolist() == [[3, 1, 0], [0, 3, 1], [0, 0, 4]]
    found = by_confident_learning(given, probabilities, wrong)
    assert set(found) == set(CONFIDENT)
    assert found["confident_error_auc"] == found["confident_margin_error_auc"] == 1.0
    assert found["confident_error_precision"] == found["confident_error_recall"] == 1.0
    assert found["confident_error_noise_bias"] == pytest.approx(2 / 12 - 2 / 12)
    turned = by_confident_learning(given, probabilities, np.arange(12) == 0)  # what they find is not what is wrong
    assert turned["confident_error_precision"] == turned["confident_error_recall"] == 0.0
    assert turned["confident_error_noise_bias"] == pytest.approx(1 / 12)


@NEEDS_CLEANLAB
def test_a_run_with_cleanlab_yields_every_metric_and_names_its_version() -> None:
    found = run(recipe(clean=1000, model="mlp1"))
    known = {name for name, (_, _, by, _) in YIELDS.items() if "label_errors" in by}
    assert set(found["metrics"]) == {name for name in known if not name.startswith("logistic_")}
    for name, value in found["metrics"].items():
        low, high, _, _ = YIELDS[name]
        assert value is not None and low <= value <= high, name
    assert found["metrics"]["confident_error_auc"] > 0.9 and found["metrics"]["confident_margin_error_auc"] > 0.9
    assert found["metrics"]["confident_error_recall"] > 0.6 and found["metrics"]["confident_error_precision"] > 0.6
    assert found["packages"]["cleanlab"].count(".") == 2
    json.dumps(found, allow_nan=False)


def test_without_folds_there_is_no_confident_learning() -> None:
    found = run(recipe(folds=0))
    assert all((value is None) == (name in CONFIDENT) for name, value in found["metrics"].items())
    assert found["packages"] == {} and found["passes"] == {"network": 4800, "folds": 0}


def test_a_study_without_folds_that_asks_for_confident_learning_is_refused_at_the_effect(tmp_path: Path) -> None:
    text = STUDY.read_text().replace("    folds: 3\n", "    folds: 0\n", 1)
    study = tmp_path / STUDY.name
    study.write_text(text)
    line = 1 + text[: text.index("metric: confident_error_noise_bias")].count("\n")
    with pytest.raises(SpecError, match=rf"{study.name}:{line}:.*confident learning is left out.*give it folds: 2"):
        load_study(study)


# ---- what is missing


def test_a_missing_cleanlab_is_one_line_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cleanlab", "cleanlab.count", "cleanlab.rank", "cleanlab.filter"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(label_errors, "draw", lambda *_: pytest.fail("it went on"))
    with pytest.raises(LnbenchError, match=r"pip install 'lnbench\[peers\]'") as refused:
        run(recipe())
    assert "\n" not in str(refused.value)


# ---- stopped, killed, diverged


@pytest.mark.parametrize("step", [5, 156, 157, 200, 300])  # 156 steps of the network; then 102 a fold
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    step: int, tmp_path: Path, no_confident_learning: None
) -> None:
    one = Run(recipe(), seeds(3))
    hooks, file = Interrupting(step), tmp_path / "state.npz"
    with pytest.raises(Stopped):
        run(one.recipe, one.seeds, hooks=hooks)
    save_state(hooks.saved, [one.id], file, lambda path, data: path.write_bytes(data) and None)
    state = load_state([one.id], file)
    seen: list[int] = []
    again = run(one.recipe, one.seeds, state=state, hooks=Hooks(lambda at: bool(seen.append(at.examples_done))))
    whole = run(one.recipe, one.seeds)
    assert json.dumps(again) == json.dumps(whole)
    done = hooks.seen[-1].examples_done
    assert all(at > done for at in seen), "it began anew"
    assert seen[-1:] in ([], [9600]) and [at.examples_total for at in hooks.seen[-1:]] == [9600]


def test_another_runs_checkpoint_is_not_gone_on_from(no_confident_learning: None) -> None:
    hooks = Interrupting(200)
    with pytest.raises(Stopped):
        run(recipe(clean=300), seeds(3), hooks=hooks)
    assert run(recipe(), seeds(3), state=hooks.saved) == run(recipe(), seeds(3))
    assert run(recipe(), seeds(3), state=State(step=1)) == run(recipe(), seeds(3))


def _wild(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the number-th network of a run diverge, by its rate."""
    calls: list[int] = []

    def wild(recipe: Any, *rest: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == number + 1:
            recipe = {**recipe, "optimizer": {**recipe["optimizer"], "lr": 1e30}}
        return train(recipe, *rest, **more)

    monkeypatch.setattr("lnbench.training.engine.train", wild)


def test_a_diverged_fold_takes_confident_learnings_numbers_and_no_others(
    monkeypatch: pytest.MonkeyPatch, no_confident_learning: None
) -> None:
    whole = run(recipe())["metrics"]
    _wild(2, monkeypatch)
    found = run(recipe())
    assert found["status"] == "diverged" and found["diverged"] == ["fold 2"] and found["diverged_at"] == 0
    assert all(found["metrics"][name] is None for name in CONFIDENT)
    assert {name: value for name, value in found["metrics"].items() if name not in CONFIDENT} == {
        name: value for name, value in whole.items() if name not in CONFIDENT
    }
    json.dumps(found, allow_nan=False)


def test_a_diverged_network_takes_those_of_aul_and_aum(
    monkeypatch: pytest.MonkeyPatch, no_confident_learning: None
) -> None:
    _wild(0, monkeypatch)
    found = run(recipe())
    assert found["diverged"] == ["network"] and found["steps"] == [] and found["curves"]["train_loss"] == []
    assert found["metrics"]["confident_error_auc"] is not None
    assert all(value is None for name, value in found["metrics"].items() if name not in CONFIDENT)
    json.dumps(found, allow_nan=False)


# ---- the probe


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_probabilities_are_the_softmax_of_the_final_network_as_it_is_evaluated(backend: str) -> None:
    """Their cross-entropy and their right answers are the curves' last values; asking changes no other number."""
    plain = {**network_of(recipe(), 400), "epochs": 3}
    probed = {**plain, "probes": ["test_probabilities"]}
    own = seeds(2)
    outcome, without = (train(one, own, digits(), backend=backend) for one in (probed, plain))
    assert outcome["curves"] == without["curves"] and "arrays" not in without
    found, truth = outcome["arrays"]["test_probabilities"], digits().test_labels
    assert found.shape == (len(truth), 10) and found.dtype == np.float32
    assert found.sum(axis=1) == pytest.approx(np.ones(len(truth)), abs=1e-6)
    assert (found.argmax(1) == truth).mean() == outcome["curves"]["test_accuracy"][-1]
    loss = -np.log(found[np.arange(len(truth)), truth].astype(np.float64)).mean()
    assert loss == pytest.approx(outcome["curves"]["test_loss"][-1], rel=1e-4)


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_mean_probabilities_are_the_mean_over_the_epochs_of_all_test_images(backend: str) -> None:
    """Of trainings that end after one, two and three epochs; however few images the run is tested on."""
    ends = []
    for epochs in (1, 2, 3):
        plain = {**network_of(recipe(), 400), "epochs": epochs, "schedule": {"kind": "constant"}}
        probed = {**plain, "probes": ["test_probabilities", "mean_test_probabilities"]}
        arrays = train(probed, seeds(2), digits(), backend=backend)["arrays"]
        ends.append(arrays["test_probabilities"])
    assert arrays["mean_test_probabilities"] == pytest.approx(np.mean(ends, axis=0), abs=1e-5)
    few = {**probed, "dataset": {**plain["dataset"], "test": 1}, "probes": ["mean_test_probabilities"]}
    assert np.array_equal(
        train(few, seeds(2), digits(), backend=backend)["arrays"]["mean_test_probabilities"],
        arrays["mean_test_probabilities"],
    )


def test_a_batch_normalisation_is_in_eval_mode_and_a_diverged_run_has_no_probabilities() -> None:
    plain = {**network_of(recipe(), 400), "model": "resnet8_w8", "epochs": 1, "probes": ["test_probabilities"]}
    outcome = train(plain, seeds(), digits())
    right = outcome["arrays"]["test_probabilities"].argmax(1) == digits().test_labels
    assert right.mean() == outcome["curves"]["test_accuracy"][-1]
    wild = {**plain, "model": "mlp1", "optimizer": {**plain["optimizer"], "lr": 1e30}, "epochs": 3}
    assert "arrays" not in train(wild, seeds(), digits())
    calm = {**wild, "optimizer": {**plain["optimizer"], "lr": 0.1}}
    one, other = train_group([wild, calm], [seeds(), seeds()], digits(), backend="stacked")
    assert "arrays" not in one and "test_probabilities" in other["arrays"]  # in one group with a run that goes on


# ---- the record and the study


def test_a_runs_id_hangs_on_the_code_that_trains_its_networks() -> None:
    versions = Run(recipe(), seeds()).content["versions"]
    assert set(versions) == {
        "experiment", "dataset", "engine", "noise", "model", "method", "optimizer", "schedule"
    }  # fmt: skip
    assert Run(recipe(arm="x"), seeds()).id == Run(recipe(), seeds()).id != Run(recipe(folds=0), seeds()).id


def test_a_run_is_described_and_priced_without_torch_and_cleanlab() -> None:
    small, large = (Run(recipe(clean=clean), seeds()) for clean in (400, 1200))
    assert 0 < 2 * (small.seconds or 0) < (large.seconds or 0)
    assert (Run(recipe(folds=0), seeds()).seconds or 0) < (small.seconds or 0)
    assert "label_errors" in small.describe()
    assert catalog.find("experiment", "label_errors").load() is label_errors.run


def test_smoke_needs_no_package_and_the_other_tiers_ask_at_an_equal_budget() -> None:
    tiers = load_study(STUDY).tiers
    assert set(tiers) == {"full", "lite", "cpu", "smoke"}
    for name, tier in tiers.items():
        folds = {cell.recipe.identity()["folds"] for cell in tier.cells}
        assert folds == ({0} if name == "smoke" else {3}), name
        assert tier.spec.runs.seeds.n == (3 if name == "smoke" else 10)
    assert sum(run.seconds or 0 for run in plan_study(tiers["smoke"]).provisional_runs()) < 10


def test_smoke_is_trained_judged_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judging and reports need no cleanlab."""
    for name in ("cleanlab", "aum"):
        monkeypatch.setitem(sys.modules, name, None)
    study = load_study(STUDY).tiers["smoke"]
    made = {}
    for one in plan_study(study).provisional_runs():
        outcome = experiments.run(one.recipe, one.seeds, None)
        provenance = {"environment": {}, "device": "cpu", "backend": "experiment", "threads": 1, "seconds": 0.1}
        made[one.id] = json.loads(json.dumps(make_record(one.content, outcome, provenance), allow_nan=False))
    result = judge(gather(plan_study(study), made.get))
    assert [one.claim.id for one in result.claims] == ["LNB-03", "LNB-04", "LNB-05", "LNB-06"]
    assert all(one.verdict == "smoke-pass" for one in result.claims)
    write_report(result, tmp_path / "report")
    page = (tmp_path / "report" / "report.md").read_text()
    assert "`aul_error_auc`" in page and "digits" in page


def test_how_long_each_method_took_is_told_of_a_run_that_was_not_interrupted(no_confident_learning: None) -> None:
    took = experiments.run(recipe(folds=3, epochs=4), seeds(), None)["took"]
    assert set(took) == {"network", "folds", "loss_curves", "confident_learning"}
    assert all(seconds >= 0 for seconds in took.values()) and took["network"] > 0
