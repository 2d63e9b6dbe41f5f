"""Golden cases from independent code: tests/stats/statistics_cases.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stats.run_cases import KINDS, differences, main, run_case

FILE = Path(__file__).with_name("statistics_cases.json")
CASES = json.loads(FILE.read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", [pytest.param(c, id=c["id"]) for c in CASES])
def test_golden_case(case: dict[str, Any]) -> None:
    assert run_case(case) == []


def test_every_mapped_kind_has_a_case() -> None:
    assert {case["kind"] for case in CASES} == set(KINDS)


def test_the_runner_notices_a_difference(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    case = next(c for c in CASES if c["id"] == "above-reproduced")
    wrong = {**case, "expected": {**case["expected"], "effect": 0.9312, "verdict": "contradicted"}}
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [case, wrong]}), encoding="utf-8")
    assert main(str(path)) == 1
    printed = capsys.readouterr().out
    assert "1 of 2 cases agree" in printed
    assert "effect: expected 0.9312, found 0.93118" in printed


def test_a_missing_number_is_a_difference() -> None:
    assert differences({"p": 0.5}, {}) == ["p: expected 0.5, found 'nothing'"]
    assert differences([1.0], [1.0, 2.0])
    assert differences(None, 1.0)
