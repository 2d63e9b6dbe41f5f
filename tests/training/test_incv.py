"""INCV: halves, rounds, the training on what they select; against numbers worked out by hand on eight examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lnbench.data.images import load
from lnbench.given import Given
from lnbench.identity import canonical_json
from lnbench.loss_curves.incv import aul_or_incv, best_epoch_rounds, incv_estimate, incv_round, noise_ratio
from lnbench.methods.half import Half, halves_of
from lnbench.methods.incv import INCV, forget_rate
from lnbench.methods.method import Examples, Seen
from lnbench.spec import recipe_of
from lnbench.training import train
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.engine import prepare
from lnbench.training.hooks import Hooks, State
from tests.toys.small_runs import recipe, seeds
from tests.training.test_engine import kept

CPU = torch.device("cpu")
WRONG = {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
DATA = {"name": "digits", "clean": 120, "validation": 0}
OPTIONS = {"kind": "incv", "input": "last", "gradual": 10, "warm_up": 1, "symmetric": True, "answer": "first"}
FIRST = {"kind": "half", "half": 0, "input": None}
SYMMETRIC, PAIRED = {"symmetric": True}, {"symmetric": False}


@pytest.fixture(scope="module")
def digits() -> DeviceData:
    prepare(CPU)
    torch.set_num_threads(1)
    return DeviceData(load("digits"), CPU)


def mask(*numbers: int, count: int = 8) -> np.ndarray[Any, Any]:
    return np.isin(np.arange(count), numbers)


# ---- the noise ratio


def test_the_noise_ratio_solves_its_equation() -> None:
    assert noise_ratio(1.0, 10) == 0
    for ratio in (0.1, 0.2, 0.4, 0.6, 0.9):  # 0.4 of 10 classes: 0.36 + 0.16 / 9
        assert noise_ratio((1 - ratio) ** 2 + ratio**2 / 9, 10) == pytest.approx(ratio, abs=1e-7)
    assert noise_ratio(0.5, 2) == pytest.approx(0.5) and noise_ratio(0.25, 4) == pytest.approx(0.75)


def test_an_agreement_below_chance_gives_the_ratio_of_labels_by_chance() -> None:
    assert noise_ratio(0.05, 10) == noise_ratio(0.0, 10) == 0.9 and noise_ratio(0.0, 2) == 0.5


def test_the_noise_ratio_is_within_a_step_of_the_authors_loop() -> None:
    for agreement in np.linspace(0.12, 0.99, 30):
        ratio = 0.001
        while (1 - ratio) ** 2 + ratio**2 / 9 > agreement:
            ratio += 0.001
        assert -1e-9 < ratio - noise_ratio(agreement, 10) <= 0.001 + 1e-9


def test_how_many_rounds_take_the_best_epoch() -> None:
    assert [best_epoch_rounds(each, symmetric=True) for each in (0.0, 0.3, 0.31, 0.6, 0.61)] == [4, 4, 2, 2, 1]
    assert best_epoch_rounds(0.1, symmetric=False) == 1


# ---- a round of eight examples

LABELS = [0, 1, 2, 3, 0, 1, 2, 3]
TRUE = [0, 1, 2, 0, 0, 1, 3, 3]  # numbers 3 and 6 are wrong


def half(
    left_out: list[int],
    predicted: list[int],
    losses: list[float],
    last: list[int] | None = None,
    given: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The outcome of a run that left out these examples, as the input's function sees it; of 4 classes."""
    arrays = {
        name: np.full(8, -1, dtype=np.int16)
        for name in ("left_out_label", "left_out_true", "left_out_best", "left_out_last")
    }
    arrays["left_out_label"][left_out] = np.array(LABELS)[left_out]
    arrays["left_out_true"][left_out] = np.array(TRUE)[left_out]
    arrays["left_out_best"][left_out] = predicted
    arrays["left_out_last"][left_out] = predicted if last is None else last
    for at in ("best", "last"):
        arrays[f"left_out_{at}_loss"] = np.zeros(8, dtype=np.float32)
        arrays[f"left_out_{at}_loss"][left_out] = losses
    arrays["left_out_confusion"] = np.zeros((4, 4), dtype=np.int32)
    about = {"status": "ok", "classes": 4, "noise": {"labels_sha256": "abc"}, "arrays": arrays, **more}
    return about if given is None else {**about, "given": given}


def before(estimate: float = 0.25, number: int = 1, kept: tuple[int, ...] = (0, 1)) -> dict[str, Any]:
    outcome = {"round": number, "noise_estimate": estimate, "arrays": {"kept": mask(*kept), "candidates": mask()}}
    return {"one": outcome}


def first_round() -> list[dict[str, Any]]:
    """Half 0 is 0, 1, 2, 3, half 1 the others: of each, three predicted as given, 3 and 6 not."""
    return [half([4, 5, 6, 7], [0, 1, 3, 3], [0.1, 0.2, 9, 0.3]), half([0, 1, 2, 3], [0, 1, 2, 0], [0.1, 5, 0.2, 4])]


def test_a_round_selects_what_is_predicted_and_discards_the_largest_losses() -> None:
    made = incv_round(first_round(), SYMMETRIC)
    # an agreement of 3/4: (1 − ε)² + ε²/3 = 3/4, ε = (3 − √6)/4 = 0.1376; r = 0.1596: ⌊0.48⌋ = 0 are discarded
    assert made["noise_estimate"] == pytest.approx((3 - 6**0.5) / 4)
    assert made["discard_ratio"] == pytest.approx(made["noise_estimate"] / (1 - made["noise_estimate"]))
    assert made["arrays"]["kept"].tolist() == mask(0, 1, 2, 4, 5, 7).tolist()
    assert made["arrays"]["candidates"].tolist() == mask(3, 6).tolist()
    assert (made["round"], made["epoch"], made["labels_sha256"], made["status"]) == (1, "best", "abc", "ok")
    counts = ("examined", "selected", "discarded", "kept_examples", "candidates")
    assert [made[count] for count in counts] == [8, 6, 0, 6, 2]


def test_of_each_half_as_many_are_discarded_as_its_own_selected_ones_say() -> None:
    """r is 1 at a ratio of 1/2: two selected of one half discard its two largest losses, one of the other its one."""
    given = before(0.5, kept=())
    halves = [half([4, 5, 6, 7], [0, 1, 0, 0], [3, 0.2, 2, 9]), half([0, 1, 2, 3], [1, 0, 2, 0], [7, 7, 0.2, 4])]
    halves = [{**each, "given": given} for each in halves]
    made = incv_round(halves, SYMMETRIC)
    assert made["discard_ratio"] == 1
    # 4 has a large loss but is selected: it stays so. Of 0 and 1, alike, the higher number goes
    assert made["arrays"]["kept"].tolist() == mask(2, 4, 5).tolist()
    assert made["arrays"]["candidates"].tolist() == mask(0, 3, 6).tolist() and made["discarded"] == 2
    paired = incv_round(halves, PAIRED)
    assert paired["arrays"]["candidates"].tolist() == mask(0, 1, 3, 6, 7).tolist() and paired["discarded"] == 0


def test_later_rounds_carry_on_the_estimate_and_what_was_selected_and_take_the_last_epoch() -> None:
    for estimate, number, epoch, selected in ((0.2, 3, "best", (2, 5)), (0.5, 2, "last", (2, 4))):
        given = before(estimate, number)
        halves = [half([4, 5], [3, 1], [1, 1], last=[0, 0], given=given), half([2, 3], [2, 0], [1, 1], given=given)]
        made = incv_round(halves, PAIRED if epoch == "last" else SYMMETRIC)
        assert (made["round"], made["noise_estimate"], made["epoch"]) == (number + 1, estimate, epoch)
        assert made["arrays"]["kept"].tolist() == mask(0, 1, *selected).tolist()


def test_a_round_that_selects_nothing_is_a_round() -> None:
    halves = [half([4, 5, 6, 7], [1, 0, 0, 0], [1, 2, 3, 4]), half([0, 1, 2, 3], [1, 0, 0, 0], [1, 2, 3, 4])]
    made = incv_round(halves, SYMMETRIC)
    assert (made["status"], made["noise_estimate"], made["discard_ratio"]) == ("ok", 0.75, 2.0)
    assert (made["selected"], made["discarded"], made["candidates"]) == (0, 0, 8)  # 2 · 0: nothing is discarded


def test_right_predictions_of_all_estimate_no_noise_and_discard_nothing() -> None:
    made = incv_round([half([4, 5, 6, 7], LABELS[4:], [1] * 4), half([0, 1, 2, 3], LABELS[:4], [1] * 4)], SYMMETRIC)
    assert (made["noise_estimate"], made["discard_ratio"], made["candidates"], made["kept_examples"]) == (0, 0, 0, 8)
    assert forget_rate(0.0, 10, symmetric=True) == 0


def test_a_round_without_candidates_leaves_all_as_it_is() -> None:
    made = incv_round([half([], [], [], given=before()), half([], [], [], given=before())], SYMMETRIC)
    assert (made["status"], made["examined"], made["selected"], made["candidates"]) == ("ok", 0, 0, 0)
    assert made["arrays"]["kept"].tolist() == mask(0, 1).tolist() and made["noise_estimate"] == 0.25


def test_a_single_candidate_is_examined_by_one_run() -> None:
    made = incv_round([half([5], [1], [1], given=before()), half([], [], [], given=before())], SYMMETRIC)
    assert (made["examined"], made["selected"], made["candidates"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("halves", "what"),
    [
        ([half([0], [0], [1]), half([1], [1], [1], status="diverged")], "the run on half 1 diverged"),
        ([half([0], [0], [float("nan")]), half([1], [1], [1])], "is not finite"),
        ([half([0], [0], [1]), half([0], [1], [1])], "leave out the same examples"),
    ],
)
def test_a_round_that_says_nothing_fails_in_words(halves: list[dict[str, Any]], what: str) -> None:
    made = incv_round(halves, SYMMETRIC)
    assert made["status"] == "failed" and what in made["message"] and "arrays" not in made


# ---- the metric


def test_the_estimate_is_read_from_both_halves_and_held_against_the_wrong_labels() -> None:
    first, second = (outcome["arrays"] for outcome in first_round())
    read = incv_estimate(first, second, 1)
    assert read["metrics"] == {
        "incv_noise_estimate": pytest.approx((3 - 6**0.5) / 4),
        "incv_noise_bias": pytest.approx((3 - 6**0.5) / 4 - 2 / 8),
        "incv_noise_error": pytest.approx(2 / 8 - (3 - 6**0.5) / 4),
    }
    assert incv_estimate(second, first, 1) == read
    assert incv_estimate(first, first, 1)["status"] == "failed"
    assert incv_estimate(first, {}, 1)["status"] == "failed"


def losses_of(scores: list[float], **changes: Any) -> dict[str, Any]:
    labels = {"example_label": np.array(LABELS), "example_true": np.array(TRUE)}
    return {"example_loss": np.array([scores, scores]) / 2, **labels, **changes}


def test_the_error_of_the_aul_is_compared_with_that_of_one_half() -> None:
    """The AUL puts 3, 6 and 7 apart: 3/8 for 2/8. Half 0 alone agrees on 3 of 4: (3 − √6)/4."""
    scores = [1.0, 1.2, 0.9, 5.1, 1.1, 1.0, 5.0, 4.9]
    (_, second), training = (outcome["arrays"] for outcome in first_round()), losses_of(scores)
    aul, incv = 3 / 8 - 2 / 8, 2 / 8 - (3 - 6**0.5) / 4
    for pair in ((training, second), (second, training)):
        read = aul_or_incv(*pair, 1)
        assert read["metrics"] == {"incv_over_aul_noise_error": pytest.approx(incv - aul, abs=1e-6)}
        assert read["shown"]["aul"] == pytest.approx(3 / 8, abs=1e-6)
    for odd, what in (
        (second, "one must leave examples out"),
        (losses_of(scores, example_label=np.array(TRUE)[::-1]), "not on the same labels"),
        (losses_of([1.0] * 8), "cannot be split"),
        (losses_of([float("nan")] * 8), "not finite"),
        ({}, "kept no losses"),
    ):
        failed = aul_or_incv(odd, second, 1)
        assert failed["status"] == "failed" and what in failed["message"]


# ---- a run on half of the candidates


def examples(
    selected: tuple[int, ...] = (), candidates: tuple[int, ...] = tuple(range(8)), number: int = 0
) -> Examples:
    arrays = {"kept": mask(*selected), "candidates": mask(*candidates)}
    inputs = {"one": Given({"status": "ok", "round": number}, arrays)} if number else {}
    return Examples(torch.arange(8), torch.zeros(8, dtype=torch.bool), 7, inputs)


def made(number: int) -> list[Half]:
    return [Half({"half": each, "input": "one" if number else None}) for each in (0, 1)]


def test_the_halves_are_alike_in_both_runs_of_a_round_and_others_in_the_next() -> None:
    found = []
    for number in (0, 1, 2, 3):
        about = examples(number=number)
        zero, one = made(number)
        assert zero.picks(about).tolist() == one.left_out(about).tolist()
        assert one.picks(about).tolist() == zero.left_out(about).tolist()
        assert sorted([*zero.picks(about).tolist(), *one.picks(about).tolist()]) == list(range(8))
        assert len(zero.picks(about)) == 4
        found.append(tuple(zero.picks(about).tolist()))
    assert len(set(found)) > 1
    rounds = {tuple(halves_of(torch.arange(100), 7, number)[0].tolist()) for number in range(1, 5)}
    assert len(rounds) == 4


def test_a_later_run_trains_on_the_selected_and_is_watched_on_the_other_half_of_the_candidates_alone() -> None:
    about = examples(selected=(0, 5), candidates=(1, 2, 3), number=2)  # 4, 6 and 7 are discarded
    zero, one = made(2)
    assert [len(each.picks(about)) for each in (zero, one)] == [2 + 1, 2 + 2]  # of three, ⌊3 / 2⌋ are half 0
    for each in (zero, one):
        assert {0, 5} < set(each.picks(about).tolist()) and not set(each.left_out(about).tolist()) & {0, 4, 5, 6, 7}
        assert sorted([*each.picks(about).tolist(), *each.left_out(about).tolist()]) == [0, 1, 2, 3, 5]


def test_an_empty_half_is_none_to_learn_from_or_be_watched_on() -> None:
    about = examples(selected=(0,), candidates=(4,), number=1)
    zero, one = made(1)
    assert (zero.picks(about).tolist(), zero.left_out(about).tolist()) == ([0], [4])
    assert (one.picks(about).tolist(), one.left_out(about).tolist()) == ([0, 4], [])
    with pytest.raises(ValueError, match="half 0 of the candidates is empty"):
        zero.picks(examples(candidates=(4,), number=1))


def test_the_halves_of_many_are_even_and_shuffled() -> None:
    first, second = halves_of(torch.arange(10_001), 3, 1)
    assert (len(first), len(second)) == (5000, 5001)
    assert (first < 5000).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert halves_of(torch.arange(10_001), 4, 1)[0].tolist() != first.tolist()


# ---- the training on what is selected


def incv(**changes: Any) -> INCV:
    return INCV({**OPTIONS, **changes})


def test_each_network_learns_from_the_smallest_losses_of_selected_and_candidates_together() -> None:
    """Of six selected examples and two that join them, round(6 · (1 − 0.5 · 4/10)) = round(4.8) = 5 are learnt from."""
    method = incv()
    method.forget_rate = 0.5
    one = torch.tensor([0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.15, 5.0])
    two = torch.tensor([9.0, 0.1, 8.0, 0.2, 7.0, 0.3, 6.0, 0.4])
    first, second = method.weights((one, two), Seen(torch.arange(8), 4, 0, 100, 7, {}, beside=2))
    assert second.tolist() == pytest.approx([0.2, 0, 0.2, 0, 0.2, 0.2, 0.2, 0])
    assert first.tolist() == pytest.approx([0, 0.2, 0, 0.2, 0, 0.2, 0.2, 0.2])
    assert [method.kept(epoch, 8) for epoch in (0, 5, 10, 99)] == [8, 6, 4, 4]
    method.forget_rate = 1.0
    assert method.kept(10, 8) == 1  # one at least


def test_the_forget_rate_is_the_share_of_wrong_labels_among_the_selected() -> None:
    assert forget_rate(0.5, 10, symmetric=True) == pytest.approx(0.25 / (0.25 + 9 * 0.25))
    assert forget_rate(0.4, 10, symmetric=False) == pytest.approx(0.16 / (0.16 + 0.36))
    assert forget_rate(0.9, 10, symmetric=True) == pytest.approx(0.9)


def chosen(digits: DeviceData, selected: Any, candidates: Any, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A recipe that reads a last round, and that round."""
    spec = recipe(method={**OPTIONS, **changes.pop("method", {})}, noise=WRONG, dataset=DATA, batch_size=16, **changes)
    sha = TrainingSet(digits, {**spec, "method": "standard"}, seeds()).noise_facts["labels_sha256"]
    about = {"status": "ok", "round": 4, "noise_estimate": 0.4, "labels_sha256": sha}
    return spec, {"last": Given(about, {"kept": np.asarray(selected), "candidates": np.asarray(candidates)})}


N = np.arange(120)


def test_after_the_warm_up_candidates_join_each_batch_in_passes_of_their_own(digits: DeviceData) -> None:
    spec, inputs = chosen(digits, N % 2 == 0, N % 6 == 1, epochs=3)  # 60 selected, 20 candidates
    data = TrainingSet(digits, spec, seeds(), inputs)
    assert (data.examples, data.steps_an_epoch) == (60, 4)
    assert data.beside is not None and data.beside.each == 16 * 20 // 60 == 5
    assert (data.noise_facts["beside_examples"], data.noise_facts["beside_a_batch"]) == (20, 5)
    assert [batch.beside for batch in data.batches(0, 16)] == [0, 0, 0, 0]
    orders = []
    for epoch in (1, 2):
        batches = list(data.batches(epoch, 16))
        assert [(len(batch), batch.beside) for batch in batches] == [(21, 5), (21, 5), (21, 5), (17, 5)]
        joined = torch.cat([batch.example[-5:] for batch in batches]) - 60
        assert sorted(joined.tolist()) == list(range(20))
        orders.append(joined.tolist())
        whole = TrainingSet(digits, {**spec, "method": "standard"}, seeds())
        image, label = whole.given()
        for batch in batches:
            numbers = torch.from_numpy(np.flatnonzero(N % 6 == 1))[batch.example[-5:] - 60]
            assert batch.image[-5:].tolist() == whole.identity[image[numbers]].tolist()
            assert batch.label[-5:].tolist() == label[numbers].tolist()
        own = torch.cat([batch.own.example for batch in batches])
        assert sorted(own.tolist()) == list(range(60))
        assert [batch.example.tolist() for batch in data.batches(epoch, 16, first=2)] == [
            batch.example.tolist() for batch in batches[2:]
        ]
    assert orders[0] != orders[1] and orders[0] != sorted(orders[0])
    assert [data.visits(epoch) for epoch in range(3)] == [60, 80, 80]
    assert [data.visits(1, steps) for steps in range(5)] == [0, 21, 42, 63, 80]


def test_where_there_are_many_candidates_half_a_batch_joins_and_few_start_again(digits: DeviceData) -> None:
    spec, inputs = chosen(digits, N < 40, N >= 40)
    many = TrainingSet(digits, spec, seeds(), inputs)
    assert many.beside is not None and many.beside.each == 8
    spec, inputs = chosen(digits, N < 33, (N >= 40) & (N < 47), method={"warm_up": 0})
    few = TrainingSet(digits, spec, seeds(), inputs)  # 3 steps; min(⌊16 · 7 / 33⌋, 8) = 3 of 7: passes of 3, 3 and 1
    assert [batch.beside for batch in few.batches(0, 16)] == [3, 3, 1]
    assert few.visits(0) == 33 + 7 == sum(len(batch) for batch in few.batches(0, 16))


def test_nothing_joins_where_nothing_is_left_and_nothing_selected_is_refused(digits: DeviceData) -> None:
    spec, inputs = chosen(digits, N < 60, N < 0, epochs=3)
    outcome = train(spec, seeds(), digits, inputs=inputs)
    assert outcome["status"] == "ok" and "beside_examples" not in outcome["noise"]
    spec, inputs = chosen(digits, N < 0, N < 60)
    with pytest.raises(ValueError, match="incv: the rounds up to last have selected none of 120 examples"):
        train(spec, seeds(), digits, inputs=inputs)


def test_a_class_that_the_selected_lack_is_said_and_trained_without(digits: DeviceData) -> None:
    spec, _ = chosen(digits, N < 60, N < 0)
    _, label = TrainingSet(digits, {**spec, "method": "standard"}, seeds()).given()
    spec, inputs = chosen(digits, (label != 3).numpy(), N < 0, epochs=2)
    outcome = train(spec, seeds(), digits, inputs=inputs)
    assert outcome["status"] == "ok" and outcome["noise"]["classes_without_examples"] == [3]


def test_curves_are_means_over_what_was_seen(digits: DeviceData) -> None:
    """A network that hardly moves has the same training loss before and after others join, and no more than 1."""
    still = {"kind": "sgd", "lr": 1e-12, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    spec, inputs = chosen(digits, N % 2 == 0, N % 2 == 0, epochs=2, optimizer=still)
    curves = train(spec, seeds(), digits, inputs=inputs)["curves"]
    # the same examples beside: 60 more, in batches of 16 + 8; 32 of them in 4 steps
    assert curves["train_loss"][1] == pytest.approx(curves["train_loss"][0], rel=0.1)
    spec, inputs = chosen(digits, N < 60, N >= 60, epochs=3)
    seen: list[tuple[int, int]] = []
    hooks = Hooks(tick=lambda progress: bool(seen.append((progress.examples_done, progress.examples_total))))
    train(spec, seeds(), digits, inputs=inputs, hooks=hooks)
    assert seen[-1] == (60 + 2 * (60 + 32), 60 + 2 * (60 + 32))


def test_a_stage_resumed_at_any_step_ends_with_the_same_bits(digits: DeviceData) -> None:
    whole = recipe(
        method=FIRST, noise=WRONG, dataset=DATA, batch_size=16, epochs=3, augment="crop_flip", probes=["left_out"]
    )
    joined, inputs = chosen(digits, N < 50, N >= 60, epochs=3, augment="crop_flip", probes=["example_loss"])
    for spec, given in ((whole, {}), (joined, inputs)):
        states: list[State] = []
        hooks = Hooks(tick=lambda progress: True, save=lambda state, to=states: to.append(kept(state)))
        undisturbed = train(spec, seeds(), digits, CPU, hooks=hooks, inputs=given)
        assert len(states) == 3 * 4
        for state in states:
            again = train(spec, seeds(), digits, CPU, state=state, inputs=given)
            arrays, others = (outcome.pop("arrays", {}) for outcome in (again, dict(undisturbed)))
            assert all(np.array_equal(array, others[name]) for name, array in arrays.items())
            assert canonical_json(again) == canonical_json({k: v for k, v in undisturbed.items() if k != "arrays"})


def test_a_probe_of_each_example_sees_the_selected_alone(digits: DeviceData) -> None:
    spec, inputs = chosen(digits, N < 50, N >= 60, epochs=3, probes=["example_loss", "example_margin"])
    arrays = train(spec, seeds(), digits, inputs=inputs)["arrays"]
    assert arrays["example_loss"].shape == arrays["example_margin"].shape == (3, 50)
    assert (arrays["example_loss"] > 0).all() and arrays["example_number"].tolist() == list(range(50))


# ---- what is predicted of the examples left out


def test_the_left_out_are_predicted_at_the_last_and_at_the_best_epoch(digits: DeviceData) -> None:
    spec = recipe(method=FIRST, noise=WRONG, dataset=DATA, batch_size=16, epochs=8, model="mlp1_w32")
    wild = {**spec, "optimizer": {**spec["optimizer"], "lr": 0.5}, "probes": ["left_out"]}
    outcome = train(wild, seeds(), digits)
    curve = outcome["probe_curves"]["left_out_accuracy"]
    best = int(np.argmax(curve["values"])) + 1
    assert curve["at"] == list(range(1, 9)) and best < 8 and outcome["status"] == "ok"
    arrays, data = outcome["arrays"], TrainingSet(digits, wild, seeds())
    out = data.left_out.numpy()
    assert len(out) == 60 and not set(out) & set(data.numbers.tolist())
    image, label = data.given_to(data.left_out)
    for name, wanted in (("left_out_label", label), ("left_out_true", data.labels[image])):
        assert arrays[name].dtype == np.int16 and arrays[name][out].tolist() == wanted.tolist()
        assert (np.delete(arrays[name], out) == -1).all()
    for at, epoch in (("last", 8), ("best", best)):
        right = arrays[f"left_out_{at}"][out] == arrays["left_out_label"][out]
        assert right.mean() == pytest.approx(curve["values"][epoch - 1])
        # a training that ends there predicts the same
        until = train({**wild, "epochs": epoch}, seeds(), digits)["arrays"]
        assert until["left_out_last"].tolist() == arrays[f"left_out_{at}"].tolist()
        assert until["left_out_last_loss"].tolist() == arrays[f"left_out_{at}_loss"].tolist()
        assert until["left_out_last_loss"].dtype == np.float32 and (until["left_out_last_loss"][out] > 0).all()
    confusion = arrays["left_out_confusion"]
    assert confusion.sum() == 60 and np.trace(confusion) == round(curve["values"][best - 1] * 60)


def test_a_probed_run_is_the_run_and_one_without_left_out_examples_says_nothing(digits: DeviceData) -> None:
    spec = recipe(method=FIRST, noise=WRONG, dataset=DATA, batch_size=16, epochs=2, model="resnet8_w8")
    plain, probed = (train({**spec, "probes": probes}, seeds(), digits) for probes in ([], ["left_out"]))
    assert plain["curves"] == probed["curves"]
    nothing = train({**recipe(), "probes": ["left_out"]}, seeds(), digits)
    assert (nothing["arrays"]["left_out_last"] == -1).all() and nothing.get("probe_curves") == {}


def test_a_run_that_diverged_predicts_nothing(digits: DeviceData) -> None:
    wild = {"kind": "sgd", "lr": 1e30, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
    spec = recipe(method=FIRST, noise=WRONG, dataset=DATA, epochs=3, model="mlp1_w32", optimizer=wild)
    spec["probes"] = ["left_out"]
    outcome = train(spec, seeds(), digits)
    assert outcome["status"] == "diverged" and not outcome.get("arrays")


def test_labels_that_are_drawn_again_and_an_input_without_a_name_are_refused() -> None:
    again = {"kind": "resample_uniform", "rate": 0.4, "include_true_class": False}
    with pytest.raises(ValueError, match=r"needs labels that stay|resample_uniform"):
        recipe_of({**recipe(method=FIRST, noise=again), "selection": "last_epoch"})
    with pytest.raises(ValueError, match="at least 1 character"):
        recipe_of({**recipe(method={**FIRST, "input": ""}, noise=WRONG), "selection": "last_epoch"})
    recipe_of({**recipe(method=FIRST, noise=WRONG), "selection": "last_epoch"})
