"""Label smoothing and bootstrapping: numbers worked out by hand, the probe, the input, and what a record says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lnbench.data.images import load
from lnbench.given import Given
from lnbench.identity import canonical_json
from lnbench.methods.bootstrapped import Bootstrapped
from lnbench.methods.label_smoothing import LabelSmoothing
from lnbench.methods.method import Seen
from lnbench.plan import Run
from lnbench.spec import recipe_of
from lnbench.training import train, train_group
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.engine import Group, prepare
from lnbench.training.hooks import Hooks, State
from lnbench.training.predicted import last_predictions
from tests.toys.small_runs import dilution, recipe, seeds
from tests.training.test_engine import kept

CPU = torch.device("cpu")
WRONG = {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
DATA = {"name": "digits", "clean": 400, "validation": 0}
SMOOTHING = {"kind": "label_smoothing", "smoothing": 0.1}
BOOTSTRAPPED = {"kind": "bootstrapped", "input": "first", "smoothing": 0.0}
LOGITS = torch.tensor([[float((row * 3 + column * 5) % 7) / 2 for column in range(4)] for row in range(8)])
LABELS = torch.tensor([0, 1, 2, 3, 3, 2, 1, 0])


@pytest.fixture(scope="module")
def digits() -> DeviceData:
    prepare(CPU)
    torch.set_num_threads(1)
    return DeviceData(load("digits"), CPU)


def by_hand(logits: torch.Tensor, labels: torch.Tensor, s: float) -> list[float]:
    """KL(t ‖ p), term by term, in Python's numbers."""
    found = []
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        total = sum(math.exp(value) for value in row)
        loss = 0.0
        for k, value in enumerate(row):
            t = 1 - s if k == label else s / (len(row) - 1)
            loss += t * (math.log(t) - math.log(math.exp(value) / total)) if t else 0.0
        found.append(loss)
    return found


# ---- label smoothing


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 0.75])
def test_label_smoothing_is_the_divergence_from_the_smoothed_label(smoothing: float) -> None:
    found = LabelSmoothing({"smoothing": smoothing}).loss(LOGITS, LABELS)
    assert found.tolist() == pytest.approx(by_hand(LOGITS, LABELS, smoothing), abs=1e-6)
    assert min(found) > -1e-6


def test_it_is_0_at_the_smoothed_label_itself() -> None:
    target = torch.full((8, 4), 0.1 / 3).scatter(1, LABELS[:, None], 0.9)
    assert LabelSmoothing(SMOOTHING).loss(target.log(), LABELS).tolist() == pytest.approx([0.0] * 8, abs=1e-6)


def test_its_gradient_is_torchs_with_the_share_that_the_label_keeps() -> None:
    """torch spreads over all classes, the label's among them: its share is 4/3 of ours."""
    logits = LOGITS.clone().requires_grad_()
    mine = torch.autograd.grad(LabelSmoothing(SMOOTHING).loss(logits, LABELS).sum(), logits)[0]
    torchs = F.cross_entropy(logits, LABELS, reduction="sum", label_smoothing=0.1 * 4 / 3)
    torch.testing.assert_close(mine, torch.autograd.grad(torchs, logits)[0])


def test_without_smoothing_it_is_the_cross_entropy_and_shares_its_runs() -> None:
    found = LabelSmoothing({"smoothing": 0.0}).loss(LOGITS, LABELS)
    assert torch.equal(found, F.cross_entropy(LOGITS, LABELS, reduction="none"))
    for smoothing, same in ((0.0, "standard"), (0.1, SMOOTHING)):
        spec = {**recipe(), "selection": "last_epoch", "method": {**SMOOTHING, "smoothing": smoothing}}
        assert recipe_of(spec).identity()["method"] == same


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_a_share_that_is_none_is_refused(smoothing: float) -> None:
    spec = {**recipe(), "selection": "last_epoch", "method": {**SMOOTHING, "smoothing": smoothing}}
    with pytest.raises(ValueError, match="than"):
        recipe_of(spec)


def test_smoothed_runs_are_stacked_as_they_are_looped(digits: DeviceData) -> None:
    specs = [recipe(model="mlp1_w32", method=SMOOTHING, noise=WRONG, dataset=DATA, epochs=2)] * 2
    stacked = train_group(specs, [seeds(0), seeds(1)], digits, backend="stacked")
    for number, outcome in enumerate(stacked):
        alone = train(specs[0], seeds(number), digits)
        assert outcome["curves"]["train_loss"] == pytest.approx(alone["curves"]["train_loss"], rel=1e-4)


def test_training_losses_are_the_divergence_and_test_losses_the_cross_entropy(digits: DeviceData) -> None:
    """At a rate that moves nothing: the mean KL over the examples, and the plain loss on the test images."""
    spec = recipe(model="mlp1", method=SMOOTHING, noise={"kind": "none"}, dataset=DATA)
    spec["optimizer"] = {**spec["optimizer"], "lr": 1e-30}
    mine, plain = (train({**spec, "method": method}, seeds(), digits)["curves"] for method in (SMOOTHING, "standard"))
    group = Group([spec], [seeds()], digits)
    held = group.sets[0].clean_images(400)
    (logits,) = group.backend.logits([held])
    wanted = np.mean(by_hand(logits, held.labels, 0.1))
    assert mine["train_loss"][0] == pytest.approx(wanted, rel=1e-5) != plain["train_loss"][0]
    assert mine["test_loss"] == plain["test_loss"]


# ---- bootstrapping: the loss


def seen(example: torch.Tensor) -> Seen:
    return Seen(example, 0, 0, 100, 7, {})


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_taken_against_the_predictions(smoothing: float) -> None:
    method = Bootstrapped({**BOOTSTRAPPED, "smoothing": smoothing})
    method.predictions = torch.tensor([9, 3, 1, 9, 2, 0, 1, 2, 3, 0, 9])  # of eleven examples, eight in the batch
    example = torch.tensor([1, 2, 4, 5, 6, 7, 8, 9])
    wanted = by_hand(LOGITS, torch.tensor([3, 1, 2, 0, 1, 2, 3, 0]), smoothing)
    found = method.losses(LOGITS, LABELS, seen(example))
    assert found.tolist() == pytest.approx(wanted, abs=1e-6)


# ---- the probe and the input


def first_stage(digits: DeviceData, **changes: Any) -> dict[str, Any]:
    spec = recipe(**{"model": "mlp1", "noise": WRONG, "dataset": DATA, "epochs": 3, **changes})
    return train({**spec, "probes": ["final_predictions"]}, seeds(), digits)


@pytest.mark.parametrize("changes", [{}, {"augment": "crop_flip", "model": "resnet8_w8"}, {"noise": dilution(1.5)}])
def test_predictions_are_those_of_the_whole_images_by_the_examples_numbers(
    digits: DeviceData, changes: dict[str, Any]
) -> None:
    spec = recipe(**{"model": "mlp1", "noise": WRONG, "dataset": DATA, "epochs": 2, **changes})
    group = Group([{**spec, "probes": ["final_predictions", "example_loss"]}], [seeds()], digits)
    (outcome,) = group.finish()
    found, arrays = outcome["arrays"]["final_predictions"], outcome["arrays"]
    net = group.backend.model.eval()  # type: ignore[attr-defined]
    images = torch.tensor(digits.data.train_images[arrays["example_image"]] / digits.scale).float()
    with torch.no_grad():
        wanted = torch.cat([net(part) for part in images.split(64)]).argmax(1).numpy()
    assert found.dtype == np.int16 and len(found) == outcome["noise"]["examples"]
    assert (found == wanted).mean() > 0.999  # other batches round otherwise
    label, true = arrays["example_label"], arrays["example_true"]
    about = outcome["final_predictions"]
    assert about == {
        "examples": len(found), "changed": int((found != label).sum()), "right": int((found == true).sum())
    }  # fmt: skip
    assert outcome["metrics"]["predictions_changed"] == about["changed"] / len(found) > 0.1
    assert outcome["metrics"]["predictions_right"] == about["right"] / len(found)
    assert outcome["counted"] == {"predictions_changed": len(found), "predictions_right": len(found)}


def test_examples_that_are_not_trained_on_are_predicted_too(digits: DeviceData) -> None:
    whole = first_stage(digits, method="oracle")
    assert whole["examples"]["train"] < 300 and len(whole["arrays"]["final_predictions"]) == 400
    assert whole["final_predictions"]["right"] > 300


def test_a_look_at_the_predictions_is_a_pass_in_the_whole_training() -> None:
    plain, looked = (Run(recipe(epochs=4, probes=probes), seeds()) for probes in ([], ["final_predictions"]))
    assert looked.steps_flop == pytest.approx(plain.steps_flop * (1 + 1 / (3 * 4)))


def test_stacked_runs_predict_as_looped_ones(digits: DeviceData) -> None:
    spec = recipe(model="mlp1_w32", noise=WRONG, dataset=DATA, epochs=2, probes=["final_predictions"])
    both = train_group([spec] * 2, [seeds(0), seeds(1)], digits, backend="stacked")
    for number, outcome in enumerate(both):
        alone = train(spec, seeds(number), digits)
        same = outcome["arrays"]["final_predictions"] == alone["arrays"]["final_predictions"]
        assert same.mean() > 0.99


def test_the_input_hands_predictions_on_with_what_they_are_about(digits: DeviceData) -> None:
    outcome = first_stage(digits)
    made = last_predictions([outcome])
    assert made["arrays"]["predictions"] is outcome["arrays"]["final_predictions"]
    assert made["labels_sha256"] == outcome["noise"]["labels_sha256"]
    assert {name: made[name] for name in ("examples", "changed", "right")} == outcome["final_predictions"]


def test_a_first_stage_that_diverged_gives_no_prediction(digits: DeviceData) -> None:
    spec = recipe(model="mlp1", noise=WRONG, dataset=DATA, epochs=2, probes=["final_predictions"])
    outcome = train({**spec, "optimizer": {**spec["optimizer"], "lr": 1e30}}, seeds(), digits)
    assert outcome["status"] == "diverged" and "final_predictions" not in outcome.get("arrays", {})
    assert outcome["metrics"] == {"predictions_changed": None, "predictions_right": None}
    assert last_predictions([outcome]) == {
        "status": "failed", "message": "predictions: the run that would give them diverged"
    }  # fmt: skip


# ---- the second training


def given(digits: DeviceData, predictions: np.ndarray[Any, Any], spec: dict[str, Any]) -> dict[str, Given]:
    sha = TrainingSet(digits, {**spec, "method": "standard"}, seeds()).noise_facts["labels_sha256"]
    about = {"status": "ok", "labels_sha256": sha}
    return {"first": Given(about, {"predictions": predictions.astype(np.int16)})}


def second(**changes: Any) -> dict[str, Any]:
    plain = {"model": "mlp1", "method": BOOTSTRAPPED, "noise": WRONG, "dataset": DATA, "epochs": 3, "batch_size": 50}
    return recipe(**{**plain, **changes})


def test_on_true_labels_it_trains_as_a_run_without_noise_and_reports_against_the_labels_given(
    digits: DeviceData,
) -> None:
    spec = second()
    data = TrainingSet(digits, {**spec, "method": "standard"}, seeds())
    image, label = data.given()
    true = data.labels[image]
    mine = train(spec, seeds(), digits, inputs=given(digits, true.numpy(), spec))
    clean = train({**spec, "method": "standard", "noise": {"kind": "none"}}, seeds(), digits)
    for curve in ("train_loss", "test_loss", "test_accuracy"):
        assert mine["curves"][curve] == clean["curves"][curve]
    assert mine["curves"]["train_accuracy"][-1] < 0.7 < 0.8 < clean["curves"]["train_accuracy"][-1]
    wrong = int((label != true).sum())
    assert mine["method"] == {"predictions_changed": wrong, "predictions_right": 400, "labels_right": 400 - wrong}


def test_on_the_labels_given_it_is_standard_training(digits: DeviceData) -> None:
    spec = second()
    _, label = TrainingSet(digits, {**spec, "method": "standard"}, seeds()).given()
    mine = train(spec, seeds(), digits, inputs=given(digits, label.numpy(), spec))
    plain = train({**spec, "method": "standard"}, seeds(), digits)
    assert mine["curves"] == plain["curves"] and mine["method"]["predictions_changed"] == 0


def test_with_fewer_examples_it_counts_and_learns_those(digits: DeviceData) -> None:
    spec = second()
    data = TrainingSet(digits, {**spec, "method": "standard"}, seeds())
    image, label = data.given()
    true, keep = data.labels[image], np.arange(400) % 4 > 0
    both = given(digits, true.numpy(), spec)
    both["some"] = Given({"status": "ok", "labels_sha256": both["first"]["labels_sha256"]}, {"kept": keep})
    mine = train({**spec, "dataset": {**DATA, "only": "some"}}, seeds(), digits, inputs=both)
    wrong = int((label != true).numpy()[keep].sum())
    assert mine["method"] == {"predictions_changed": wrong, "predictions_right": 300, "labels_right": 300 - wrong}
    clean = {**spec, "method": "standard", "noise": {"kind": "none"}, "dataset": {**DATA, "only": "some"}}
    sha = TrainingSet(digits, {**clean, "dataset": DATA}, seeds()).noise_facts["labels_sha256"]
    some = {"some": Given({"status": "ok", "labels_sha256": sha}, {"kept": keep})}
    assert train(clean, seeds(), digits, inputs=some)["curves"]["train_loss"] == mine["curves"]["train_loss"]


def test_what_it_cannot_learn_is_refused(digits: DeviceData) -> None:
    spec = second()
    wrong = {"first": Given({"status": "ok", "labels_sha256": "of others"}, {"predictions": np.zeros(400, np.int16)})}
    with pytest.raises(ValueError, match="the input first was made of examples with other labels"):
        train(spec, seeds(), digits, inputs=wrong)
    for bad in (-1, 10):
        with pytest.raises(ValueError, match="the input first predicts classes that the data does not have"):
            train(spec, seeds(), digits, inputs=given(digits, np.full(400, bad), spec))
    with pytest.raises(ValueError, match="says nothing of some training examples: 'predictions' has 399"):
        train(spec, seeds(), digits, inputs=given(digits, np.zeros(399), spec))
    with pytest.raises(ValueError, match="was not given its array 'predictions'"):
        train(spec, seeds(), digits)
    redrawn = {"kind": "resample_uniform", "rate": 0.2, "include_true_class": True}
    with pytest.raises(ValueError, match="needs labels that stay"):
        recipe_of({**second(), "noise": redrawn, "selection": "last_epoch"})


SAM = {
    "kind": "sam", "lr": 0.05, "weight_decay": 0.0, "rho": 0.1,
    "base": {"kind": "sgd", "momentum": 0.9, "nesterov": False},
}  # fmt: skip


@pytest.mark.parametrize("changes", [{}, {"optimizer": SAM, "model": "resnet8_w8"}], ids=["sgd", "sam"])
def test_a_second_training_resumed_at_any_step_ends_with_the_same_bits(
    digits: DeviceData, changes: dict[str, Any]
) -> None:
    spec = second(
        **{**changes, "dataset": {**DATA, "clean": 130}, "probes": ["final_predictions", "example_loss_eval"]}, epochs=2
    )
    inputs = given(digits, np.arange(130) % 10, spec)
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=lambda state: states.append(kept(state)))
    undisturbed = train(spec, seeds(), digits, hooks=hooks, inputs=inputs)
    arrays = undisturbed.pop("arrays")
    assert len(states) == 6
    for state in states:
        again = train(spec, seeds(), digits, state=state, inputs=inputs)
        found = again.pop("arrays")
        assert all(found[name].tobytes() == array.tobytes() for name, array in arrays.items())
        assert canonical_json(again) == canonical_json(undisturbed)
