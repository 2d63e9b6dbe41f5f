"""Every row of the benchmark table runs and gives a number; nothing is asserted of how large it is.

pytest tests/benchmarks/test_rows.py                                         # once each, small, uncompiled
pytest tests/benchmarks/test_rows.py -n 0 --benchmark-enable --benchmark-only # with times
python -m tests.benchmarks.table                                             # the table itself
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from lnbench import catalog
from tests.benchmarks import gpu, plain_torch
from tests.benchmarks.engine_side import BATCH, Epochs, narrow_mlp, random_images, recipe
from tests.benchmarks.ratios import SHORT, Goal, Readings, Row, Side, interleaved, quantity, times_as_fast
from tests.benchmarks.rows import ROWS
from tests.benchmarks.table import MARKED, PAGE, UNMEASURED, line, standing, table
from tests.toys.written_page import between, replaced


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        yield
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)


SLOW_TO_START = ("14 ray",)  # a cluster; tests/execute has tests of the crew


@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=[pytest.mark.long] * (row.name in SLOW_TO_START)) for row in ROWS],
    ids=lambda row: row.name,
)  # fmt: skip
def test_row(benchmark: Any, row: Row) -> None:
    readings = benchmark.pedantic(row.measure, (SHORT,), rounds=1)
    assert len(readings.values) >= 1 and all(math.isfinite(value) for value in readings.values)
    benchmark.extra_info[row.what] = quantity(readings.median, row.goal.unit)


# ---- the two sides do the same work


def test_a_plain_loader_gives_the_images_and_labels_it_was_given() -> None:
    data = random_images("mnist", 8)
    (batch,) = plain_torch.loader("mnist", data, 20, 32)
    images, labels = batch
    mean, deviation = (values[0] for values in plain_torch.NORMAL["mnist"])
    bytes_back = (images * deviation + mean).mul(255).round().to(torch.uint8)
    found = {tuple(image.flatten().tolist()) for image in bytes_back}
    assert images.shape == (20, 1, 28, 28) and len(found) == 8
    assert found == {tuple(image.flatten().tolist()) for image in torch.from_numpy(data.train_images)}
    assert set(labels.tolist()) <= set(range(10))


@pytest.mark.parametrize(("backend", "replicas"), [("loop", 1), ("stacked", 3)])
def test_a_call_is_one_epoch_of_every_replica_and_trains(backend: str, replicas: int) -> None:
    data = random_images("mnist", 2 * BATCH)
    run = Epochs(data, recipe(data, 1.0), replicas, backend, False)
    assert run.examples == replicas * 4 * BATCH
    run()
    first = run.group.backend.sums()
    run()
    assert first.shape == (replicas, 2)
    assert (run.group.backend.sums()[:, 1] < first[:, 1]).all()


def test_the_narrow_network_leaves_no_trace_in_the_catalog() -> None:
    before = catalog.names("model")
    with narrow_mlp() as name:
        data = random_images("mnist", BATCH)
        assert Epochs(data, recipe(data, model=name), 1, "stacked", False).group.backend.parameters == 785 * 32 + 330
    assert catalog.names("model") == before


# ---- the table


def test_the_two_sides_take_turns() -> None:
    turns: list[str] = []
    pairs = interleaved(Side(lambda: turns.append("a"), 1), Side(lambda: turns.append("b"), 1), 3)
    assert turns == ["a", "b"] * 4 and len(pairs) == 3


def test_the_ratio_is_taken_in_each_turn() -> None:
    readings = times_as_fast([(10.0, 5.0), (8.0, 1.0), (9.0, 3.0)], "examples/s")
    assert readings.values == [2.0, 8.0, 3.0] and readings.median == 3.0
    assert readings.words == "9 : 3 examples/s"


@pytest.mark.parametrize(
    ("goal", "met", "missed"),
    [(Goal("at least", 4), 4.0, 3.99), (Goal("at most", 1), 1.0, 1.01), (Goal("below", 50, "ms"), 49.9, 50.0)],
)
def test_a_goal_is_met_or_missed(goal: Goal, met: float, missed: float) -> None:
    assert goal.met(met) and not goal.met(missed)


def test_a_missed_row_says_what_bounds_it_and_a_met_one_does_not() -> None:
    row = Row(2, "2", "a / b", Goal("at least", 4), lambda size: Readings([]), "The memory's bandwidth.")
    assert line(row, Readings([3.0, 1.0, 2.0], "2 : 1"), "0.5") == (
        "| 2 | a / b | ≥ 4× | 2× [1, 3] | 2 : 1 | 0.5 | **missed**. The memory's bandwidth. |"
    )
    assert line(row, Readings([5.0]), "0.5").endswith("| 0.5 | met |")


def test_rows_that_were_not_measured_keep_their_lines() -> None:
    rows = [Row(1, name, "a / b", Goal("at least", 4), lambda size: Readings([])) for name in "123"]
    old = {"1": "| 1 | old |", "2": "| 2 | old |"}
    text = replaced(PAGE.read_text(encoding="utf-8"), *MARKED, table(old, rows, "M"))
    kept = standing(text)
    assert kept == old
    again = replaced(text, *MARKED, table({**kept, "2": "| 2 | new |"}, rows, "M"))
    lines = between(again, *MARKED)
    assert lines[0] == "M"
    assert lines[-3:] == ["| 1 | old |", "| 2 | new |", "| 3 | a / b | ≥ 4× | not measured | | | |"]
    assert text.split("| 1 | old |")[0] == again.split("| 1 | old |")[0]


def test_the_gpu_script_stands_ready_and_the_page_has_its_rows() -> None:
    page = "\n".join(between(PAGE.read_text(encoding="utf-8"), *gpu.MARKED))
    assert all(f"| {row.name} | {row.what} |" in page for row in gpu.ROWS)
    assert UNMEASURED in page or "NVIDIA" in page


def test_rows_have_names_of_their_own_and_the_page_has_them_all() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    assert {row.number for row in ROWS} == set(range(1, 15))
    page = "\n".join(between(PAGE.read_text(encoding="utf-8"), *MARKED))
    assert all(f"| {name} |" in page for name in names)
