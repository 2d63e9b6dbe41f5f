"""The tables of docs/detect.md are what the stored trainings say, and the defaults are those that the rule takes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from lnbench.detect.options import usual_rate
from tests.calibration import detect_defaults, detect_digits
from tests.toys.written_page import DOCS, markers, put

PAGE = (DOCS / "detect.md").read_text(encoding="utf-8")


def between(name: str, script: str) -> str:
    begin, end = markers(name, script)
    return PAGE.split(begin)[1].split(end)[0].strip("\n")


def text(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def test_the_table_of_digits_is_whole_and_of_the_defaults_of_now() -> None:
    rows = detect_digits.stored()
    wanted = {(share, seed) for share in detect_digits.SHARES for seed in detect_digits.SEEDS}
    assert {(row["share"], row["seed"]) for row in rows} == wanted and len(rows) == len(wanted)
    assert between("digits", "tests/calibration/detect_digits.py") == text(detect_digits.shown(rows))


def test_the_tables_of_rates_are_whole_and_the_default_is_the_rules_or_the_page_says_why_not() -> None:
    rows = detect_defaults.stored()
    keys = [(row["model"], row["images"], row["error"], row["rate"], row["seed"]) for row in rows]
    assert (
        len(keys)
        == len({*keys})
        == len(detect_defaults.SEEDS)
        * sum(len(detect_defaults.RATES[setting.model]) for setting in detect_defaults.SETTINGS)
    )
    assert between("rates", "tests/calibration/detect_defaults.py") == text(detect_defaults.shown(rows))
    taken = {model: detect_defaults.chosen(detect_defaults.regrets(rows, model)) for model in detect_defaults.RATES}
    others = {model for model, rate in taken.items() if rate != usual_rate(model)}
    assert others == {"lenet"} and "For `lenet` that is a departure from\nthe rule" in PAGE


def test_no_seed_of_the_choice_has_a_part_in_the_table() -> None:
    assert not {*detect_defaults.SEEDS} & {*detect_digits.SEEDS}


def test_the_rule_takes_the_least_worst_regret_and_of_near_ones_the_least_mean() -> None:
    clear = {0.1: {"a": 0.0, "b": 0.3}, 0.01: {"a": 0.1, "b": 0.1}}
    assert detect_defaults.chosen(clear) == 0.01
    near = {0.1: {"a": 0.0, "b": 0.14}, 0.01: {"a": 0.1, "b": 0.1}}  # within 0.05: the mean decides
    assert detect_defaults.chosen(near) == 0.1


def test_a_table_goes_between_its_markers_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = markers("numbers", "script.py")
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    put(page, "numbers", "script.py", ["| a |", "|---|"])
    assert page.read_text() == f"before\n{begin}\n\n| a |\n|---|\n\n{end}\nafter\n"
    with pytest.raises(ValueError):
        put(page, "others", "script.py", [])
