"""Can the planned seeds decide? Against the power that the statistics announce."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lnbench import stats
from lnbench.judge import judge
from lnbench.judge.power import Power, powers
from tests.toys.claims_page import believable, blocks, evidence_of, load_in_frame

if TYPE_CHECKING:
    from tests.toys.judged_world import World


def rows(world: World) -> dict[str, Power]:
    return {f"{row.claim} {row.part}": row for row in powers(judge(world.evidence()))}


def test_the_pilots_spread_enters_at_its_upper_limit(world: World) -> None:
    row = rows(world)["T-01 above"]
    sd = float(np.std([0.90, 0.91, 0.89, 0.90, 0.90], ddof=1))
    assert row.pilot is not None
    assert row.pilot.sd == pytest.approx(sd)
    assert row.pilot.cautious_sd == pytest.approx(1.56 * sd, rel=1e-2)
    assert row.chance == pytest.approx(stats.power_one_edge(5, 0.1 / row.pilot.cautious_sd))
    assert row.needed == 4


def test_without_a_pilot_a_margin_says_which_spread_it_can_bear(world: World) -> None:
    world.missing = {job.run().id for job in world.evidence().plan.jobs}
    row = rows(world)["T-01 agrees"]
    assert (row.pilot, row.chance) == (None, None)
    assert row.largest_sd is not None
    region = stats.Region.from_margin(0.9, 0.02)
    assert stats.power_of(region, 0.9, row.largest_sd, 5) == pytest.approx(0.8, abs=1e-6)


def test_every_run_needs_as_many_seeds_as_its_pi_says(world: World) -> None:
    row = rows(world)["T-01 every"]
    assert row.needed == math.ceil(math.log(0.05) / math.log(0.5)) == 5
    assert row.chance == 1.0


def test_a_margin_that_the_planned_seeds_would_seldom_confirm_is_named(world: World) -> None:
    from lnbench.judge.power import weak_margins
    from lnbench.report import result_to_json

    report = result_to_json(judge(world.evidence()))
    found = weak_margins(world.study, report)  # gap: sd .02 against a margin of .01; accuracy: sd .007 against .02
    assert [(claim, part) for claim, part, _ in found] == [("T-02", "same")]
    assert "5 seeds would confirm a perfect agreement only" in found[0][2]


def row_of(name: str, folder: Path, part: str = "claim", missing: bool = False) -> Power:
    study = load_in_frame(folder, blocks()[name])
    without = tuple(range(10)) if missing else ()
    found = powers(judge(evidence_of(study, believable, without=without)))
    return next(row for row in found if row.part == part)


def test_a_ratio_is_planned_on_the_scale_of_its_logs(tmp_path: Path) -> None:
    row = row_of("ratio", tmp_path)
    assert row.pilot is not None and row.pilot.effect is not None
    assert row.region == stats.Region(3.0, 7.0)  # as it is shown
    logs = stats.Region(math.log(3), math.log(7))
    assert row.chance == pytest.approx(stats.power_of(logs, row.pilot.effect, row.pilot.cautious_sd, 5))
    without = row_of("ratio", tmp_path, missing=True)
    assert without.largest_sd is not None
    assert stats.power_of(logs, (logs.low + logs.high) / 2, without.largest_sd, 5) == pytest.approx(0.8, abs=1e-6)


def test_a_correlation_of_a_seed_is_planned_as_atanh_and_one_of_points_by_no_number_of_seeds(tmp_path: Path) -> None:
    row = row_of("correlation", tmp_path)
    assert row.pilot is not None and row.pilot.effect is not None
    edge = stats.Region.at_least(math.atanh(0.5))
    assert row.chance == pytest.approx(stats.power_of(edge, row.pilot.effect, row.pilot.cautious_sd, 5))
    points = row_of("correlation", tmp_path, "points")
    assert (points.pilot, points.chance, points.needed) == (None, None, None)


def test_what_can_be_reached_needs_so_many_runs_that_all_would_miss_seldom(tmp_path: Path) -> None:
    row = row_of("can_reach", tmp_path)
    assert row.needed == math.ceil(3 * math.log(0.05) / math.log(0.5)) == 13
    assert row.chance == 0.0  # five runs that all miss contradict nothing


def test_planned_looks_cost_power(tmp_path: Path) -> None:
    example = {**blocks()["looks"], "parts": {"claim": {"kind": "above", "effect": "accuracy", "threshold": 0.909}}}
    study = load_in_frame(tmp_path, example)
    (row,) = powers(judge(evidence_of(study, believable)))
    assert row.pilot is not None and row.pilot.effect is not None
    world = (row.region, row.pilot.effect, row.pilot.cautious_sd, row.planned)
    assert row.planned == 10
    assert row.chance == pytest.approx(stats.power_of(*world, looks=3))
    assert row.chance < stats.power_of(*world) - 0.01
