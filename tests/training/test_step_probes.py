"""Probes that look at single steps: against plain torch, over a resume, and what a spec may say of them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import nn

from lnbench import catalog
from lnbench.data.images import load
from lnbench.execute.groups import Grouping
from lnbench.plan import Run
from lnbench.spec import Recipe
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.engine import BACKENDS, Group, train, train_group
from lnbench.training.hooks import Hooks, State, Stopped
from lnbench.training.probes.history import HeldLoss
from lnbench.training.probes.probe import Probe, StepView, Training, curve
from tests.toys.small_runs import recipe, seeds

WRONG = {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
EVERY_7 = [{"kind": "batch_gradient", "every": 7}, {"kind": "full_clean_cosine", "every": 7}]


@cache
def digits() -> DeviceData:
    return DeviceData(load("digits"), torch.device("cpu"))


def probed(**changes: Any) -> dict[str, Any]:
    """200 digits, 40 % of the labels wrong, 7 steps an epoch."""
    plain = {"dataset": {"name": "digits", "clean": 200, "validation": 0}, "noise": WRONG, "model": "mlp1_w32"}
    return recipe(**{**plain, "epochs": 3, "probes": EVERY_7, **changes})


def gradient(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Of the mean cross-entropy, all parameters in one vector."""
    grads = torch.autograd.grad(F.cross_entropy(net(images), labels), list(net.parameters()))
    return torch.cat([part.flatten() for part in grads]).double()


@pytest.mark.parametrize(
    ("model", "augment"), [("mlp1_w32", "none"), ("resnet8_w8", "crop_flip"), ("vgg_small", "none")]
)
def test_the_curves_are_what_plain_torch_measures_before_the_update(
    model: str, augment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At steps 0, 7 and 14 of 21: the batch's gradient in evaluation mode, and that of its clean members.

    So nothing of `vgg_small` is dropped, which is dropped in each step.
    """
    group = Group([probed(model=model, augment=augment)], [seeds(5)], digits())
    net, data, wanted = group.backend.model, group.sets[0], []
    step, truth = group.backend.step, torch.tensor(digits().data.train_labels).long()
    images = torch.tensor(digits().data.train_images[data.identity.numpy()] / digits().scale).float()

    def watched(batches: list[Any], number: int) -> Any:
        (batch,) = batches
        if number == 0:  # 7 steps an epoch
            net.eval()
            seen = data.pictures(batch.image, batch.shift).float().div(digits().scale).movedim(-1, -3)
            clean = truth[batch.image] == batch.label
            assert 0 < clean.sum() < len(clean)
            whole, part = gradient(net, seen, batch.label), gradient(net, seen[clean], batch.label[clean])
            full = gradient(net, images, data.labels)
            cosines = [torch.cosine_similarity(whole, other, dim=0).item() for other in (part, full)]
            wanted.append((whole.norm().item(), *cosines))
            net.train()
        return step(batches, number)

    monkeypatch.setattr(group.backend, "step", watched)
    (outcome,) = group.finish()
    curves = outcome["probe_curves"]
    assert list(curves) == ["batch_gradient_norm", "batch_clean_cosine", "full_clean_cosine"]
    for name, column in zip(curves, zip(*wanted, strict=True), strict=True):
        assert curves[name]["axis"] == "steps" and curves[name]["at"] == [0, 7, 14]
        assert curves[name]["values"] == pytest.approx(column, rel=1e-3), name
    assert json.loads(json.dumps(outcome["probe_curves"])) == curves


def test_the_metrics_are_means_over_parts_of_the_curves() -> None:
    outcome = train(probed(probes=[{"kind": "batch_gradient", "every": 1}], epochs=4), seeds(), digits())
    values = outcome["probe_curves"]["batch_clean_cosine"]["values"]
    assert len(values) == 28
    metrics = outcome["metrics"]
    assert metrics["batch_clean_cosine_first_third"] == pytest.approx(sum(values[:9]) / 9)
    assert metrics["batch_clean_cosine_last_third"] == pytest.approx(sum(values[18:]) / 10)
    assert metrics["batch_clean_cosine_last_tenth"] == pytest.approx(sum(values[25:]) / 3)
    assert set(metrics) == {name for name in metrics_of("batch_gradient") if "_mark_" not in name}


def metrics_of(probe: str) -> set[str]:
    return {name for name in catalog.names("metric") if catalog.find("metric", name).value.probe == probe}


def test_marks_are_means_of_the_looks_around_them() -> None:
    """Looks at 0, 3, 6 … 27 of 28 steps; a mark beyond the end of a run has no number."""
    asked = {"kind": "batch_gradient", "every": 3, "marks": [0, 10, 40], "around": 4}
    outcome = train(probed(probes=[asked], epochs=4), seeds(), digits())
    values = outcome["probe_curves"]["batch_clean_cosine"]["values"]
    metrics = outcome["metrics"]
    assert set(metrics) == metrics_of("batch_gradient")
    assert metrics["batch_clean_cosine_mark_1"] == pytest.approx(sum(values[:2]) / 2)  # 0, 3
    assert metrics["batch_clean_cosine_mark_2"] == pytest.approx(sum(values[2:5]) / 3)  # 6, 9, 12
    assert metrics["batch_clean_cosine_mark_3"] is None
    exact = {"kind": "batch_gradient", "every": 3, "marks": [9], "around": 0}
    once = train(probed(probes=[exact], epochs=4), seeds(), digits())["metrics"]
    assert once["batch_clean_cosine_mark_1"] == values[3]


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_members_are_counted_in_the_steps_own_pass(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = probed(probes=[{"kind": "member_accuracy", "every": 4}], epochs=2)
    group = Group([spec] * 2 if backend == "stacked" else [spec], [seeds(1), seeds(2)][: 1 + (backend == "stacked")],
                  digits(), BACKENDS[backend])  # fmt: skip
    wanted: list[tuple[float, float]] = []
    probe, truth = group.probes[0], torch.tensor(digits().data.train_labels).long()
    look = probe.after

    def watched(view: StepView) -> None:
        look(view)
        batch, logits = view.batches[0], view.seen.logits[0]  # type: ignore[union-attr, index]
        given, clean = logits.argmax(1) == batch.label, truth[batch.image] == batch.label
        wanted.append((given[~clean].float().mean().item(), given[clean].float().mean().item()))

    monkeypatch.setattr(probe, "after", watched)
    outcome = group.finish()[0]
    assert len(wanted) == 4 and len(set(wanted)) > 1
    for name, column in zip(("noisy_member_accuracy", "clean_member_accuracy"), zip(*wanted, strict=True), strict=True):
        assert outcome["probe_curves"][name]["values"] == pytest.approx(column)
    assert set(outcome["metrics"]) == {name for name in metrics_of("member_accuracy") if "_mark_" not in name}


@pytest.mark.parametrize("rate, missing, there", [(1.0, "clean", "noisy"), (0.0, "noisy", "clean")])
def test_a_batch_without_such_members_has_no_number_of_them(rate: float, missing: str, there: str) -> None:
    asked: list[Any] = [{"kind": "member_accuracy", "every": 7}, {"kind": "fixed_gradient", "every": 7, "images": 50}]
    outcome = train(probed(noise={**WRONG, "rate": rate}, probes=asked), seeds(), digits())
    curves = outcome["probe_curves"]
    assert curves[f"{missing}_member_accuracy"]["values"] == [None] * 3
    assert None not in curves[f"{there}_member_accuracy"]["values"]
    assert curves["fixed_noisy_cosine"]["values"] == [None] * 3
    whole = curves["fixed_clean_cosine"]["values"]
    assert whole == ([None] * 3 if missing == "clean" else pytest.approx([1.0] * 3))


def test_a_network_that_learns_labels_by_heart_gives_noisy_members_theirs() -> None:
    quick = {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
    probes = [{"kind": "member_accuracy", "every": 1}]
    spec = probed(model="mlp1", epochs=60, probes=probes, optimizer=quick)
    metrics = train(spec, seeds(), digits())["metrics"]
    assert metrics["noisy_member_accuracy_first_third"] < 0.8
    assert metrics["noisy_member_accuracy_last_tenth"] > 0.95
    assert metrics["clean_member_accuracy_first_third"] > metrics["noisy_member_accuracy_first_third"]


def test_the_fixed_examples_are_the_same_in_every_look_whatever_the_batch() -> None:
    """Before the first step runs of all batch sizes have the same network, so the same cosines; plain torch agrees."""
    found = []
    for batch in (16, 100):
        group = Group([probed(batch_size=batch, probes=[{"kind": "fixed_gradient", "every": 1, "images": 120}])],
                      [seeds(3)], digits())  # fmt: skip
        net, data = group.backend.model.eval(), group.sets[0]
        image, label = data.given()
        image, label = image[:120], label[:120]
        clean = data.labels[image] == label
        pictures = data.on_device.images[data.identity[image]].float().div(digits().scale).movedim(-1, -3)
        parts = [gradient(net, pictures[which], label[which]) for which in (clean | ~clean, clean, ~clean)]
        wanted = [torch.cosine_similarity(part, parts[1], dim=0).item() for part in (parts[0], parts[2])]
        curves = group.finish()[0]["probe_curves"]
        assert [curves[name]["values"][0] for name in curves] == pytest.approx(wanted, rel=1e-4)
        found.append(wanted)
    assert found[0] == found[1]


def test_new_step_probes_change_no_number_and_survive_a_resume() -> None:
    asked = [{"kind": "fixed_gradient", "every": 2, "images": 40}, {"kind": "member_accuracy", "every": 2}]
    spec, states = probed(model="resnet8_w8", epochs=2, probes=asked), list[State]()
    whole = train(spec, seeds(), digits(), hooks=Hooks(tick=lambda progress: True, save=states.append))
    assert train(spec, seeds(), digits(), state=states[8]) == whole
    plain = train({key: value for key, value in spec.items() if key != "probes"}, seeds(), digits())
    assert {key: value for key, value in whole.items() if key not in ("metrics", "probe_curves")} == plain


def test_a_batch_without_a_clean_member_has_no_cosine() -> None:
    all_wrong = {"kind": "replace_uniform", "rate": 1.0, "include_true_class": False}
    outcome = train(probed(noise=all_wrong, probes=EVERY_7[:1]), seeds(), digits())
    curves = outcome["probe_curves"]
    assert curves["batch_clean_cosine"]["values"] == [None] * 3
    assert all(value > 0 for value in curves["batch_gradient_norm"]["values"])
    assert outcome["metrics"]["batch_clean_cosine_last_third"] is None
    assert outcome["metrics"]["batch_gradient_norm_last_third"] > 0


@pytest.mark.parametrize("model", ["mlp1_w32", "resnet8_w8", "vgg_small"])
def test_looking_changes_no_number_of_the_training(model: str) -> None:
    asked = probed(model=model, augment="crop_flip", probes=[{**probe, "every": 1} for probe in EVERY_7])
    plain = {key: value for key, value in asked.items() if key != "probes"}
    with_, without = (Group([spec], [seeds()], digits()) for spec in (asked, plain))
    (one,), (other,) = with_.finish(), without.finish()
    assert one.pop("probe_curves") and one.pop("metrics") and one == other
    tensors = with_.backend.tensors()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in without.backend.tensors().items())


def test_the_curves_survive_a_resume_at_any_step() -> None:
    spec, states = probed(epochs=2, probes=[{**probe, "every": 3} for probe in EVERY_7]), list[State]()
    whole = train(spec, seeds(), digits(), hooks=Hooks(tick=lambda progress: True, save=states.append))
    assert len(states) == 14
    for state in states:
        seen: list[int] = []
        hooks = Hooks(tick=lambda progress, seen=seen: bool(seen.append(progress.examples_done)))
        assert train(spec, seeds(), digits(), state=state, hooks=hooks) == whole, (state.epoch, state.step)
        assert len(seen) == 14 - (7 * state.epoch + state.step)  # it went on from there


def test_a_checkpoint_of_other_steps_is_not_gone_on_from() -> None:
    states: list[State] = []
    steps = iter(range(100))
    hooks = Hooks(should_stop=lambda: next(steps) == 9, save=states.append)
    with pytest.raises(Stopped):
        train(probed(), seeds(), digits(), hooks=hooks)
    other, seen = probed(probes=[{**probe, "every": 3} for probe in EVERY_7]), []
    hooks = Hooks(tick=lambda progress: bool(seen.append(progress.epoch)))
    again = train(other, seeds(), digits(), state=states[-1], hooks=hooks)
    assert seen[0] == 0 and again == train(other, seeds(), digits())


def test_a_run_that_diverges_has_null_where_nothing_was_measured() -> None:
    wild = {"kind": "sgd", "lr": 1e20, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    outcome = train(probed(optimizer=wild), seeds(), digits())
    assert outcome["status"] == "diverged" and set(outcome["metrics"].values()) == {None}
    assert outcome["probe_curves"]["batch_gradient_norm"]["values"][1:] == [None, None]
    json.dumps(outcome["probe_curves"], allow_nan=False)


def test_the_members_gradients_add_up_to_that_of_the_batch() -> None:
    """A sum over B examples is one over those that are clean and one over those that are not."""
    group = Group([probed()], [seeds()], digits())
    view = StepView(group.training, 0, next(iter(group._batches(0))))
    clean = view.clean
    parts = [view.gradient_of(members) * members.sum() for members in (clean, ~clean)]
    assert 0 < clean.sum() < clean.numel()
    torch.testing.assert_close(sum(parts), view.gradient * clean.numel(), rtol=1e-4, atol=1e-4)
    assert view.gradient_of(clean & ~clean).isnan().all()


def test_two_probes_may_ask_for_the_loss_of_each_held_out_image() -> None:
    group = Group([probed(probes=["held_loss"])], [seeds()], digits())
    group.probes.append(HeldLoss(group.training, None))
    group.probes[1].tensors = lambda epoch: {}  # type: ignore[method-assign]
    group.finish()
    one, other = (probe.outcome(0, 3, False)["arrays"]["test_example_loss"] for probe in group.probes)
    assert one.any() and (one == other).all()


def test_such_runs_are_not_stacked_and_cost_what_they_look_at() -> None:
    stacking = Grouping(backend="stacked")
    assert stacking.way(Run(probed(), seeds()))[0] == "loop"
    assert stacking.way(Run(probed(probes=["example_loss", "held_loss"]), seeds()))[0] == "stacked"
    with pytest.raises(ValueError, match="the stacked backend cannot train with the probe 'batch_gradient'"):
        train_group([probed()] * 2, [seeds(0), seeds(1)], digits(), backend="stacked")
    plain = Run(probed(probes=[]), seeds()).steps_flop
    assert Run(probed(probes=["example_loss_eval"]), seeds()).steps_flop == plain * 8 / 6
    # at each tenth step two gradients of the batch: a fifth of what each step costs
    assert Run(probed(probes=[{"kind": "batch_gradient", "every": 10}]), seeds()).steps_flop == pytest.approx(
        plain * 1.2
    )


# ---- the recipe


def written(*probes: Any) -> Recipe:
    return Recipe.model_validate({"selection": "last_epoch", **probed(probes=list(probes))})


def test_a_recipe_keeps_a_probes_options_in_its_identity() -> None:
    recipe = written("example_loss", {"kind": "batch_gradient", "every": 50})
    assert recipe.identity()["probes"] == ["example_loss", {"kind": "batch_gradient", "every": 50}]
    assert recipe.probe_names == ("example_loss", "batch_gradient")
    ids = {Run(written({"kind": "batch_gradient", "every": every}).identity(), seeds()).id for every in (5, 50)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("probes", "told"),
    [
        ([{"kind": "batch_gradient", "every": 0}], "greater than or equal to 1"),
        ([{"kind": "batch_gradient", "every": 5, "marks": [4]}], "`marks` and `around` go together"),
        ([{"kind": "member_accuracy", "every": 5, "around": 4}], "`marks` and `around` go together"),
        ([{"kind": "member_accuracy", "every": 5, "marks": [9, 4], "around": 1}], "do not rise"),
    ],
)
def test_what_the_options_of_a_step_probe_may_not_be(probes: list[Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        written(*probes)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("probes", "told"),
    [
        (["example_los"], "probes: 'example_los' is not known; did you mean 'example_loss'"),
        (["batch_gradient"], "probes: batch_gradient takes options; write {kind: batch_gradient, every: …}"),
        (["held_loss", "held_loss"], "probes: held_loss is asked for more than once"),
        ([{"kind": "batch_gradient", "every": 5}, {"kind": "batch_gradient", "every": 7}], "asked for more than once"),
        (["fixed_gradient"], "write {kind: fixed_gradient, every: …, images: …}"),
        (["suspects"], "probes: suspects needs the probe example_loss"),
    ],
)
def test_what_a_recipe_may_not_ask_for(probes: list[Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        written(*probes)
    assert told in str(refused.value)
    with pytest.raises(ValueError) as refused:
        train(probed(probes=probes), seeds(), digits())
    assert told in str(refused.value)


class WrongFitted(Probe):
    """The share of wrong labels that the network gives back while it trains on them, one number an epoch."""

    needs_logits = True

    def __init__(self, training: Training, options: Any) -> None:
        super().__init__(training, options)
        self.right = torch.zeros(training.replicas, training.epochs, dtype=torch.int64)
        self.wrong = torch.zeros_like(self.right)

    def at(self, step: int) -> bool:
        return True

    def after(self, view: StepView) -> None:
        wrong = ~view.clean
        self.right[:, view.epoch] += ((view.logits.argmax(-1) == view.labels) & wrong).sum(1)
        self.wrong[:, view.epoch] += wrong.sum(1)

    def tensors(self, epoch: int) -> dict[str, torch.Tensor]:
        return {"wrong_fitted.right": self.right, "wrong_fitted.wrong": self.wrong}

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        shares = (self.right[run, :epochs] / self.wrong[run, :epochs]).tolist()
        found = {"wrong_fitted": curve("epochs", range(1, epochs + 1), shares)}
        return {"probe_curves": found, "metrics": {"wrong_fitted_end": shares[-1]}}


def test_a_probe_of_another_package_goes_through_the_same_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files: a class, and its entry with the metric that it yields."""
    entry, metric = catalog.with_metrics(
        catalog.Entry("probe", "wrong_fitted", target=f"{__name__}:WrongFitted"),
        wrong_fitted_end=catalog.Metric(0, 1, "none", False, "share of the wrong labels that the last epoch fits"),
    )
    assert metric.value.probe == "wrong_fitted"
    known = catalog.entries()
    monkeypatch.setitem(known, "probe", {**known["probe"], entry.name: entry})
    spec = probed(epochs=5, probes=["example_loss", "example_margin", "wrong_fitted"])
    outcome = train(spec, seeds(), digits())
    fitted = outcome["probe_curves"]["wrong_fitted"]
    wrong = TrainingSet(digits(), spec, seeds()).wrong().numpy()
    wanted = (outcome["arrays"]["example_margin"][:, wrong] > 0).mean(1)
    assert len(set(wanted)) > 2 and fitted["axis"] == "epochs" and fitted["at"] == [1, 2, 3, 4, 5]
    assert fitted["values"] == pytest.approx(wanted)
    assert outcome["metrics"] == {"wrong_fitted_end": fitted["values"][-1]}
    written("wrong_fitted")
    with pytest.raises(ValidationError, match="did you mean 'wrong_fitted'"):
        written("wrong_fited")
