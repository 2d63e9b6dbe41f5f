"""Runs that build on the outcomes of others: planned, made in their turn, handed over, and never taken on trust."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench import catalog
from lnbench.errors import SpecError
from lnbench.execute.local import execute
from lnbench.execute.work import Work
from lnbench.identity import sha256
from lnbench.judge import gather
from lnbench.noise.confusion import summed_confusion
from lnbench.pipeline import Quiet
from lnbench.plan import CHOOSING_SEEDS, Derived, Plan, Run, plan_study
from lnbench.plan.inputs import INPUT_SEEDS
from lnbench.spec import load_study
from lnbench.store import Store, make_record
from tests.toys.records import OUTCOME
from tests.toys.small_runs import write_study

NOISE = "noise: {kind: dilute_structured, alpha: 2, delta: 0.5, order: confusing}"
INPUTS = "inputs: {confusion: {of: {dataset.clean: 100, noise: {kind: none}, epochs: 3}, seeds: 3}}"
CHOOSE = "{key: optimizer.lr, from: [0.01, 0.1], per: [noise.alpha], by: validation_accuracy, validation: 50, seeds: 1}"


def study_file(folder: Path, inputs: str = INPUTS, noise: str = NOISE, **changes: Any) -> Path:
    """The small study, its labels' noise structured by a confusion matrix."""
    path = write_study(folder, alphas="[1, 2]", **changes)
    text = path.read_text().replace("noise: {kind: dilute_uniform, alpha: 2, include_true_class: true}", noise)
    text = text.replace("at: {noise.alpha: 0}", "at: {noise.alpha: 1}")
    path.write_text(text.replace("  vary:", f"  {inputs}\n  vary:" if inputs else "  vary:"))
    return path


def small(folder: Path, **changes: Any) -> Plan:
    return plan_study(load_study(study_file(folder, **changes)).tiers["smoke"])


def problems(path: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_study(path)
    return [f"{problem.line}:{problem.column}: {problem.what}" for problem in caught.value.problems]


class Outcomes:
    """Outcomes of the runs behind an input, and of those that read it, without any training."""

    def __init__(self, plan: Plan):
        (self.derived,) = plan.inputs
        self.confusion = [[index + (row == column) for column in range(10)] for index, row in enumerate(range(10))]

    def source(self, **changes: Any) -> dict[str, Any]:
        return {**OUTCOME, "confusion": self.confusion, **changes}

    def made(self) -> dict[str, Any]:
        return self.derived.make({run.id: self.source() for run in self.derived.runs})

    def reader(self, **changes: Any) -> dict[str, Any]:
        curves = {"test_accuracy": [0.9], "test_loss": [0.5], "train_loss": [0.5], "train_accuracy": [0.9]}
        examples = {"train": 300, "validation": 0, "test": 497}
        given = {"confusion": sha256(self.made())}
        return {**OUTCOME, "curves": curves, "examples": examples, "inputs": given, **changes}


# ---- the plan


def test_an_input_is_a_node_of_the_plan_with_runs_and_seeds_of_its_own(tmp_path: Path) -> None:
    plan = small(tmp_path)
    (derived,) = plan.inputs
    assert (derived.name, len(derived.runs)) == ("confusion", 3)
    for number, run in enumerate(derived.runs):
        assert set(run.seeds.values()) == {INPUT_SEEDS + number}
        assert run.recipe["dataset"]["clean"] == 100
        assert (run.recipe["noise"], run.recipe["epochs"]) == ({"kind": "none"}, 3)
        assert run.recipe["probes"] == ["test_confusion"]
    assert INPUT_SEEDS > CHOOSING_SEEDS
    assert all(job.run().inputs == {"confusion": derived.id} for job in plan.jobs)


def test_another_input_is_another_run(tmp_path: Path) -> None:
    one, two = small(tmp_path / "one"), small(tmp_path / "two", inputs=INPUTS.replace("seeds: 3", "seeds: 4"))
    assert one.inputs[0].id != two.inputs[0].id
    assert not {job.run().id for job in one.jobs} & {job.run().id for job in two.jobs}
    assert {run.id for run in one.input_runs} < {run.id for run in two.input_runs}


def test_a_derived_records_id_is_pinned(tmp_path: Path) -> None:
    """Ids name stored records."""
    (derived,) = small(tmp_path).inputs
    assert derived.id == "5662817aa9012ab3d1baed5b85a2dd13"
    versions = {"input": catalog.find("input", "confusion").version}
    of = [run.id for run in derived.runs]
    assert derived.content == {"kind": "derived", "input": "confusion", "of": of, "versions": versions}


def test_what_is_read_by_no_run_is_not_planned(tmp_path: Path) -> None:
    plan = small(tmp_path, noise=NOISE.replace("confusing", "random"))
    assert plan.inputs == ()
    assert all(job.run().inputs == {} for job in plan.jobs)


def test_without_bias_structured_dilution_is_uniform_dilution_and_shares_its_runs(tmp_path: Path) -> None:
    structured = small(tmp_path / "one", noise=NOISE.replace("0.5", "0"))
    dilution = "noise: {kind: dilute_uniform, alpha: 2, include_true_class: true}"
    uniform = small(tmp_path / "two", inputs="", noise=dilution)
    assert [job.run().id for job in structured.jobs] == [job.run().id for job in uniform.jobs]
    assert structured.inputs == ()


def test_choosing_runs_read_the_input_too(tmp_path: Path) -> None:
    plan = small(tmp_path, choose=CHOOSE)
    assert all(run.inputs == {"confusion": plan.inputs[0].id} for run in plan.choosing_runs)


@pytest.mark.parametrize(
    ("inputs", "what"),
    [
        ("", "a run of this grid needs the input confusion; name under runs.inputs the runs that it is made from"),
        (INPUTS.replace("{confusion", "{confusions"), "inputs: 'confusions' is not known; did you mean 'confusion'?"),
        (INPUTS.replace("dataset.clean", "data.clean"), "inputs: 'data' is not a key of base"),
        (INPUTS.replace("clean: 100", "clean: 5000"), "clean: 5000 clean images, but digits has 1300 for training"),
        (INPUTS.replace("seeds: 3", "seeds: 0"), "seeds: must be greater than or equal to 1, not 0"),
    ],
)
def test_what_is_wrong_with_an_input_is_said_where_it_stands(tmp_path: Path, inputs: str, what: str) -> None:
    path = study_file(tmp_path, inputs)
    found = problems(path)
    assert any(what in problem for problem in found), found
    line = next(problem for problem in found if what in problem).partition(":")[0]
    text = path.read_text().splitlines()[int(line) - 1]
    assert text.strip().startswith("inputs:" if inputs else "noise:")


# ---- making it


def test_confusions_are_summed_and_diverged_runs_left_out() -> None:
    ok = {"status": "ok", "confusion": [[3, 1], [0, 4]]}
    assert summed_confusion([ok, {"status": "diverged"}, ok]) == {
        "status": "ok", "runs": 2, "confusion": [[6, 2], [0, 8]],
    }  # fmt: skip
    assert summed_confusion([{"status": "diverged"}])["status"] == "failed"


def test_runs_wait_for_their_input_which_is_made_of_its_runs_first(tmp_path: Path) -> None:
    plan = small(tmp_path)
    store, said = Store(tmp_path / "store"), Outcomes(plan)
    work = Work([plan], store, Quiet(), lambda point: True)
    sources = {run.id for run in plan.input_runs}
    assert set(work.waiting) == sources
    assert set(work.blocked) == {job.run().id for job in plan.jobs}
    for number in range(3):
        task = work.take()
        assert task is not None and task.runs[0].id in sources
        store.put(make_record(task.runs[0].content, said.source(), {}))
        assert store.get(said.derived.id) is None
        work.done(_trained(task.id))
        assert bool(work.blocked) == (number < 2)
    record = store.get(said.derived.id)
    assert record is not None and record["kind"] == "derived"
    assert record["outcome"] == said.made()
    assert set(work.waiting) == {job.run().id for job in plan.jobs}


def test_what_is_in_the_store_waits_for_nothing(tmp_path: Path) -> None:
    plan = small(tmp_path)
    store, said = Store(tmp_path / "store"), Outcomes(plan)
    for run in plan.input_runs:
        store.put(make_record(run.content, said.source(), {}))
    work = Work([plan], store, Quiet(), lambda point: True)
    assert not work.blocked and len(work.waiting) == len(plan.jobs)
    assert store.get(said.derived.id) is not None  # made although nothing was trained


def test_where_all_runs_behind_an_input_diverge_its_readers_fail_and_say_why(tmp_path: Path) -> None:
    plan = small(tmp_path)
    store = Store(tmp_path / "store")
    for run in plan.input_runs:
        store.put(make_record(run.content, {**OUTCOME, "status": "diverged"}, {}))
    work = Work([plan], store, Quiet(), lambda point: True)
    assert not work.left
    assert set(work.execution.failures.values()) == {"confusion: all of its runs diverged"}


def test_where_a_run_behind_an_input_fails_its_readers_are_not_begun(tmp_path: Path) -> None:
    plan = small(tmp_path)
    store = Store(tmp_path / "store")
    work = Work([plan], store, Quiet(), lambda point: True)
    task = work.take()
    assert task is not None
    work.done(_trained(task.id, "failed", "the disk is warm"))
    evidence = gather(plan, store.get, work.execution.failures)
    assert set(evidence.failed_jobs.values()) == {"the disk is warm"}
    assert len(evidence.failed_jobs) == len(plan.jobs)


def _trained(task_id: str, how: str = "trained", message: str = "") -> Any:
    from lnbench.execute.worker import Finished

    return Finished(task_id, how, message)


# ---- reading it


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_sweep_makes_the_input_and_trains_on_it(tmp_path: Path, workers: int) -> None:
    plan = small(tmp_path, seeds=1)
    store = Store(tmp_path / "store")
    came = execute([plan], store, Quiet(), workers=workers)
    assert (came.trained, came.failures) == (3 + 2, {})
    (derived,) = plan.inputs
    made = store.get(derived.id)
    assert made is not None
    counts = np.array(made["outcome"]["confusion"])
    assert counts.shape == (10, 10) and counts.sum() == 3 * 497
    for job in plan.jobs:
        record = store.get(job.run().id)
        assert record is not None
        assert record["outcome"]["inputs"] == {"confusion": sha256(made["outcome"])}
        first = [row[0] for row in record["outcome"]["noise"]["order"]]
        for true, likeliest in enumerate(first):
            wrong = np.delete(counts[true], true)
            assert counts[true, likeliest] == wrong.max()
    again = execute([plan], store, Quiet(), workers=0)
    assert (again.trained, again.reused) == (0, 5)
    evidence = gather(plan, store.get)
    assert evidence.missing == 0
    assert {record["kind"] for record in evidence.records.values()} == {"training", "derived"}


def test_a_choice_among_runs_that_read_an_input_is_made_after_it(tmp_path: Path) -> None:
    plan = small(tmp_path, seeds=1, choose=CHOOSE)
    came = execute([plan], Store(tmp_path / "store"), Quiet(), workers=0)
    assert (came.trained, came.failures) == (3 + 4 + 2, {})


def stored(plan: Plan, **reader: Any) -> dict[str, dict[str, Any]]:
    """All records of a plan, as a store would give them."""
    said = Outcomes(plan)
    runs: list[tuple[Run, dict[str, Any]]] = [(run, said.source()) for run in plan.input_runs]
    runs += [(job.run(), said.reader(**reader)) for job in plan.jobs]
    records = [make_record(run.content, outcome, {}) for run, outcome in runs]
    records.append(make_record(said.derived.content, said.made(), {}))
    return {record["id"]: record for record in records}


def test_an_input_is_made_anew_and_a_run_that_was_given_another_counts_for_nothing(tmp_path: Path) -> None:
    plan = small(tmp_path)
    assert gather(plan, stored(plan).get).missing == 0
    other = stored(plan, inputs={"confusion": "0" * 64})
    evidence = gather(plan, other.get)
    assert evidence.missing == len(plan.jobs) and not evidence.by_job
    assert all("another confusion than its runs give" in message for message in evidence.failed_jobs.values())


def test_a_derived_record_that_lies_changes_nothing(tmp_path: Path) -> None:
    plan = small(tmp_path)
    records = stored(plan)
    (derived,) = plan.inputs
    lie = make_record(derived.content, {"status": "ok", "runs": 3, "confusion": [[0] * 10] * 10}, {})
    assert gather(plan, {**records, derived.id: lie}.get).missing == 0


def test_without_the_runs_behind_the_input_nothing_stands(tmp_path: Path) -> None:
    plan = small(tmp_path)
    records = stored(plan)
    del records[plan.input_runs[0].id]
    evidence = gather(plan, records.get)
    assert evidence.missing == 1 + len(plan.jobs)


def test_a_raised_version_of_an_input_renames_it_and_its_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = small(tmp_path)
    (before,) = plan.inputs
    honest = catalog.find

    def find(kind: str, name: str) -> catalog.Entry:
        entry = honest(kind, name)
        return replace(entry, version=2) if kind == "input" else entry

    monkeypatch.setattr(catalog, "find", find)
    after = Derived(before.name, before.runs)
    assert after.id != before.id
