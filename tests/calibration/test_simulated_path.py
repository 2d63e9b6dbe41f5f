"""A simulated member is what evidence makes of records with the same numbers: what is simulated is what is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench.judge import Evidence, Member, judge
from tests.calibration.simulated import judged, judged_study, member, reduced
from tests.calibration.worlds import MOVED, SHIFT, shifted
from tests.toys.claims_page import N, evidence_of, load_in_frame

ALPHAS = [0, 10, 20, 50]
CURVES = np.round(np.random.default_rng(3).uniform(0.5, 0.9, (5, 4)) * N) / N  # (seed, alpha)


def recorded(folder: Path, effect: dict[str, Any], part: dict[str, Any], curves: np.ndarray = CURVES) -> Evidence:
    """Evidence of runs that end with the accuracy of their seed and alpha; at the other rate, of the curve reversed."""

    def accuracy(recipe: dict[str, Any], seed: int) -> dict[str, float]:
        side = curves if recipe["optimizer"]["lr"] == 0.1 else curves[:, ::-1]
        reached = float(side[seed, axis.index(recipe["noise"]["alpha"])])
        return {"test_accuracy": reached, "test_loss": 2 * reached, "train_accuracy": reached}

    axis = [level or 1 for level in ALPHAS] if effect.get("along", {}).get("noise.alpha") == "argmax" else ALPHAS
    vary = {"noise.alpha": axis, "optimizer.lr": [0.1, 0.2]}
    example = {"vary": vary, "effects": {"e": effect}, "parts": {"claim": {"effect": "e", **part}}}
    return evidence_of(load_in_frame(folder, example), accuracy)


def alike(found: Member, made: Member) -> None:
    assert made.values == pytest.approx(found.values)
    assert made.step == pytest.approx(found.step)
    assert (made.seeds, made.collapsed, made.planned) == (found.seeds, found.collapsed, found.planned)


@pytest.mark.parametrize("reducer", ["slope", "kendall", "exponent", "steps"])
def test_curves_along_an_axis(tmp_path: Path, reducer: str) -> None:
    kind = {"steps": "monotone", "exponent": "scaling"}.get(reducer, "trend")
    asked: dict[str, Any] = {"region": [0, 1]} if kind == "scaling" else {"direction": "up"}
    levels = ALPHAS[1:] if reducer == "exponent" else ALPHAS
    effect = {
        "metric": "test_accuracy", "at": {"optimizer.lr": 0.1}, "along": {"noise.alpha": reducer},
        **({"levels": {"noise.alpha": levels}} if reducer == "exponent" else {}),
    }  # fmt: skip
    evidence = recorded(tmp_path, effect, {"kind": kind, **asked})
    (claim,) = judge(evidence).claims
    part = claim.parts["claim"]
    curves = CURVES[:, len(ALPHAS) - len(levels) :]
    made = [reduced(reducer, levels, curves, 1 / N)]
    if reducer == "steps":
        made = [reduced(reducer, levels[j : j + 2], curves[:, j : j + 2], 1 / N) for j in range(3)]
    for found, one in zip(part.members, made, strict=True):
        alike(found, one)
    check = judged(part.part, *made, effect=part.effect)
    assert (check.p_reproduced, check.p_contradicted) == pytest.approx(
        (part.check.p_reproduced, part.check.p_contradicted)
    )


def test_an_optimum_that_moves(tmp_path: Path) -> None:
    effect = {
        "metric": "test_accuracy", "at": {"optimizer.lr": 0.1}, "minus": {"optimizer.lr": 0.2},
        "along": {"noise.alpha": "argmax"},
    }  # fmt: skip
    rising = np.sort(CURVES, axis=1)
    rising[:, 1:3] += 0.05  # so that no optimum lies on an end of the axis for all seeds
    axis = [level or 1 for level in ALPHAS]
    (claim,) = judge(recorded(tmp_path, effect, {"kind": "shift", "direction": "down"}, rising)).claims
    part = claim.parts["claim"]
    made = shifted(rising, rising[:, ::-1], 1 / N, axis)
    alike(part.members[0], made)
    assert made.arms == part.members[0].arms and made.levels == part.members[0].levels
    assert made.curves == part.members[0].curves and made.others == part.members[0].others
    assert made.curve_step == part.members[0].curve_step
    assert judged(SHIFT, made, effect=MOVED).p_reproduced == pytest.approx(part.check.p_reproduced)


def test_a_study_of_differences(tmp_path: Path) -> None:
    effect = {"metric": "test_accuracy", "at": {"noise.alpha": 0, "optimizer.lr": 0.1}, "minus": {"noise.alpha": 10}}
    (claim,) = judge(recorded(tmp_path, effect, {"kind": "ordered"})).claims
    (made,) = judged_study([[CURVES[:, 0] - CURVES[:, 1]]], step=1 / N).claims
    alike(claim.parts["claim"].members[0], member(CURVES[:, 0] - CURVES[:, 1], step=1 / N))
    assert made.verdict == claim.verdict
    assert made.check.p_reproduced == pytest.approx(claim.check.p_reproduced)
    assert made.p_contradicted == pytest.approx(claim.p_contradicted)
