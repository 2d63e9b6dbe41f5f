"""Small telescopes and prediction intervals, against scipy's noncentral t, simulation and `agrees`."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from lnbench import stats
from lnbench.stats.prediction import predicted, prediction
from lnbench.stats.printed import Printed
from lnbench.stats.telescope import (
    THIRD,
    chance_to_show,
    detectable,
    lower_noncentral,
    spread_of_runs,
    telescope,
)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 30])
@pytest.mark.parametrize("d", [-0.5, 0.0, 0.3, 1.0, 2.5])
def test_what_few_runs_show_is_scipys_noncentral_t(n: int, d: float) -> None:
    critical = reference.t.ppf(0.95, n - 1)
    expected = reference.nct.sf(critical, n - 1, d * math.sqrt(n)) if d else 0.05
    assert chance_to_show(n, d) == pytest.approx(expected, abs=1e-8)
    assert lower_noncentral(1.3, n, 0.7) == pytest.approx(reference.nct.cdf(1.3, n - 1, 0.7), abs=1e-8)


@pytest.mark.parametrize("n0", [2, 3, 5, 20])
def test_d33_is_shown_one_time_in_three(n0: int) -> None:
    d = detectable(n0)
    assert reference.nct.sf(reference.t.ppf(0.95, n0 - 1), n0 - 1, d * math.sqrt(n0)) == pytest.approx(THIRD, abs=1e-8)


def test_d33_of_simonsohns_own_example() -> None:
    """His d33 of two cells of 20, two-sided at .05, is .5 sd of one person: 38 df, noncentrality d·√(20/2). One sample
    of 39, one-sided at .025, has as many df."""
    noncentrality = detectable(39, alpha=0.025) * math.sqrt(39)
    two_cells = noncentrality / math.sqrt(20 / 2)
    assert two_cells == pytest.approx(0.5, abs=0.01)


def test_more_runs_see_smaller_effects() -> None:
    seen = [detectable(n) for n in range(2, 12)]
    assert seen == sorted(seen, reverse=True)
    assert chance_to_show(1, 100.0) == 0.0
    assert telescope(1.0, 1.0, 5, 1).d33 is None


def test_an_estimate_at_d33_is_not_clearly_smaller_and_one_of_nothing_is() -> None:
    at = telescope(detectable(4), 1.0, 10, 4, sd0=1.0)
    assert at.p_smaller == pytest.approx(0.5)
    assert at.power == pytest.approx(THIRD, abs=1e-8)
    nothing = telescope(0.0, 0.5, 10, 4)
    assert nothing.p_smaller is not None and nothing.p_smaller < 0.05
    assert nothing.power == pytest.approx(0.05, abs=1e-8)
    assert nothing.edge33 == pytest.approx(0.5 * detectable(4))


def test_the_papers_spread_is_that_of_its_runs_and_ours_that_of_our_mean() -> None:
    effect, sd, n, n0, sd0 = 1.2, 0.5, 6, 4, 2.0
    found = telescope(effect, sd, n, n0, sd0=sd0)
    critical = reference.t.ppf(0.95, n0 - 1)
    assert found.power == pytest.approx(reference.nct.sf(critical, n0 - 1, effect / sd0 * math.sqrt(n0)), abs=1e-8)
    assert found.d33 == pytest.approx(detectable(n0))
    assert found.edge33 == pytest.approx(sd0 * detectable(n0))
    t = (sd0 * detectable(n0) - effect) / (sd / math.sqrt(n))
    assert found.p_smaller == pytest.approx(reference.t.sf(t, n - 1), abs=1e-10)
    ours = telescope(effect, sd, n, n0)
    expected = reference.nct.cdf(effect * math.sqrt(n) / sd, n - 1, detectable(n0) * math.sqrt(n))
    assert ours.p_smaller == pytest.approx(expected, abs=1e-8)
    assert ours.power == pytest.approx(reference.nct.sf(critical, n0 - 1, effect / sd * math.sqrt(n0)), abs=1e-8)


@pytest.mark.parametrize("known", [True, False])
def test_clearly_smaller_is_said_falsely_at_most_one_time_in_twenty(known: bool) -> None:
    """The truth is d33 exactly: "clearly smaller" is then false. 10,000 studies."""
    draw, n, n0 = np.random.default_rng(5), 6, 4
    values = draw.normal(detectable(n0), 1.0, (10_000, n))
    means, sds = values.mean(axis=1), values.std(axis=1, ddof=1)
    found = [telescope(m, s, n, n0, sd0=1.0 if known else None) for m, s in zip(means, sds, strict=True)]
    false = np.mean([one.p_smaller is not None and one.p_smaller <= 0.05 for one in found])
    assert false == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 10_000))


@pytest.mark.parametrize(
    ("kind", "n", "sd"),
    [("sd", 5, 0.2 * math.sqrt(5 / 4)), ("sd_sample", 5, 0.2), ("se", 4, 0.4), ("ci95", 4, 0.4 / 1.96),
     ("range", 3, 0.2 / 1.6926), ("unknown", 5, None), ("sd", None, None)],
)  # fmt: skip
def test_a_printed_spread_is_read_as_it_says(kind: str, n: int | None, sd: float | None) -> None:
    found = spread_of_runs(Printed(23.2, 0.1, 0.2, 0.1, kind, n))
    assert found == (sd if sd is None else pytest.approx(sd, rel=1e-4))
    assert spread_of_runs(Printed(23.2, 0.1, 0.0, 0.1, "sd", 5)) is None


@pytest.mark.parametrize("bad", [{"n": 1}, {"sd": 0.0}, {"sd0": 0.0}])
def test_bad_arguments(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="telescope needs"):
        telescope(**({"effect": 1.0, "sd": 1.0, "n": 5, "n0": 5} | bad))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 2 runs"):
        detectable(1)
    with pytest.raises(ValueError, match="at least 2 runs"):
        prediction(Printed(1.0, 0.1), 0.1, 1)


PRINTED = [
    Printed(0.9, 0.01),
    Printed(0.9, 0.01, n=5),
    Printed(0.9, 0.01, 0.02, 0.01, "sd", 4),
    Printed(0.9, 0.01, 0.02, 0.01, "unknown", None),
    Printed(0.9, 0.01, 0.0, 0.0, "se", 3),
]


@pytest.mark.parametrize("printed", PRINTED, ids=str)
def test_a_prediction_is_that_of_agrees_and_of_a_tables_count(printed: Printed) -> None:
    for mean in (0.9, 0.93, 1.1):
        values = [mean - 0.01, mean, mean + 0.012, mean + 0.003, mean - 0.004]
        check = stats.agrees(values, printed, 0.05)
        assert check.sd_used is not None
        found = prediction(printed, check.sd_used, 5)
        outside = stats.outside_prediction(check)
        assert outside is not found.holds(check.details["mean"])
        again = predicted(printed.mean, check.details["wide_se"], check.details["wide_df"], check.details["half_digit"])
        assert (again.low, again.high) == pytest.approx((found.low, found.high))


def test_a_prediction_holds_our_mean_as_often_as_it_says() -> None:
    """A lone number, from one run that varies as ours do: 4,000 pairs of a printed number and our five runs."""
    draw, n, times = np.random.default_rng(6), 5, 4000
    x0, ours = draw.normal(0.0, 1.0, times), draw.normal(0.0, 1.0, (times, n))
    held = [
        prediction(Printed(x, 1e-9), float(row.std(ddof=1)), n, like_ours=True).holds(float(row.mean()))
        for x, row in zip(x0, ours, strict=True)
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / times))
