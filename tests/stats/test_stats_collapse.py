"""Collapsed runs: counted, on no good side, and never averaged."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from lnbench import stats
from lnbench.stats import Printed, Verdict


def test_a_collapse_is_no_better_than_chance() -> None:
    limit = 0.1 + 3 * math.sqrt(0.09 / 10_000)
    assert stats.collapse_limit(0.1, 10_000) == pytest.approx(limit)
    assert stats.is_collapsed(limit, 0.1, 10_000)
    assert not stats.is_collapsed(limit + 1e-6, 0.1, 10_000)
    assert stats.is_collapsed(0.99, 0.1, 10_000, diverged=True)
    assert stats.is_collapsed(math.nan, 0.1, 10_000)


@pytest.mark.parametrize(("chance", "n"), [(-0.1, 10), (1.0, 10), (0.1, 0)])
def test_impossible_chance_is_refused(chance: float, n: int) -> None:
    with pytest.raises(ValueError, match="must"):
        stats.collapse_limit(chance, n)


@pytest.mark.parametrize(("k", "n"), [(0, 5), (1, 5), (5, 5), (9, 10), (3, 29)])
def test_sign_test_and_clopper_pearson_are_scipys(k: int, n: int) -> None:
    test = reference.binomtest(k, n, 0.5, alternative="greater")
    assert stats.sign_test_p(k, n) == pytest.approx(test.pvalue)
    both = reference.binomtest(k, n).proportion_ci(0.9, method="exact")
    found = stats.clopper_pearson(k, n)
    assert (found.low, found.high) == pytest.approx((both.low, both.high))


def test_clopper_pearson_in_print() -> None:
    """The interval of 1 in 10 at 95 % (Clopper & Pearson's tables): .0025 to .4450."""
    found = stats.clopper_pearson(1, 10, 0.025)
    assert (found.low, found.high) == pytest.approx((0.0025, 0.4450), abs=5e-5)
    with pytest.raises(ValueError, match="count"):
        stats.clopper_pearson(3, 2)


def seeds(good: int, lost: int) -> tuple[list[float], list[bool]]:
    return [0.95 + 0.001 * i for i in range(good)] + [0.1] * lost, [False] * good + [True] * lost


@pytest.mark.parametrize(
    ("good", "lost", "verdict"),
    [
        (4, 1, Verdict.INCONCLUSIVE),  # 5/32 + 1/32
        (9, 1, Verdict.REPRODUCED),  # 11/1024
        (7, 1, Verdict.REPRODUCED),  # 9/256
        (6, 1, Verdict.INCONCLUSIVE),  # 8/128
        (0, 5, Verdict.CONTRADICTED),  # 1/32
        (0, 4, Verdict.INCONCLUSIVE),
    ],
)
def test_a_threshold_with_collapses(good: int, lost: int, verdict: Verdict) -> None:
    values, collapsed = seeds(good, lost)
    check = stats.above(values, 0.9, step=1e-4, collapsed=collapsed)
    assert check.verdict() is verdict
    assert check.typical
    assert check.interval is None
    assert check.collapsed == lost
    assert check.p_reproduced == pytest.approx(reference.binomtest(good, good + lost, alternative="greater").pvalue)
    assert f"{lost} of {good + lost} runs collapsed" in check.notes[0]


def test_two_arms_at_chance_are_never_equivalent() -> None:
    check = stats.equivalent([0.0] * 8, 0.01, step=1e-4, collapsed=[True] * 8)
    assert check.p_reproduced == 1.0
    assert check.verdict() is Verdict.INCONCLUSIVE


def test_contradiction_by_collapse_takes_six_seeds_with_two_edges() -> None:
    for n, verdict in ((5, Verdict.INCONCLUSIVE), (6, Verdict.CONTRADICTED)):
        check = stats.equivalent([-0.8] * n, 0.01, step=1e-4, collapsed=[True] * n)
        assert check.p_contradicted == pytest.approx(2 / 2**n)
        assert check.verdict() is verdict


def test_a_collapsed_seed_is_beyond_only_if_its_effect_is() -> None:
    """Below .3: a run at chance .1 is not above .3, and it is on no good side either."""
    check = stats.below([0.1] * 6, 0.3, step=1e-4, collapsed=[True] * 6)
    assert (check.p_reproduced, check.p_contradicted) == (1.0, 1.0)


def test_a_collapsed_run_without_an_effect_counts_against() -> None:
    check = stats.judge_mean([1.1, 1.2, 1.3, 1.2, math.nan], stats.Region(1.0, 1.5), collapsed=[0, 0, 0, 0, 1])
    assert check.error is None
    assert check.effect is None
    assert check.p_reproduced == pytest.approx(6 / 32)
    assert stats.judge_mean([1.1, 1.2, math.nan], stats.Region(1.0, 1.5)).verdict() is Verdict.ERROR


def test_strictly_beyond_survives_rounding() -> None:
    """.93 - .92 is above .01 in floats: a seed on the edge is beyond it for nobody."""
    check = stats.ordered([0.93 - 0.92] * 6 + [0.0], 0.01, step=1e-4, collapsed=[False] * 6 + [True])
    assert check.details["seeds_good"] == 0
    assert check.details["seeds_beyond"] == 1


def test_collapse_in_a_printed_number_moves_the_edges_out() -> None:
    """p_contradicted counts seeds beyond m + u0/2 + 2·S0; S0 of a printed se of .5 is .55."""
    printed = Printed(90.0, 0.1, 0.5, 0.1, "se", 5)
    edge = 90 - 1 - 0.05 - 2 * 0.55
    lost = [False] * 7 + [True]
    near = stats.agrees([edge + 0.01] * 7 + [10.0], printed, 1.0, step=0.01, collapsed=lost)
    far = stats.agrees([edge - 0.01] * 7 + [10.0], printed, 1.0, step=0.01, collapsed=lost)
    assert near.details["seeds_beyond"] == 1
    assert far.details["seeds_beyond"] == 8
    assert far.verdict() is Verdict.CONTRADICTED
    assert far.effect == pytest.approx(edge - 0.01 - 90)


def test_a_lone_number_takes_its_luck_from_the_uncollapsed() -> None:
    lone = Printed(90.0, 0.1)
    values = [89.0, 90.0, 91.0, 10.0]
    check = stats.agrees(values, lone, 1.0, step=0.01, collapsed=[0, 0, 0, 1])
    assert check.details["S0"] == pytest.approx(2.0 * np.std(values[:3], ddof=1))
    few = stats.agrees(values, lone, 1.0, step=0.01, collapsed=[0, 0, 1, 1])
    assert few.details["S0"] == 0.0


def test_the_mask_has_one_flag_a_seed() -> None:
    with pytest.raises(ValueError, match="one a seed"):
        stats.above([0.9, 0.8, 0.7], 0.5, collapsed=[True])
