"""Drift: each seed's number against that seed's earlier one, and how far it may move. Made-up numbers, no training."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import SpecError
from lnbench.judge import DriftResult, Evidence, judge
from lnbench.judge.drift import SAME, SAME_SHARE, read_measured
from tests.toys.claims_page import believable, blocks, evidence_of, load_in_frame

STEP = 0.01


def entry(**changes: Any) -> dict[str, Any]:
    """An effect of three seeds; noise moved the second one furthest, by 0.02."""
    plain: dict[str, Any] = {
        "effect": "e", "label": "l", "metric": "test_accuracy", "step": STEP, "seeds": [0, 1, 2],
        "values": [0.5, 0.6, 0.7], "with_noise": [[0.5, 0.5], [0.61, 0.58], [0.7, 0.7]],
    }  # fmt: skip
    return {**plain, **changes}


def read(tmp_path: Path, **changes: Any) -> dict[int, tuple[float, float]]:
    file = tmp_path / "toy.json"
    file.write_text(json.dumps({"schema": 2, "effects": [entry(**changes)]}))
    return read_measured(file)["e", "l"]


def test_a_number_may_move_three_times_as_far_as_noise_moved_any_seed(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert [number for number, _ in found.values()] == [0.5, 0.6, 0.7]
    assert [tolerance for _, tolerance in found.values()] == pytest.approx([0.06] * 3)


def test_one_test_image_is_never_drift(tmp_path: Path) -> None:
    still = read(tmp_path, with_noise=[[0.5, 0.5], [0.6, 0.6], [0.7, 0.7]])
    assert [tolerance for _, tolerance in still.values()] == pytest.approx([STEP] * 3)
    one_image = abs(0.07042253521126762 - 0.07243460764587528)  # of 497, as two accuracies' difference has it
    assert one_image > 1 / 497
    assert read(tmp_path, step=1 / 497, with_noise=[[0.5], [0.6], [0.7]])[0][1] > one_image


def test_what_has_neither_gradients_nor_a_step_is_compared_to_the_last_digits(tmp_path: Path) -> None:
    exact = read(tmp_path, step=0.0, values=[11.0, 1e6, 1e-5], with_noise=[[11.0], [1e6], [1e-5]])
    assert [tolerance for _, tolerance in exact.values()] == pytest.approx([11 * SAME_SHARE, 1e6 * SAME_SHARE, SAME])


def test_a_number_that_comes_and_goes_with_noise_is_not_asked_for(tmp_path: Path) -> None:
    found = read(tmp_path, values=[0.5, None, 0.7], with_noise=[[None], [None], [0.7]])
    assert [tolerance for _, tolerance in found.values()] == [math.inf, pytest.approx(STEP), pytest.approx(STEP)]
    assert math.isnan(found[1][0])


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": [0, 1, 1]},
        {"with_noise": [[0.5], [0.6]]},
        {"with_noise": [[], [], []]},
        {"with_noise": [["x"], [0.6], [0.7]]},
        {"step": -1},
        {"values": [0.5, 0.6]},
    ],
    ids=str,
)
def test_a_damaged_reference_is_one_line(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="not a file that `lnbench measure` wrote"):
        read(tmp_path, **changes)


def test_a_reference_of_the_old_form_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "toy.json"
    file.write_text(json.dumps({"schema": 1, "effects": []}))
    with pytest.raises(SpecError, match="recorded no tolerance; write it again: `lnbench measure STUDY --replace`"):
        read_measured(file)


def moved(before: float, now: float, tolerance: float) -> DriftResult:
    return DriftResult("e", None, (0, 7), (0.5, before), (0.5, now), (0.1, tolerance))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "now", "tolerance", "share"),
    [
        (0.5, 0.5, 0.0, 0.0),
        (0.5, 0.55, 0.1, 0.5),
        (0.5, 0.75, 0.1, 2.5),
        (0.5, 0.6, 0.0, math.inf),
        (math.nan, math.nan, 0.1, 0.0),
        (math.nan, -math.inf, 0.1, 0.0),  # a curve that does not get to its level: recorded as no number
        (math.nan, 0.5, 0.1, math.inf),
        (0.5, math.nan, 0.1, math.inf),
        (0.5, math.nan, math.inf, 0.0),
    ],
)
def test_how_far_a_seed_moved(before: float, now: float, tolerance: float, share: float) -> None:
    result = moved(before, now, tolerance)
    assert result.share == pytest.approx(share)
    assert result.drifted == (share > 1)
    assert result.seeds[result.worst] == (7 if share else 0)


def world(tmp_path: Path, seeds: list[int]) -> Evidence:
    """A study at smoke on made-up records, whose reference has these seeds, one of them off by 0.2."""
    study = load_in_frame(tmp_path, blocks()["above"])
    evidence = evidence_of(study, believable)
    member = judge(evidence).claims[0].parts["claim"].members[0]
    values = [value + 0.2 * (seed == 1) for seed, value in zip(member.seeds, member.values, strict=True)]
    one = {
        "effect": "accuracy", "label": member.label, "step": member.step, "seeds": seeds,
        "values": values[: len(seeds)], "with_noise": [[value] for value in values[: len(seeds)]],
    }  # fmt: skip
    file = tmp_path / "measured.json"
    file.write_text(json.dumps({"schema": 2, "effects": [one]}))
    smoke = replace(study, tier="smoke", measured_path=file)
    return replace(evidence, plan=replace(evidence.plan, study=smoke))


def test_a_seed_that_moved_turns_smoke_red_and_is_named(tmp_path: Path) -> None:
    result = judge(world(tmp_path, [0, 1, 2, 3, 4]))
    claim = result.claims[0]
    assert claim.verdict == "smoke-fail"
    assert "has drifted: seed 1 gives " in claim.why and "(tolerance 0.0001)" in claim.why


def test_seeds_that_were_not_recorded_are_told_and_not_judged(tmp_path: Path) -> None:
    result = judge(world(tmp_path, [0]))
    assert result.claims[0].verdict == "smoke-pass"
    assert "drift was not checked for seeds 1, 2, 3, 4: not in the measured baseline" in result.notes
