"""The schedules, step by step against torch.optim.lr_scheduler, and what their options refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from lnbench import catalog
from lnbench.spec import load_baseline
from lnbench.training.averages import Swa
from lnbench.training.schedules import constant, factors, momenta, momentum

AN_EPOCH = 7
EPOCHS = 20
STEPS = AN_EPOCH * EPOCHS

STEP = {"kind": "step", "milestones": [3, 8, 15], "gamma": 0.2, "unit": "epochs"}
COSINE = {"kind": "cosine", "length": 12, "unit": "epochs", "per": "step", "final": 0.0}
ONE_CYCLE = {
    "kind": "one_cycle", "length": 12, "unit": "epochs", "per": "step", "rise": 0.3, "div_factor": 25.0,
    "final_div_factor": 1e4, "momentum": {"low": 0.85, "high": 0.95},
}  # fmt: skip


def schedule(options: dict[str, Any]) -> Any:
    return catalog.find("schedule", options["kind"]).load()


def checked(options: dict[str, Any]) -> Any:
    model = catalog.find("schedule", options["kind"]).options
    assert model is not None
    return model.model_validate(options)


def torchs(options: dict[str, Any], ticks: int) -> tuple[list[float], list[float]]:
    """(rates for a base rate of 1, momenta) of torch's scheduler at each of its ticks, frozen after its end."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    length = options.get("length", 0) * (AN_EPOCH if (options["unit"], options.get("per")) == ("epochs", "step") else 1)
    kinds = torch.optim.lr_scheduler
    if options["kind"] == "step":
        twin = kinds.MultiStepLR(optimiser, options["milestones"], options["gamma"])
        length = ticks
    elif options["kind"] == "cosine":
        twin = kinds.CosineAnnealingLR(optimiser, length, options["final"])
    else:
        ends = options["momentum"] or {"low": 0.1, "high": 0.2}
        twin = kinds.OneCycleLR(
            optimiser, 1.0, total_steps=length, pct_start=options["rise"], div_factor=options["div_factor"],
            final_div_factor=options["final_div_factor"], cycle_momentum=options["momentum"] is not None,
            base_momentum=ends["low"], max_momentum=ends["high"],
        )  # fmt: skip
        length -= 1
    rates, momenta = [], []
    for tick in range(ticks):
        rates.append(optimiser.param_groups[0]["lr"])
        momenta.append(optimiser.param_groups[0]["momentum"])
        optimiser.step()
        if tick < length:
            twin.step()
    return rates, momenta


CASES = {
    "step, epochs": STEP,
    "step, steps": {**STEP, "milestones": [1, 2, 50, 139], "unit": "steps", "gamma": 0.1},
    "step, growing": {**STEP, "gamma": 3.0},
    "cosine, epochs, per step": COSINE,
    "cosine, epochs, per epoch": {**COSINE, "per": "epoch", "final": 0.01},
    "cosine, steps": {**COSINE, "length": 55, "unit": "steps", "final": 0.1},
    "cosine to the end": {**COSINE, "length": EPOCHS},
    "cosine cut off": {**COSINE, "length": 2 * EPOCHS},
    "cosine of one step": {**COSINE, "length": 1, "unit": "steps"},
    "one-cycle, epochs, per step": ONE_CYCLE,
    "one-cycle, epochs, per epoch": {**ONE_CYCLE, "per": "epoch"},
    "one-cycle, steps": {**ONE_CYCLE, "length": 101, "unit": "steps", "rise": 0.45, "div_factor": 10.0},
    "one-cycle, own momentum": {**ONE_CYCLE, "momentum": None},
    "one-cycle, no rise": {**ONE_CYCLE, "rise": 0.0},
    "one-cycle, only rise": {**ONE_CYCLE, "rise": 1.0},
    "one-cycle, cut off": {**ONE_CYCLE, "length": 3 * EPOCHS},
    "one-cycle, short": {**ONE_CYCLE, "length": 3, "unit": "steps"},
}


@pytest.mark.parametrize("case", CASES)
def test_every_step_is_that_of_torch_and_frozen_after_the_end(case: str) -> None:
    options = CASES[case]
    ticks_an_epoch = (
        1 if "epoch" in (options.get("per"), options["unit"][:-1] * (options["kind"] == "step")) else AN_EPOCH
    )
    rates, their_momenta = torchs(options, EPOCHS * ticks_an_epoch)
    repeat = AN_EPOCH // ticks_an_epoch
    ours = factors(schedule(options), options, STEPS, AN_EPOCH)
    assert ours.shape == (STEPS,) and ours.dtype == np.float64
    np.testing.assert_allclose(ours, np.repeat(rates, repeat), rtol=1e-12, atol=1e-15)
    moved = momenta(options, STEPS, AN_EPOCH)
    if options.get("momentum") is None:
        assert moved is None
    else:
        np.testing.assert_allclose(moved, np.repeat(their_momenta, repeat), rtol=1e-12)
    checked(options)


@pytest.mark.parametrize("case", CASES)
def test_all_factors_at_once_are_those_of_each_step(case: str) -> None:
    options, each = CASES[case], schedule(CASES[case])
    assert factors(each, options, STEPS, AN_EPOCH).tolist() == [each(options, s, STEPS, AN_EPOCH) for s in range(STEPS)]


def test_the_report_of_seed_000s_one_cycle() -> None:
    """PAPERS 5.0: .004 → .1 → 4e-7 and .95 → .85 → .95 over 5000 steps, the peak at 1500, then frozen."""
    options = {**ONE_CYCLE, "length": 5000, "unit": "steps"}
    rate = 0.1 * factors(schedule(options), options, 6000, 500)
    moved = momenta(options, 6000, 500)
    assert moved is not None
    assert rate[[0, 1499, 4999, 5999]] == pytest.approx([0.004, 0.1, 4e-7, 4e-7], rel=1e-9)
    assert moved[[0, 1499, 4999, 5999]] == pytest.approx([0.95, 0.85, 0.95, 0.95], rel=1e-9)
    assert rate.argmax() == moved.argmin() == 1499
    assert len({*rate[4999:].tolist()}) == 1


@pytest.fixture(scope="module")
def figure_3() -> dict[str, float]:
    """The numbers of Figure 3 and of Table 1 of the ETH report, by what stands behind the stroke of their ids."""
    references = load_baseline(Path(__file__).parents[2] / "baselines" / "eth2022.yaml").references
    names = [name for name in references if name.startswith(("fig3", "table1"))]
    shown = {name.partition("/")[2]: references[name].number() for name in names}
    return {name: number.value for name, number in shown.items() if number is not None}


def test_figure_3s_one_cycle_is_frozen_after_its_last_step(figure_3: dict[str, float]) -> None:
    """E000-14: each of 10,000 steps is torch's to 1e-6, and past the end neither rate nor momentum moves."""
    length, peak = int(figure_3["one-cycle-end-step"]), int(figure_3["one-cycle-peak-step"])
    assert length == figure_3["scheduling-steps"]
    options = {**ONE_CYCLE, "length": length, "unit": "steps"}
    rate = figure_3["maximum-learning-rate"] * factors(schedule(options), options, 2 * length, 500)
    moved = momenta(options, 2 * length, 500)
    assert moved is not None
    torch_rates, torch_momenta = torchs(options, 2 * length)
    np.testing.assert_allclose(rate, figure_3["maximum-learning-rate"] * np.array(torch_rates), rtol=0, atol=1e-6)
    np.testing.assert_allclose(moved, torch_momenta, rtol=0, atol=1e-6)
    for step, at in ((0, "start"), (peak - 1, "peak"), (length - 1, "end")):  # ours count from 0
        assert rate[step] == pytest.approx(figure_3[f"one-cycle-rate-{at}"], rel=1e-6, abs=0)
        assert moved[step] == pytest.approx(figure_3[f"one-cycle-momentum-{at}"], rel=1e-6, abs=0)
    assert (rate.argmax(), moved.argmin()) == (peak - 1, peak - 1)
    assert (np.diff(rate[:peak]) > 0).all() and (np.diff(rate[peak - 1 : length]) < 0).all()
    assert (rate[length:] == rate[length - 1]).all() and (moved[length:] == moved[length - 1]).all()


def test_figure_3s_cosine_is_frozen_at_zero(figure_3: dict[str, float]) -> None:
    """E000-14: it falls at every step, is torch's to 1e-6, and no cycle follows: the rate stays 0, not nearly 0."""
    length = int(figure_3["one-cycle-end-step"])
    options = {**COSINE, "length": length, "unit": "steps"}
    rate = figure_3["maximum-learning-rate"] * factors(schedule(options), options, 2 * length, 500)
    torch_rates, _ = torchs(options, 2 * length)
    np.testing.assert_allclose(rate, figure_3["maximum-learning-rate"] * np.array(torch_rates), rtol=0, atol=1e-6)
    assert rate[0] == figure_3["cosine-rate-start"] and (np.diff(rate[: length + 1]) < 0).all()
    assert (rate[length:] == figure_3["cosine-rate-end"]).all()
    assert momenta(options, 2 * length, 500) is None  # the optimiser's own, as with a constant rate


def test_figure_3s_constant_schedule_leaves_rate_and_momentum(figure_3: dict[str, float]) -> None:
    steps, options = 2 * int(figure_3["one-cycle-end-step"]), {"kind": "constant"}
    rate = figure_3["maximum-learning-rate"] * factors(schedule(options), options, steps, 500)
    assert (rate == figure_3["constant-rate"]).all()
    assert momenta(options, steps, 500) is None and figure_3["momentum"] == figure_3["constant-momentum"]


def test_seed_003s_steps() -> None:
    """PAPERS 8.0: .1 until epoch 59, .02 until 119, .004 until 159, .0008 after (counted from 0)."""
    options = {"kind": "step", "milestones": [60, 120, 160], "gamma": 0.2, "unit": "epochs"}
    rates = 0.1 * factors(schedule(options), options, 200 * 391, 391)
    epochs = rates.reshape(200, 391)
    assert (epochs == epochs[:, :1]).all()
    assert epochs[[0, 59, 60, 119, 120, 159, 160, 199], 0] == pytest.approx(
        [0.1, 0.1, 0.02, 0.02, 0.004, 0.004, 8e-4, 8e-4]
    )


def test_the_constant_schedule_is_constant() -> None:
    assert {constant({}, step, 100, 10) for step in range(100)} == {1.0}
    assert momentum({"kind": "constant"}, 3, 100, 10) is None
    assert momenta({"kind": "constant"}, 100, 10) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({**STEP, "milestones": [3, 3]}, "each must be later"),
        ({**STEP, "milestones": [8, 3]}, "each must be later"),
        ({**STEP, "milestones": []}, "at least 1 item"),
        ({**STEP, "milestones": [0]}, "greater than or equal to 1"),
        ({**STEP, "milestones": [1.5]}, "valid integer"),
        ({**STEP, "gamma": 0.0}, "greater than 0"),
        ({**STEP, "unit": "run"}, "'steps' or 'epochs'"),
        ({**COSINE, "length": 0}, "greater than or equal to 1"),
        ({**COSINE, "final": 1.0}, "less than 1"),
        ({**COSINE, "unit": "steps", "per": "epoch"}, "has its length in epochs"),
        ({**ONE_CYCLE, "unit": "steps", "per": "epoch"}, "has its length in epochs"),
        ({**ONE_CYCLE, "rise": 1.1}, "less than or equal to 1"),
        ({**ONE_CYCLE, "div_factor": 0.0}, "greater than 0"),
        ({**ONE_CYCLE, "momentum": {"low": 0.85}}, "Field required"),
        ({key: value for key, value in ONE_CYCLE.items() if key != "momentum"}, "Field required"),
    ],
    ids=str,
)
def test_what_the_options_refuse(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        checked(change)


# ---- levels and linear, against what the authors' code of INCV and of Co-teaching says

LEVELS = {"kind": "levels", "milestones": [3, 8, 15], "factors": [0.5, 0.25, 0.1], "unit": "epochs"}
LINEAR = {
    "kind": "linear", "start": 8, "length": 20, "unit": "epochs", "per": "epoch", "final": 0.0,
    "momentum": {"before": 0.9, "after": 0.1},
}  # fmt: skip


def test_levels_are_the_factors_from_each_milestone_on() -> None:
    found = factors(schedule(LEVELS), LEVELS, STEPS, AN_EPOCH)[::AN_EPOCH]
    assert found.tolist() == [1.0] * 3 + [0.5] * 5 + [0.25] * 7 + [0.1] * 5
    in_steps = {**LEVELS, "unit": "steps"}
    assert factors(schedule(LEVELS), in_steps, 20, AN_EPOCH).tolist() == found.tolist()


def test_linear_is_the_plan_of_co_teaching() -> None:
    """(n − i) / (n − start) of the rate in epoch i, and beta1 of .1, from `start` on."""
    found = factors(schedule(LINEAR), LINEAR, STEPS, AN_EPOCH)
    wanted = [1.0 if i < 8 else (20 - i) / (20 - 8) for i in range(20) for _ in range(AN_EPOCH)]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    turned = momenta(LINEAR, STEPS, AN_EPOCH)
    assert turned is not None
    assert turned.tolist() == [0.9 if i < 8 else 0.1 for i in range(20) for _ in range(AN_EPOCH)]
    assert momenta({**LINEAR, "momentum": None}, STEPS, AN_EPOCH) is None


def test_linear_by_steps_falls_at_each_step_and_stays_at_its_end() -> None:
    options = {**LINEAR, "per": "step", "unit": "steps", "start": 10, "length": 20, "final": 0.5, "momentum": None}
    found = factors(schedule(options), options, 30, AN_EPOCH)
    np.testing.assert_allclose(found[9:22], [1, 1, *np.arange(0.95, 0.5, -0.05), 0.5, 0.5], rtol=1e-12)
    assert found[-1] == 0.5


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({**LEVELS, "factors": [0.5]}, "1 for 3 milestones"),
        ({**LEVELS, "milestones": [3, 3, 5]}, "each must be later"),
        ({**LINEAR, "start": 20}, "is not before the schedule's end"),
        ({**LINEAR, "per": "epoch", "unit": "steps"}, "has its length in epochs"),
    ],
)
def test_levels_and_linear_refuse_what_they_cannot_be(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        checked(options)


# ---- exponential, against torch's, and cyclic, against the formula of Izmailov et al. 2018

FALLING = {"kind": "exponential", "rate": 0.1, "unit": "epochs", "per": "epoch"}
CYCLIC = {"kind": "cyclic", "start": 15, "length": 1, "unit": "epochs", "per": "step", "high": 0.5, "low": 0.1}


@pytest.mark.parametrize(
    ("unit", "per", "ticks"), [("epochs", "epoch", 7), ("steps", "step", 1), ("epochs", "step", 0)]
)
def test_exponential_is_torchs(unit: str, per: str, ticks: int) -> None:
    options = {**FALLING, "unit": unit, "per": per}
    checked(options)
    found = factors(schedule(options), options, STEPS, AN_EPOCH)
    each = 0.1 if ticks else 0.1 / AN_EPOCH  # of k a step: the rate moves within an epoch, too
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    twin, wanted = torch.optim.lr_scheduler.ExponentialLR(optimiser, np.exp(-each)), []
    for step in range(STEPS):
        wanted.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if (step + 1) % (ticks or 1) == 0:
            twin.step()
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert momenta(options, STEPS, AN_EPOCH) is None


def izmailov(i: int, c: int, high: float, low: float) -> float:
    """Section 3.2: alpha(i) = (1 − t(i))·alpha_1 + t(i)·alpha_2, t(i) = (mod(i − 1, c) + 1) / c, i from 1."""
    t = ((i - 1) % c + 1) / c
    return (1 - t) * high + t * low


@pytest.mark.parametrize(
    ("changes", "start", "c"),
    [
        ({}, 15 * AN_EPOCH, AN_EPOCH),
        ({"length": 2, "start": 3}, 3 * AN_EPOCH, 2 * AN_EPOCH),
        ({"unit": "steps", "start": 11, "length": 9}, 11, 9),
        ({"unit": "steps", "start": 0, "length": 1}, 0, 1),
        ({"start": EPOCHS}, STEPS, AN_EPOCH),
        ({"start": 0, "length": 3 * EPOCHS}, 0, 3 * STEPS),
    ],
)
def test_cyclic_is_the_papers_formula_from_its_start_on(changes: dict[str, Any], start: int, c: int) -> None:
    options = {**CYCLIC, **changes}
    checked(options)
    found = factors(schedule(options), options, STEPS, AN_EPOCH)
    wanted = [1.0] * start + [izmailov(step - start + 1, c, 0.5, 0.1) for step in range(start, STEPS)]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_cyclic_by_epochs_moves_between_them() -> None:
    options = {**CYCLIC, "per": "epoch", "start": 2, "length": 4}
    found = factors(schedule(options), options, STEPS, AN_EPOCH).reshape(EPOCHS, AN_EPOCH)
    assert (found == found[:, :1]).all()
    assert found[:7, 0] == pytest.approx([1, 1, 0.4, 0.3, 0.2, 0.1, 0.4])


@pytest.mark.parametrize("unit", ["epochs", "steps"])
def test_an_average_takes_the_iterate_behind_the_last_step_of_each_cycle(unit: str) -> None:
    """Seed 003's two phases over 20 epochs: 75 % at one rate, then cycles of an epoch, one iterate each at the least
    rate. From the schedule's own start the weights that phase 1 ended with enter, too (the paper's algorithm 1)."""
    each = 1 if unit == "epochs" else AN_EPOCH
    options = {**CYCLIC, "unit": unit, "start": 15 * each, "length": each}
    rates = factors(schedule(options), options, STEPS, AN_EPOCH)
    for start, first in ((15, 15 * AN_EPOCH), (16, 16 * AN_EPOCH)):
        average = Swa({"kind": "swa", "start": start * each, "every": each, "unit": unit}, [], AN_EPOCH)
        taken = [step for step in range(1, STEPS + 1) if average.count(step) > average.count(step - 1)]
        assert taken == [*range(first, STEPS + 1, AN_EPOCH)]
        for step in taken:
            assert rates[step - 1] == pytest.approx(1.0 if step == 15 * AN_EPOCH else 0.1)  # of the step behind it
    assert [step + 1 for step in range(STEPS) if rates[step] == pytest.approx(0.1)] == taken


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({**CYCLIC, "low": 0.6}, "low: 0.6 is above high, 0.5"),
        ({**CYCLIC, "high": 0.0}, "greater than 0"),
        ({**CYCLIC, "length": 0}, "greater than or equal to 1"),
        ({**CYCLIC, "start": -1}, "greater than or equal to 0"),
        ({**CYCLIC, "unit": "steps", "per": "epoch"}, "has its length in epochs"),
        ({**FALLING, "rate": 0.0}, "greater than 0"),
        ({**FALLING, "unit": "steps"}, "falls with each epoch, not with each step"),
    ],
)
def test_exponential_and_cyclic_refuse_what_they_cannot_be(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        checked(options)
