"""The gradients of single examples, and what the probe `noise_gradient` makes of those of noisy ones."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from scipy.stats import kstest
from torch import nn

from lnbench import catalog
from lnbench.data.images import load
from lnbench.methods.method import cross_entropies
from lnbench.plan import Run
from lnbench.spec import Recipe
from lnbench.training.backends import loop
from lnbench.training.batches import DeviceData, Held
from lnbench.training.engine import Group, train, train_group
from lnbench.training.hooks import Hooks, State
from lnbench.training.probes import noise_gradient
from lnbench.training.probes.at_shares import NOISE_GRADIENT, NoiseGradientOptions, look_of, step_at
from lnbench.training.probes.noise_gradient import NoiseGradient, along_random, p_value, resultants
from tests.toys.small_runs import recipe, seeds

WRONG = {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
ASKED = {"kind": "noise_gradient", "images": 20, "redraws": 9, "at": [0, 0.5, 1]}
NAMES = list(NOISE_GRADIENT)


@cache
def digits() -> DeviceData:
    return DeviceData(load("digits"), torch.device("cpu"))


def probed(asked: dict[str, Any] = ASKED, **changes: Any) -> dict[str, Any]:
    """200 digits, 40 % of the labels wrong, 7 steps an epoch."""
    plain = {"dataset": {"name": "digits", "clean": 200, "validation": 0}, "noise": WRONG, "model": "mlp1_w32"}
    return recipe(**{**plain, "epochs": 3, "probes": [asked], **changes})


def made(spec: dict[str, Any], seed: int = 5) -> tuple[Group, NoiseGradient]:
    group = Group([spec], [seeds(seed)], digits())
    (probe,) = group.probes
    assert isinstance(probe, NoiseGradient)
    return group, probe


def measured(group: Group, probe: NoiseGradient) -> dict[str, float]:
    """The numbers of the network as it is."""
    return dict(zip(NAMES, probe.numbers().tolist(), strict=True))


def pictures(held: Held) -> torch.Tensor:
    """(n, C, H, W) float32."""
    return held.images[held.index].float().div(digits().scale).movedim(-1, -3)


def gradient(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Of the mean cross-entropy, all parameters in one vector, as torch computes it."""
    grads = torch.autograd.grad(F.cross_entropy(net(images), labels), list(net.parameters()))
    return torch.cat([part.flatten() for part in grads]).double()


# ---- the gradients of single examples


@pytest.mark.parametrize("model", ["perceptron", "mlp1_w32", "convnet2", "resnet8_w8", "densenet_bc10", "vgg_small"])
def test_each_examples_gradient_is_that_of_a_loop_over_examples(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "EXAMPLES_AT_ONCE", 4)
    group = Group([probed(model=model, probes=[])], [seeds()], digits())
    group.epoch()  # so that batch normalisations have learnt something
    backend, held = group.backend, group.sets[0].clean_images(11)
    before = {name: tensor.clone() for name, tensor in backend.tensors().items()}
    pieces = [rows for (rows,) in backend.example_gradients([held], cross_entropies)]
    assert [len(rows) for rows in pieces] == [4, 4, 3]
    found = torch.cat(pieces).double()
    assert backend.model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in backend.tensors().items())
    for number, row in enumerate(found):
        one = Held(held.images, held.index[number : number + 1], held.labels[number : number + 1])
        (wanted,) = backend.gradients([one], cross_entropies)
        torch.testing.assert_close(row, wanted, rtol=1e-4, atol=1e-6)
        by_torch = gradient(backend.model.eval(), pictures(one), one.labels)
        assert row.norm().item() == pytest.approx(by_torch.norm().item(), rel=1e-4)
        backend.model.train()
    assert found.norm(dim=1).unique().numel() == 11


def test_a_piece_is_no_larger_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group([probed(probes=[])], [seeds()], digits())
    held = group.sets[0].clean_images(8)
    for most, wanted in ((7 * group.backend.parameters, [4, 4]), (1, [1] * 8)):
        monkeypatch.setattr(loop, "EXAMPLE_GRADIENTS", most)
        assert [piece.shape[1] for piece in group.backend.example_gradients([held], cross_entropies)] == wanted


def test_a_stack_of_networks_gives_none() -> None:
    with pytest.raises(ValueError, match="the stacked backend cannot train with the probe 'noise_gradient'"):
        train_group([probed()] * 2, [seeds(0), seeds(1)], digits(), backend="stacked")


# ---- its samples


def test_the_samples_are_the_first_noisy_and_clean_examples_and_do_not_overlap() -> None:
    group, probe = made(probed())
    image, label = group.sets[0].given()
    wrong = (group.sets[0].labels[image] != label).nonzero().flatten()
    assert probe.noisy.tolist() == wrong[:20].tolist() and probe.held_back.tolist() == wrong[20:40].tolist()
    right = (group.sets[0].labels[image] == label).nonzero().flatten()
    assert probe.clean.tolist() == right[:20].tolist()


def test_the_redrawn_labels_are_uniform_over_the_wrong_classes() -> None:
    group, probe = made(probed({**ASKED, "redraws": 900}))
    image, label = group.sets[0].given()
    true = group.sets[0].labels[image[probe.noisy]]
    assert probe.labels.shape == (901, 20) and torch.equal(probe.labels[0], label[probe.noisy])
    shift = (probe.labels[1:] - true) % 10
    counts = torch.bincount(shift.flatten(), minlength=10).tolist()  # 18,000 draws, 2,000 of each
    assert counts[0] == 0 and all(abs(count - 2000) < 4 * 42 for count in counts[1:])
    assert len({tuple(row) for row in probe.labels.tolist()}) == 901
    other = made(probed({**ASKED, "redraws": 900}), seed=6)[1].labels
    assert not torch.equal(probe.labels[1:], other[1:])


@pytest.mark.parametrize(
    ("noise", "sizes", "missing"),
    [
        ({**WRONG, "rate": 0.12}, None, ()),  # half of those there are
        ({"kind": "none"}, (0, 0, 0), NAMES),
        ({**WRONG, "rate": 1.0}, (20, 20, 0), ["noisy_clean_gradient_cosine"]),
        ({**WRONG, "rate": 0.01}, (1, 1, 1), NAMES),  # 2 of 200 labels with this seed
    ],
)
def test_where_examples_are_missing(noise: dict[str, Any], sizes: Any, missing: list[str]) -> None:
    outcome = train(probed(noise=noise), seeds(0), digits())
    counts = outcome["noise_gradient"]
    if sizes is None:
        wrong = round(outcome["noise"]["realised_wrong"] * 200)
        assert 4 <= wrong < 40
        sizes = (wrong // 2,) * 3
    assert tuple(counts.values()) == sizes and list(counts) == ["noisy", "held_back", "clean"]
    for name in NAMES:
        values = outcome["probe_curves"][name]["values"]
        assert all((value is None) == (name in missing) for value in values), name
        assert (outcome["metrics"][f"{name}_end"] is None) == (name in missing), name


# ---- what it measures, against plain torch


def test_the_numbers_are_those_of_plain_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64: R by a loop over examples, cosine, and the fall of the loss as a finite difference."""
    monkeypatch.setattr(loop, "EXAMPLES_AT_ONCE", 8)
    group, probe = made(probed())
    for _ in range(3):
        found = measured(group, probe)
        net = group.backend.model.double().eval()
        noisy, other, clean = (probe._held(each) for each in (probe.noisy, probe.held_back, probe.clean))
        images = pictures(noisy).double()
        ratios = []
        for labels in probe.labels:
            rows = torch.stack([gradient(net, images[i : i + 1], labels[i : i + 1]) for i in range(20)])
            ratios.append((rows.sum(0).square().sum() / (20 * rows.square().sum())).item())
        assert found["noise_isotropy_ratio"] == pytest.approx(ratios[0], rel=1e-4)
        assert found["noise_isotropy_over_null"] == pytest.approx(9 * ratios[0] / sum(ratios[1:]), rel=1e-4)
        assert found["noise_isotropy_p"] == (1 + sum(ratio >= ratios[0] for ratio in ratios[1:])) / 10
        mean, others = gradient(net, images, noisy.labels), gradient(net, pictures(other).double(), other.labels)
        of_clean = gradient(net, pictures(clean).double(), clean.labels)
        cosine = torch.cosine_similarity(mean, of_clean, dim=0).item()
        assert found["noisy_clean_gradient_cosine"] == pytest.approx(cosine, abs=1e-5)
        fall = -(moved_loss(net, other, -mean / mean.norm(), 1e-6) - moved_loss(net, other, -mean / mean.norm(), -1e-6))
        assert found["overfit_direction"] == pytest.approx(fall / 2e-6, rel=1e-4)
        right = group.sets[0].labels[group.sets[0].given()[0][probe.held_back]]
        redrawn = [gradient(net, pictures(other).double(), (right + shift) % 10) for shift in range(1, 10)]
        along = torch.stack([others - each for each in redrawn]).mean(0) @ mean / mean.norm()
        assert found["overfit_direction_beyond"] == pytest.approx(along.item(), rel=1e-3)
        scale = others.norm().item() / math.sqrt(len(others))
        assert found["overfit_direction_scaled"] == pytest.approx(fall / 2e-6 / scale, rel=1e-4)
        assert abs(found["overfit_direction_random"]) < 4 * scale / math.sqrt(8)
        net.float().train()
        group = restored(group)
        probe = group.probes[0]  # type: ignore[assignment]
        group.epoch()
        group.record()


def restored(group: Group) -> Group:
    """The same training in a new group: `double` has torn the parameters from their flat vector."""
    states: list[State] = []
    group.hooks = Hooks(save=states.append)
    group._save()
    return Group(group.recipes, [group.sets[0].seeds], digits(), state=states[0])


def moved_loss(net: nn.Module, held: Held, direction: torch.Tensor, step: float) -> float:
    """The mean loss at the weights plus `step` times the direction."""
    parts = torch.split(direction, [parameter.numel() for parameter in net.parameters()])
    pairs = list(zip(net.named_parameters(), parts, strict=True))
    there = {name: weight.detach() + step * part.view(weight.shape) for (name, weight), part in pairs}
    logits = torch.func.functional_call(net, there, (pictures(held).double(),))
    return F.cross_entropy(logits, held.labels).item()


def test_sums_that_are_too_large_to_be_held_give_the_same_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    group, probe = made(probed(model="resnet8_w8"))
    held = probe._held(probe.noisy)
    together = resultants(group.backend, held, probe.labels, 10)
    monkeypatch.setattr(noise_gradient, "LABEL_SUMS", 10 * group.backend.parameters - 1)
    apart = resultants(group.backend, held, probe.labels, 10)
    assert not torch.equal(together, apart)
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=0)


def test_in_a_softmax_regression_the_ratio_and_its_null_are_what_the_formula_gives() -> None:
    """At weights of 0 all probabilities are 1/m: g_i = (1/m − e_y) ⊗ (x_i, 1), so with x̃ = (x, 1)

        g_i · g_j = x̃_i · x̃_j ([y_i = y_j] − 1/m),

    and two labels that are uniform over the wrong classes are equal with probability 1/(m − 1) where the true ones are
    equal, else (m − 2)/(m − 1)².
    """
    group, probe = made(probed({**ASKED, "images": 30, "redraws": 3000}, model="perceptron"))
    group.backend.weights()[0].zero_()
    held, (image, _) = probe._held(probe.noisy), group.sets[0].given()
    true = group.sets[0].labels[image[probe.noisy]]
    x = F.pad(pictures(held).flatten(1).double(), (0, 1), value=1.0)
    gram, m, n = x @ x.T, 10, 30
    lengths = (1 - 1 / m) * gram.trace()

    def ratio(equal: torch.Tensor) -> float:
        return ((gram * (equal - 1 / m)).sum() / (n * lengths)).item()

    same = (held.labels.unsqueeze(0) == held.labels.unsqueeze(1)).double()
    chance = torch.where(true.unsqueeze(0) == true.unsqueeze(1), 1 / (m - 1), (m - 2) / (m - 1) ** 2).double()
    chance.fill_diagonal_(1.0)
    found = measured(group, probe)
    assert found["noise_isotropy_ratio"] == pytest.approx(ratio(same), rel=1e-4)
    ratios = resultants(group.backend, held, probe.labels, 10)[1:]
    error = 4 * ratios.std().item() / math.sqrt(3000)
    assert ratios.mean().item() == pytest.approx(ratio(chance), abs=error)
    assert error < 0.1 * ratio(chance)
    assert found["noise_isotropy_over_null"] == pytest.approx(ratio(same) / ratio(chance), rel=0.1)


# ---- the p value


def test_p_counts_the_null_and_ties() -> None:
    null = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    assert [p_value(torch.tensor(at, dtype=torch.float64), null).item() for at in (5, 3, 3 + 1e-9, 0)] == [
        0.2, 0.6, 0.6, 1.0,
    ]  # fmt: skip
    assert p_value(torch.tensor(math.nan), null).isnan()
    assert p_value(torch.tensor(1.0), torch.full((4,), math.nan)).isnan()


def first_p(seed: int, **changes: Any) -> float:
    group, probe = made(probed({**ASKED, "redraws": 19, "at": [0]}, **changes), seed)
    return measured(group, probe)["noise_isotropy_p"]


def test_p_is_uniform_where_the_labels_are_one_more_draw() -> None:
    """A network that has seen no label; the test has a p below 0.001 once in a thousand versions of the hash."""
    found = [first_p(seed) for seed in range(60)]
    assert len(set(found)) > 12
    assert kstest([p - 0.025 for p in found], "uniform").pvalue > 0.001


def test_p_is_least_where_wrong_labels_agree() -> None:
    """All wrong labels are one class: they pull the network in one direction, those that are drawn do not."""
    for seed in range(4):
        group, probe = made(probed({**ASKED, "redraws": 19}), seed)
        image, _ = group.sets[0].given()
        probe.noisy = (group.sets[0].labels[image] != 0).nonzero().flatten()[:20]
        probe.labels[0] = 0
        assert measured(group, probe)["noise_isotropy_p"] == 1 / 20


# ---- directions


def test_random_directions_are_of_length_1_uniform_and_the_same_for_any_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    vector = torch.zeros(50, dtype=torch.float64)
    vector[3], vector[41] = 3.0, 4.0
    found = along_random(vector, 7, 2000)
    assert found.mean().item() == pytest.approx(0, abs=4 * 5 / math.sqrt(50 * 2000))
    assert found.square().mean().item() == pytest.approx(25 / 50, rel=0.15)
    monkeypatch.setattr(noise_gradient, "PIECE", 16)
    torch.testing.assert_close(along_random(vector, 7, 2000), found)
    assert not torch.equal(along_random(vector, 8, 2000), found)
    alone = along_random(torch.tensor([2.0], dtype=torch.float64), 7, 9)
    assert {abs(value) for value in alone.tolist()} == {2.0}


def test_before_training_wrong_labels_lead_to_any_others_and_to_these_no_more_than_to_others() -> None:
    """A network that has seen no label, tried with 40 seeds: what falls in any case is no sign of overfitting."""
    found = [measured(*made(probed({**ASKED, "at": [0]}), seed)) for seed in range(40)]
    falls, beyond = (torch.tensor([each[f"overfit_direction{of}"] for each in found]) for of in ("", "_beyond"))
    assert falls.mean() > 5 * falls.std() / math.sqrt(40)
    assert abs(beyond.mean()) < 3.3 * beyond.std() / math.sqrt(40)


def test_a_step_against_its_own_gradient_is_the_steepest() -> None:
    """Where the held-back examples are the sample itself the fall is the gradient's length: √P in the random scale."""
    group, probe = made(probed())
    probe.held_back = probe.noisy
    found, (whole,) = measured(group, probe), group.backend.gradients([probe._held(probe.noisy)], cross_entropies)
    assert found["overfit_direction"] == pytest.approx(whole.norm().item())
    assert found["overfit_direction_scaled"] == pytest.approx(math.sqrt(len(whole)))


# ---- when it looks, and what becomes of it


def test_it_looks_before_the_step_of_each_share_and_after_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    group, probe = made(probed({**ASKED, "at": [0, 0.3, 0.5, 1]}))
    watched: list[tuple[list[float], torch.Tensor]] = []
    numbers = probe.numbers

    def seen() -> torch.Tensor:
        now = numbers()
        watched.append((now.tolist(), group.backend.weights()[0].clone()))
        return now

    monkeypatch.setattr(probe, "numbers", seen)
    before: dict[int, torch.Tensor] = {}
    step = group.backend.step

    def stepping(batches: list[Any], number: int) -> Any:
        before[group.state.epoch * 7 + number] = group.backend.weights()[0].clone()
        return step(batches, number)

    monkeypatch.setattr(group.backend, "step", stepping)
    (outcome,) = group.finish()
    before[21] = group.backend.weights()[0]
    assert len(watched) == 4
    for mark, (_, weights) in zip((0, 6, 10, 21), watched, strict=True):
        assert torch.equal(weights, before[mark]), mark
    for place, name in enumerate(NAMES):
        curve = outcome["probe_curves"][name]
        assert curve["axis"] == "steps" and curve["at"] == [0, 6, 10, 21]
        assert curve["values"] == [values[place] for values, _ in watched]
        assert outcome["metrics"][f"{name}_half"] == curve["values"][2]
        assert outcome["metrics"][f"{name}_end"] == curve["values"][3]
    assert set(outcome["metrics"]) == {
        name for name in catalog.names("metric") if catalog.find("metric", name).value.probe == "noise_gradient"
    }


def test_two_shares_of_a_short_training_may_be_one_step() -> None:
    outcome = train(probed({**ASKED, "at": [0, 0.1, 0.5, 1]}, epochs=1), seeds(), digits())
    curve = outcome["probe_curves"]["noise_isotropy_ratio"]
    assert curve["at"] == [0, 3, 7] and None not in curve["values"]
    assert outcome["metrics"]["noise_isotropy_ratio_half"] == curve["values"][1]


@pytest.mark.parametrize(
    ("at", "start", "half", "end"),
    [([0, 0.25, 0.5, 0.75, 1], 0, 2, 4), ([0, 1], 0, None, 1), ([0.4, 0.6], None, 0, None), ([0.7], None, 0, None)],
)
def test_which_look_is_the_start_the_half_and_the_end(at: list[float], start: Any, half: Any, end: Any) -> None:
    assert [look_of(part, at) for part in ("start", "half", "end")] == [start, half, end]


def test_a_share_is_the_step_below_it() -> None:
    assert [step_at(share, 21) for share in (0, 0.5, 0.99, 1)] == [0, 10, 20, 21]
    assert [step_at(number / 100, 100) for number in range(101)] == list(range(101))


def test_an_option_says_which_metric_it_leaves_out() -> None:
    options = NoiseGradientOptions.model_validate({**ASKED, "at": [0, 1]})
    assert options.leaves_out("noise_isotropy_p_end") == ""
    assert options.leaves_out("overfit_direction_half") == (
        "its probe does not look at half of the training; add a share from 0.25 to 0.75 to `at`"
    )
    without = NoiseGradientOptions.model_validate({**ASKED, "at": [0.5]})
    assert without.leaves_out("noise_isotropy_p_end") == "its probe does not look after the last step; add 1 to `at`"


@pytest.mark.parametrize("model", ["mlp1_w32", "resnet8_w8", "vgg_small"])
def test_it_changes_no_number_of_the_training(model: str) -> None:
    spec = probed({**ASKED, "at": [0, 0.2, 0.5, 0.8, 1]}, model=model, augment="crop_flip")
    plain = {key: value for key, value in spec.items() if key != "probes"}
    with_, without = (Group([each], [seeds()], digits()) for each in (spec, plain))
    (one,), (other,) = with_.finish(), without.finish()
    assert one.pop("probe_curves") and one.pop("metrics") and one.pop("noise_gradient") and one == other
    tensors = with_.backend.tensors()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in without.backend.tensors().items())


def test_it_survives_a_resume_at_any_step() -> None:
    spec, states = probed(epochs=2, model="resnet8_w8"), list[State]()
    whole = train(spec, seeds(), digits(), hooks=Hooks(tick=lambda progress: True, save=states.append))
    assert len(states) == 14
    for state in states[::3]:
        assert train(spec, seeds(), digits(), state=state) == whole, (state.epoch, state.step)


def test_a_run_that_diverges_has_null_where_nothing_was_measured() -> None:
    wild = {"kind": "sgd", "lr": 1e20, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    outcome = train(probed(optimizer=wild), seeds(), digits())
    assert outcome["status"] == "diverged" and set(outcome["metrics"].values()) == {None}
    for name in NAMES:
        values = outcome["probe_curves"][name]["values"]
        assert values[0] is not None and values[1:] == [None, None], name
    json.dumps(outcome, allow_nan=False)


def test_a_run_that_diverged_was_not_looked_at_where_it_would_have_ended() -> None:
    """Its weights may be finite numbers when it stops."""
    _, probe = made(probed())
    probe.values.fill_(0.5)
    ended, diverged = (probe.outcome(0, 3, how)["probe_curves"]["noise_isotropy_p"] for how in (False, True))
    assert ended["values"] == [0.5, 0.5, 0.5] and diverged["values"] == [0.5, 0.5, None]


def test_what_is_asked_for_is_priced() -> None:
    """Four gradients in a batch (12 forward passes) and ten of single examples (15 each) of 20 images, three times."""
    plain = Run(probed(probes=[]), seeds()).steps_flop
    asked = Run(probed(), seeds()).steps_flop
    forward = 3 * 20 * (12 + 10 * 15)
    assert asked == pytest.approx(plain * (1 + forward / 3 / (200 * 3)))
    large = probed(
        {**ASKED, "redraws": 99}, model="vgg16_bn", dataset={"name": "cifar10", "clean": 200, "validation": 0}
    )
    without = Run({**large, "probes": []}, seeds()).steps_flop
    forward = 3 * 20 * (12 + 10 * 15 + 3 * 100)  # the sums of 100 draws are too large to be held
    assert Run(large, seeds()).steps_flop == pytest.approx(without * (1 + forward / 3 / (200 * 3)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"images": 1}, "greater than or equal to 2"),
        ({"redraws": 0}, "greater than or equal to 1"),
        ({"at": []}, "at: give 1 at least, not []"),
        ({"at": [0.5, 0]}, "at: [0.5, 0.0] do not rise"),
        ({"at": [0.5, 0.5]}, "do not rise"),
        ({"at": [1.5]}, "less than or equal to 1"),
        ({"at": [0, 0.1, 0.2, 0.3, 0.4, 0.5]}, "at most 5 items"),
        ({"every": 5}, "Extra inputs are not permitted"),
    ],
)
def test_what_its_options_may_not_be(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Recipe.model_validate({"selection": "last_epoch", **probed({**ASKED, **changes})})
    assert told in str(refused.value)
