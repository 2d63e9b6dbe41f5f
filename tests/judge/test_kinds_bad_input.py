"""Bad input decides nothing, whatever the kind: no number, one seed, half a pair, a reference with a seed twice."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from lnbench import stats
from lnbench.judge import Member, PartResult, judge
from lnbench.judge.kinds import check_member, region_of
from lnbench.spec import Effect, Study, load_study
from tests.toys.claims_page import believable, blocks, evidence_of, load_in_frame

# bad input, for every kind

KINDS = {name: example for name, example in blocks().items() if name not in ("frame", "looks")}


def whole(name: str, folder: Path) -> tuple[Study, PartResult]:
    study = load_in_frame(folder, KINDS[name])
    return study, judge(evidence_of(study, believable)).claims[0].parts["claim"]


def again(study: Study, part: PartResult, member: Member) -> stats.Check:
    effect: Effect = study.spec.effects[part.part.effect]
    return check_member(part.part, effect, member, part.numbers[0], counts=False, looks=1)


@pytest.mark.parametrize("name", KINDS)
def test_a_number_that_is_not_one_is_an_error_and_never_a_pass(name: str, tmp_path: Path) -> None:
    study, part = whole(name, tmp_path)
    member = part.members[0]
    for bad in (math.nan, math.inf, -math.inf):
        values = (bad, *member.values[1:])
        arms = ((bad, *member.arms[0][1:]), member.arms[1]) if member.arms[0] else member.arms
        check = again(study, part, replace(member, values=values, arms=arms))
        assert check.verdict() == "error", (bad, check)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("seeds", [1, 2])
def test_one_seed_or_two_decide_nothing(name: str, seeds: int, tmp_path: Path) -> None:
    study = load_in_frame(tmp_path, KINDS[name])
    part = judge(evidence_of(study, believable, seeds)).claims[0].parts["claim"]
    assert part.verdict == "inconclusive"


@pytest.mark.parametrize("name", KINDS)
def test_half_a_pair_is_not_judged(name: str, tmp_path: Path) -> None:
    study = load_in_frame(tmp_path, KINDS[name])
    part = judge(evidence_of(study, believable, without=(study.spec.runs.seeds.first + 2,))).claims[0].parts["claim"]
    assert part.verdict == "not-run"
    assert part.check.p_reproduced == part.check.p_contradicted == 1
    assert region_of(part.part, part.numbers[0]).edges  # it is shown all the same


def test_a_study_of_every_kind_loads_from_its_file_alone(tmp_path: Path) -> None:
    study = load_in_frame(tmp_path, KINDS["shift"])
    assert load_study(study.path).tiers["full"].spec == study.spec
