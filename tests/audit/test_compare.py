"""Two outcomes of one run: what may differ, by how much, and what that is called."""

from __future__ import annotations

import copy
import math
import random
import statistics
from typing import Any

import pytest

from lnbench.audit.compare import FRACTION, LEVEL, Fate, compare, fate_of, largest, seed_limit

Outcome = dict[str, Any]


def outcome(last: float, **changes: Any) -> Outcome:
    return {
        "status": "ok",
        "curves": {"test_accuracy": [0.5, last]},
        "metrics": {"auc": last / 2},
        "examples": {"train": 300},
        "noise": {"labels_sha256": "ab", "realised_wrong": 0.25},
        "arrays": {"example_loss": {"shape": [2, 300], "dtype": "float32", "sha256": "cd"}},
        "data_sha256": "ef",
        **changes,
    }


VALUES = (0.80, 0.81, 0.82, 0.83, 0.84)
CELL = [outcome(value) for value in VALUES]
SD = statistics.stdev(VALUES)


def fate(now: Outcome, cell: list[Outcome] = CELL, same: bool = False) -> Fate:
    return fate_of(compare(cell[0], now, cell), same)


def test_equal_outcomes_are_identical_and_one_bit_is_not() -> None:
    assert fate(copy.deepcopy(CELL[0]), same=True) is Fate.IDENTICAL
    almost = outcome(math.nextafter(0.80, 1))
    assert fate(almost, same=True) is Fate.UNEXPECTED
    assert fate(almost) is Fate.WITHIN


@pytest.mark.parametrize(
    ("sds", "expected"),
    [(0.9 * FRACTION, Fate.WITHIN), (1.1 * FRACTION, Fate.OPEN), (5, Fate.OPEN), (20, Fate.BEYOND), (-20, Fate.BEYOND)],
)
def test_on_another_machine_a_difference_is_measured_in_the_spread_of_the_seeds(sds: float, expected: Fate) -> None:
    found = fate(outcome(0.80 + sds * SD))
    assert found is expected
    assert found.passes is (expected is Fate.WITHIN)
    if expected is not Fate.BEYOND:
        assert fate(outcome(0.80 + sds * SD), same=True) is Fate.UNEXPECTED
    worst = largest(compare(CELL[0], outcome(0.80 + sds * SD), CELL))
    assert worst is not None and worst.in_sd == pytest.approx(abs(sds))


@pytest.mark.parametrize(
    "changes",
    [
        {"noise": {"labels_sha256": "xx", "realised_wrong": 0.25}},
        {"noise": {"labels_sha256": "ab", "realised_wrong": 0.26}},
        {"data_sha256": "xx"},
        {"examples": {"train": 301}},
        {"status": "diverged"},
        {"curves": {"test_accuracy": [0.5]}},
        {"metrics": {"auc": None}},
        {"metrics": {}},
        {"arrays": {"example_loss": {"shape": [2, 299], "dtype": "float32", "sha256": "cd"}}},
    ],
    ids=[
        "labels",
        "wrong labels",
        "data",
        "examples",
        "status",
        "a shorter curve",
        "no number",
        "a metric less",
        "an array's shape",
    ],
)
def test_what_rounding_cannot_explain_may_not_differ(changes: Outcome) -> None:
    assert fate(outcome(0.80, **changes)) is Fate.BEYOND


def test_only_the_last_value_of_a_curve_counts() -> None:
    assert fate(outcome(0.80, curves={"test_accuracy": [0.9, 0.80]})) is Fate.WITHIN


def test_an_array_whose_bytes_alone_differ_cannot_be_sized() -> None:
    arrays = {"example_loss": {"shape": [2, 300], "dtype": "float32", "sha256": "xx"}}
    assert fate(outcome(0.80, arrays=arrays)) is Fate.UNKNOWN
    assert fate(outcome(0.8001, arrays=arrays)) is Fate.WITHIN


def test_two_seeds_give_no_spread() -> None:
    assert fate(outcome(0.8001), CELL[:2]) is Fate.UNKNOWN
    assert Fate.UNKNOWN.open and not Fate.UNKNOWN.passes


def test_where_all_seeds_are_equal_six_digits_decide() -> None:
    cell = [outcome(0.8)] * 5
    assert fate(outcome(0.8 + 1e-12), cell) is Fate.WITHIN
    assert fate(outcome(0.8001), cell) is Fate.BEYOND


def test_a_draw_of_the_same_cell_is_seldom_called_further_than_another_seed() -> None:
    """Worst case of an honest record: rounding has grown until the run ends as another seed would."""
    draw, studies, counts = random.Random(1), 2000, {name: 0 for name in Fate}
    for _ in range(studies):
        cell = [outcome(draw.gauss(0.8, 0.01)) for _ in range(5)]
        counts[fate(outcome(draw.gauss(0.8, 0.01)), cell)] += 1
    assert counts[Fate.BEYOND] <= 2 * LEVEL * studies
    assert 0.2 < counts[Fate.WITHIN] / studies < 0.4  # the docstring's 0.28, at the true spread
    assert seed_limit(5, 1) == pytest.approx(math.sqrt(2) * 4.604, abs=1e-3)  # t, 4 degrees of freedom, 0.995
