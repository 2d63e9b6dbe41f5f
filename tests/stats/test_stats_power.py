"""Announced power: against published numbers, scipy's noncentral t, and its own limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate
from scipy import stats as reference

from lnbench import stats
from lnbench.stats import Printed, Region, Verdict
from lnbench.stats.power import student_power


@pytest.mark.parametrize("n", [3, 5, 10, 50, 1000])
@pytest.mark.parametrize("d", [-1.0, 0.0, 0.05, 0.5, 2.0])
def test_one_edge_is_the_noncentral_t(n: int, d: float) -> None:
    expected = reference.nct.sf(reference.t.ppf(0.95, n - 1), n - 1, d * math.sqrt(n))
    if not math.isnan(expected):
        assert stats.power_one_edge(n, d) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n", "m", "delta"), [(3, 1.0, 0.0), (5, 0.6, 0.3), (10, 2.0, 1.5), (4, 0.1, 0.0)])
def test_two_edges_is_the_published_integral(n: int, m: float, delta: float) -> None:
    t, root = reference.t.ppf(0.95, n - 1), math.sqrt(n)

    def integrand(y: float) -> float:
        inside = reference.norm.cdf((m - delta) * root - t * y) - reference.norm.cdf(-(m + delta) * root + t * y)
        return max(0.0, inside) * reference.chi.pdf(y * math.sqrt(n - 1), n - 1) * math.sqrt(n - 1)

    expected, _ = integrate.quad(integrand, 0, m * root / t)
    assert stats.power_two_edges(n, m, delta) == pytest.approx(expected, abs=1e-7)


def test_power_in_the_specification() -> None:
    """A true equality is confirmed, in %, at m = 1, 2, 3 sd; one edge 2 sd away."""
    for n, percents in ((3, (13, 56, 88)), (5, (29, 95, 100)), (10, (80, 100, 100))):
        assert [round(100 * stats.power_two_edges(n, m)) for m in (1.0, 2.0, 3.0)] == pytest.approx(percents, abs=1)
    assert stats.power_one_edge(3, 2.0) == pytest.approx(0.71, abs=0.005)
    assert stats.power_one_edge(5, 2.0) == pytest.approx(0.975, abs=0.0005)  # 97 %: docs/statistics.md
    assert [round(stats.pilot_factor(n), 2) for n in (3, 5, 10)] == [2.12, 1.56, 1.29]


def test_a_textbook_sample_size() -> None:
    """Cohen's d = .5, one-sided α = .05, one sample: 27 observations for 80 % (Cohen 1988; G*Power)."""
    x = np.concatenate([[-1.0, 1.0] * 10])
    x = 0.5 + x / np.std(x, ddof=1)
    check = stats.judge_mean(x[:20], Region.at_least(0.0))
    assert check.effect == pytest.approx(0.5)
    assert check.sd == pytest.approx(1.0)
    for target, expected in ((0.8, 27), (0.95, 45)):
        assert next(n for n in range(3, 99) if student_power(Region.at_least(0.0), 0.5, 1.0, n) >= target) == expected
    # signs know less of normal seeds: their efficiency against t is 2/π (Pitman)
    assert 27 < (stats.seeds_to_decide(check) or 0) < 27 * math.pi / 2


def test_power_at_its_limits() -> None:
    assert stats.power_one_edge(2, 100.0) == 0.0
    assert stats.power_two_edges(2, 100.0) == 0.0
    assert stats.power_to_contradict(2, 0.0, 100.0) == 0.0
    assert stats.power_one_edge(10, 1000.0) == pytest.approx(1.0)
    assert stats.power_one_edge(5, 0.0) == pytest.approx(0.05)
    assert stats.power_to_contradict(5, 0.0, 0.0) == pytest.approx(0.05, abs=1e-6)
    assert stats.power_to_contradict(7, 5.0, 5.0) == pytest.approx(0.05, abs=1e-6)
    assert stats.power_two_edges(5, 0.0) == 0.0
    assert stats.power_two_edges(5, math.inf) == 1.0
    assert stats.power_of(Region.at_least(0.0), 1.0, 0.0, 4) == 1.0
    assert stats.power_of(Region.at_least(0.0), 1.0, 0.0, 3) == 0.0
    assert stats.power_of(Region.at_least(0.0), 0.0, 0.0, 4) == 0.0


def test_power_arguments() -> None:
    for bad in (
        lambda: stats.power_one_edge(0, 1.0),
        lambda: stats.power_one_edge(3, 1.0, alpha=0.7),
        lambda: stats.power_two_edges(3, -1.0),
        lambda: stats.power_of(Region(), 0.0, 1.0, 3),
        lambda: stats.power_of(Region.at_least(0), 0.0, -1.0, 3),
        lambda: stats.pilot_factor(1),
        lambda: stats.seeds_to_decide(stats.Check(kind="mean"), 1.0),
        lambda: stats.seeds_to_decide(stats.Check(kind="mean"), most=2),
    ):
        with pytest.raises(ValueError):
            bad()


def test_more_seeds_have_more_power() -> None:
    for d in (0.2, 1.0):
        powers = [stats.power_one_edge(n, d) for n in range(3, 60)]
        assert powers == sorted(powers)
        powers = [stats.power_to_contradict(n, d / 2, d) for n in range(3, 60)]
        assert powers == sorted(powers)
        # three seeds may lie together by luck: in a narrow region power first falls, far below any target
        powers = [stats.power_two_edges(n, d, d / 3) for n in range(3, 200)]
        first = next(k for k, power in enumerate(powers) if power > 0.05)
        assert min(np.diff(powers[first:])) > -1e-12


def test_looks_cost_power() -> None:
    region = Region.at_least(0.0)
    assert stats.power_of(region, 1.0, 1.0, 5, looks=3) < stats.power_of(region, 1.0, 1.0, 5)


def test_what_no_number_of_seeds_decides() -> None:
    edge = stats.judge_mean([-1.0, 0.0, 1.0], Region.at_least(0.0))
    assert stats.seeds_to_decide(edge) is None
    near = stats.judge_mean([-0.99, 0.01, 1.01], Region.at_least(0.0))
    assert stats.seeds_to_decide(near) is None
    # between m and m + u0/2 a printed number can neither be confirmed nor refuted
    grey = stats.agrees([24.23, 24.24, 24.22, 24.23], Printed(23.2, 0.1, 0.0, 0.1, "se", 50), 1.0)
    assert grey.verdict() is Verdict.INCONCLUSIVE
    assert stats.seeds_to_decide(grey) is None
    assert stats.seeds_to_decide(stats.above([1.0, 2.0], 0.0)) is None
    assert stats.seeds_to_decide(stats.unjudged("above", "no seeds")) is None
    assert stats.seeds_to_decide(stats.every_run(5, 10)) is None


def test_the_answer_is_the_smallest() -> None:
    checks = [
        stats.above([0.9312, 0.9287, 0.9341, 0.9299, 0.932], 0.93, step=1e-4),
        stats.equivalent([0.5, -0.2, 0.9, 0.1], 1.0),
        stats.equivalent([1.5, 0.2, 1.9, 2.1], 1.0),
    ]
    for check in checks:
        n = stats.seeds_to_decide(check)
        assert n is not None
        assert check.effect is not None
        assert check.sd_used is not None
        assert check.region is not None
        assert stats.power_of(check.region, check.effect, check.sd_used, n) >= 0.8
        assert stats.power_of(check.region, check.effect, check.sd_used, n - 1) < 0.8


def all_of(*parts: list[float], at_least: int | None = None) -> stats.Check:
    """A claim of several differences above 0, all of them or `at_least`."""
    return stats.partial_conjunction([stats.ordered(part) for part in parts], at_least)


def test_a_composite_waits_for_the_last_part_it_needs() -> None:
    slow, fast = [0.9, -0.2, 1.6, 0.3, 0.8], [1.4, 1.6, 1.5, 1.1, 1.2]
    both, either = all_of(slow, fast), all_of(slow, fast, at_least=1)
    n_both, n_either = stats.seeds_to_decide(both), stats.seeds_to_decide(either)
    alone = stats.seeds_to_decide(stats.ordered(slow))
    assert n_both is not None
    assert n_either is not None
    assert alone is not None
    assert n_both >= alone > n_either
    assert stats.seeds_to_decide(all_of(slow, [-1.0, 0.0, 1.0])) is None


def test_a_refuted_part_decides_a_claim_of_all() -> None:
    slow, against = [0.05, -0.2, 0.1, 0.3, -0.18], [-1.4, -0.6, -0.5, -1.1, 0.2]
    assert stats.seeds_to_decide(all_of(slow, against)) is not None


def test_parts_that_must_all_hold_need_more_seeds_than_one_of_them() -> None:
    """Two parts decided with 80 % each are both decided less often: each needs √.8."""
    slow = [0.9, -0.2, 1.6, 0.3, 0.8]
    both, alone = stats.seeds_to_decide(all_of(slow, slow)), stats.ordered(slow)
    assert both == stats.seeds_to_decide(alone, math.sqrt(0.8))
    assert both != stats.seeds_to_decide(alone)


@pytest.mark.parametrize(("margin", "n"), [(None, 5), (0.01, 6)])
def test_collapses_that_would_contradict(margin: float | None, n: int) -> None:
    """All seeds of four beyond: five would contradict one edge, six two."""
    values, lost = [-0.8] * 4, [True] * 4
    if margin is None:
        check = stats.ordered(values, step=1e-4, collapsed=lost)
    else:
        check = stats.equivalent(values, margin, step=1e-4, collapsed=lost)
    assert check.verdict() is Verdict.INCONCLUSIVE
    assert stats.seeds_to_decide(check) == n
