from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from lnbench import stats
from lnbench.stats import Region, Verdict
from lnbench.stats.correlation import average_ranks, to_zeta


def test_coefficients_are_scipys() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=20)
    y = np.round(x + rng.normal(size=20), 1)
    assert stats.coefficient_of(x, y) == pytest.approx(reference.pearsonr(x, y).statistic)
    assert stats.coefficient_of(x, y, "spearman") == pytest.approx(reference.spearmanr(x, y).statistic)
    assert average_ranks([3, 1, 3, 2]).tolist() == [3.5, 1, 3.5, 2]
    assert math.isnan(stats.coefficient_of(x, np.ones(20)))
    with pytest.raises(ValueError, match="against"):
        stats.coefficient_of([1, 2], [1])
    with pytest.raises(ValueError, match="coefficient"):
        stats.coefficient_of([1, 2], [1, 2], "kendall")


def test_fishers_interval_less_his_bias() -> None:
    """scipy's interval is Fisher's without the bias term r/(2(n - 1)), by which ours lies lower."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=15)
    y = x + rng.normal(size=15)
    found = reference.pearsonr(x, y)
    plain = found.confidence_interval(0.9)
    check = stats.correlation(found.statistic, 15, Region(0.2, 1.0))
    assert check.interval is not None
    bias = found.statistic / 28
    assert math.atanh(check.interval.low) == pytest.approx(math.atanh(plain.low) - bias)
    assert math.atanh(check.interval.high) == pytest.approx(math.atanh(plain.high) - bias)
    expected = reference.norm.sf((math.atanh(found.statistic) - bias - math.atanh(0.2)) * math.sqrt(12))
    assert check.p_reproduced == pytest.approx(expected)
    assert check.p_contradicted == pytest.approx(1 - expected)


def test_spearman_is_wider_and_capped() -> None:
    check = stats.correlation(0.7, 12, Region(0.2, 1.0), "spearman")
    assert check.se == pytest.approx(math.sqrt((1 + 0.49 / 2) / 9))
    perfect = stats.correlation(1.0, 8, Region(0.5, 1.0), "spearman")
    assert perfect.details["zeta"] == pytest.approx(math.atanh(1 - 6 / (8 * 63)))
    assert perfect.verdict() is Verdict.REPRODUCED


def test_regions_of_r() -> None:
    assert to_zeta(Region(0.6, 1.0)) == Region(math.atanh(0.6), math.inf)
    assert to_zeta(Region(-0.1, 0.1)) == Region(-math.atanh(0.1), math.atanh(0.1))
    assert stats.correlation(0.01, 300, Region(-0.2, 0.2)).verdict() is Verdict.REPRODUCED
    for region in (Region(-1.0, 1.0), Region.at_least(1.2), Region(0.5, 1.0).shift(1.0)):
        with pytest.raises(ValueError, match=r"region|edge"):
            stats.correlation(0.5, 20, region)


def test_correlations_that_cannot_be_judged() -> None:
    assert stats.correlation(0.99, 5, Region(0.5, 1.0)).verdict() is Verdict.INCONCLUSIVE
    assert stats.correlation(math.nan, 20, Region(0.5, 1.0)).verdict() is Verdict.ERROR
    assert stats.correlation(1.0, 20, Region(0.5, 1.0)).error == "r = 1: the two are one measurement"
    with pytest.raises(ValueError, match="coefficient"):
        stats.correlation(0.5, 20, Region(0.2, 1.0), "kendall")
    with pytest.raises(ValueError, match="alpha"):
        stats.correlation(0.5, 20, Region(0.2, 1.0), alpha=0.6)


def test_how_many_points_would_decide() -> None:
    check = stats.correlation(0.7, 12, Region(0.5, 1.0))
    n = stats.seeds_to_decide(check)
    assert n is not None
    gap = check.details["zeta"] - math.atanh(0.5)
    # z(.95) + z(.8) standard errors lie between effect and edge
    assert n == math.ceil(3 + ((1.6448536 + 0.8416212) / gap) ** 2)


def test_replicates_are_seeds() -> None:
    check = stats.correlation_replicates([2.1, 2.3, 2.2], Region(0.9, 1.0))
    mean = stats.judge_mean([2.1, 2.3, 2.2], Region.at_least(math.atanh(0.9)))
    assert check.p_reproduced == mean.p_reproduced
    assert check.details["r_region"] == (0.9, 1.0)
    assert check.details["r"] == pytest.approx(math.tanh(2.2))


def test_replicates_with_a_collapse_are_judged_by_signs_and_equal_ranks_by_their_step() -> None:
    zetas = [1.0 + 0.01 * seed for seed in range(10)]
    check = stats.correlation_replicates(zetas, Region.at_least(0.5), collapsed=[True] + [False] * 9)
    assert check.typical
    assert check.p_reproduced == pytest.approx(11 / 1024)
    equal = stats.correlation_replicates([1.5] * 5, Region.at_least(0.5), step=0.2)
    assert equal.sd_used == 0.1
    assert stats.correlation_replicates([1.5] * 5, Region.at_least(0.5)).verdict() is Verdict.ERROR
