"""The SAM report's tables as they stand in `baselines/sam2022.yaml`: every number typed a second time, and what follows
from them in its text."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.spec import Reference, load_baseline

ROOT = Path(__file__).parents[2]
TABLE_2 = {  # training and test accuracy, per cent
    "clean": (100, 87.29),
    "red18": (99.98, 81.67),
    "red40": (100, 55.11),
    "blue20": (100, 70.90),
    "blue80": (100, 18.32),
    "blue100": (10.29, 10.00),
}
TABLE_1 = {"sgd": "9:30", "sgd-bootstrapped": "22:08", "sam": "17:41", "sam-bootstrapped": "40:02"}
LOGS = {  # highest test accuracy, and that after epoch 59
    "clean": (87.44, 78.86),
    "red18": (82.71, 73.11),
    "red40": (68.46, 56.95),
    "blue20": (76.41, 71.88),
    "blue80": (49.11, 31.78),
    "blue100": (11.42, 10.00),
}


@pytest.fixture(scope="module")
def references() -> dict[str, Reference]:
    return load_baseline(ROOT / "baselines" / "sam2022.yaml").references


def value(reference: Reference) -> float:
    number = reference.number()
    assert number is not None
    return number.value


def test_every_cell_of_table_2(references: dict[str, Reference]) -> None:
    for column, (train, test) in TABLE_2.items():
        assert value(references[f"table2/{column}-train"]) == pytest.approx(train / 100), column
        assert value(references[f"table2/{column}-test"]) == pytest.approx(test / 100), column
    cells = [reference for name, reference in references.items() if name.startswith("table2/")]
    assert len(cells) == 12 and {cell.n for cell in cells} == {1}


def test_the_logs_are_no_numbers_of_the_paper(references: dict[str, Reference]) -> None:
    for column, (best, before_the_fall) in LOGS.items():
        assert value(references[f"log/{column}-best"]) == pytest.approx(best / 100), column
        assert value(references[f"log/{column}-epoch59"]) == pytest.approx(before_the_fall / 100), column
    logs = [reference for name, reference in references.items() if name.startswith("log/")]
    assert len(logs) == 14 and {log.source for log in logs} == {"repository"}


def test_table_1_in_seconds_and_what_it_says_of_them(references: dict[str, Reference]) -> None:
    seconds = {}
    for name, clock in TABLE_1.items():
        minutes, rest = clock.split(":")
        seconds[name] = 60 * int(minutes) + int(rest)
        assert value(references[f"table1/{name}-time"]) == seconds[name], name
    more = {name: 100 * (of / seconds["sgd"] - 1) for name, of in seconds.items() if name != "sgd"}
    for name, percent in more.items():
        printed = 100 * value(references[f"table1/{name}-slower"])
        assert printed == pytest.approx(percent, abs=1.0), name  # one of them is rounded the wrong way
    assert round(more["sgd-bootstrapped"]) == 133


def test_what_the_text_says_of_the_tables(references: dict[str, Reference]) -> None:
    gap = value(references["table2/red18-test"]) - value(references["table2/blue20-test"])
    assert gap == pytest.approx(0.1077) and gap > value(references["s5/red-over-blue"])
    assert value(references["log/blue100-best"]) == value(references["s5/blue100-best"])
    runs = value(references["s4.1/regimes"]) * value(references["s4.1/methods"])
    assert runs == value(references["s4.1/runs"]) == 320
    assert value(references["s4.1/methods"]) == 4 * 2 + 2 * 3 * 2
