"""What must hold whatever the data: noise never helps, units and order never matter, conditions never make it
easier.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lnbench import stats
from lnbench.stats import Check, Printed, Region, Verdict

numbers = st.floats(-10, 10, allow_nan=False).map(lambda x: round(x, 4))
seeds = st.lists(numbers, min_size=3, max_size=12)
regions = st.one_of(
    numbers.map(Region.at_least),
    numbers.map(Region.at_most),
    st.tuples(numbers, st.floats(0.01, 5)).map(lambda c: Region.from_margin(c[0], c[1])),
)
steps = st.sampled_from([1e-3, 0.01, 0.5])
p_values = st.floats(0, 1, allow_nan=False)


def varied(x: list[float]) -> bool:
    return max(x) - min(x) > 1e-3


@given(seeds, regions, st.floats(1, 10), st.sampled_from([0.0, 1e-3, 0.5]))
def test_more_noise_never_turns_a_verdict_into_a_pass(
    x: list[float], region: Region, factor: float, step: float
) -> None:
    assume(varied(x))
    mean = float(np.mean(x))
    noisier = [mean + factor * (v - mean) for v in x]
    before, after = (stats.judge_mean(v, region, step=step) for v in (x, noisier))
    if after.verdict() is Verdict.REPRODUCED:
        assert before.verdict() is Verdict.REPRODUCED
    if before.p_reproduced < 0.5:  # inside: every bit of noise costs
        assert after.p_reproduced >= before.p_reproduced * (1 - 1e-9)


@given(seeds, regions, steps, st.integers(2, 50))
def test_a_coarser_metric_never_turns_a_verdict_into_a_pass(
    x: list[float], region: Region, step: float, times: int
) -> None:
    fine, coarse = stats.judge_mean(x, region, step=step), stats.judge_mean(x, region, step=times * step)
    if coarse.verdict() is Verdict.REPRODUCED:
        assert fine.verdict() is Verdict.REPRODUCED


@given(seeds, regions, st.floats(0.01, 1000), st.floats(-1000, 1000), steps)
def test_units_do_not_matter(x: list[float], region: Region, scale: float, shift: float, step: float) -> None:
    before = stats.judge_mean(x, region, step=step)
    there = Region(region.low * scale + shift, region.high * scale + shift)
    after = stats.judge_mean([scale * v + shift for v in x], there, step=step * scale)
    # rounding of large shifts moves the floored spread's neighbours by some 1e-13
    assert after.p_reproduced == pytest.approx(before.p_reproduced, rel=1e-4, abs=1e-6)
    assert after.p_contradicted == pytest.approx(before.p_contradicted, rel=1e-4, abs=1e-6)


@given(seeds, regions, steps)
def test_mirrored_claims_get_mirrored_verdicts(x: list[float], region: Region, step: float) -> None:
    before = stats.judge_mean(x, region, step=step)
    after = stats.judge_mean([-v for v in x], Region(-region.high, -region.low), step=step)
    assert after.p_reproduced == pytest.approx(before.p_reproduced, rel=1e-6, abs=1e-12)
    assert after.p_contradicted == pytest.approx(before.p_contradicted, rel=1e-6, abs=1e-12)


@given(
    st.lists(st.tuples(numbers, st.booleans()), min_size=3, max_size=12),
    regions,
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_seeds_does_not_matter(data: list[tuple[float, bool]], region: Region, random: object) -> None:
    shuffled = list(data)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = [
        stats.judge_mean([v for v, _ in d], region, step=1e-3, collapsed=[c for _, c in d]) for d in (data, shuffled)
    ]
    assert found[0].p_reproduced == pytest.approx(found[1].p_reproduced, rel=1e-9)
    assert found[0].p_contradicted == pytest.approx(found[1].p_contradicted, rel=1e-9)


@given(seeds, regions, st.data())
def test_one_more_collapse_never_helps_among_collapses(x: list[float], region: Region, data: st.DataObject) -> None:
    mask = data.draw(st.lists(st.booleans(), min_size=len(x), max_size=len(x)).filter(any))
    more = [
        a or b for a, b in zip(mask, data.draw(st.lists(st.booleans(), min_size=len(x), max_size=len(x))), strict=True)
    ]
    before, after = (stats.judge_mean(x, region, step=1e-3, collapsed=m) for m in (mask, more))
    assert after.p_reproduced >= before.p_reproduced


@given(st.lists(st.tuples(p_values, p_values), min_size=1, max_size=8), p_values, p_values)
def test_one_more_condition_never_makes_it_easier(parts: list[tuple[float, float]], p: float, q: float) -> None:
    checks = [Check(kind="mean", p_reproduced=a, p_contradicted=b) for a, b in parts]
    more = [*checks, Check(kind="mean", p_reproduced=p, p_contradicted=q)]
    assert stats.partial_conjunction(more).p_reproduced >= stats.partial_conjunction(checks).p_reproduced
    # nor is "any of" easier to contradict
    before, after = stats.partial_conjunction(checks, 1), stats.partial_conjunction(more, 1)
    assert after.p_contradicted >= before.p_contradicted


@given(st.lists(st.tuples(p_values, p_values), min_size=2, max_size=8), st.data())
def test_parts_that_support_more_support_the_whole_more(parts: list[tuple[float, float]], data: st.DataObject) -> None:
    q = data.draw(st.integers(1, len(parts)))
    better = [(a * data.draw(st.floats(0, 1)), b) for a, b in parts]
    one, two = (stats.partial_conjunction_p([a for a, _ in p], [b for _, b in p], q)[0] for p in (parts, better))
    assert two <= one


@given(seeds, regions, st.sampled_from([0.0, 1e-3, 0.5]))
def test_never_both_verdicts(x: list[float], region: Region, step: float) -> None:
    check = stats.judge_mean(x, region, step=step)
    assert check.error or min(check.p_reproduced, check.p_contradicted) >= 0
    assert not (check.p_reproduced <= 0.05 and check.p_contradicted <= 0.05)


@given(seeds, regions)
def test_the_interval_and_p_tell_one_story(x: list[float], region: Region) -> None:
    assume(varied(x))
    check = stats.judge_mean(x, region)
    assert check.interval is not None
    assume(abs(check.p_reproduced - 0.05) > 1e-9 and abs(check.p_contradicted - 0.05) > 1e-9)
    if len(x) >= stats.FEWEST_TO_DECIDE and not set(x) & set(region.edges):  # a seed on an edge is on no side of it
        assert (check.p_reproduced <= 0.05) == region.holds(check.interval)
    if check.p_contradicted <= 0.05:
        assert region.excludes(check.interval)


@given(
    seeds,
    numbers,
    st.floats(0.1, 5),
    st.sampled_from(["sd", "se", "ci95", "unknown"]),
    st.floats(0, 5),
    st.floats(0, 5),
)
def test_a_looser_paper_never_makes_an_accusation_easier(
    x: list[float], mean: float, margin: float, kind: str, spread: float, more: float
) -> None:
    assume(varied(x))
    tight, loose = (stats.agrees(x, Printed(mean, 0.1, s, 0.1, kind, 5), margin) for s in (spread, spread + more))
    if loose.p_contradicted <= 0.05:  # df may rise with S0, as Welch's does, by less than this
        assert tight.p_contradicted <= 0.06
    assert tight.p_reproduced == loose.p_reproduced


@given(st.lists(p_values, min_size=1, max_size=10))
def test_holm_never_lowers_a_p_and_keeps_their_order(p: list[float]) -> None:
    adjusted = stats.holm(p)
    assert all(b >= a for a, b in zip(p, adjusted, strict=True))
    order = np.argsort(p, kind="stable")
    assert all(a <= b for a, b in zip(np.array(adjusted)[order], np.array(adjusted)[order][1:], strict=False))


@given(st.integers(0, 30), st.integers(1, 30), st.floats(0.05, 0.95))
def test_one_more_success_never_hurts(k: int, n: int, pi: float) -> None:
    assume(k < n)
    fewer, more = stats.every_run(k, n, pi), stats.every_run(k + 1, n, pi)
    assert more.p_reproduced <= fewer.p_reproduced + 1e-12
    assert more.p_contradicted >= fewer.p_contradicted - 1e-12


@settings(max_examples=40, deadline=None)
@given(seeds, regions)
def test_an_announced_number_of_seeds_is_more_than_there_are(x: list[float], region: Region) -> None:
    assume(varied(x))
    check = stats.judge_mean(x, region)
    n = stats.seeds_to_decide(check)
    if check.verdict() is Verdict.INCONCLUSIVE:
        assert (
            n is None or n > len(x) or math.isclose(max(check.p_reproduced, check.p_contradicted), 0.95, abs_tol=0.03)
        )
    elif check.p_reproduced < 1e-4:
        assert n is not None
        assert n <= len(x)
