"""Curves over steps in a report: what result.json keeps of them, and the figures."""

from __future__ import annotations

from typing import Any

import pytest
from scipy import stats

from lnbench.report.figures.step_curves import band, draw_step_curves
from lnbench.report.names import step_figures
from lnbench.report.result.runs import STEP_POINTS, step_curves

METRICS = ["test_accuracy", "noisy_member_accuracy_last_tenth"]


def outcome(values: list[float | None], every: int = 10, axis: str = "steps") -> dict[str, Any]:
    curve = {"axis": axis, "at": [every * number for number in range(len(values))], "values": values}
    return {"probe_curves": {"noisy_member_accuracy": curve, "clean_member_accuracy": curve}}


def test_only_curves_that_a_metric_is_read_off_are_kept_as_they_are() -> None:
    found = step_curves([outcome([0.1, None, 0.3]), outcome([0.2, 0.4, 0.6])], METRICS)
    assert found == {
        "noisy_member_accuracy": [
            {"at": [0, 10, 20], "values": [0.1, None, 0.3]}, {"at": [0, 10, 20], "values": [0.2, 0.4, 0.6]},
        ]
    }  # fmt: skip
    assert step_curves([outcome([0.1], axis="epochs")], METRICS) == {} == step_curves([{}], METRICS)


def test_long_curves_are_means_over_blocks_of_looks() -> None:
    values: list[float | None] = [float(number) for number in range(200)]
    values[0:4] = [None] * 4
    values[5] = None
    (curve,) = step_curves([outcome(values, every=1)], METRICS)["noisy_member_accuracy"]
    assert len(curve["at"]) == 50 <= STEP_POINTS, "blocks of four"
    assert curve["at"][:2] == [1.5, 5.5]
    assert curve["values"][0] is None and curve["values"][1] == pytest.approx((4 + 6 + 7) / 3)
    assert curve["values"][2] == pytest.approx(9.5)


def test_the_band_is_the_t_interval_of_the_mean_where_three_seeds_have_a_number() -> None:
    seeds = [
        {"at": [0, 10, 20], "values": values} for values in ([0.1, 0.2, None], [0.3, 0.6, None], [0.8, None, None])
    ]
    at, low, mean, high = band(seeds)
    assert at == [0, 10], "where none has a number there is no point"
    assert mean == pytest.approx([0.4, 0.4])
    interval = stats.t.interval(0.95, 2, 0.4, stats.sem([0.1, 0.3, 0.8]))
    assert (low[0], high[0]) == pytest.approx(interval)
    assert (low[1], high[1]) == (mean[1], mean[1])


def test_a_figure_for_each_curve_and_the_same_picture_from_the_same_data() -> None:
    cells = [
        {
            "point": {"batch_size": size, "arm": arm},
            "done": 3,
            "metrics": {"test_accuracy": [0.5, 0.6, 0.7]},
            "step_curves": step_curves([outcome([0.1, 0.2 * seed, 0.3]) for seed in range(3)], METRICS),
        }
        for size in (8, 32)
        for arm in ("cycle", "constant")
    ]
    data = {"cells": cells, "claims": []}
    assert step_figures(data) == {"steps-noisy-member-accuracy.png": "Noisy member accuracy over steps"}
    drawn = draw_step_curves(data)
    assert list(drawn) == list(step_figures(data)) and drawn == draw_step_curves(data)
    assert drawn["steps-noisy-member-accuracy.png"].png.startswith(b"\x89PNG")
    assert b"<svg" in drawn["steps-noisy-member-accuracy.png"].svg
    assert draw_step_curves({"cells": [], "claims": []}) == {}
