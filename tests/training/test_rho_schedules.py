"""How far uphill SAM looks, step by step: schedules of rho in the formula, the engine, checkpoints and specs."""

from __future__ import annotations

import gc
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lnbench.data.images import load
from lnbench.errors import SpecError
from lnbench.identity import canonical_json
from lnbench.plan import Run
from lnbench.report.result.trained import trained_to_json
from lnbench.spec import load_study, recipe_of
from lnbench.training import train
from lnbench.training.backends.loop import Loop
from lnbench.training.batches import DeviceData
from lnbench.training.engine import Group, prepare
from lnbench.training.hooks import Hooks, State
from tests.toys.small_runs import recipe, seeds, write_study
from tests.training import plain_loop
from tests.training.test_engine import kept
from tests.training.test_two_passes import plain_batches

CPU = torch.device("cpu")
BASE = {"kind": "sgd", "momentum": 0.9, "nesterov": False}
SAM = {"kind": "sam", "lr": 0.02, "weight_decay": 1e-3, "rho": 0.1, "base": BASE}
ASAM = {"kind": "asam", "lr": 0.02, "weight_decay": 1e-3, "rho": 0.5, "eta": 0.01, "base": BASE}
ASAM_ALL = {**ASAM, "rho": 2.0, "eta": 0.0, "scaled": "all"}
DATA = {"name": "digits", "clean": 74, "validation": 0}  # 148 examples: 5 steps an epoch, the last of 20
STEP = {"kind": "step", "milestones": [1, 3], "gamma": 0.1, "unit": "epochs"}
LEVELS = {"kind": "levels", "milestones": [4, 11], "factors": [10.0, 100.0], "unit": "steps"}
FALLING = {"kind": "exponential", "rate": 0.1, "unit": "epochs", "per": "epoch"}


@pytest.fixture(scope="module")
def digits() -> DeviceData:
    prepare(CPU)
    torch.set_num_threads(1)
    return DeviceData(load("digits"), CPU)


def scheduled(schedule: dict[str, Any] | None, optimizer: dict[str, Any] = SAM, **changes: Any) -> dict[str, Any]:
    own = optimizer if schedule is None else {**optimizer, "rho_schedule": schedule}
    return recipe(**{"model": "mlp1", "optimizer": own, "dataset": DATA, "epochs": 4, **changes})


def radii(digits: DeviceData, spec: dict[str, Any]) -> list[float]:
    """What rho each step of a training is given."""
    group, found = Group([spec], [seeds()], digits), list[Any]()
    assert isinstance(group.backend, Loop)
    optimiser = group.backend.networks[0].optimiser
    honest = optimiser.step

    def watched(*arguments: Any, rho: float | None = None, **more: Any) -> None:
        found.append(rho)
        honest(*arguments, rho=rho, **more)

    optimiser.step = watched
    group.finish()
    return found


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        (STEP, [0.1] * 5 + [0.01] * 10 + [0.001] * 5),
        ({**STEP, "gamma": 10.0}, [0.1] * 5 + [1.0] * 10 + [10.0] * 5),
        (LEVELS, [0.1] * 4 + [1.0] * 7 + [10.0] * 9),
        (FALLING, [0.1 * math.exp(-0.1 * epoch) for epoch in range(4) for _ in range(5)]),
        ({**FALLING, "per": "step"}, [0.1 * math.exp(-0.1 * step / 5) for step in range(20)]),
        (None, [None] * 20),
    ],
    ids=["decay", "increase", "levels", "exponential", "exponential, per step", "none"],
)
def test_each_step_is_given_its_rho(digits: DeviceData, schedule: Any, wanted: list[Any]) -> None:
    assert radii(digits, scheduled(schedule)) == ([None] * 20 if schedule is None else pytest.approx(wanted, rel=1e-12))


@pytest.mark.parametrize(
    ("milestones", "first", "second"), [([60, 120], 60, 120), ([200 // 3, 2 * 200 // 3], 66, 133)], ids=["text", "code"]
)
def test_the_reports_steps_over_200_epochs(milestones: list[int], first: int, second: int) -> None:
    """PAPERS 3.16: .3E and .6E in the text, floor(E/3) and floor(2E/3) in the code; tenfold less, or more, at each."""
    from lnbench.training.schedules import factors, step_decay

    for gamma in (0.1, 10.0):
        options = {"kind": "step", "milestones": milestones, "gamma": gamma, "unit": "epochs"}
        by_epoch = factors(step_decay, options, 200 * 3, 3).reshape(200, 3)
        wanted = [gamma ** ((epoch >= first) + (epoch >= second)) for epoch in range(200)]
        np.testing.assert_allclose(by_epoch, np.repeat(wanted, 3).reshape(200, 3), rtol=1e-12)


@pytest.mark.parametrize("optimizer", [SAM, ASAM, ASAM_ALL], ids=["sam", "asam", "asam, all"])
@pytest.mark.parametrize("precision", ["fp32", "fast"])
def test_a_training_ends_where_a_plain_torch_loop_ends(
    digits: DeviceData, optimizer: dict[str, Any], precision: str
) -> None:
    """Two passes a step, both in bfloat16 where the recipe says `fast`, rho threefold from the third epoch on."""
    schedule = {"kind": "levels", "milestones": [2], "factors": [3.0], "unit": "epochs"}
    spec = scheduled(schedule, optimizer, epochs=3, precision=precision)
    group = Group([spec], [seeds()], digits)
    group.finish()
    assert isinstance(group.backend, Loop)
    net = plain_loop.network("mlp1", digits.data.shape, digits.data.classes)
    plain_loop.draw_weights(net, 0)
    step = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-3)

    def backward(images: Tensor, labels: Tensor) -> None:
        step.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "fast"):
            logits = net(images)
        F.cross_entropy(logits.float(), labels).backward()

    for number, (images, labels) in enumerate(plain_batches(digits, spec)):
        backward(images, labels)
        moves = uphill(net, optimizer, optimizer["rho"] * (3.0 if number >= 10 else 1.0))
        backward(images, labels)
        for parameter, move in zip(net.parameters(), moves, strict=True):
            parameter.data -= move
        step.step()
    a, b = (torch.cat([part.flatten() for part in each.parameters()]) for each in (group.backend.model, net))
    near = 5e-6 if precision == "fp32" else 2e-3  # of bfloat16 numbers one in a hundred is rounded otherwise
    assert (a - b).norm() <= near * b.norm(), f"{((a - b).norm() / b.norm()).item():.1e}"


def uphill(net: nn.Module, options: dict[str, Any], rho: float) -> list[Tensor]:
    """Move each parameter uphill, as the published codes do, and return by how much."""
    named = list(net.named_parameters())
    sizes = [torch.ones_like(parameter) for _, parameter in named]
    for place, (name, parameter) in enumerate(named):
        if options.get("scaled") == "all":
            sizes[place] = parameter.detach().abs()
        elif options["kind"] == "asam" and "weight" in name:
            sizes[place] = parameter.detach().abs() + options["eta"]
    scaled = [parameter.grad * size for (_, parameter), size in zip(named, sizes, strict=True)]
    norm = torch.stack([each.norm() for each in scaled]).norm()
    moves = [each * size * (rho / norm) for each, size in zip(scaled, sizes, strict=True)]
    for (_, parameter), move in zip(named, moves, strict=True):
        parameter.data += move
    return moves


@pytest.mark.parametrize("optimizer", [SAM, ASAM, ASAM_ALL], ids=["sam", "asam", "asam, all"])
@pytest.mark.parametrize("precision", ["fp32", "fast"])
def test_a_run_resumed_at_any_step_ends_with_the_same_bits(
    digits: DeviceData, optimizer: dict[str, Any], precision: str
) -> None:
    spec = scheduled(
        LEVELS,
        optimizer,
        epochs=3,
        precision=precision,
        probes=["example_loss", {"kind": "batch_gradient", "every": 3}],
    )
    states: list[State] = []
    hooks = Hooks(tick=lambda progress: True, save=lambda state: states.append(kept(state)))
    undisturbed = train(spec, seeds(), digits, hooks=hooks)
    arrays = undisturbed.pop("arrays")
    assert len(states) == 15
    for state in states:
        again = train(spec, seeds(), digits, state=state)
        assert again.pop("arrays")["example_loss"].tobytes() == arrays["example_loss"].tobytes()
        assert canonical_json(again) == canonical_json(undisturbed)


@pytest.mark.parametrize("model", ["mlp1", "resnet8_w8"])
def test_probes_leave_a_training_of_two_passes_alone(digits: DeviceData, model: str) -> None:
    asked = ["example_loss", "example_margin", "gradient_cosine", "final_predictions", "final_weights"]
    asked += [{"kind": "batch_gradient", "every": 2}, {"kind": "fixed_gradient", "every": 2, "images": 16}]
    ends = []
    for probes in ([], asked):
        group = Group([scheduled(FALLING, ASAM, model=model, epochs=2, probes=probes)], [seeds()], digits)
        (outcome,) = group.finish()
        ends.append((canonical_json(outcome["curves"]), group.backend.weights()[0]))
    assert ends[0][0] == ends[1][0] and torch.equal(ends[0][1], ends[1][1])


def test_compiled_it_is_the_same_training(digits: DeviceData) -> None:
    whole = {**DATA, "clean": 64}  # 4 whole batches an epoch: each shape is compiled for itself, which takes seconds
    spec = scheduled({**STEP, "gamma": 10.0, "milestones": [1]}, epochs=2, dataset=whole)
    plain, compiled = (train(spec, seeds(), digits, compile=compile) for compile in (False, True))
    for name, values in plain["curves"].items():
        assert compiled["curves"][name] == pytest.approx(values, rel=1e-4), name


@pytest.mark.parametrize("optimizer", [SAM, ASAM, ASAM_ALL], ids=["sam", "asam", "asam, all"])
def test_batch_normalisation_learns_from_each_first_pass_alone(digits: DeviceData, optimizer: dict[str, Any]) -> None:
    """Over five steps, against the published code's way: a momentum of 0 in the second pass."""
    spec = scheduled(LEVELS, optimizer, model="resnet8_w8", epochs=1)
    group = Group([spec], [seeds()], digits)
    assert isinstance(group.backend, Loop)
    twin = Group([spec], [seeds()], digits).backend
    assert isinstance(twin, Loop)
    net, pixels = twin.model, twin.pixels
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
    step = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-3)
    net.train()
    for number, (batch,) in enumerate(group._batches(0)):
        inputs = pixels(group.sets[0].pictures(batch.image, batch.shift))
        F.cross_entropy(net(inputs), batch.label).backward()
        moves = uphill(net, optimizer, optimizer["rho"] * (1.0 if number < 4 else 10.0))
        twin.networks[0].flat.gradient.zero_()
        for layer in norms:
            layer.momentum = 0.0
        F.cross_entropy(net(inputs), batch.label).backward()
        for layer in norms:
            layer.momentum = 0.1
        for parameter, move in zip(net.parameters(), moves, strict=True):
            parameter.data -= move
        step.step()
        twin.networks[0].flat.gradient.zero_()
    group.finish()
    means = zip(group.backend.model.named_buffers(), net.named_buffers(), strict=True)
    seen = 0
    for (name, mine), (_, theirs) in means:
        if name.endswith("num_batches_tracked"):
            assert int(mine) == 5  # one a step
        else:
            torch.testing.assert_close(mine, theirs, rtol=2e-3, atol=1e-4)
            seen += 1
    assert seen > 10


# ---- memory


def most_held(digits: DeviceData, optimizer: dict[str, Any]) -> int:
    """How many vectors as long as the weights there are at most while a pass is made."""
    group, counts = Group([scheduled(None, optimizer, epochs=1)], [seeds()], digits), list[int]()
    assert isinstance(group.backend, Loop)
    honest, size = group.backend._answers, 4 * group.backend.parameters

    def watched(network: Any, inputs: Tensor, labels: Tensor, seen: Any) -> tuple[Tensor, Tensor]:
        tensors = [each for each in gc.get_objects() if type(each) in (Tensor, nn.Parameter)]
        storages = [each.untyped_storage() for each in tensors if each.is_floating_point()]
        counts.append(len({storage.data_ptr() for storage in storages if storage.nbytes() == size}))
        return honest(network, inputs, labels, seen)

    gc.collect()  # of other tests' networks nothing is left
    group.backend._answers = watched  # type: ignore[method-assign]
    group.finish()
    return max(counts)


@pytest.mark.parametrize("optimizer", [SAM, ASAM, ASAM_ALL], ids=["sam", "asam", "asam, all"])
def test_no_more_than_one_extra_copy_of_the_weights_is_held(digits: DeviceData, optimizer: dict[str, Any]) -> None:
    plain = most_held(digits, {**BASE, "lr": 0.02, "weight_decay": 1e-3})
    assert plain == 3  # weights, gradient, velocity
    assert most_held(digits, optimizer) == plain + 1


# ---- recipes


def whole(spec: dict[str, Any]) -> Any:
    return recipe_of({**spec, "selection": "last_epoch"})


def test_what_is_not_used_is_no_part_of_a_run() -> None:
    for optimizer in (SAM, ASAM):
        plain = Run(scheduled(None, optimizer), seeds()).id
        spelt = {**optimizer, "rho_schedule": None} | ({"scaled": "weights"} if optimizer is ASAM else {})
        for same in (spelt, {**spelt, "rho_schedule": {"kind": "constant"}}):
            made = whole(scheduled(None, same)).identity()
            assert made["optimizer"] == optimizer and Run(made, seeds()).id == plain
        moved = whole(scheduled(STEP, optimizer)).identity()
        assert moved["optimizer"]["rho_schedule"] == STEP and Run(moved, seeds()).id != plain
        assert Run(moved, seeds()).content["versions"]["rho_schedule"] == 1
        assert "rho_schedule" not in Run(scheduled(None, optimizer), seeds()).content["versions"]
    made = whole(scheduled(None, ASAM_ALL)).identity()
    assert made["optimizer"] == ASAM_ALL


@pytest.mark.parametrize(
    ("optimizer", "what"),
    [
        ({**SAM, "rho": 0.0}, "greater than 0"),
        ({**SAM, "rho": -0.1}, "greater than 0"),
        ({**SAM, "rho_schedule": {**STEP, "gamma": 0.0}}, "greater than 0"),
        ({**SAM, "rho_schedule": {**FALLING, "rate": -1.0}}, "greater than 0"),
        ({**SAM, "rho_schedule": {**FALLING, "unit": "steps"}}, "falls with each epoch, not with each step"),
        ({**SAM, "rho_schedule": {"kind": "cosine"}}, "does not match any of the expected tags"),
        ({**SAM, "rho_schedule": {**STEP, "milestones": [1, 4]}}, "its milestone 4 is never reached"),
        ({**SAM, "rho_schedule": {**LEVELS, "milestones": [4, 20]}}, "the training ends after 20 steps"),
        ({**ASAM, "scaled": "all"}, "write eta: 0"),
        ({**SAM, "scaled": "all"}, "Extra inputs are not permitted"),
        ({**BASE, "lr": 0.1, "weight_decay": 0.0, "rho_schedule": STEP}, "Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_what_a_recipe_refuses(optimizer: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        whole(scheduled(None, optimizer))


def study(folder: Path, optimizer: str) -> Path:
    path = write_study(folder, epochs=4)
    text, begin = path.read_text(), "    optimizer: "
    (line,) = (each for each in text.splitlines() if each.startswith(begin))
    path.write_text(text.replace(line, begin + optimizer))
    return path


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("rho: 0", "rho: must be greater than 0, not 0"),
        ("rho: 0.1, rho_schedule: {kind: step, milestones: [2, 9], gamma: 0.1, unit: epochs}", "milestone 9 is never"),
        ("rho: 0.1, rho_schedule: {kind: stpe, milestones: [2], gamma: 0.1, unit: epochs}", "stpe"),
    ],
)
def test_a_wrong_rho_is_refused_with_its_line(tmp_path: Path, change: str, what: str) -> None:
    optimizer = (
        f"{{kind: sam, lr: 0.1, weight_decay: 0, {change}, base: {{kind: sgd, momentum: 0.9, nesterov: false}}}}"
    )
    path = study(tmp_path, optimizer)
    with pytest.raises(SpecError) as caught:
        load_study(path)
    found = [problem for problem in caught.value.problems if what in problem.what]
    assert found, [problem.what for problem in caught.value.problems]
    assert path.read_text().splitlines()[found[0].line - 1].strip().startswith("optimizer:")


def test_a_choice_on_fewer_epochs_does_not_cut_a_rho_schedule_short(tmp_path: Path) -> None:
    optimizer = (
        "{kind: sam, lr: 0.1, weight_decay: 0, rho: 0.1, base: {kind: sgd, momentum: 0.9, nesterov: false}, "
        "rho_schedule: {kind: exponential, rate: 0.1, unit: epochs, per: epoch}}"
    )
    path = study(tmp_path, optimizer)
    choose = (
        "choose: {key: optimizer.lr, from: [0.1, 0.2], per: [noise.alpha], by: validation_accuracy, validation: 50, "
        "seeds: 1, epochs: {times: 0.5}}"
    )
    path.write_text(path.read_text().replace("  set: []\n", f"  {choose}\n"))
    with pytest.raises(SpecError, match="would cut the rho_schedule short"):
        load_study(path)


def test_a_report_says_which_arm_moves_rho_and_which_does_not(tmp_path: Path) -> None:
    optimizer = (
        "{kind: asam, lr: 0.1, weight_decay: 0, rho: 0.1, eta: 0, base: {kind: sgd, momentum: 0.9, nesterov: false}, "
        "rho_schedule: {kind: exponential, rate: 0.1, unit: epochs, per: epoch}}"
    )
    path = study(tmp_path, f"{optimizer}\n    arm: falling")
    rules = """vary: {arm: [falling, flat, all]}
  set:
    - {at: {arm: flat}, optimizer.rho_schedule: null}
    - {at: {arm: all}, optimizer.scaled: all}
"""
    text = path.read_text().replace("vary: {noise.alpha: [0, 2]}\n  set: []\n", rules)
    text = text.replace("at: {noise.alpha: 0}", "at: {arm: falling}")
    path.write_text(text.replace("along: {noise.alpha: drop}", "at: {arm: flat}, minus: {arm: all}"))
    told = trained_to_json(load_study(path).tiers["smoke"])
    assert told["base"]["optimizer"]["rho_schedule"] == FALLING
    changes = {cell["point"]["arm"]: cell["changes"] for cell in told["cells"]}
    assert changes == {
        "falling": {},
        "flat": {"optimizer.rho_schedule": None},
        "all": {"optimizer.scaled": "all"},
    }
