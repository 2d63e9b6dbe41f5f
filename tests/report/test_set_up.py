"""A claim's set-up on one line: what its own runs share, where they differ, and what each arm has of its own."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from lnbench.judge import gather, judge
from lnbench.plan import plan_study
from lnbench.report import result_to_json
from lnbench.report.set_up import set_up
from lnbench.spec import load_study
from tests.toys.project import base, paper, write_project
from tests.toys.report_world import World

ROOT = Path(__file__).parents[2]

REVERSAL = (
    """\
schema: 1
paper: toy
title: Batch sizes, by how the length of a schedule is counted
"""
    + base(clean=1000, noise="{kind: replace_uniform, rate: 0.5, include_true_class: true}", batch_size=100, epochs=20)
    .replace("  base:\n", "  base:\n    arm: steps\n")
    .replace("{kind: constant}", "{kind: cosine, length: 200, unit: steps, per: step, final: 0.0}")
    + """\
  vary: {arm: [steps, epochs, unread], batch_size: [10, 50, 150], noise.rate: [0.0, 0.5]}
  set:
    - {at: {arm: epochs}, schedule: {kind: cosine, length: 20, unit: epochs, per: step, final: 0.0}}
    - {at: {arm: unread}, model: mlp1}
    - {at: {arm: steps, batch_size: 10}, epochs: 3}
  seeds: {n: 4, pair: [split, noise]}
effects:
  falls: {metric: test_accuracy, at: {arm: steps, noise.rate: 0.5}, along: {batch_size: slope}}
  control: {metric: test_accuracy, at: {arm: epochs, noise.rate: 0.5}, along: {batch_size: slope}}
  early: {metric: test_accuracy, at: {arm: epochs, noise.rate: 0.5, batch_size: 50, epoch: 2}, minus: {noise.rate: 0.0}}
  other: {metric: test_accuracy, at: {arm: unread, noise.rate: 0.5}, along: {batch_size: slope}}
claims:
  - id: T1
    says: Larger batches are worse.
    quote: "worse"
    where: {section: "1"}
    verdict: falls
    parts:
      falls: {kind: trend, effect: falls, direction: down}
      control: {kind: trend, effect: control, direction: down, ours: true}
      aside: {kind: trend, effect: other, direction: down}
  - id: T2
    says: Noise costs accuracy early.
    quote: "costs"
    where: {section: "2"}
    verdict: costs
    parts:
      costs: {kind: below, effect: early, threshold: 0}
tiers:
  full: {deviations: []}
"""
)


@pytest.fixture
def reversal(tmp_path: Path) -> dict[str, Any]:
    """The result of a study that was not run: what it would train is known."""
    study = load_study(write_project(tmp_path, REVERSAL, paper())).tiers["full"]
    return result_to_json(judge(gather(plan_study(study), {}.get)))


def test_the_arms_that_a_claim_reads_are_told_apart_and_the_rest_is_told_once(reversal: dict[str, Any]) -> None:
    """With a schedule in steps a larger batch trains for longer: it is the confound, so the line says for how long."""
    assert set_up(reversal["claims"][0], reversal["trained"]) == (
        "1,000 images of `digits`; network: `perceptron` (one layer, softmax); label noise: `replace_uniform` (each "
        "label replaced, at a rate, by a uniform random one), rate 0.5, the true class among them; "
        "batch size: 10, 50 and 150; optimiser: `sgd`, learning rate 0.05, momentum 0.9. "
        "Arm `steps`: schedule: `cosine` over 200 steps; epochs until the schedule ends: 2.0 at `batch_size` 10, 10 at "
        "50, 29 at 150; epochs: 3 at `batch_size` 10, 20 at 50 and 150. "
        "Arm `epochs`: schedule: `cosine` over 20 epochs; epochs: 20"
    )


def test_only_the_runs_that_the_claim_reads_are_told(reversal: dict[str, Any]) -> None:
    line = set_up(reversal["claims"][1], reversal["trained"])
    assert "rate 0 and 0.5, the true class among them; batch size: 50;" in line
    assert line.endswith("schedule: `cosine` over 20 epochs; epochs: 20; read after epoch: 2")
    assert "mlp1" not in line and "Arm" not in line


def test_dilution_makes_examples_of_its_own_so_no_epoch_is_computed_from_steps(reversal: dict[str, Any]) -> None:
    trained = copy.deepcopy(reversal["trained"])
    trained["base"]["noise"] = {"kind": "dilute_uniform", "alpha": 5.0, "include_true_class": True}
    for cell in trained["cells"]:
        cell["changes"] = {key: value for key, value in cell["changes"].items() if not key.startswith("noise")}
    line = set_up(reversal["claims"][0], trained)
    assert "`dilute_uniform`, alpha 5, " in line and "until the schedule ends" not in line


def test_a_rate_that_was_chosen_is_told_by_its_candidates(full: World) -> None:
    data = full.json()
    line = set_up(data["claims"][1], data["trained"])
    assert "learning rate chosen from 0.1 and 0.5" in line
    assert "network: `perceptron` (one layer, softmax), `mlp1` (1 hidden layer of 512, ReLU) and `convnet4` (" in line
    assert "alpha 0 and 10, the true class among them" in line


def test_a_value_at_more_places_than_fit_a_line_is_only_said_to_differ(reversal: dict[str, Any]) -> None:
    trained = copy.deepcopy(reversal["trained"])
    cells = [
        cell for cell in trained["cells"] if cell["point"]["arm"] == "epochs" and cell["point"]["noise.rate"] == 0.5
    ]
    trained["cells"] = [
        {"point": {**cells[0]["point"], "batch_size": size}, "changes": {**cells[0]["changes"], "epochs": size}}
        for size in range(10, 19)
    ]
    assert "epochs: differs by `batch_size`" in set_up(reversal["claims"][0], trained)
    trained["cells"] = trained["cells"][:2]
    assert "epochs: 10 at `batch_size` 10, 11 at 11" in set_up(reversal["claims"][0], trained)


def test_many_arms_are_counted_and_not_told_one_by_one(reversal: dict[str, Any]) -> None:
    trained, claim = copy.deepcopy(reversal["trained"]), copy.deepcopy(reversal["claims"][0])
    claim["parts"] = claim["parts"][:1]
    member = claim["parts"][0]["members"][0]
    member["at"] = {"noise.rate": 0.5}
    trained["cells"] = [
        {"point": {"arm": f"arm-{n}", "batch_size": 50, "noise.rate": 0.5}, "changes": {"epochs": n, "batch_size": 50}}
        for n in range(9)
    ]
    line = set_up(claim, trained)
    assert line.endswith("momentum 0.9; schedule: `cosine` over 200 steps; epochs until the schedule ends: 10. "
                         "Its 9 arms differ in epochs")  # fmt: skip
    trained["cells"] = trained["cells"][:8]
    assert "Arm `arm-7`: epochs: 7" in set_up(claim, trained)


def test_a_report_that_does_not_say_what_was_trained_has_no_set_up(full: World) -> None:
    data = full.json()
    assert set_up(data["claims"][0], None) == ""
    assert set_up(data["claims"][0], {**data["trained"], "cells": []}) == ""


def test_what_a_name_stands_for_is_told_once() -> None:
    data = json.loads((ROOT / "reports/rolnick_counts-cpu/result.json").read_text(encoding="utf-8"))
    line = set_up(next(claim for claim in data["claims"] if claim["id"] == "R001-20"), data["trained"])
    assert line.count("`replace_uniform`") == 2
    assert line.count("(each label replaced, at a rate, by a uniform random one)") == 1


def test_names_of_a_plug_in_stay_text(full: World) -> None:
    data = full.json()
    trained = data["trained"]
    trained["words"]["model"]["mlp1"] = "<b> | [x](y)"
    line = set_up(data["claims"][0], trained)
    assert "&lt;b&gt; \\| \\[x\\](y)" in line and "<b>" not in line


@pytest.mark.parametrize("report", sorted(path.parent.name for path in ROOT.glob("reports/*/result.json")))
def test_every_claim_of_a_committed_report_has_a_set_up_of_one_line(report: str) -> None:
    data = json.loads((ROOT / "reports" / report / "result.json").read_text(encoding="utf-8"))
    for claim in data["claims"]:
        line = set_up(claim, data["trained"])
        assert 100 < len(line) < 2000 and "\n" not in line, claim["id"]
