"""The power that is announced is the power that simulated studies have."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from lnbench import stats
from lnbench.judge.kinds import Pilot, kind_of
from lnbench.spec import Number, Part, parts
from lnbench.stats import Check, Region, Verdict
from tests.calibration.simulated import Numbers, judged, judged_study, member
from tests.calibration.worlds import above, near, same

repetitions = 0  # studies that are simulated for one power


@pytest.fixture(autouse=True, params=[1000, pytest.param(4000, marks=pytest.mark.long)], ids=["quickly", "finely"])
def _repetitions(request: pytest.FixtureRequest) -> None:
    global repetitions
    repetitions = request.param


def simulated(draw: Callable[[np.random.Generator], Check], verdict: Verdict) -> float:
    rng = np.random.default_rng(20)
    return sum(draw(rng).verdict() is verdict for _ in range(repetitions)) / repetitions


def close(found: float, announced: float, slack: float = 0.0) -> bool:
    return abs(found - announced) <= slack + 3 * math.sqrt(announced * (1 - announced) / repetitions) + 1e-3


SLACK = 0.02  # the power of both rules is counted over 8,000 studies


@pytest.mark.parametrize(("n", "distance"), [(4, 2.0), (5, 1.0), (7, 1.0), (10, 0.5), (10, -0.2)])
def test_one_edge(n: int, distance: float) -> None:
    verdict = Verdict.REPRODUCED if distance > 0 else Verdict.CONTRADICTED
    found = simulated(lambda rng: judged(above(0.0), member(rng.normal(distance, 1, n))), verdict)
    assert close(found, stats.power_of(Region.at_least(0.0), distance, 1.0, n), SLACK)


@pytest.mark.parametrize(("n", "half", "offset"), [(4, 2.5, 0.0), (5, 1.5, 0.5), (10, 1.0, 0.0), (10, 0.5, 0.4)])
def test_inside_two_edges(n: int, half: float, offset: float) -> None:
    found = simulated(lambda rng: judged(same(half or 1e-12), member(rng.normal(offset, 1, n))), Verdict.REPRODUCED)
    assert close(found, stats.power_of(Region(-half, half), offset, 1.0, n), SLACK)


@pytest.mark.parametrize(("n", "half", "offset"), [(6, 0.01, 2.0), (5, 0.1, 1.0), (5, 1.0, 2.5), (10, 0.5, -1.2)])
def test_outside_two_edges(n: int, half: float, offset: float) -> None:
    found = simulated(lambda rng: judged(same(half or 1e-12), member(rng.normal(offset, 1, n))), Verdict.CONTRADICTED)
    assert close(found, stats.power_of(Region(-half, half), offset, 1.0, n), SLACK)


def decided_with(check: Check, draw: Callable[[np.random.Generator, int], Check], verdict: Verdict) -> float:
    """How often a study with the announced number of seeds decides, if the world is as measured."""
    n = stats.seeds_to_decide(check)
    assert n is not None
    return simulated(lambda rng: draw(rng, n), verdict)


def world(check: Check) -> tuple[float, float]:
    assert check.effect is not None
    assert check.sd_used is not None
    return check.effect, check.sd_used


def enough(found: float) -> bool:
    """At least the 80 % asked for, and not with many times the seeds that this takes."""
    return 0.75 < found < 0.95  # against a printed number the power of both rules is the smaller of the two, or less


def test_seeds_to_decide_of_a_threshold() -> None:
    check = judged(above(0.93), member([0.9312, 0.9287, 0.9341, 0.9299, 0.932], step=1e-4))
    mean, sd = world(check)
    assert enough(
        decided_with(check, lambda rng, n: judged(above(0.93), member(rng.normal(mean, sd, n))), Verdict.REPRODUCED)
    )


def test_seeds_to_decide_outside_a_margin() -> None:
    check = judged(same(0.9), member([0.2, 1.9, 1.4, 2.6, 0.4]))
    assert check.verdict() is Verdict.INCONCLUSIVE
    mean, sd = world(check)
    found = decided_with(check, lambda rng, n: judged(same(0.9), member(rng.normal(mean, sd, n))), Verdict.CONTRADICTED)
    assert enough(found)


@pytest.mark.parametrize("spread", [None, 0.2])
def test_seeds_to_decide_against_a_printed_number(spread: float | None) -> None:
    printed = Number(23.2, 0.1, spread, 0.1, "sd", 20, None)
    further = 0.1 if spread is None else 0.0  # signs leave a lone number twice our own sd of luck
    check = judged(near(1.0), member([further + x for x in (24.7, 24.2, 25.4, 24.4, 24.6)]), numbers=[printed])
    assert check.verdict() is Verdict.INCONCLUSIVE
    mean, sd = world(check)
    found = decided_with(
        check,
        lambda rng, n: judged(near(1.0), member(rng.normal(23.2 + mean, sd, n)), numbers=[printed]),
        Verdict.CONTRADICTED,
    )
    assert enough(found)


def test_seeds_to_decide_after_a_collapse() -> None:
    check = judged(above(0.9), member([0.93, 0.94, 0.95, 0.93, 0.1], step=1e-4, collapsed=[0, 0, 0, 0, 1]))

    def draw(rng: np.random.Generator, n: int) -> Check:
        lost = rng.random(n) < 0.2
        lost[0] = True  # a study in which the typical run is judged
        lost[1:] &= rng.random(n - 1) < 0.2 * n / (n - 1)
        return judged(above(0.9), member(np.where(lost, 0.1, 0.94), step=1e-4, collapsed=lost))

    assert decided_with(check, draw, Verdict.REPRODUCED) > 0.78


def test_seeds_to_decide_of_counted_runs() -> None:
    part = parts.EveryRun(kind="every_run_above", effect="e", threshold=0.5, pi=0.5)
    check = judged(part, member([1, 1, 0, 1, 1]))
    found = decided_with(
        check, lambda rng, n: judged(part, member((rng.random(n) < 0.8).astype(float))), Verdict.REPRODUCED
    )
    assert enough(found)


def all_of(differences: Sequence[Numbers]) -> Check:
    """A claim of several differences above 0, all of them."""
    return judged_study([differences]).claims[0].check


def test_seeds_to_decide_of_a_claim_of_all_parts_is_enough_for_each() -> None:
    check = all_of([[0.9, -0.2, 1.6, 0.3, 0.8], [1.4, -0.6, 0.5, 1.1, 0.2]])
    assert check.verdict() is Verdict.INCONCLUSIVE
    worlds = [world(part) for part in check.details["parts"]]
    found = decided_with(check, lambda rng, n: all_of([rng.normal(m, s, n) for m, s in worlds]), Verdict.REPRODUCED)
    assert found > 0.78


@pytest.mark.parametrize(("part", "mean"), [(above(0.0), 0.8), (above(0.0), -0.8), (same(1.5), 0.0), (same(0.5), 1.5)])
def test_what_a_kind_announces_of_the_planned_seeds(part: Part, mean: float) -> None:
    pilot = Pilot(mean, 1.0, None, "known")
    announced = kind_of(part).prospect(part, None, pilot, 8, 1)
    assert announced.chance is not None
    due = Verdict.REPRODUCED if kind_of(part).region(part, None).contains(mean) else Verdict.CONTRADICTED
    assert close(simulated(lambda rng: judged(part, member(rng.normal(mean, 1, 8))), due), announced.chance)


def test_power_of_agrees_with_the_verdict_that_is_due() -> None:
    inside, outside = Region(0.0, 2.0), Region(3.0, 5.0)
    for region, effect, by_t in (
        (inside, 1.0, stats.power_two_edges(5, 2.0, 0.0)),
        (outside, 1.0, stats.power_to_contradict(5, 2.0, -6.0)),
        (Region.at_least(0.0), -1.0, stats.power_one_edge(5, 2.0)),
    ):
        of_signs = stats.signs_power(region, effect, 0.5, 5)
        least, most = max(0.0, by_t + of_signs - 1), min(by_t, of_signs)
        assert least - SLACK <= stats.power_of(region, effect, 0.5, 5) <= most + SLACK
