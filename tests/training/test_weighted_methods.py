"""Methods that weigh or pick examples, or change the loss: against numbers worked out by hand on a batch of eight."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lnbench.data.images import load
from lnbench.given import Given
from lnbench.identity import canonical_json
from lnbench.loss_curves.mixture import fit_split
from lnbench.loss_curves.trust import aul_trust, aum_trust
from lnbench.methods.elr import EarlyLearning
from lnbench.methods.gce import GeneralisedCrossEntropy
from lnbench.methods.method import Examples, Seen, uniform
from lnbench.methods.oracle import Oracle
from lnbench.methods.random_weights import RandomWeights
from lnbench.methods.reweighted import Reweighted
from lnbench.spec import recipe_of
from lnbench.training import train
from lnbench.training.backends.loop import Loop
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.engine import Group, prepare
from lnbench.training.hooks import Hooks, State
from tests.toys.small_runs import recipe, seeds
from tests.training.test_engine import kept

CPU = torch.device("cpu")
WRONG = {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
DATA = {"name": "digits", "clean": 400, "validation": 0}
REWEIGHTED = {"kind": "reweighted", "input": "aul"}
EARLY = {"kind": "elr", "memory": 0.7, "strength": 3.0}
TRUST = {"weight": "clean", "guard": True}
LOSSES = torch.tensor([0.1, 2.0, 0.3, 4.0, 0.5, 6.0, 0.7, 8.0])


@pytest.fixture(scope="module")
def digits() -> DeviceData:
    prepare(CPU)
    torch.set_num_threads(1)
    return DeviceData(load("digits"), CPU)


def seen(epoch: int = 0, step: int = 0, example: torch.Tensor | None = None) -> Seen:
    return Seen(torch.arange(8) if example is None else example, epoch, step, 100, 7, {})


# ---- random weights


def test_random_weights_are_rectified_normal_numbers_over_their_sum() -> None:
    drawn = uniform(7, 3, torch.arange(8)).tolist()
    wanted = [max(NormalDist().inv_cdf(u), 0.0) for u in drawn]
    (found,) = RandomWeights().weights((LOSSES,), seen(epoch=3))
    assert found.tolist() == pytest.approx([each / sum(wanted) for each in wanted], rel=1e-6)
    assert 0 < sum(each == 0 for each in wanted) < 8
    assert found.sum().item() == pytest.approx(1)


def test_random_weights_are_other_ones_at_each_visit_and_half_of_them_0() -> None:
    many = torch.arange(100_000)
    first, second = (RandomWeights().weights((torch.ones(100_000),), seen(epoch, 0, many))[0] for epoch in (0, 1))
    assert (first == 0).float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0, abs=0.02)


def test_a_batch_whose_random_weights_are_all_0_teaches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Seen, "draw", lambda self, salt=0: torch.tensor([0.0, 0.1, 0.2, 0.3], dtype=torch.float64))
    (found,) = RandomWeights().weights((torch.ones(4),), seen(example=torch.arange(4)))
    assert found.tolist() == [0, 0, 0, 0]


# ---- the oracle


def test_the_oracle_picks_the_right_labels() -> None:
    wrong = torch.tensor([False, True, False, True, False, True, True, False])
    number = torch.tensor([2, 3, 5, 7, 11, 13, 17, 19])
    assert Oracle().picks(Examples(number, wrong, 0, {})).tolist() == [2, 5, 11, 19]
    with pytest.raises(ValueError, match="all of the 8 labels are wrong"):
        Oracle().picks(Examples(number, torch.ones(8, dtype=torch.bool), 0, {}))


def test_the_oracle_trains_as_a_run_on_the_right_labels_alone(digits: DeviceData) -> None:
    """As standard training on an input that keeps them; and there are fewer steps in an epoch."""
    spec = recipe(model="mlp1", noise=WRONG, dataset=DATA, epochs=3, batch_size=50)
    plain = TrainingSet(digits, spec, seeds())
    right = ~plain.wrong().numpy()
    outcome = train({**spec, "method": "oracle"}, seeds(), digits)
    assert outcome["examples"]["train"] == right.sum() < 270
    assert outcome["noise"]["kept_examples"] == right.sum() and outcome["noise"]["kept_wrong"] == 0
    given = Given({"status": "ok", "labels_sha256": plain.noise_facts["labels_sha256"]}, {"kept": right})
    only = {**spec, "dataset": {**DATA, "only": "right"}}
    assert train(only, seeds(), digits, inputs={"right": given})["curves"] == outcome["curves"]


def test_the_oracle_says_which_classes_are_left_without_an_example(digits: DeviceData) -> None:
    spec = recipe(
        model="mlp1", method="oracle", noise={**WRONG, "rate": 0.85}, batch_size=10, epochs=1,
        dataset={"name": "digits", "clean": 100, "validation": 0},
    )  # fmt: skip
    data = TrainingSet(digits, spec, seeds())
    labels = set(data.given()[1].tolist())
    assert data.noise_facts["classes_without_examples"] == sorted(set(range(10)) - labels) != []
    assert train(spec, seeds(), digits)["status"] == "ok"


@pytest.mark.parametrize("method", ["oracle", REWEIGHTED])
def test_labels_that_are_drawn_again_have_no_oracle_and_no_trust(method: Any) -> None:
    noise = {"kind": "resample_uniform", "rate": 0.2, "include_true_class": True}
    with pytest.raises(ValueError, match="needs labels that stay"):
        recipe_of({**recipe(noise=noise), "method": method, "selection": "last_epoch"})


# ---- re-weighting


def test_re_weighting_divides_by_the_batchs_trust() -> None:
    method = Reweighted(REWEIGHTED)
    method.trust = torch.tensor([1, 0.5, 0, 1, 0.25, 0, 0.25, 0])
    (found,) = method.weights((LOSSES,), seen())
    assert found.tolist() == pytest.approx([1 / 3, 1 / 6, 0, 1 / 3, 1 / 12, 0, 1 / 12, 0])
    wanted = (0.1 + 1.0 + 4.0 + 0.125 + 0.175) / 3
    assert (found * LOSSES).sum().item() == pytest.approx(wanted)


def test_a_batch_of_which_nothing_is_trusted_teaches_nothing() -> None:
    method = Reweighted(REWEIGHTED)
    method.trust = torch.zeros(8)
    (found,) = method.weights((LOSSES,), seen())
    assert found.tolist() == [0] * 8


def trusted(digits: DeviceData, spec: dict[str, Any], trust: np.ndarray[Any, Any]) -> Given:
    sha = TrainingSet(digits, {**spec, "method": "standard"}, seeds()).noise_facts["labels_sha256"]
    return Given({"status": "ok", "labels_sha256": sha}, {"trust": trust.astype(np.float32)})


def test_with_trust_in_right_labels_alone_it_learns_what_wrong_ones_would_spoil(digits: DeviceData) -> None:
    spec = recipe(model="mlp1", method=REWEIGHTED, noise=WRONG, dataset=DATA, epochs=40, batch_size=20)
    wrong = TrainingSet(digits, {**spec, "method": "standard"}, seeds()).wrong().numpy()
    given = trusted(digits, spec, ~wrong)
    mine = train(spec, seeds(), digits, inputs={"aul": given})["curves"]["test_accuracy"][-1]
    plain = train({**spec, "method": "standard"}, seeds(), digits)["curves"]["test_accuracy"][-1]
    literal = train(spec, seeds(), digits, inputs={"aul": trusted(digits, spec, wrong)})
    assert mine > plain + 0.1 > literal["curves"]["test_accuracy"][-1]


def test_even_trust_is_standard_training(digits: DeviceData) -> None:
    spec = recipe(model="mlp1", method=REWEIGHTED, noise=WRONG, dataset=DATA, epochs=3, batch_size=20)
    mine = train(spec, seeds(), digits, inputs={"aul": trusted(digits, spec, np.full(400, 0.5))})["curves"]
    plain = train({**spec, "method": "standard"}, seeds(), digits)["curves"]
    assert mine["train_loss"] == pytest.approx(plain["train_loss"], rel=1e-5)


def test_trust_in_other_labels_is_refused(digits: DeviceData) -> None:
    spec = recipe(model="mlp1", method=REWEIGHTED, noise=WRONG, dataset=DATA)
    given = Given({"status": "ok", "labels_sha256": "of others"}, {"trust": np.ones(400, dtype=np.float32)})
    with pytest.raises(ValueError, match="the input aul was made of examples with other labels"):
        train(spec, seeds(), digits, inputs={"aul": given})
    short = trusted(digits, spec, np.ones(399))
    with pytest.raises(ValueError, match="says nothing of some training examples: 'trust' has 399"):
        train(spec, seeds(), digits, inputs={"aul": short})


# ---- the inputs aul_trust and aum_trust


def measured(scores: list[float], **more: Any) -> dict[str, Any]:
    """The outcome of two epochs with half of each score's loss in each; margins are their opposite."""
    losses = np.array([scores, scores], dtype=np.float32) / 2
    noise = {"examples": len(scores), "labels_sha256": "abc"}
    arrays = {"example_loss": losses, "example_margin": -2 * losses}
    return {"status": "ok", "noise": noise, "arrays": arrays, **more}


def test_trust_is_one_less_the_probability_of_the_upper_gaussian() -> None:
    scores = [1.0, 1.2, 0.9, 1.1, 5.0, 5.2, 4.9, 5.1]
    z = fit_split(np.array(scores)).responsibilities(np.array(scores))
    made = aul_trust([measured(scores)], TRUST)
    assert made["arrays"]["trust"].tolist() == pytest.approx([1, 1, 1, 1, 0, 0, 0, 0], abs=1e-6)
    assert made["noise_estimate"] == pytest.approx(z.mean()) == pytest.approx(0.5)
    assert (made["groups"], made["labels_sha256"], made["status"]) == (2, "abc", "ok")
    literal = aul_trust([measured(scores)], {**TRUST, "weight": "literal"})
    assert literal["arrays"]["trust"] + made["arrays"]["trust"] == pytest.approx(np.ones(8))
    margins = aum_trust([measured(scores)], TRUST)
    assert margins["arrays"]["trust"] == pytest.approx(made["arrays"]["trust"], abs=1e-6)


def test_without_the_guard_the_least_suspect_example_may_be_doubted() -> None:
    scores = [-3.0, *np.linspace(0.9, 1.1, 40), *np.linspace(3.0, 9.0, 40)]
    guarded, not_guarded = (aul_trust([measured(scores)], {**TRUST, "guard": guard}) for guard in (True, False))
    assert guarded["arrays"]["trust"][0] == 1 and not_guarded["arrays"]["trust"][0] < 0.1


def test_examples_that_were_not_trained_on_are_not_trusted() -> None:
    outcome = measured([1.0, 1.1, 5.0, 5.1])
    outcome["noise"]["examples"] = 6
    outcome["arrays"]["example_number"] = np.array([0, 2, 3, 5])
    assert aul_trust([outcome], TRUST)["arrays"]["trust"].tolist() == pytest.approx([1, 0, 1, 0, 0, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("outcome", "what"),
    [(measured([1.0] * 8, status="diverged"), "diverged"), (measured([1.0] * 8), "are equal"), (measured([1, 2]), "4")],
)
def test_scores_that_say_nothing_fail_in_words(outcome: dict[str, Any], what: str) -> None:
    made = aul_trust([outcome], TRUST)
    assert made["status"] == "failed" and what in made["message"]


# ---- generalised cross-entropy


def test_generalised_cross_entropy_is_its_definition() -> None:
    logits = torch.randn(8, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.arange(8) % 5
    p = torch.softmax(logits, 1)[torch.arange(8), labels]
    found = GeneralisedCrossEntropy({"q": 0.7}).loss(logits, labels)
    torch.testing.assert_close(found, (1 - p**0.7) / 0.7)
    # the gradient is p^q times that of the cross-entropy (the paper's section 3.3)
    (own,) = torch.autograd.grad(found.sum(), logits, retain_graph=True)
    (plain,) = torch.autograd.grad(F.cross_entropy(logits, labels, reduction="sum"), logits, retain_graph=True)
    torch.testing.assert_close(own, (p**0.7).detach()[:, None] * plain)
    near = GeneralisedCrossEntropy({"q": 1e-4}).loss(logits, labels)
    torch.testing.assert_close(near, F.cross_entropy(logits, labels, reduction="none"), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(GeneralisedCrossEntropy({"q": 1.0}).loss(logits, labels), 1 - p)


# ---- early-learning regularisation


def early(memory: float = 0.75, strength: float = 3.0) -> EarlyLearning:
    method = EarlyLearning({"memory": memory, "strength": strength})
    method.state = {"target": torch.zeros(8, 2)}
    return method


def test_early_learning_holds_on_to_what_was_said_before() -> None:
    """Of two classes with p = (3/4, 1/4): the target becomes a quarter of p, then 7/16 of it."""
    logits, labels = torch.tensor([[math.log(3), 0.0]]).repeat(8, 1), torch.tensor([0, 1] * 4)
    method = early()
    first = method.losses(logits, labels, seen(step=0))
    method.weights((first,), seen(step=0))
    agreement = (0.75**2 + 0.25**2) / 4
    ce = [-math.log(0.75), -math.log(0.25)] * 4
    assert first.tolist() == pytest.approx([each + 3 * math.log(1 - agreement) for each in ce], rel=1e-5)
    assert method.state["target"][0].tolist() == pytest.approx([3 / 16, 1 / 16])
    second = method.losses(logits, labels, seen(epoch=1, step=1))
    method.weights((second,), seen(epoch=1, step=1))
    assert method.state["target"][0].tolist() == pytest.approx([0.75 * 7 / 16, 0.25 * 7 / 16])
    assert second[0].item() == pytest.approx(ce[0] + 3 * math.log(1 - agreement * 7 / 4), rel=1e-5)


def test_a_second_pass_of_the_step_does_not_move_the_target_again() -> None:
    method, labels = early(), torch.zeros(8, dtype=torch.int64)
    logits = torch.randn(8, 2, generator=torch.Generator().manual_seed(1))
    batch = seen()
    first = method.losses(logits, labels, batch)
    method.weights((first,), batch)
    assert torch.equal(method.losses(logits, labels, batch), first)


def test_a_look_at_all_examples_between_epochs_does_not_change_the_targets(digits: DeviceData) -> None:
    """It has the number of the step that follows it."""
    spec = recipe(model="mlp1", method=EARLY, noise=WRONG, dataset=DATA, epochs=4, batch_size=40)
    looked = train({**spec, "probes": ["example_loss_eval"]}, seeds(), digits)
    assert looked["curves"] == train(spec, seeds(), digits)["curves"]


def test_its_gradient_goes_through_the_probabilities_and_not_through_the_target() -> None:
    logits = torch.randn(8, 2, generator=torch.Generator().manual_seed(2), requires_grad=True)
    labels, method = torch.zeros(8, dtype=torch.int64), early()
    target = (0.25 * torch.softmax(logits, 1)).detach()
    wanted = F.cross_entropy(logits, labels, reduction="none") + 3 * torch.log(
        1 - (torch.softmax(logits, 1) * target).sum(1)
    )
    found = method.losses(logits, labels, seen())
    own, theirs = (torch.autograd.grad(each.sum(), logits, retain_graph=True)[0] for each in (found, wanted))
    torch.testing.assert_close(own, theirs)


# ---- checkpoints


@pytest.mark.parametrize("method", ["random_weights", "oracle", EARLY, REWEIGHTED])
def test_a_run_resumed_at_any_step_ends_with_the_same_bits(digits: DeviceData, method: Any) -> None:
    spec = recipe(model="mlp1", method=method, noise=WRONG, dataset={**DATA, "clean": 120}, epochs=4, batch_size=40)
    inputs = {"aul": trusted(digits, spec, np.linspace(0, 1, 120))} if method == REWEIGHTED else {}
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=lambda state: states.append(kept(state)))
    undisturbed = train(spec, seeds(), digits, inputs=inputs, hooks=hooks)
    assert len(states) in (8, 12)
    for state in states[::3]:
        assert canonical_json(train(spec, seeds(), digits, inputs=inputs, state=state)) == canonical_json(undisturbed)


def test_d2l_says_when_its_dimension_turned(digits: DeviceData) -> None:
    spec = recipe(model="mlp1", noise=WRONG, dataset=DATA, epochs=10, method={"kind": "d2l", "window": 2, "initial": 0})
    group = Group([spec], [seeds()], digits)
    (outcome,) = group.finish()
    assert isinstance(group.backend, Loop)
    assert outcome["method"] == {"turned": int(group.backend.method.state["turned"])}
    never = train({**spec, "method": {"kind": "d2l", "window": 2, "initial": 50}}, seeds(), digits)
    assert never["method"] == {"turned": None}
    assert "method" not in train({**spec, "method": "standard"}, seeds(), digits)
