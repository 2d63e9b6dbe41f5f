"""Methods with several networks, weights and a state of their own: against plain loops, and resumed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from lnbench import catalog
from lnbench.data.images import ImageData, load
from lnbench.identity import canonical_json
from lnbench.methods.co_teaching import CoTeaching
from lnbench.methods.d2l import dimensions, has_turned, trust
from lnbench.methods.method import Loss, Method, Seen, uniform
from lnbench.methods.reed_hard import ReedHard
from lnbench.randomness import permutation_at
from lnbench.spec import recipe_of
from lnbench.training import train
from lnbench.training.backends.loop import Loop
from lnbench.training.backends.network import init_seed
from lnbench.training.batches import DeviceData
from lnbench.training.engine import Group, prepare
from lnbench.training.hooks import Hooks, State
from tests.toys.small_runs import SGD, dilution, recipe, seeds
from tests.training import plain_loop
from tests.training.test_engine import kept

CPU = torch.device("cpu")
CO_TEACHING = {"kind": "co_teaching", "forget_rate": 0.4, "gradual": 2, "answer": "first"}
REED = {"kind": "reed_hard", "beta": 0.8}
D2L = {"kind": "d2l", "window": 2, "initial": 0}
MENTOR = {"kind": "mentornet_pd", "percentile": 0.7, "decay": 0.5, "dropout_first": 0.5, "dropout": 0.1}
WRONG = {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}


@pytest.fixture(scope="module")
def digits() -> DeviceData:
    prepare(CPU)
    torch.set_num_threads(1)
    return DeviceData(load("digits"), CPU)


def loop(digits: DeviceData, **changes: Any) -> tuple[Group, Loop]:
    group = Group([recipe(**changes)], [seeds()], digits)
    assert isinstance(group.backend, Loop)
    return group, group.backend


def seen(count: int, epoch: int) -> Seen:
    return Seen(torch.arange(count), epoch, epoch, 100, 0, {})


# ---- the catalog


def made(name: str) -> Method:
    """A method of the catalog with the options above."""
    options = {each["kind"]: each for each in (CO_TEACHING, REED, MENTOR, D2L)} | {
        "reweighted": {"kind": "reweighted", "input": "aul"},
        "half": {"kind": "half", "half": 0, "input": None},
        "incv": {"kind": "incv", "input": "a", "gradual": 1, "warm_up": 0, "symmetric": True, "answer": "first"},
        "label_smoothing": {"kind": "label_smoothing", "smoothing": 0.1},
        "bootstrapped": {"kind": "bootstrapped", "input": "first", "smoothing": 0.1},
        "gce": {"kind": "gce", "q": 0.7},
        "elr": {"kind": "elr", "memory": 0.7, "strength": 3.0},
        "noisy_loss": {"kind": "noisy_loss", "alpha": 1.0, "form": "definition"},
    }
    kind = catalog.find("method", name).load()
    method: Method = kind(options[name]) if catalog.find("method", name).options else kind()
    return method


@pytest.mark.parametrize("name", catalog.names("method"))
def test_the_catalog_says_of_each_method_how_many_networks_it_trains_and_whether_it_is_a_loss(name: str) -> None:
    entry, method = catalog.find("method", name), made(name)
    assert entry.stacks == isinstance(method, Loss)
    assert (entry.passes({}, {}) if entry.passes else 1) == method.networks


@pytest.mark.parametrize("method", [CO_TEACHING, REED, MENTOR, D2L], ids=lambda method: method["kind"])
def test_a_recipe_may_name_each_method(method: dict[str, Any]) -> None:
    plain = {**recipe(), "method": method, "selection": "last_epoch"}
    assert recipe_of(plain).identity()["method"] == method
    assert recipe_of({**plain, "method": {**REED, "beta": 1.0}}).identity()["method"] == "standard"
    with pytest.raises(ValueError, match="gradient_cosine compares losses of logits and labels, and co_teaching is"):
        recipe_of({**plain, "method": CO_TEACHING, "probes": ["gradient_cosine"]})


# ---- Co-teaching


def co_taught(data: ImageData, spec: dict[str, Any], streams: dict[str, int]) -> list[list[torch.Tensor]]:
    """Algorithm 1 of Han et al. 2018 as anybody would write it: index, do not weigh."""
    examples = plain_loop.NoisyCopies(data, spec, streams)
    options = spec["method"]
    models = [plain_loop.network(spec["model"], data.shape, data.classes) for _ in range(2)]
    for model, seed in zip(models, (streams["init"], init_seed(streams["init"], 1)), strict=True):
        plain_loop.draw_weights(model, seed)
    steps = [plain_loop.optimiser(spec["optimizer"], model) for model in models]
    for epoch in range(spec["epochs"]):
        keep = 1 - min(epoch / options["gradual"] * options["forget_rate"], options["forget_rate"])
        order = [int(permutation_at(streams["order"], 3, epoch, len(examples), i)) for i in range(len(examples))]
        for images, labels in DataLoader(examples, batch_size=spec["batch_size"], sampler=order):
            logits = [model(images) for model in models]
            losses = [F.cross_entropy(each, labels, reduction="none").tolist() for each in logits]
            count = int(keep * len(labels) + 1e-9)
            easy = [sorted(range(len(labels)), key=own.__getitem__)[:count] for own in losses]
            for each, chosen, step in zip(logits, reversed(easy), steps, strict=True):
                step.zero_grad()
                F.cross_entropy(each[chosen], labels[chosen]).backward()
                step.step()
    return [[parameter.detach() for parameter in model.parameters()] for model in models]


@pytest.mark.parametrize("model", ["mlp1", "convnet4"])
def test_co_teaching_ends_where_a_plain_loop_ends(digits: DeviceData, model: str) -> None:
    """3 epochs of 10 batches, the last of 8, with shares 1, 0.8 and 0.6."""
    spec = {
        "model": model, "method": CO_TEACHING, "dataset": {"name": "digits", "clean": 148, "validation": 0},
        "noise": dilution(1.0), "optimizer": {**SGD, "lr": 0.02}, "epochs": 3,
    }  # fmt: skip
    group, backend = loop(digits, **spec)
    group.finish()
    wanted = co_taught(digits.data, recipe(**spec), seeds())
    for network, theirs in zip(backend.networks, wanted, strict=True):
        for a, b in zip(network.model.parameters(), theirs, strict=True):
            assert (a - b).norm() <= 2e-6 * b.norm(), f"{((a - b).norm() / b.norm()).item():.1e}"


def test_the_first_network_starts_as_a_run_alone_and_the_second_elsewhere(digits: DeviceData) -> None:
    one, two = loop(digits, model="resnet8_w8")[1], loop(digits, model="resnet8_w8", method=CO_TEACHING)[1]
    first, second = two.networks
    assert torch.equal(first.flat.weights, one.networks[0].flat.weights)
    assert not torch.equal(second.flat.weights, first.flat.weights)
    elsewhere = Group([recipe(model="resnet8_w8")], [seeds(init=init_seed(0, 1))], digits).backend
    assert isinstance(elsewhere, Loop)
    assert torch.equal(second.flat.weights, elsewhere.networks[0].flat.weights)


def test_each_network_learns_from_the_others_small_losses() -> None:
    losses = (torch.tensor([3.0, 1.0, 1.0, 2.0, 0.5]), torch.tensor([0.1, 0.2, 9.0, 0.3, 9.0]))
    first, second = CoTeaching(CO_TEACHING).weights(losses, seen(5, epoch=7))  # three of five
    third = torch.tensor(1 / 3).item()
    assert first.tolist() == pytest.approx([third, third, 0, third, 0])
    assert second.tolist() == pytest.approx([0, third, third, 0, third])
    tied, _ = CoTeaching(CO_TEACHING).weights((losses[0], torch.ones(5)), seen(5, epoch=7))
    assert tied.tolist() == pytest.approx([third, third, third, 0, 0])  # of equal ones the earlier


@pytest.mark.parametrize(
    ("epoch", "count", "kept"), [(0, 10, 10), (1, 10, 8), (2, 10, 6), (50, 10, 6), (2, 1, 1), (1, 128, 102)]
)
def test_the_share_that_is_learnt_from_falls_and_then_stays(epoch: int, count: int, kept: int) -> None:
    assert CoTeaching(CO_TEACHING).kept(epoch, count) == kept


def test_what_co_teaching_learns_from_carries_fewer_wrong_labels_than_the_data(
    digits: DeviceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On digits with 40 % wrong labels, in epochs that leave 40 % out: most of what is left out is wrong."""
    group, backend = loop(
        digits, model="mlp1_w32", method=CO_TEACHING, noise=WRONG, epochs=8,
        dataset={"name": "digits", "clean": 1000, "validation": 0},
    )  # fmt: skip
    wrong, honest, picked = group.sets[0].wrong(), backend.method.weights, []

    def watched(losses: tuple[torch.Tensor, ...], about: Seen) -> tuple[torch.Tensor, ...] | None:
        weights = honest(losses, about)
        assert weights is not None
        if about.epoch >= 4:
            picked.extend(wrong[about.example][each > 0].float().mean().item() for each in weights)
        return weights

    monkeypatch.setattr(backend.method, "weights", watched)
    (outcome,) = group.finish()
    assert wrong.float().mean() > 0.37
    assert np.mean(picked) < 0.15
    assert outcome["curves"]["test_accuracy"][-1] > 0.8


def test_the_mean_answer_is_the_mean_of_both_softmaxes(digits: DeviceData) -> None:
    group, backend = loop(digits, method={**CO_TEACHING, "answer": "mean"}, epochs=2)
    (outcome,) = group.finish()
    test = group.sets[0].test
    inputs = torch.tensor(digits.data.test_images / digits.scale).float()
    with torch.no_grad():
        both = [torch.softmax(network.model.eval()(inputs), 1) for network in backend.networks]
    mean = sum(both) / 2
    (answer,) = backend.logits([test])
    torch.testing.assert_close(torch.softmax(answer, 1), mean, rtol=1e-5, atol=1e-6)
    accuracy = (mean.argmax(1) == test.labels).float().mean().item()
    assert outcome["curves"]["test_accuracy"][-1] == pytest.approx(accuracy)

    group, backend = loop(digits, method=CO_TEACHING, epochs=2)
    (first,) = group.finish()
    (answer,) = backend.logits([test])
    torch.testing.assert_close(torch.softmax(answer, 1), both[0], rtol=1e-5, atol=1e-6)
    assert first["curves"]["train_loss"] == outcome["curves"]["train_loss"]  # the answer changes no training


# ---- Reed-Hard


def test_reed_hard_is_the_cross_entropy_against_the_mixed_target() -> None:
    logits = torch.randn(20, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.arange(20) % 7
    logs = torch.log_softmax(logits, 1)
    target = 0.8 * F.one_hot(labels, 7) + 0.2 * F.one_hot(logits.argmax(1), 7)
    wanted = -(target * logs).sum(1)
    found = ReedHard(REED).loss(logits, labels)
    torch.testing.assert_close(found, wanted)
    own, theirs = (torch.autograd.grad(each.sum(), logits, retain_graph=True)[0] for each in (found, wanted))
    torch.testing.assert_close(own, theirs)  # nothing goes through the prediction
    assert torch.equal(ReedHard({"beta": 1.0}).loss(logits, labels), F.cross_entropy(logits, labels, reduction="none"))


# ---- MentorNet PD


def mentor(digits: DeviceData, **options: Any) -> Method:
    return loop(digits, method={**MENTOR, **options})[1].method


def at_step(step: int, count: int = 10) -> Seen:
    return Seen(torch.arange(count), 0, step, 100, 0, {})


@pytest.mark.parametrize(
    ("step", "weights"),
    [
        (18, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        (19, [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]),
        (89, [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]),
        (90, [1, 1, 1, 0.85, 0.6, 0.35, 0.1, 0, 0, 0]),
    ],
)
def test_mentornet_leaves_out_large_losses_behind_its_burn_in(
    digits: DeviceData, step: int, weights: list[float]
) -> None:
    """Of 0, 0.25 … 2.25 the 70 % quantile is 1.5 (the nearest), so the first threshold is 0.75, or here 0.6."""
    losses = torch.arange(10) / 4
    method = mentor(digits, dropout_first=0.0, dropout=0.0, decay=0.6)
    (found,) = method.weights((losses,), at_step(step))
    assert float(method.state["threshold"]) == pytest.approx(0.4 * 1.5)
    assert (found * 10).tolist() == pytest.approx(weights, abs=1e-6)
    method.weights((losses,), at_step(step))
    assert float(method.state["threshold"]) == pytest.approx(0.6 * 0.6 + 0.4 * 1.5)


@pytest.mark.parametrize(("step", "left"), [(0, 500), (16, 500), (17, 900), (99, 900)])
def test_mentornet_drops_a_share_at_random_and_the_same_again(digits: DeviceData, step: int, left: int) -> None:
    losses = (torch.zeros(1000),)
    first, second = (mentor(digits).weights(losses, at_step(step, 1000)) for _ in range(2))
    assert first is not None and second is not None
    assert int((first[0] > 0).sum()) == left and torch.equal(first[0], second[0])
    assert 0.4 * left < int((first[0][:500] > 0).sum()) < 0.6 * left


def test_mentornet_learns_from_cleaner_labels_than_the_data_has(
    digits: DeviceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, backend = loop(
        digits, model="mlp1_w32", method=MENTOR, noise=WRONG, epochs=8,
        dataset={"name": "digits", "clean": 1000, "validation": 0},
    )  # fmt: skip
    wrong, honest, picked = group.sets[0].wrong(), backend.method.weights, []

    def watched(losses: tuple[torch.Tensor, ...], about: Seen) -> tuple[torch.Tensor, ...] | None:
        weights = honest(losses, about)
        assert weights is not None
        if about.epoch >= 4:
            picked.append(wrong[about.example][weights[0] > 0].float().mean().item())
        return weights

    monkeypatch.setattr(backend.method, "weights", watched)
    (outcome,) = group.finish()
    assert np.mean(picked) < 0.25 < 0.37 < wrong.float().mean()
    assert outcome["curves"]["test_accuracy"][-1] > 0.75


# ---- D2L


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_the_dimension_of_a_flat_cloud_is_found_in_a_larger_space(dimension: int) -> None:
    generator = torch.Generator().manual_seed(1)
    cloud = torch.rand(2000, dimension, generator=generator) @ torch.randn(dimension, 40, generator=generator)
    assert dimensions(cloud).mean().item() == pytest.approx(dimension, rel=0.12)


def test_the_dimension_is_the_published_estimate() -> None:
    """As the authors' numpy code has it: −k / Σ log(r_i / r_k + 1e-8) over the k nearest others."""
    points = np.random.default_rng(0).normal(size=(30, 4))
    wanted = []
    for point in points:
        distance = np.sort(np.sqrt(((points - point) ** 2).sum(1)))[1:21]
        wanted.append(-20 / np.log(distance / distance[-1] + 1e-8).sum())
    np.testing.assert_allclose(dimensions(torch.tensor(points)).numpy(), wanted, rtol=1e-9)


def test_when_the_dimension_has_turned() -> None:
    assert has_turned([5.0, 4.0, 3.0, 3.2, 3.0, 3.9], window=3, initial=2)
    assert not has_turned([5.0, 4.0, 3.0, 3.2, 3.0, 3.1], window=3, initial=2)
    assert not has_turned([5.0, 4.0, 3.0, 3.2, 3.0, 3.9], window=3, initial=3)  # too early
    assert trust([4.0, 2.0, 3.0], epochs=6) == pytest.approx(math.exp(-3 / 6 * 3 / 2))


def d2l(digits: DeviceData, **changes: Any) -> tuple[Group, Loop]:
    given = {"model": "mlp1", "method": D2L, "noise": WRONG, "epochs": 10, **changes}
    return loop(digits, **{"dataset": {"name": "digits", "clean": 400, "validation": 0}, **given})


def test_d2l_goes_back_an_epoch_where_the_dimension_turns_and_then_doubts_the_labels(
    digits: DeviceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, backend = d2l(digits)
    ends, begins = [], []
    honest = backend.close

    def watched(epoch: int) -> None:
        ends.append(backend.networks[0].flat.weights.clone())
        honest(epoch)
        begins.append((backend.networks[0].flat.weights.clone(), float(backend.method.state["alpha"])))

    monkeypatch.setattr(backend, "close", watched)
    group.finish()
    dimension = backend.method.state["dimension"]
    assert dimension[:-1].isfinite().all() and dimension[-1].isnan()  # the last epoch is not followed by another
    turned = int(backend.method.state["turned"])
    assert 3 <= turned <= 9
    for epoch, (weights, alpha) in enumerate(begins):
        back = epoch == turned - 1
        assert torch.equal(weights, ends[epoch - 1] if back else ends[epoch])
        assert alpha == 1.0 if epoch < turned - 1 else 0.2 < alpha < 1.0


def test_until_it_turns_d2l_is_standard_training(digits: DeviceData) -> None:
    late = {**D2L, "initial": 50}
    (mine,), (standard,) = (d2l(digits, method=method)[0].finish() for method in (late, "standard"))
    assert mine["curves"] == standard["curves"]
    assert d2l(digits)[0].finish()[0]["curves"] != standard["curves"]


# ---- checkpoints, and the rest of a run's numbers


@pytest.mark.parametrize(
    ("method", "model"),
    [
        (CO_TEACHING, "mlp1"),
        (CO_TEACHING, "resnet8_w8"),
        (REED, "mlp1"),
        (MENTOR, "mlp1"),
        (D2L, "mlp1"),
        (D2L, "resnet8_w8"),
    ],
)
def test_a_run_resumed_at_any_step_ends_with_the_same_bits(
    digits: DeviceData, method: dict[str, Any], model: str
) -> None:
    spec = recipe(
        model=model, method=method, noise=WRONG, batch_size=50 if model == "mlp1" else 64, epochs=6,
        dataset={"name": "digits", "clean": 130, "validation": 20}, probes=["example_loss", "example_loss_eval"],
    )  # fmt: skip
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=lambda state: states.append(kept(state)))
    undisturbed = train(spec, seeds(), digits, hooks=hooks)
    arrays = undisturbed.pop("arrays")
    assert len(states) == 18
    for state in states[:: 1 if model == "mlp1" else 5]:
        again = train(spec, seeds(), digits, state=state)
        found = again.pop("arrays")
        assert canonical_json(again) == canonical_json(undisturbed)
        assert all(found[name].tobytes() == array.tobytes() for name, array in arrays.items())


def test_a_run_that_has_gone_back_is_resumed_with_what_it_measured(digits: DeviceData) -> None:
    states: list[State] = []
    spec = recipe(
        model="mlp1", method=D2L, noise=WRONG, epochs=10, dataset={"name": "digits", "clean": 400, "validation": 0}
    )
    hooks = Hooks(lambda progress: True, save=lambda state: states.append(kept(state)))
    undisturbed = train(spec, seeds(), digits, hooks=hooks)
    turned = [int(state.tensors["method.turned"]) >= 0 for state in states]
    assert 20 < sum(turned) < 100  # of 130 steps
    for state in states[6::25]:
        assert canonical_json(train(spec, seeds(), digits, state=state)) == canonical_json(undisturbed)


def test_a_state_of_one_network_is_not_gone_on_from_with_two(digits: DeviceData) -> None:
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=lambda state: states.append(kept(state)))
    train(recipe(), seeds(), digits, hooks=hooks)
    spec = recipe(method=CO_TEACHING)
    fresh, misfit = train(spec, seeds(), digits), train(spec, seeds(), digits, state=states[3])
    assert canonical_json(fresh) == canonical_json(misfit)


def test_what_a_method_draws_is_a_function_of_the_run_the_epoch_and_the_example() -> None:
    about = seen(1000, epoch=3)
    draws = about.draw()
    assert torch.equal(draws, about.draw()) and torch.equal(draws[500:], uniform(0, 3, torch.arange(500, 1000)))
    assert draws.min() >= 0 and draws.max() < 1 and draws.mean().item() == pytest.approx(0.5, abs=0.04)
    others = [about.draw(1), seen(1000, epoch=4).draw(), uniform(1, 3, torch.arange(1000))]
    for other in others:
        assert np.corrcoef(draws, other)[0, 1] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("backend", ["stacked", "recorded"])
def test_a_method_that_is_no_loss_is_refused_by_the_other_backends(digits: DeviceData, backend: str) -> None:
    with pytest.raises(ValueError, match="use the loop backend"):
        train(recipe(method=CO_TEACHING, model="mlp1"), seeds(), digits, backend=backend)
