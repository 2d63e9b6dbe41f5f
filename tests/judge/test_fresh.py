"""New sets of seeds (`seeds: {fresh: k}`): nothing of another set is in them, and each set pays for those before it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lnbench.errors import LnbenchError
from lnbench.judge import Evidence, StudyResult, gather, judge
from lnbench.judge.power import powers
from lnbench.pipeline import judge_report
from lnbench.plan import Plan, plan_study, runs_behind
from lnbench.report import markdown, result_to_json, write_report
from lnbench.report.explain import explain
from lnbench.spec import Study, load_study
from lnbench.spec.locks import History, Lock
from lnbench.spec.registration import registration
from lnbench.spec.unsaid import unsaid
from lnbench.store import Record
from tests.plan.test_plan import CHOOSE
from tests.toys.claims_page import load_in_frame, record_of
from tests.toys.small_runs import write_study

pytestmark = pytest.mark.usefixtures("no_drawing")

STUDY = """
seeds: {{n: 5{more}, pair: [noise, order, init]}}
effects: {{e: {{metric: test_accuracy, at: {{model: mlp1, noise.alpha: 0}}}}}}
parts: {{claim: {{kind: above, effect: e, threshold: 0.8}}}}
"""
VALUES = [0.803, 0.83, 0.809, 0.806, 0.815]  # p = .0325 on the first set


def study(folder: Path, more: str = "") -> Study:
    return load_in_frame(folder, STUDY.format(more=more))


def records(plan: Plan, finished: str = "2026-01-01T00:00:00+00:00") -> dict[str, Record]:
    """Records in which the first seed has the first value, and so on."""
    first = min(job.seed for job in plan.jobs)
    made = {}
    for job in plan.jobs:
        value = VALUES[(job.seed - first) % len(VALUES)]
        record = record_of(job.run(), {"test_accuracy": value, "test_loss": 1.0, "train_accuracy": 0.5})
        record["provenance"]["finished"] = finished
        made[record["id"]] = record
    return made


def evidence(one: Study) -> Evidence:
    plan = plan_study(one)
    return gather(plan, records(plan).get)


def judged(folder: Path, more: str = "") -> StudyResult:
    return judge(evidence(study(folder, more)), one_out=False)


def everything(plan: Plan) -> set[str]:
    """The ids of all that is trained for a plan: its runs, those of its choices and of its inputs."""
    runs = [*plan.choosing_runs, *(job.run(0.01) for job in plan.jobs)]
    return {run.id for run in (*runs, *runs_behind(runs))}


def test_two_sets_of_seeds_have_no_run_in_common(tmp_path: Path) -> None:
    def plan(fresh: int) -> Plan:
        file = write_study(tmp_path, choose=CHOOSE)
        text = file.read_text()
        assert "seeds: {n: " in text
        file.write_text(text.replace("seeds: {n: ", f"seeds: {{fresh: {fresh}, n: ") if fresh else text)
        return plan_study(load_study(file, only=("full",)).tiers["full"])

    sets = [everything(plan(fresh)) for fresh in (0, 1, 2)]
    assert len({len(ids) for ids in sets}) == 1 and len(sets[0]) > 4
    assert len(set.union(*sets)) == sum(map(len, sets))


def test_the_first_set_is_what_a_study_without_the_word_has(tmp_path: Path) -> None:
    before = [job.run().id for job in plan_study(study(tmp_path)).jobs]
    assert [job.run().id for job in plan_study(study(tmp_path, ", fresh: 0")).jobs] == before
    assert [job.seed for job in plan_study(study(tmp_path, ", fresh: 2")).jobs][:1] == [2000]


@pytest.mark.parametrize("fresh", [1, 2, 9])
def test_each_set_has_half_the_level_of_the_one_before(tmp_path: Path, fresh: int) -> None:
    first, later = (judged(tmp_path, more).claims[0].check for more in ("", f", fresh: {fresh}"))
    assert first.effect == later.effect and first.p_reproduced < 0.05
    assert later.p_reproduced == pytest.approx(min(1.0, 2**fresh * first.p_reproduced))
    assert first.interval is not None and later.interval is not None
    assert later.interval.confidence == pytest.approx(1 - (1 - first.interval.confidence) / 2**fresh)
    assert later.interval.low < first.interval.low


def test_what_the_first_set_would_decide_the_second_may_not(tmp_path: Path) -> None:
    assert judged(tmp_path).claims[0].verdict == "reproduced"
    assert judged(tmp_path, ", fresh: 1").claims[0].verdict == "inconclusive"


def test_looks_and_sets_are_both_paid_for(tmp_path: Path) -> None:
    one, both = (judged(tmp_path, more).claims[0].check for more in ("", ", looks: [4, 5], fresh: 1"))
    assert both.p_reproduced == pytest.approx(4 * one.p_reproduced)


def test_the_first_look_takes_the_first_seeds_of_its_set(tmp_path: Path) -> None:
    found = evidence(study(tmp_path, ", looks: [4, 5], fresh: 1"))
    assert found.first(4).seeds == [1000, 1001, 1002, 1003]


def test_power_knows_the_smaller_level(tmp_path: Path) -> None:
    chances = [powers(judged(tmp_path, more))[0].chance for more in ("", ", fresh: 1", ", fresh: 3")]
    assert None not in chances and chances == sorted(chances, reverse=True) and len(set(chances)) == 3  # type: ignore[type-var]


def test_the_page_and_the_explanation_say_what_was_paid(tmp_path: Path) -> None:
    result = judged(tmp_path, ", fresh: 2")
    data = result_to_json(result)
    assert data["seeds"]["fresh"] == 2
    assert "the seeds of set 2, from 2000 on; to pay for that, every p is multiplied by 4" in markdown(data)
    assert "after multiplying by 4 for looks and sets of seeds" in explain(result, "EX-01")
    assert "fresh" not in result_to_json(judged(tmp_path))["seeds"]


def test_a_claim_that_came_after_its_runs_is_judged_on_seeds_that_came_after_it(tmp_path: Path) -> None:
    """Registered between the runs of two sets: post hoc on the first, not on the second."""
    registered = datetime(2026, 1, 2, tzinfo=UTC)
    verdicts = []
    for more, finished in (("", "2026-01-01"), (", fresh: 1", "2026-01-03")):
        one = study(tmp_path, more)
        lock = Lock(tmp_path / "lock.json").with_entry(
            registration(one.spec, one.baseline), registered, "0.1.0", records_since="2026-01-01T00:00:00+00:00"
        )
        plan = plan_study(one)
        found = gather(plan, records(plan, f"{finished}T00:00:00+00:00").get)
        verdicts.append(judge(found, history=History(lock)).claims[0].verdict)
    assert verdicts == ["post-hoc", "inconclusive"]


def test_another_set_after_the_runs_of_this_one_takes_its_verdict_back(tmp_path: Path) -> None:
    """What is registered is the set too: records of set 1 that were there before `fresh: 1` was."""
    before, after = study(tmp_path, ""), study(tmp_path, ", fresh: 1")
    contents = [registration(one.spec, one.baseline) for one in (before, after)]
    lock = Lock(tmp_path / "lock.json").with_entry(contents[0], datetime(2026, 1, 1, tzinfo=UTC), "0.1.0")
    lock = lock.with_entry(contents[1], datetime(2026, 1, 3, tzinfo=UTC), "0.1.0")
    plan = plan_study(after)
    found = gather(plan, records(plan, "2026-01-02T00:00:00+00:00").get)
    (claim,) = judge(found, history=History(lock)).claims
    assert claim.verdict == "post-hoc" and "seeds was “5”, is “5 of set 1”" in claim.why


def test_a_report_of_another_set_is_not_judged_and_not_written_over(tmp_path: Path) -> None:
    """It would have no run, and `judge --write` would lose those that it has."""
    folder = tmp_path / "report"
    write_report(judged(tmp_path), folder)
    assert not judge_report(folder, tmp_path / "claims").evidence.missing
    study(tmp_path, ", fresh: 1")
    with pytest.raises(LnbenchError, match="the seeds of set 0, and example-full asks for set 1"):
        judge_report(folder, tmp_path / "claims")


def test_a_later_set_is_no_change_to_own_up_to(tmp_path: Path) -> None:
    first = study(tmp_path)
    lock = Lock(tmp_path / "lock.json").with_entry(
        registration(first.spec, first.baseline), datetime(2026, 1, 1, tzinfo=UTC), "0.1.0"
    )
    assert unsaid(study(tmp_path, ", fresh: 1"), lock.last) == []
    (problem,) = unsaid(load_in_frame(tmp_path, STUDY.format(more="").replace("n: 5", "n: 8")), lock.last)
    assert "seeds: was “5”, is “8”" in str(problem)


def test_evidence_of_a_set_has_nothing_of_another(tmp_path: Path) -> None:
    first, second = study(tmp_path), study(tmp_path, ", fresh: 1")
    kept = records(plan_study(first))
    (claim,) = judge(gather(plan_study(second), kept.get)).claims
    assert claim.verdict == "not-run"
