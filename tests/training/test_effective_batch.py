"""The probe `effective_batch`: its parts against what is known in closed form, and the whole against plain torch."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from lnbench import catalog
from lnbench.data.images import load
from lnbench.plan import Run
from lnbench.randomness import PROBE, below, u32
from lnbench.spec import Recipe
from lnbench.training.backends import loop
from lnbench.training.batches import DeviceData
from lnbench.training.engine import Group, train
from lnbench.training.hooks import Hooks, State
from lnbench.training.probes import effective_batch
from lnbench.training.probes.at_shares import EffectiveBatchOptions, sizes_up_to
from lnbench.training.probes.effective_batch import EffectiveBatch, equal_batch, mean_cosines, slope, trend
from tests.toys.small_runs import dilution, recipe, seeds

ASKED = {"kind": "effective_batch", "batch": 8, "alphas": [0, 1, 5], "draws": 3, "at": [0, 0.5, 1]}
SIZES = [1, 2, 4, 8, 16]


@cache
def digits() -> DeviceData:
    return DeviceData(load("digits"), torch.device("cpu"))


def probed(asked: dict[str, Any] = ASKED, **changes: Any) -> dict[str, Any]:
    """200 digits, one noisy copy of each, 13 steps an epoch."""
    plain = {"dataset": {"name": "digits", "clean": 200, "validation": 0}, "noise": dilution(1.0), "model": "mlp1_w32"}
    return recipe(**{**plain, "epochs": 2, "probes": [asked], **changes})


def made(spec: dict[str, Any], seed: int = 5) -> tuple[Group, EffectiveBatch]:
    group = Group([spec], [seeds(seed)], digits())
    (probe,) = group.probes
    assert isinstance(probe, EffectiveBatch)
    return group, probe


# ---- its parts


@pytest.mark.parametrize("piece", [1, 2, 8, 16])
def test_the_mean_cosines_are_those_of_all_batches_of_each_size(piece: int) -> None:
    rows = torch.randn((16, 30), generator=torch.Generator().manual_seed(0))
    direction = torch.randn(30, generator=torch.Generator().manual_seed(1)).double()
    wanted = []
    for size in SIZES:
        batches = rows.double().view(16 // size, size, 30).mean(1)
        wanted.append(torch.cosine_similarity(batches, direction.unsqueeze(0)).mean().item())
    found = mean_cosines(iter(torch.split(rows, piece)), direction, len(SIZES))
    assert found.tolist() == pytest.approx(wanted, rel=1e-5)


def test_a_gradient_of_0_has_a_cosine_of_0_and_one_that_is_no_number_none() -> None:
    rows, direction = torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([1.0, 0.0]).double()
    assert mean_cosines([rows], direction, 2).tolist() == pytest.approx([0.3, 0.6])
    rows[0, 0] = math.nan
    assert mean_cosines([rows], direction, 2).isnan().all()


@pytest.mark.parametrize("tail", [0.01, 1.0, 30.0, 1000.0])
def test_a_size_between_two_is_interpolated_within_3_per_cent(tail: float) -> None:
    """Where the cosine of b examples is √(b/(b + T)), the cosine of any size gives that size back."""
    sizes = sizes_up_to(128)
    cosines = [math.sqrt(size / (size + tail)) for size in sizes]
    for size in np.geomspace(1, 256, 50)[1:-1]:
        found, side = equal_batch(sizes, cosines, math.sqrt(size / (size + tail)))
        assert found == pytest.approx(size, rel=0.03) and side == ""
    for size, cosine in zip(sizes, cosines, strict=True):
        assert equal_batch(sizes, cosines, cosine) == (size, "")


def test_half_way_between_two_heights_is_half_way_between_two_logs() -> None:
    cosines = [math.tanh(height) for height in (0.1, 0.3, 0.7)]
    assert equal_batch([1, 2, 4], cosines, math.tanh(0.2))[0] == pytest.approx(math.sqrt(2))
    assert equal_batch([1, 2, 4], cosines, math.tanh(0.6))[0] == pytest.approx(2 * 2**0.75)


@pytest.mark.parametrize(
    ("cosines", "target", "side"),
    [
        ([0.1, 0.3, 0.5], 0.09, "below"),
        ([0.1, 0.3, 0.5], -0.4, "below"),
        ([0.1, 0.3, 0.5], 0.51, "above"),
        ([0.1, 0.3, 0.5], math.nan, ""),
        ([0.1, math.nan, 0.5], 0.2, ""),
    ],
)
def test_nothing_is_extrapolated(cosines: list[float], target: float, side: str) -> None:
    size, found = equal_batch([1, 2, 4], cosines, target)
    assert math.isnan(size) and found == side


def test_of_a_curve_that_falls_in_between_the_first_place_counts_and_cosines_of_1_do_no_harm() -> None:
    assert equal_batch([1, 2, 4, 8], [0.1, 0.4, 0.3, 0.6], 0.35)[0] < 2
    assert equal_batch([1, 2, 4, 8], [0.1, 0.4, 0.3, 0.6], 0.5)[0] > 4
    assert equal_batch([1, 2], [1.0, 1.0 + 1e-9], 1.0) == (1.0, "")


def test_the_slope_is_that_of_least_squares_over_those_that_have_a_size() -> None:
    alphas = [0, 1, 5, 20]
    sizes = [128.0, 40.0, 3.0, math.nan]
    wanted = np.polyfit(np.log1p(alphas[:3]), np.log(sizes[:3]), 1)[0]
    assert slope(alphas, sizes) == pytest.approx(wanted)
    assert slope(alphas, [128, 32, 128 / 36, 128 / 441]) == pytest.approx(-2)
    assert slope(alphas, [128, 64, 128 / 6, 128 / 21]) == pytest.approx(-1)
    assert math.isnan(slope(alphas, [128.0, math.nan, math.nan, math.nan]))


def test_the_trend_counts_a_batch_without_a_size_as_smaller_or_larger_than_all() -> None:
    nan = math.nan
    assert trend([(128.0, ""), (40.0, ""), (3.0, "")]) == -1
    assert trend([(3.0, ""), (40.0, ""), (128.0, "")]) == 1
    assert trend([(5.0, ""), (5.0, ""), (5.0, "")]) == 0
    assert trend([(128.0, ""), (nan, "below"), (nan, "below")]) == pytest.approx(-2 / 3)
    assert trend([(nan, "above"), (128.0, ""), (nan, "below")]) == -1
    assert trend([(nan, "below"), (1.0, ""), (nan, "above")]) == 1
    assert trend([(128.0, ""), (3.0, ""), (40.0, "")]) == pytest.approx(-1 / 3)
    assert math.isnan(trend([(128.0, ""), (nan, "")]))


def test_batches_are_compared_up_to_twice_their_size_or_512() -> None:
    assert [sizes_up_to(batch)[-1] for batch in (1, 2, 3, 100, 128, 129, 256, 300, 512)] == [
        2, 4, 8, 256, 256, 512, 512, 512, 512,
    ]  # fmt: skip
    assert sizes_up_to(4) == (1, 2, 4, 8)


def test_normal_gradients_give_a_slope_of_minus_2() -> None:
    """Clean gradients N(ḡ, 1), diluted ones N(ḡ/(1 + alpha), 1): in many dimensions B_eff = B/(1 + alpha)²."""
    generator, weights, batch, draws = torch.Generator().manual_seed(0), 3000, 64, 12
    mean = torch.randn(weights, generator=generator)
    mean *= math.sqrt(weights / 20) / mean.norm()  # T = 20
    sizes, alphas = sizes_up_to(batch), [0, 1, 2, 4]
    clean = torch.zeros(len(sizes), dtype=torch.float64)
    diluted = torch.zeros(len(alphas), dtype=torch.float64)
    for _ in range(draws):
        rows = mean + torch.randn((sizes[-1], weights), generator=generator)
        clean += mean_cosines(torch.split(rows, 16), mean.double(), len(sizes)) / draws
        noise = torch.randn((batch, weights), generator=generator)
        for place, alpha in enumerate(alphas):
            one = (mean / (1 + alpha) + noise).mean(0)
            diluted[place] += torch.cosine_similarity(one, mean, dim=0) / draws
    found = [equal_batch(sizes, clean.tolist(), target)[0] for target in diluted.tolist()]
    assert found == pytest.approx([batch / (1 + alpha) ** 2 for alpha in alphas], rel=0.15)
    assert slope(alphas, found) == pytest.approx(-2, abs=0.1)


# ---- the whole


def test_the_numbers_are_those_of_plain_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches drawn here by the same hash, gradients by torch, one batch after the other."""
    monkeypatch.setattr(loop, "EXAMPLES_AT_ONCE", 4)
    monkeypatch.setattr(effective_batch, "SINGLES", 8)
    group, probe = made(probed())
    group.epoch()
    found = probe.numbers().tolist()
    net, pool = group.backend.model.eval(), group.sets[0].clean_images(4096)
    images = pool.images[pool.index].float().div(digits().scale).movedim(-1, -3)

    def gradient(place: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        grads = torch.autograd.grad(F.cross_entropy(net(images[place]), labels), list(net.parameters()))
        return torch.cat([part.flatten() for part in grads]).double()

    def bits(what: int, draw: int, count: int) -> torch.Tensor:
        return u32(u32(5, PROBE, what, 0), PROBE, draw, torch.arange(count))

    full = gradient(torch.arange(200), pool.labels)
    cosines: dict[str, list[float]] = {}
    for draw in range(3):
        place = below(bits(2, draw, 16), 200)
        for size in SIZES:
            for first in range(0, 8 if size <= 8 else 16, size):
                one = place[first : first + size]
                found_here = torch.cosine_similarity(gradient(one, pool.labels[one]), full, dim=0).item()
                cosines.setdefault(f"clean {size}", []).append(found_here)
        place, random = below(bits(3, draw, 8), 200), below(bits(5, draw, 8), 10)
        for alpha in ASKED["alphas"]:
            noisy = bits(4, draw, 8) >= 2**32 / (1 + alpha)
            labels = torch.where(noisy, random, pool.labels[place])
            cosine = torch.cosine_similarity(gradient(place, labels), full, dim=0).item()
            cosines.setdefault(f"alpha {alpha}", []).append(cosine)
    assert found == pytest.approx([sum(each) / len(each) for each in cosines.values()], abs=1e-4)
    assert [len(each) for each in cosines.values()] == [24, 12, 6, 3, 3, 3, 3, 3]


def test_labels_are_drawn_as_dilution_draws_them() -> None:
    """1/(1 + alpha) are true, and a tenth of the others by chance; what is noisy at one alpha is at all higher ones."""
    asked = {**ASKED, "batch": 512, "alphas": [0, 1, 5], "draws": 4}
    group, probe = made(probed(asked))
    seen: list[torch.Tensor] = []
    gradients = group.backend.gradients

    def watching(held: list[Any], losses: Any, members: Any = None) -> torch.Tensor:
        seen.append(held[0].labels != digits().labels[held[0].index])
        return gradients(held, losses, members)

    group.backend.gradients = watching
    probe._diluted_cosines(torch.ones(group.backend.parameters, dtype=torch.float64))
    wrong = torch.stack(seen).view(4, 3, 512)
    for place, alpha in enumerate(asked["alphas"]):
        share = 0.9 * alpha / (1 + alpha)
        assert wrong[:, place].double().mean().item() == pytest.approx(
            share, abs=4 * math.sqrt(0.25 / 2048) * (alpha > 0)
        )
    assert (wrong[:, 1] <= wrong[:, 2]).all()


def test_in_a_softmax_regression_the_slope_is_that_of_the_formula() -> None:
    """At weights of 0 every label gives an example's gradient the same length; see EffectiveBatch.

    B_eff = B (s − |ḡ|²)/(s (1 + alpha)² − |ḡ|²), s the mean square of an example's gradient.
    """
    alphas = [0, 1, 3]
    asked = {**ASKED, "batch": 64, "alphas": alphas, "draws": 150, "at": [0]}
    group, probe = made(probed(asked, model="perceptron", dataset={"name": "digits", "clean": 1000, "validation": 0}))
    group.backend.weights()[0].zero_()
    pool = group.sets[0].clean_images(4096)
    x = F.pad(pool.images[pool.index].float().div(digits().scale).flatten(1).double(), (0, 1), value=1.0)
    rows = (0.1 - F.one_hot(pool.labels, 10).double()).unsqueeze(2) * x.unsqueeze(1)
    square, signal = rows.flatten(1).square().sum(1).mean().item(), rows.flatten(1).mean(0).square().sum().item()
    wanted = [64 * (square - signal) / (square * (1 + alpha) ** 2 - signal) for alpha in alphas]
    probe.values[0, 0] = probe.numbers()
    outcome = probe.outcome(0, 0, False)
    found = [outcome["probe_curves"][f"effective_batch_alpha_{alpha}"]["values"][0] for alpha in alphas]
    assert found == pytest.approx(wanted, rel=0.15)
    assert outcome["metrics"]["effective_batch_slope_start"] == pytest.approx(slope(alphas, wanted), abs=0.1)
    assert -2.2 < slope(alphas, wanted) < -2


# ---- the record


def test_the_record_has_all_cosines_and_says_on_which_side_a_size_is_missing() -> None:
    _, probe = made(probed({**ASKED, "alphas": [0, 1, 5, 20], "at": [0, 0.5, 1]}))
    heights = torch.tensor([0.1, 0.2, 0.4, 0.6, 0.8]).tanh()
    of = {0: [0.6, 0.4, 0.2, 0.05], 1: [0.9, 0.6, 0.1, -0.3], 2: [0.9, 0.7, 0.0, 0.0]}
    for look, targets in of.items():
        probe.values[0, look] = torch.cat((heights, torch.tensor(targets).tanh()))
    outcome = probe.outcome(0, 2, False)
    record, curves = outcome["effective_batch"], outcome["probe_curves"]
    assert record["outside"] == [
        [None, None, None, "below"], ["above", None, None, "below"], ["above", None, "below", "below"],
    ]  # fmt: skip
    assert record["sizes"] == SIZES and record["alphas"] == [0, 1, 5, 20] and record["at"] == [0, 13, 26]
    assert record["clean_cosine"][1] == pytest.approx(heights.tolist())
    assert record["diluted_cosine"][1] == pytest.approx([math.tanh(height) for height in of[1]])
    assert curves["effective_batch_alpha_0"] == {
        "axis": "steps",
        "at": [0, 13, 26],
        "values": [pytest.approx(8), None, None],
    }
    assert curves["effective_batch_alpha_5"]["values"] == [pytest.approx(2), pytest.approx(1), None]
    metrics = outcome["metrics"]
    assert metrics["effective_batch_slope_start"] == pytest.approx(slope([0, 1, 5], [8, 4, 2]))
    assert metrics["effective_batch_slope_half"] == pytest.approx(slope([1, 5], [8, 1]))
    assert metrics["effective_batch_slope_end"] is None
    assert [metrics[f"effective_batch_trend_{part}"] for part in ("start", "half", "end")] == [-1, -1, -5 / 6]
    assert set(metrics) == {
        name for name in catalog.names("metric") if catalog.find("metric", name).value.probe == "effective_batch"
    }
    json.dumps(outcome, allow_nan=False)


@pytest.mark.parametrize("model", ["mlp1_w32", "resnet8_w8", "vgg_small"])
def test_it_changes_no_number_of_the_training(model: str) -> None:
    spec = probed(model=model, augment="crop_flip")
    plain = {key: value for key, value in spec.items() if key != "probes"}
    with_, without = (Group([each], [seeds()], digits()) for each in (spec, plain))
    (one,), (other,) = with_.finish(), without.finish()
    assert one.pop("probe_curves") and one.pop("metrics") and one.pop("effective_batch") and one == other
    tensors = with_.backend.tensors()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in without.backend.tensors().items())


def test_it_survives_a_resume_at_any_step() -> None:
    spec, states = probed(model="resnet8_w8"), list[State]()
    whole = train(spec, seeds(), digits(), hooks=Hooks(tick=lambda progress: True, save=states.append))
    assert len(states) == 26 and whole["probe_curves"]["effective_batch_alpha_0"]["at"] == [0, 13, 26]
    for state in states[::6]:
        assert train(spec, seeds(), digits(), state=state) == whole, (state.epoch, state.step)


def test_a_run_that_diverges_has_null_where_nothing_was_measured() -> None:
    wild = {"kind": "sgd", "lr": 1e20, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    outcome = train(probed(optimizer=wild), seeds(), digits())
    assert outcome["status"] == "diverged" and set(outcome["metrics"].values()) == {None}
    record = outcome["effective_batch"]
    assert None not in record["clean_cosine"][0] and record["clean_cosine"][1:] == [[None] * 5] * 2
    assert record["outside"][1:] == [[None] * 3] * 2
    json.dumps(outcome, allow_nan=False)


def test_one_clean_image_is_its_own_batch_of_any_size() -> None:
    one = probed(dataset={"name": "digits", "clean": 1, "validation": 0}, batch_size=1)
    outcome = train(one, seeds(), digits())
    assert outcome["effective_batch"]["clean_cosine"][0] == pytest.approx([1.0] * 5)
    assert outcome["effective_batch"]["diluted_cosine"][0][0] == pytest.approx(1.0)
    json.dumps(outcome, allow_nan=False)


def test_what_is_asked_for_is_priced() -> None:
    """200 clean images (3 forward passes each), 3 draws of 16 single ones (15 each) and of 3 batches of 8."""
    plain = Run(probed(probes=[]), seeds()).steps_flop
    forward = 3 * (3 * 200 + 3 * (15 * 16 + 3 * 3 * 8))
    assert Run(probed(), seeds()).steps_flop == pytest.approx(plain * (1 + forward / 3 / (400 * 2)))
    large = {**ASKED, "batch": 128}
    forward = 3 * (3 * 200 + 3 * (15 * 64 + 3 * (3 * 128 + 128 + 256)))
    assert Run(probed(large), seeds()).steps_flop == pytest.approx(plain * (1 + forward / 3 / (400 * 2)))


def test_an_option_says_which_metric_it_leaves_out() -> None:
    options = EffectiveBatchOptions.model_validate({**ASKED, "at": [0.1, 0.5]})
    assert options.leaves_out("effective_batch_slope_half") == ""
    assert options.leaves_out("effective_batch_slope_start") == (
        "its probe does not look before the first step; add 0 to `at`"
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"batch": 513}, "less than or equal to 512"),
        ({"alphas": [0]}, "alphas: give 2 at least, not [0.0]"),
        ({"alphas": [1, 0]}, "alphas: [1.0, 0.0] do not rise"),
        ({"alphas": [-1, 0]}, "greater than or equal to 0"),
        ({"draws": 0}, "greater than or equal to 1"),
        ({"at": [1, 0]}, "at: [1.0, 0.0] do not rise"),
    ],
)
def test_what_its_options_may_not_be(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Recipe.model_validate({"selection": "last_epoch", **probed({**ASKED, **changes})})
    assert told in str(refused.value)
