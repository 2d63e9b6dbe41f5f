"""Can the planned seeds decide? Against the power that the statistics announce."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lnbench import stats
from lnbench.judge import judge
from lnbench.power import Power, powers

if TYPE_CHECKING:
    from judged_world import World


def rows(world: World) -> dict[str, Power]:
    return {f"{row.claim} {row.part}": row for row in powers(judge(world.evidence()))}


def test_the_pilots_spread_enters_at_its_upper_limit(world: World) -> None:
    row = rows(world)["T-01 above"]
    sd = float(np.std([0.90, 0.91, 0.89, 0.90, 0.90], ddof=1))
    assert row.pilot is not None
    assert row.pilot.sd == pytest.approx(sd)
    assert row.pilot.cautious_sd == pytest.approx(1.56 * sd, rel=1e-2)
    assert row.chance == pytest.approx(stats.power_one_edge(5, 0.1 / row.pilot.cautious_sd))
    assert row.needed == 3


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
    from lnbench.power import weak_margins
    from lnbench.report import result_to_json

    report = result_to_json(judge(world.evidence()))
    found = weak_margins(world.study, report)  # gap: sd .02 against a margin of .01; accuracy: sd .007 against .02
    assert [(claim, part) for claim, part, _ in found] == [("T-02", "same")]
    assert "5 seeds would confirm a perfect agreement only" in found[0][2]
