"""Dropout: what a step drops is a function of the run and the step; training with it repeats, resumes and compiles."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo.testing
import torch.nn.functional as F
from torch import Tensor, nn

from lnbench.data.images import load
from lnbench.identity import canonical_json
from lnbench.models import vgg
from lnbench.models.torch_dropout import Dropout
from lnbench.randomness import DROPOUT, u32
from lnbench.training.backends.loop import Loop
from lnbench.training.batches import DeviceData
from lnbench.training.engine import Group, prepare, train
from lnbench.training.hooks import Hooks, State
from tests.toys.small_runs import ADADELTA, SGD, recipe, seeds
from tests.training.test_engine import kept

CPU = torch.device("cpu")
SAM = {
    "kind": "sam", "lr": 0.05, "weight_decay": 0.0, "rho": 0.1,
    "base": {"kind": "sgd", "momentum": 0.9, "nesterov": False},
}  # fmt: skip
CO_TEACHING = {"kind": "co_teaching", "forget_rate": 0.4, "gradual": 2, "answer": "first"}


@pytest.fixture(scope="module")
def digits() -> DeviceData:
    prepare(CPU)
    torch.set_num_threads(1)
    return DeviceData(load("digits"), CPU)


def small(**changes: Any) -> dict[str, Any]:
    """70 digits and as many noisy copies, 9 steps an epoch, the last of 12 examples."""
    plain = {"model": "vgg_small", "dataset": {"name": "digits", "clean": 70, "validation": 20}, "batch_size": 16}
    return recipe(**{**plain, "optimizer": {**SGD, "lr": 0.02}, **changes})


def dropped(seed: int, step: int = 0, share: float = 0.5, shape: tuple[int, ...] = (40, 500)) -> Tensor:
    """Bool, of that shape."""
    layer = Dropout(share)
    layer.start(seed, CPU)
    layer.draw(step)
    found: Tensor = layer(torch.ones(shape)) == 0
    return found


# ---- the layer


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_the_share_that_is_kept_is_right_and_the_sum_stays(share: float) -> None:
    layer = Dropout(share)
    layer.start(3, CPU)
    n, counts = 20_000, []
    for step in range(50):
        layer.draw(step)
        out = layer(torch.full((40, 500), 3.0))
        counts.append(int((out != 0).sum()))
        assert out[out != 0].unique().tolist() == [pytest.approx(3 / (1 - share))]
    spread = (n * share * (1 - share)) ** 0.5
    assert abs(np.mean(counts) - n * (1 - share)) <= 5 * spread / 50**0.5
    assert max(abs(count - n * (1 - share)) for count in counts) <= 5 * spread
    if spread:
        assert np.std(counts) == pytest.approx(spread, rel=0.4)  # binomial: the numbers of a step are independent


def test_it_drops_what_the_definition_says() -> None:
    bits = u32(7, DROPOUT, 11, np.arange(12)).reshape(3, 4)
    assert np.array_equal(dropped(7, 11, 0.3, (3, 4)).numpy(), bits < 0.3 * 2**32)


def test_steps_seeds_examples_and_units_are_dropped_independently() -> None:
    one = dropped(3)
    assert torch.equal(one, dropped(3))
    for other in (dropped(3, 1), dropped(4), one.roll(1, 0), one.roll(1, 1)):
        assert (one == other).float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(dropped(3, shape=(7, 500)), one[:7])  # a smaller batch drops of its first examples the same


def test_the_gradient_goes_where_the_numbers_went() -> None:
    layer = Dropout(0.25)
    layer.start(1, CPU)
    x = torch.rand(6, 8, requires_grad=True)
    out = layer(x)
    out.sum().backward()
    assert torch.equal(x.grad, (out != 0).float() / 0.75)


def test_evaluation_hands_the_input_on_and_needs_no_seed() -> None:
    layer, x = Dropout(0.5).eval(), torch.rand(4, 5)
    assert layer(x) is x
    with pytest.raises(RuntimeError, match="no seed to train with; call `start`"):
        layer.train()(x)


def test_the_key_stays_where_it_lies() -> None:
    """A CUDA graph reads it there in each replay, and a checkpoint of buffers knows nothing of it."""
    layer = Dropout(0.5)
    layer.start(5, CPU)
    place, first = layer.key.data_ptr(), int(layer.key)
    layer.draw(1)
    assert layer.key.data_ptr() == place and int(layer.key) != first
    assert not list(layer.buffers()) and not layer.state_dict()


def test_a_compiled_network_is_compiled_once_for_all_steps() -> None:
    """And drops what the eager one drops: the key is read in each step, not kept from the first."""
    layer = Dropout(0.5)
    layer.start(5, CPU)
    net = nn.Sequential(nn.Linear(6, 40), layer)
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(net, fullgraph=True, backend=counter, dynamic=False)
    x, seen = torch.rand(9, 6), []
    for step in range(20):
        layer.draw(step)
        seen.append(compiled(x))
        assert torch.equal(seen[-1], net(x))
    assert counter.frame_count == 1
    assert len({tuple((out == 0).flatten().tolist()) for out in seen}) == 20


# ---- in a training


def test_a_step_is_the_one_of_plain_torch_with_these_units_dropped(digits: DeviceData) -> None:
    """Two epochs: each step's mask from the definition, of the order's seed; accuracies are of the whole network."""
    spec, streams = small(epochs=2), seeds(3, order=17)
    group = Group([spec], [streams], digits)
    assert isinstance(group.backend, Loop)
    net = copy.deepcopy(group.backend.model)
    net.classifier[2] = mask = Mask()
    step = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    images, own = digits.data.train_images.astype(np.float32) / digits.scale, u32(17, DROPOUT, 0, 0)
    for number in range(18):
        epoch, place = divmod(number, 9)
        batch = next(iter(group.sets[0].batches(epoch, 16, place)))
        mask.kept = torch.from_numpy(u32(own, DROPOUT, number, np.arange(64 * len(batch))) >= 2**31)
        loss = F.cross_entropy(net(torch.from_numpy(images[batch.image])), batch.label)
        step.zero_grad()
        loss.backward()
        step.step()
    (outcome,) = group.finish()
    for ours, theirs in zip(group.backend.model.parameters(), net.parameters(), strict=True):
        assert (ours - theirs).norm() <= 1e-4 * theirs.norm() + 1e-6
    net.eval()
    mask.kept = torch.ones(497 * 64, dtype=torch.bool)
    mask.scale = 1.0
    logits = net(torch.from_numpy(digits.data.test_images.astype(np.float32) / digits.scale))
    loss = F.cross_entropy(logits, torch.from_numpy(digits.data.test_labels)).item()
    assert outcome["curves"]["test_loss"][-1] == pytest.approx(loss, rel=1e-3)


class Mask(nn.Module):
    """A dropout layer that is told what it keeps."""

    kept: Tensor
    scale = 2.0

    def forward(self, x: Tensor) -> Tensor:
        return x * self.kept.view(x.shape) * self.scale


@pytest.mark.parametrize("precision", ["fp32", "fast"])
def test_the_same_run_twice_gives_the_same_outcome_and_another_order_another(
    digits: DeviceData, precision: str
) -> None:
    spec = small(precision=precision)
    torch.manual_seed(1)
    one = train(spec, seeds(), digits)
    torch.manual_seed(2)  # torch's own generator has no say
    assert canonical_json(train(spec, seeds(), digits)) == canonical_json(one)
    assert canonical_json(train(spec, seeds(0, order=1), digits)) != canonical_json(one)


def test_training_itself_draws_nothing_of_torchs_generator(digits: DeviceData) -> None:
    group = Group([small()], [seeds()], digits)
    before = torch.random.get_rng_state()
    group.finish()
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "changes",
    [{}, {"optimizer": ADADELTA}, {"optimizer": SAM}, {"method": CO_TEACHING}],
    ids=["sgd", "adadelta", "sam", "co_teaching"],
)
def test_a_run_resumed_at_any_step_ends_with_the_same_bits(digits: DeviceData, changes: dict[str, Any]) -> None:
    spec, states = small(epochs=3, **changes), list[State]()
    hooks = Hooks(tick=lambda progress: True, save=lambda state: states.append(kept(state)))
    undisturbed = train(spec, seeds(), digits, hooks=hooks)
    assert len(states) == 27
    for state in states[::4]:
        assert canonical_json(train(spec, seeds(), digits, state=state)) == canonical_json(undisturbed)


def test_a_run_with_dropout_is_another_than_one_without(digits: DeviceData) -> None:
    group, without = (Group([small()], [seeds()], digits) for _ in range(2))
    assert isinstance(without.backend, Loop)
    for layer in without.backend.networks[0].dropouts:
        layer.share = 0.0
    (one,), (other,) = group.finish(), without.finish()
    assert one["curves"]["train_loss"] != other["curves"]["train_loss"]


def test_both_passes_of_a_step_drop_the_same(digits: DeviceData) -> None:
    """A gradient asked for twice at the same weights is the same; the next step's pass drops other units."""
    backend = Group([small()], [seeds()], digits).backend
    assert isinstance(backend, Loop)
    network = backend.networks[0]
    network.model.train()
    x = torch.rand(16, 1, 8, 8)
    network.draw(4)
    one, again = network.model(x), network.model(x)
    with network.at(network.flat.weights.clone()):
        third = network.model(x)
    network.draw(5)
    assert torch.equal(one, again) and torch.equal(one, third) and not torch.equal(one, network.model(x))


def test_networks_side_by_side_drop_other_units(digits: DeviceData) -> None:
    backend = Group([small(method=CO_TEACHING)], [seeds()], digits).backend
    assert isinstance(backend, Loop)
    found = []
    for network in backend.networks:
        network.draw(2)
        (layer,) = network.dropouts
        found.append(layer(torch.ones(50, 64)) == 0)
    assert (found[0] == found[1]).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_the_layers_of_a_network_drop_other_units(digits: DeviceData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vgg.NETWORKS, "vgg_small", replace(vgg.NETWORKS["vgg_small"], dense=(64, 64)))
    backend = Group([small()], [seeds()], digits).backend
    assert isinstance(backend, Loop)
    one, other = (layer(torch.ones(50, 64)) == 0 for layer in backend.networks[0].dropouts)
    assert (one == other).float().mean().item() == pytest.approx(0.5, abs=0.05)
