"""agrees and drift: by hand, against scipy's Welch test, and the luck that each printed spread allows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from lnbench import stats
from lnbench.stats import Printed, Verdict
from lnbench.stats.normal_order import expected_range_of_normals

OURS = [23.05, 23.41, 22.88, 23.3, 23.11]


@pytest.mark.parametrize(
    ("printed", "S0", "df"),
    [
        (Printed(23.2, 0.1, 0.2, 0.1, "sd", 4), 0.25 / math.sqrt(3), 3),
        (Printed(23.2, 0.1, 0.2, 0.1, "sd_sample", 4), 0.25 / 2, 3),
        (Printed(23.2, 0.1, 0.2, 0.1, "se", 4), 0.25, 3),
        (Printed(23.2, 0.1, 0.2, 0.1, "se"), 0.25, 2),
        (Printed(23.2, 0.1, 0.2, 0.1, "ci95", 4), 0.25 / 1.96, 3),
        (Printed(23.2, 0.1, 0.2, 0.1, "range", 4), 0.3 / (2.0587507460 * 2), 3),
        (Printed(23.2, 0.1, 0.2, 0.1, "unknown", 4), 0.25, 3),
        (Printed(23.2, 0.1, 0.2, 0.1), 0.25, 2),
        (Printed(23.2, 0.1, 0.2, 0.1, "sd"), 0.25, 2),
        (Printed(23.2, 0.1, 0.2, 0.1, "range"), 0.25, 2),
        (Printed(23.2, 0.1, 0.0, 0.1, "sd", 4), 0.05 / math.sqrt(3), 3),  # "± 0.0" is not no spread
        (Printed(23.24, 0.01, 0.2, 0.1, "sd", 4), 0.25 / math.sqrt(3), 3),
        (Printed(23.2, 0.1, 0.2, None, "sd", 4), 0.25 / math.sqrt(3), 3),
    ],
)
def test_the_papers_luck(printed: Printed, S0: float, df: int) -> None:
    luck = stats.paper_luck(printed, 1.0)
    assert pytest.approx(S0) == luck.S0
    assert luck.df == df
    check = stats.agrees(OURS, printed, 1.0)
    assert check.details["S0"] == pytest.approx(S0)
    se = math.hypot(np.std(OURS, ddof=1) / math.sqrt(5), S0)
    assert check.details["wide_se"] == pytest.approx(se)
    welch = se**4 / ((np.var(OURS, ddof=1) / 5) ** 2 / 4 + S0**4 / df)
    assert check.details["wide_df"] == pytest.approx(welch)


def test_a_spread_of_unknown_kind_is_said_to_be() -> None:
    assert "kind of the printed spread is unknown" in stats.agrees(OURS, Printed(23.2, 0.1, 0.2), 1.0).notes[0]
    assert "unknown number of runs" in stats.agrees(OURS, Printed(23.2, 0.1, 0.2, kind="sd"), 1.0).notes[0]
    assert stats.agrees(OURS, Printed(23.2, 0.1, 0.2, 0.1, "sd", 4), 1.0).notes == ()


@pytest.mark.parametrize(("n0", "factor"), [(None, 2.0), (1, 2.0), (4, 1.0)])
def test_a_lone_number_borrows_twice_our_spread(n0: int | None, factor: float) -> None:
    check = stats.agrees(OURS, Printed(23.2, 0.1, n=n0), 1.0)
    s1 = np.std(OURS, ddof=1)
    assert check.details["S0"] == pytest.approx(factor * s1)
    assert check.details["wide_df"] == 4
    assert check.details["wide_se"] == pytest.approx(s1 * math.sqrt(1 / 5 + factor**2))


def test_agreement_is_with_the_number_as_printed() -> None:
    """p_reproduced ignores the paper's spread: else no number of seeds could confirm a loose number."""
    tight = stats.agrees(OURS, Printed(23.2, 0.1, 0.0, 0.1, "se", 50), 1.0)
    loose = stats.agrees(OURS, Printed(23.2, 0.1, 5.0, 0.1, "se", 3), 1.0)
    assert tight.p_reproduced == loose.p_reproduced
    assert tight.interval == loose.interval
    x = np.array(OURS)
    edges = [
        reference.ttest_1samp(x, 22.2, alternative="greater"),
        reference.ttest_1samp(x, 24.2, alternative="less"),
    ]
    assert tight.p_reproduced == pytest.approx(max(t.pvalue for t in edges))


def test_a_looser_paper_is_harder_to_contradict() -> None:
    p = [stats.agrees(OURS, Printed(25.6, 0.1, s, 0.1, "se", 5), 1.0).p_contradicted for s in (0.0, 0.5, 1.0, 3.0)]
    assert p == sorted(p)


def test_contradiction_is_scipys_welch_test_beyond_either_edge() -> None:
    """Our seeds against a paper whose mean and standard error are known exactly, region ±1.05."""
    theirs = np.array([25.0, 25.9, 25.4, 26.1])
    printed = Printed(float(theirs.mean()), 0.0, float(reference.sem(theirs)), 0.0, "se", 4)
    tails = [
        reference.ttest_ind(np.array(OURS) + edge, theirs, equal_var=False, alternative="less").pvalue
        for edge in (1.05, -1.05)
    ]
    assert stats.agrees(OURS, printed, 1.05).p_contradicted == pytest.approx(sum(tails))


def test_the_metrics_own_unit_is_given_too() -> None:
    check = stats.agrees(OURS, Printed(23.2, 0.1, 0.2, 0.1, "sd", 4), 1.0, step=0.01)
    assert check.details["mean"] == pytest.approx(np.mean(OURS))
    assert check.interval is not None
    assert check.contradiction_interval is not None
    assert check.details["mean_interval"] == pytest.approx((check.interval.low + 23.2, check.interval.high + 23.2))
    assert check.details["mean_contradiction_interval"][0] == pytest.approx(check.contradiction_interval.low + 23.2)
    assert check.contradiction_interval.low < check.interval.low


def test_a_value_read_off_a_figure_has_a_reading_error_in_place_of_a_digit() -> None:
    read = Printed(23.2, 0.1, reading_error=0.5)
    assert stats.agrees(OURS, read, 1.0).details["contradiction_region"] == (-1.5, 1.5)
    with pytest.raises(ValueError, match="smaller than half"):
        stats.agrees(OURS, read, 0.4)


def test_a_margin_is_at_least_half_a_digit() -> None:
    assert stats.agrees(OURS, Printed(0.9, 0.1), 0.05).error is None
    assert stats.agrees(OURS, Printed(0.3, 0.1), 0.1 / 2).error is None
    for margin in (0.04, -1.0, math.nan):
        with pytest.raises(ValueError, match="margin"):
            stats.agrees(OURS, Printed(23.2, 0.1), margin)


@pytest.mark.parametrize(
    "bad",
    [
        {"mean": math.nan},
        {"unit": -0.1},
        {"spread": -0.2},
        {"spread": math.inf},
        {"kind": "variance"},
        {"n": 0},
        {"spread": 0.2, "n": 1},
        {"reading_error": -1.0},
    ],
)
def test_what_cannot_have_been_printed_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|unknown|one run"):
        Printed(**{"mean": 23.2, "unit": 0.1, **bad})  # type: ignore[arg-type]


def test_bad_seeds_are_an_error() -> None:
    printed = Printed(23.2, 0.1)
    assert stats.agrees([23.0, math.nan, 23.1], printed, 1.0).verdict() is Verdict.ERROR
    assert stats.agrees([], printed, 1.0).verdict() is Verdict.ERROR
    assert stats.agrees([23.1] * 4, printed, 1.0).verdict() is Verdict.ERROR
    two = stats.agrees([23.1, 23.2], printed, 1.0)
    assert (two.verdict(), two.p_contradicted) == (Verdict.INCONCLUSIVE, 1.0)


def test_expected_ranges_of_normals_in_print() -> None:
    """Expected ranges d2 from the control-chart tables."""
    for n, d2 in ((1, 0.0), (2, 1.128), (3, 1.693), (4, 2.059), (5, 2.326), (10, 3.078), (25, 3.931)):
        assert expected_range_of_normals(n) == pytest.approx(d2, abs=6e-4)
    with pytest.raises(ValueError, match="at least 1"):
        expected_range_of_normals(0)
