"""Bad data is an error verdict, both p at 1; bad arguments raise ValueError; nothing else escapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from lnbench import stats
from lnbench.stats import Check, Printed, Region, Verdict

AXIS = [1, 2, 4]
JUDGES: dict[str, Callable[[Sequence[float]], Check]] = {
    "above": lambda x: stats.above(x, 0.5),
    "below": lambda x: stats.below(x, 0.5),
    "mean": lambda x: stats.judge_mean(x, Region(0.0, 1.0)),
    "ordered": lambda x: stats.ordered(x),
    "equivalent": lambda x: stats.equivalent(x, 0.1),
    "agrees": lambda x: stats.agrees(x, Printed(0.5, 0.1), 0.1),
    "ratio": lambda x: stats.ratio(x, np.ones(len(x)), Region.at_least(1.0)),
    "replicates": lambda x: stats.correlation_replicates(x, Region(0.5, 1.0)),
    "shift slope": lambda x: stats.shift_slope([1, 2], np.zeros((len(x), 2)), np.stack([np.zeros(len(x)), x], axis=1)),
}
every_judge = pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)


@every_judge
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None], ids=str)
def test_a_value_that_is_missing_is_an_error(judge: Callable[[Sequence[float]], Check], bad: float) -> None:
    check = judge([0.7, 0.6, bad, 0.8])
    assert check.verdict() is Verdict.ERROR
    assert (check.p_reproduced, check.p_contradicted) == (1.0, 1.0)
    assert check.interval is None
    assert check.error


@every_judge
def test_no_seeds_are_an_error(judge: Callable[[Sequence[float]], Check]) -> None:
    assert judge([]).verdict() is Verdict.ERROR


@every_judge
@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_seeds_decide_nothing(judge: Callable[[Sequence[float]], Check], n: int) -> None:
    check = judge([0.7, 0.6][:n])
    assert check.verdict() is Verdict.INCONCLUSIVE
    assert (check.p_reproduced, check.p_contradicted, check.interval) == (1.0, 1.0, None)


@every_judge
def test_identical_seeds_without_a_step_are_an_error(judge: Callable[[Sequence[float]], Check]) -> None:
    assert judge([0.7] * 4).verdict() is Verdict.ERROR


@every_judge
def test_huge_and_tiny_numbers_are_numbers(judge: Callable[[Sequence[float]], Check]) -> None:
    for scale in (1e-150, 1e-30, 1e30, 1e150):
        check = judge([0.7 * scale, 0.6 * scale, 0.8 * scale])
        assert check.error is None
        assert 0 <= check.p_reproduced <= 1
        assert 0 <= check.p_contradicted <= 1


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0.0},
        {"alpha": 0.5},
        {"alpha": math.nan},
        {"looks": 0},
        {"looks": 1.5},
        {"step": -1e-4},
        {"step": math.inf},
    ],
    ids=str,
)
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        stats.above([0.1, 0.2, 0.3], 0.5, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must"):
        stats.agrees([0.1, 0.2, 0.3], Printed(0.5, 0.1), 0.1, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf])
def test_impossible_margins_are_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        stats.equivalent([0.1, 0.2, 0.3], margin)


def test_a_claim_needs_an_edge() -> None:
    with pytest.raises(ValueError, match="edge"):
        stats.judge_mean([0.1, 0.2, 0.3], Region())


def test_seeds_are_one_number_each() -> None:
    with pytest.raises(ValueError, match="one number a seed"):
        stats.above([[0.1, 0.2], [0.3, 0.4]], 0.5)  # type: ignore[list-item]
