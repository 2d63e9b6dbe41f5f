from __future__ import annotations

import math

import pytest

from lnbench.stats import Check, Interval, Region, Verdict, unjudged
from lnbench.verdict import Counts, counts_as


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (Region.at_least(0.9), "at least 0.9"),
        (Region.at_most(0.3), "at most 0.3"),
        (Region(0.89, 0.93), "between 0.89 and 0.93"),
        (Region.at_least(0.0), "above 0"),
        (Region.at_most(0), "below 0"),
        (Region.from_margin(0.91, 0.02), "between 0.89 and 0.93"),
        (Region(1.0, 1.0), "exactly 1"),
        (Region(), "anything"),
    ],
)
def test_a_region_describes_itself(region: Region, words: str) -> None:
    assert region.describe() == words


def test_units_follow_the_numbers() -> None:
    assert Region(1, 2).describe(" %") == "between 1 % and 2 %"


@pytest.mark.parametrize("edges", [(math.nan, 1.0), (0.0, math.nan), (2.0, 1.0)])
def test_impossible_edges_are_refused(edges: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="edge"):
        Region(*edges)
    with pytest.raises(ValueError, match="edge"):
        Interval(*edges, 0.9)


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf])
def test_impossible_margins_are_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        Region.from_margin(0.0, margin)


def test_confidence_is_a_share() -> None:
    with pytest.raises(ValueError, match="confidence"):
        Interval(0.0, 1.0, 90)


def test_interval_and_region_move_and_meet() -> None:
    region, interval = Region(0.0, 1.0), Interval(0.2, 0.8, 0.9)
    assert region.holds(interval)
    assert not region.holds(interval.shift(0.5))
    assert not region.excludes(interval.shift(0.5))
    assert region.excludes(interval.shift(1.0))
    assert region.shift(1.0) == Region(1.0, 2.0)
    assert region.widen(0.5) == Region(-0.5, 1.5)
    assert region.contains(1.0)
    assert not region.contains(1.1)
    assert Region.at_least(1.0).map(math.log) == Region.at_least(0.0)
    assert interval.map(lambda x: 10 * x) == Interval(2.0, 8.0, 0.9)
    assert Region.at_least(2.0).edges == (2.0,)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_a_check_holds_probabilities(p: float) -> None:
    with pytest.raises(ValueError, match="p_reproduced"):
        Check(kind="mean", p_reproduced=p)


def test_an_error_is_a_verdict_and_not_an_exception() -> None:
    check = unjudged("above", "half a pair", n=4)
    assert check.verdict() is Verdict.ERROR
    assert (check.p_reproduced, check.p_contradicted) == (1.0, 1.0)


def test_verdicts_are_their_words() -> None:
    assert str(Verdict.NOT_COMPARABLE) == "not-comparable"
    assert Verdict("not-run") is Verdict.NOT_RUN
    counts = {verdict.value: verdict.counts for verdict in Verdict}
    assert [word for word, found in counts.items() if found is Counts.PASS] == ["reproduced", "held", "smoke-pass"]
    assert [word for word, found in counts.items() if found is Counts.FAIL] == ["contradicted", "failed", "smoke-fail"]
    assert [word for word, found in counts.items() if found is Counts.ERROR] == ["error"]
    open_words = {
        "inconclusive",
        "open",
        "outside-as-run",
        "depends-on",
        "post-hoc",
        "not-in-regime",
        "not-comparable",
        "not-testable",
        "not-run",
    }
    assert {word for word, found in counts.items() if found is Counts.NEITHER} == open_words
    assert counts_as("a word of a later lnbench") is Counts.NEITHER


def test_values_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Region().low = 1.0  # type: ignore[misc]
    check = Check(kind="mean")
    assert check.with_notes("a").notes == ("a",)
    assert check.notes == ()
    assert check.with_details(a=1).details == {"a": 1}
