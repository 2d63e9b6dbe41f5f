"""Planned looks: `verify` trains no seed beyond the first look that decides; a report is judged again the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lnbench import needs, pipeline
from lnbench.execute.work import Execution
from lnbench.judge import StudyResult, look_sizes
from lnbench.plan import Plan, plan_study
from lnbench.report import load_report, markdown, report_differs, result_to_json, write_report
from lnbench.spec import Scalar, Study, load_study
from lnbench.store import Record
from tests.toys.claims_page import Metrics, load_in_frame, record_of
from tests.toys.registered import register_long_ago

pytestmark = pytest.mark.usefixtures("no_drawing")

LOOKS = """
seeds: {n: 10, looks: [4, 6, 10], pair: [noise, order, init]}
effects: {e: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 0}}}
parts: {claim: {kind: above, effect: e, threshold: 0.8}}
"""
CLEAR = [0.90, 0.91, 0.92]
CLOSE = [0.805, 0.83, 0.81]  # decided by six seeds and not by four
OPEN = [0.79, 0.83, 0.80]


class Machine:
    """A store that trains by making records up, and remembers how many seeds it was asked for."""

    def __init__(self, metrics: Metrics):
        self.metrics = metrics
        self.records: dict[str, Record] = {}
        self.asked: list[int] = []
        self.path = Path("no-store")

    @property
    def ledger(self) -> Machine:
        return self

    def about(self, ids: set[str]) -> list[Record]:
        """Return no line: nothing was removed or made twice."""
        return []

    def get(self, run_id: str) -> Record | None:
        return self.records.get(run_id)

    def demand_writable(self) -> None:
        """There is no folder that could not be written."""

    def run(self, plans: list[Plan], only: Callable[[Mapping[str, Scalar]], bool]) -> Execution:
        for plan in plans:
            self.asked.append(1 + max(job.seed for job in plan.jobs))
            for job in plan.jobs:
                if only(job.point):
                    self.records[job.run().id] = record_of(job.run(), self.metrics(job.run().recipe, job.seed))
        return Execution()


def machine(values: list[float]) -> Machine:
    return Machine(lambda recipe, seed: {"test_accuracy": values[seed % 3], "test_loss": 1.0, "train_accuracy": 0.5})


def verified(study: Study, on: Machine, seeds: int | None = None) -> StudyResult:
    register_long_ago(study)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "execute", lambda plans, *_, only, **__: on.run(plans, only))
        patch.setattr(needs, "missing_data", lambda *_: [])  # nothing is trained, so no images are read
        result = pipeline.verify_study(study, on, pipeline.Training(), seeds=seeds)  # type: ignore[arg-type]
    assert not result.evidence.failures
    return result


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return load_in_frame(tmp_path, LOOKS)


@pytest.mark.parametrize(
    ("values", "asked", "verdict", "look"),
    [(CLEAR, [4], "reproduced", 4), (CLOSE, [4, 6], "reproduced", 6), (OPEN, [4, 6, 10], "inconclusive", 10)],
)
def test_no_seed_is_trained_beyond_the_first_look_that_decides(
    study: Study, values: list[float], asked: list[int], verdict: str, look: int
) -> None:
    on = machine(values)
    (claim,) = verified(study, on).claims
    assert on.asked == asked
    assert claim.look is not None
    assert (claim.verdict, claim.look.seeds) == (verdict, look)
    assert len(on.records) == asked[-1] * len(study.cells)


def test_the_seeds_of_a_look_are_those_of_the_whole_plan(study: Study) -> None:
    whole = [job.run().id for job in plan_study(study).jobs]
    few = [job.run().id for job in plan_study(study, 3).jobs]
    assert whole[: len(few)] == few


@pytest.mark.parametrize(("seeds", "sizes"), [(None, [4, 6, 10]), (6, [4, 6]), (5, [4]), (20, [4, 6, 10]), (2, [2])])
def test_seeds_on_the_command_line_are_the_most_that_a_look_may_take(
    study: Study, seeds: int | None, sizes: list[int]
) -> None:
    assert look_sizes(study, seeds) == sizes


def test_fewer_seeds_than_the_first_look_decide_nothing(study: Study) -> None:
    (claim,) = verified(study, machine(CLEAR), seeds=2).claims
    assert claim.verdict == "not-run" and "2 of 10 planned seeds" in claim.why


def test_smoke_has_fixed_seeds_and_no_looks(study: Study) -> None:
    assert look_sizes(replace(study, tier="smoke")) == [10]


@pytest.mark.parametrize("values", [CLEAR, CLOSE, OPEN], ids=["clear", "close", "open"])
def test_a_report_says_the_look_and_is_judged_again_the_same_way(
    study: Study, values: list[float], tmp_path: Path
) -> None:
    on = machine(values)
    result = verified(study, on)
    write_report(result, tmp_path / "report")
    _, _, seeds, get = load_report(tmp_path / "report")
    again = pipeline.judge_records(study, get, seeds)
    assert report_differs(tmp_path / "report", again) == []
    from_store = pipeline.judge_records(study, on.get)  # with no word on how many seeds were run
    assert result_to_json(from_store) == result_to_json(result)
    page = markdown(result_to_json(result))
    look = result.claims[0].look
    assert look is not None
    assert f"at look {look.number} of 3 ({look.seeds} seeds)" in page
    assert "Looks were planned at 4, 6 and 10 seeds" in page
    assert "96.67 % interval" in page


def test_an_accusation_at_a_look_is_tried_on_as_many_seeds(study: Study, tmp_path: Path) -> None:
    file = study.path
    text = file.read_text().replace(
        "paper:", "choices:\n- {key: epochs, ours: two, try: {epochs: {times: 2}}}\npaper:", 1
    )
    file.write_text(text)
    tried = load_study(file).tiers["full"]
    on = machine([0.70, 0.71, 0.72])
    (claim,) = verified(tried, on).claims
    assert on.asked == [4, 4]  # as run, and under the alternative
    assert claim.look is not None
    assert (claim.verdict, claim.tried, claim.look.seeds) == ("contradicted", {"epochs": "contradicted"}, 4)


def test_a_contradiction_that_an_alternative_takes_back_is_not_looked_at_again(study: Study) -> None:
    file = study.path
    text = file.read_text().replace(
        "paper:", "choices:\n- {key: epochs, ours: two, try: {epochs: {times: 2}}}\npaper:", 1
    )
    file.write_text(text)

    def metrics(recipe: dict[str, Any], seed: int) -> dict[str, float]:
        value = (0.90 if recipe["epochs"] == 4 else 0.70) + 0.01 * (seed % 3)
        return {"test_accuracy": value, "test_loss": 1.0, "train_accuracy": 0.5}

    on = Machine(metrics)
    (claim,) = verified(load_study(file).tiers["full"], on).claims
    assert on.asked == [4, 4]
    assert (claim.verdict, claim.why) == (
        "depends-on",
        "it depends on what the paper leaves open: inside the claimed range with epochs",
    )


def test_a_store_that_ends_before_the_next_look_is_judged_on_the_looks_that_were_taken(study: Study) -> None:
    on = machine(CLOSE)
    result = verified(study, on, seeds=4)
    from_store = pipeline.judge_records(study, on.get)
    assert result_to_json(from_store) == result_to_json(result)
    assert result_to_json(from_store)["seeds"]["n"] == 4
