"""How many seeds a study may plan, and what it is told of too few."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench import stats
from lnbench.spec import load_study
from lnbench.spec.study import FEWEST_TO_DECIDE
from tests.toys.judged_world import BASELINE, STUDY
from tests.toys.project import write_project


def test_the_number_written_again_is_that_of_the_statistics() -> None:
    assert FEWEST_TO_DECIDE == stats.FEWEST_TO_DECIDE


@pytest.mark.parametrize("n", [1, 3, 4])
def test_too_few_seeds_to_decide_are_said_at_their_line(tmp_path: Path, n: int) -> None:
    text = STUDY.replace("seeds: {n: 5", f"seeds: {{n: {n}")
    loaded = load_study(write_project(tmp_path, text, BASELINE))
    line = next(number for number, found in enumerate(text.splitlines(), 1) if "seeds:" in found)
    told = [str(warning) for warning in loaded.warnings if "no tier" not in str(warning)]
    if n >= 4:
        assert told == []
    else:
        (only,) = told
        assert f"toy.yaml:{line}:14:" in only
        assert f"n: {n} seeds are measured and decide nothing; verdicts need 4 or more" in only
