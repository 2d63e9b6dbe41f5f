"""Sweeps from plan to records: undisturbed, killed, interrupted, shared; and what is done when nothing goes right."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lnbench.execute import pool, worker
from lnbench.execute.groups import Task
from lnbench.execute.local import execute
from lnbench.execute.work import Execution
from lnbench.execute.worker import Finished
from lnbench.plan import Plan
from lnbench.store import Store, StoreUnwritable, make_record
from lnbench.training.checkpoints import load_state
from tests.execute.sweep_tools import (
    Watcher,
    finish,
    group_is_gone,
    no_child_is_left,
    outcomes,
    sweeping,
    wait_for,
    workers_of,
)
from tests.toys import stand_ins
from tests.toys.small_runs import small_plan

LONG = {"clean": 1300, "epochs": 25, "alphas": "[0, 1]", "seeds": 1}  # two runs of a few tenths of a second


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Store, Execution, Watcher]:
    """The long sweep by two real workers."""
    folder = tmp_path_factory.mktemp("undisturbed")
    plan = small_plan(folder, **LONG)
    store, watcher = Store(folder / "store", pytest.fail), Watcher()
    return plan, store, execute([plan], store, watcher, workers=2), watcher


@pytest.fixture
def small(tmp_path: Path) -> Plan:
    return small_plan(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


# ---- nothing happens


def test_a_sweep_goes_from_plan_to_records(undisturbed: Any) -> None:
    plan, store, came, watcher = undisturbed
    ids = {job.run().id for job in plan.jobs}
    assert (came.trained, came.reused, came.failures) == (2, 0, {})
    assert set(came.outcomes) == ids == set(outcomes(store))
    assert watcher.plans == [(2, 0)]
    assert sorted(watcher.begun) == sorted(ids)
    assert sorted(watcher.ended) == sorted((run_id, "trained", "") for run_id in ids)
    for one in store.records():
        assert one["outcome"]["status"] == "ok"
        assert len(one["outcome"]["curves"]["test_accuracy"]) == 25
        assert one["provenance"]["threads"] == 1 and one["provenance"]["resumed"] is False
        assert one["provenance"]["seconds"] > 0
    assert {"checkpoints", "ledger.jsonl", "locks", "records"} >= {path.name for path in store.path.iterdir()}
    assert not list((store.path / "locks").iterdir())
    assert no_child_is_left()


def test_the_longest_run_is_started_first(undisturbed: Any) -> None:
    plan, _, _, watcher = undisturbed
    by_id = {job.run().id: job.run() for job in plan.jobs}
    flops = [by_id[run_id].flop for run_id in watcher.begun]
    assert flops == sorted(flops, reverse=True)


def test_what_is_in_the_store_is_not_trained_again(undisturbed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, store, _, _ = undisturbed
    before = {path: path.stat().st_mtime_ns for path in store.path.rglob("*.json")}
    monkeypatch.setattr(worker, "main", None)  # no process is started
    watcher = Watcher()
    came = execute([plan], store, watcher, workers=2)
    assert (came.trained, came.reused, watcher.begun, watcher.plans) == (0, 2, [], [(0, 2)])
    assert {path: path.stat().st_mtime_ns for path in store.path.rglob("*.json")} == before


def test_training_in_this_process_gives_the_same_records(
    undisturbed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    plan, whole, _, _ = undisturbed
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_REPORTS", 0.02)
    threads = torch.get_num_threads()
    store, watcher = Store(tmp_path / "store"), Watcher()
    torch.set_num_threads(2)
    try:
        came = execute([plan], store, watcher, workers=0)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert (came.trained, came.failures) == (2, {})
    assert outcomes(store) == outcomes(whole)
    assert {one["provenance"]["threads"] for one in store.records()} == {1}
    for run_id in watcher.begun:  # reports grow
        mine = [report for report in watcher.reports if report.task_id == run_id]
        assert mine and all(a.done < b.done <= b.total for a, b in pairwise(mine))


def test_only_what_is_damaged_or_gone_is_trained_again(small: Plan, store: Store, tmp_path: Path) -> None:
    execute([small], store, Watcher(), workers=0)
    before = outcomes(store)
    notes: list[str] = []
    mine = Store(store.path, notes.append)
    again = sorted(before)[:2]
    gone, edited = (mine.path / "records" / run_id[:2] / f"{run_id}.json" for run_id in again)
    gone.unlink()
    edited.write_text(edited.read_text().replace('"status": "ok"', '"status": "OK"'))
    watcher = Watcher()
    came = execute([small], mine, watcher, workers=0)
    assert (came.trained, came.reused) == (2, 2)
    assert sorted(watcher.begun) == again
    assert len(notes) == 1 and "edited" in notes[0]
    assert outcomes(mine) == before


def test_records_that_are_known_are_not_read_again(
    undisturbed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store, _, _ = undisturbed
    known = {record["id"]: record for record in store.records()}
    monkeypatch.setattr(Store, "get", lambda self, record_id: pytest.fail("a record was read"))
    came = execute([plan], store, Watcher(), workers=0, known=known)
    assert (came.trained, came.reused) == (0, 2)
    assert came.outcomes == {run_id: record["outcome"] for run_id, record in known.items()}


def test_only_the_points_asked_for_are_trained(small: Plan, store: Store) -> None:
    came = execute([small], store, Watcher(), workers=0, only=lambda point: point["noise.alpha"] == 2)
    assert came.trained == 2
    assert all(content["recipe"]["noise"]["alpha"] == 2.0 for content, _ in outcomes(store).values())


def test_studies_that_share_runs_train_them_once(tmp_path: Path, store: Store) -> None:
    plans = [small_plan(tmp_path / "one"), small_plan(tmp_path / "two", alphas="[0, 2, 3]")]
    watcher = Watcher()
    came = execute(plans, store, watcher, workers=0)
    assert (came.trained, len(watcher.begun), watcher.plans) == (6, 6, [(6, 0)])


# ---- choices

CHOOSE = (
    "{key: optimizer.lr, from: [0.0001, 0.1], per: [noise.alpha], by: validation_accuracy, validation: 50, seeds: 1}"
)


def test_choices_are_made_first_and_kept(tmp_path: Path, store: Store) -> None:
    plan = small_plan(tmp_path, choose=CHOOSE)
    watcher = Watcher()
    came = execute([plan], store, watcher, workers=0)
    assert watcher.plans == [(8, 0)]  # 4 choosing runs, and 4 as if the first rate were chosen
    assert (came.trained, came.failures) == (8, {})
    choosing = {run.id for run in plan.choosing_runs}
    assert set(watcher.begun[:4]) == choosing
    for choice in plan.choices:
        kept = store.get(choice.id)
        assert kept is not None and kept["outcome"] == came.outcomes[choice.id]
        assert kept["outcome"]["chosen"] == 0.1
    judged = [content for content, _ in outcomes(store).values() if content["kind"] == "training"]
    rates = [c["recipe"]["optimizer"]["lr"] for c in judged if not c["recipe"]["dataset"]["validation"]]
    assert rates == [0.1] * 4
    again = execute([plan], store, Watcher(), workers=0)
    assert (again.trained, again.reused) == (0, 8)


def test_where_a_choosing_run_fails_what_hangs_on_it_is_left_and_the_rest_is_done(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = small_plan(tmp_path, choose=CHOOSE)
    bad = plan.choices[0].candidates[0][1][0]
    honest = worker.Trainer.do

    def do(self: worker.Trainer, task: Task) -> Finished:
        return Finished(task.id, "failed", "no luck") if task.id == bad.id else honest(self, task)

    monkeypatch.setattr(worker.Trainer, "do", do)
    came = execute([plan], store, Watcher(), workers=0)
    assert came.failures == {bad.id: "no luck"}
    assert came.trained == 3 + 2
    assert plan.choices[0].id not in came.outcomes and plan.choices[1].id in came.outcomes


# ---- a run fails


def with_dataset(plan: Plan, alpha: float, name: str) -> Plan:
    """The plan with another data set at one alpha."""
    dataset = {"name": name, "clean": 300, "validation": 0}
    jobs = [
        replace(job, recipe={**job.recipe, "dataset": dataset}) if job.point["noise.alpha"] == alpha else job
        for job in plan.jobs
    ]
    return replace(plan, jobs=tuple(jobs))


def test_a_missing_data_set_fails_its_runs_and_the_others_go_on(small: Plan, store: Store, tmp_path: Path) -> None:
    plan = with_dataset(small, 2, "mnist")
    watcher = Watcher()
    came = execute([plan], store, watcher, workers=0, data_root=tmp_path / "no data")
    assert came.trained == 2 and len(came.failures) == 2
    assert all("lnbench data fetch mnist" in message for message in came.failures.values())
    assert sorted(how for _, how, _ in watcher.ended) == ["failed", "failed", "trained", "trained"]


def test_a_bug_in_a_run_is_one_line_and_its_traceback_is_kept(
    small: Plan, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lnbench.methods.standard import Standard

    def loss(self: Standard, logits: Any, labels: Any) -> Any:
        raise RuntimeError("the shapes do not fit\nand more")

    monkeypatch.setattr(Standard, "loss", loss)
    came = execute([small], store, Watcher(), workers=0)
    assert set(came.failures.values()) == {"RuntimeError: the shapes do not fit"}
    assert all("Traceback" in detail and "in loss" in detail for detail in came.details.values())
    assert came.trained == 0 and outcomes(store) == {}
    monkeypatch.undo()
    assert execute([small], store, Watcher(), workers=0).trained == 4  # a failure is not kept


def test_when_the_disk_is_full_no_more_is_begun(small: Plan, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(self: Store, one: Any, arrays: Any) -> None:
        raise StoreUnwritable("the disk is full; free some space")

    monkeypatch.setattr(Store, "put", put)
    watcher = Watcher()
    came = execute([small], store, watcher, workers=0)
    assert len(watcher.begun) == 1
    assert len(came.failures) == 4 and set(came.failures.values()) == {"the disk is full; free some space"}
    assert "3 waiting runs were not begun" in watcher.notes[0]


# ---- workers that misbehave (stand-ins, so that no torch is imported)


def stand_in(monkeypatch: pytest.MonkeyPatch, main: Any) -> None:
    monkeypatch.setattr(worker, "main", main)


def test_a_run_that_kills_its_worker_twice_fails_and_the_others_go_on(
    small: Plan, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, stand_ins.killed_by_its_run)
    jobs = list(small.jobs)
    deadly = {**jobs[1].recipe, "optimizer": {**jobs[1].recipe["optimizer"], "lr": 666}}
    jobs[1] = replace(jobs[1], recipe=deadly)
    watcher = Watcher()
    came = execute([replace(small, jobs=tuple(jobs))], store, watcher, workers=2)
    assert came.trained == 3
    assert list(came.failures) == [jobs[1].run().id]
    assert "killed by signal 9" in came.failures[jobs[1].run().id]
    assert watcher.begun.count(jobs[1].run().id) == 2
    assert len(watcher.notes) == 1 and "trying once more" in watcher.notes[0]
    assert no_child_is_left()


def test_a_run_whose_worker_was_told_to_end_is_done_by_another(
    small: Plan, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, stand_ins.told_to_end)
    came = execute([small], store, Watcher(), workers=1)
    assert (came.trained, came.failures) == (4, {})


@pytest.mark.parametrize(
    ("main", "processes", "words"),
    [("never_ready", 3, "3 processes in a row ended before they could train"), ("broken", 1, "ImportError: no torch")],
)
def test_where_no_worker_can_train_all_fails_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: str, processes: int, words: str
) -> None:
    stand_in(monkeypatch, getattr(stand_ins, main))
    plan = small_plan(tmp_path, seeds=20)
    store, watcher = Store(tmp_path / "store"), Watcher()
    came = execute([plan], store, watcher, workers=1)
    assert len(came.failures) == 40 and came.trained == 0
    assert any(words in message for message in came.failures.values())
    assert len(list(store.path.glob("process-*"))) == processes


def test_a_record_that_is_not_there_after_all_is_a_failure(
    small: Plan, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, stand_ins.forgetful)
    came = execute([small], store, Watcher(), workers=1)
    assert set(came.failures.values()) == {"its record could not be read back from the store"}


def test_a_full_disk_ends_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, stand_ins.full_disk)
    watcher = Watcher()
    came = execute([small_plan(tmp_path, seeds=20)], Store(tmp_path / "store"), watcher, workers=1)
    assert len(came.failures) == 40 and len(watcher.begun) == 1


def test_a_worker_is_deaf_to_ctrl_c_from_its_first_moment(
    small: Plan, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a Ctrl-C while it imports would end it with a traceback on the terminal."""
    stand_in(monkeypatch, stand_ins.tells_its_signal_mask)
    watcher = Watcher()
    assert execute([small], store, watcher, workers=1).trained == 4
    assert watcher.notes == ["SIGINT blocked: True"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_worker_that_does_not_end_is_killed(small: Plan, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, stand_ins.deaf)
    monkeypatch.setattr(pool, "SECONDS_TO_STOP", 0.2)
    began = time.monotonic()

    class Impatient(Watcher):
        def started(self, task: Task) -> None:
            signal.setitimer(signal.ITIMER_REAL, 1.0)

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            execute([small], store, Impatient(), workers=1)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 20
    assert no_child_is_left()


def test_a_run_that_another_process_finishes_meanwhile_is_taken_over(
    small: Plan, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = small.jobs[0].run()
    honest = worker.Trainer.do
    asked = 0

    def do(self: worker.Trainer, task: Task) -> Finished:
        nonlocal asked
        if task.id != busy.id:
            return honest(self, task)
        asked += 1
        if asked == 2:  # by now the other one is done
            store.put(make_record(busy.content, stand_ins.OUTCOME, {}))
        return Finished(task.id, "busy", busy=(busy.id,))

    monkeypatch.setattr(worker.Trainer, "do", do)
    came = execute([small], store, Watcher(), workers=0)
    assert asked == 2
    assert (came.trained, came.reused) == (3, 1)
    assert came.outcomes[busy.id] == stand_ins.OUTCOME


def test_a_finished_runs_left_over_checkpoint_is_cleared(small: Plan, store: Store) -> None:
    """Its process was killed between writing the record and removing the state."""
    execute([small], store, Watcher(), workers=0)
    left = store.checkpoint_path(small.jobs[0].run().id)
    store.write(left, b"old")
    execute([small], store, Watcher(), workers=0)
    assert not left.exists()


# ---- killed and interrupted, for real


@pytest.mark.parametrize(
    "how",
    [signal.SIGINT, signal.SIGTERM, pytest.param(signal.SIGALRM, marks=pytest.mark.long)],
    ids=lambda how: how.name,
)
def test_what_ends_this_process_leaves_a_checkpoint(
    undisturbed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    """A program that has a handler for it, as the command line has, leaves a checkpoint for SIGTERM as for Ctrl-C."""

    def at_once(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    plan, whole, _, _ = undisturbed
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_REPORTS", 0.05)
    store = Store(tmp_path / "store", pytest.fail)
    before = signal.getsignal(how)
    if how != signal.SIGINT:
        signal.signal(how, at_once)
    handler = signal.getsignal(how)
    watcher = Watcher(lambda report: os.kill(os.getpid(), how))
    try:
        with pytest.raises(KeyboardInterrupt):
            execute([plan], store, watcher, workers=0)
        assert signal.getsignal(how) is handler
    finally:
        signal.signal(how, before)
    (checkpoint,) = (store.path / "checkpoints").iterdir()
    state = load_state([checkpoint.stem], checkpoint)
    assert state is not None and state.epoch + state.step > 0
    if how == signal.SIGTERM:  # it makes no difference to the next call, which takes its time
        return
    told: list[Any] = []
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_REPORTS", 0.0)
    execute([plan], store, Watcher(told.append), workers=0)
    finish(plan, store, whole)
    resumed = store.get(checkpoint.stem)
    assert resumed is not None and resumed["provenance"]["resumed"] is True
    before = {report.before > 0 for report in told if report.task_id == checkpoint.stem}
    assert before == {True} and {report.before for report in told if report.task_id != checkpoint.stem} == {0}


@pytest.mark.parametrize(
    ("how", "words"),
    [(signal.SIGKILL, "killed by signal 9"), pytest.param(signal.SIGTERM, "told to end", marks=pytest.mark.long)],
    ids=["KILL", "TERM"],
)
def test_a_real_worker_that_is_killed_or_told_to_end_is_replaced(
    undisturbed: Any, tmp_path: Path, how: signal.Signals, words: str
) -> None:
    plan, whole, _, _ = undisturbed
    with sweeping(tmp_path, **LONG) as process:
        wait_for(process, "report")
        (victim,) = workers_of(process.pid)
        os.kill(victim, how)
        assert words in (line := wait_for(process, "note")) and "trying once more" in line
        assert wait_for(process, "done") == "done 2 0 0"
    store = Store(tmp_path / "store", pytest.fail)
    assert outcomes(store) == outcomes(whole)
    (longest, _) = sorted((job.run() for job in plan.jobs), key=lambda run: -run.flop)
    disturbed = store.get(longest.id)
    assert disturbed is not None  # who is told to end saves its step first
    assert disturbed["provenance"]["resumed"] is (how == signal.SIGTERM)


def stopped_before_the_end(folder: Path, stop: Callable[[subprocess.Popen[str]], None]) -> Store:
    """Return the store of a sweep that `stop` stopped; a stop after the last run tests nothing and is repeated.

    On a busy machine a stop comes late. A worker that trains on for nobody finishes its run every time.
    """
    for attempt in range(6):
        with sweeping(folder / str(attempt), **LONG) as process:
            stop(process)
        store = Store(folder / str(attempt) / "store", pytest.fail)
        if len(outcomes(store)) < 2:
            return store
    pytest.fail("both runs were finished after each of the stops")


def test_after_ctrl_c_the_next_call_goes_on(undisturbed: Any, tmp_path: Path) -> None:
    """As a terminal does it: the signal goes to the parent and to its workers."""
    plan, whole, _, _ = undisturbed

    def stop(process: subprocess.Popen[str]) -> None:
        wait_for(process, "finished")
        wait_for(process, "report")  # of the second and last run
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert "Traceback" not in rest
        if "done 2" not in rest:
            assert process.returncode == 130
            assert rest.splitlines()[-1] == "interrupted"

    store = stopped_before_the_end(tmp_path, stop)
    assert len(outcomes(store)) == 1
    (checkpoint,) = (store.path / "checkpoints").iterdir()
    assert load_state([checkpoint.stem], checkpoint) is not None
    came = finish(plan, store, whole)
    assert (came.trained, came.reused) == (1, 1)
    resumed = store.get(checkpoint.stem)
    assert resumed is not None and resumed["provenance"]["resumed"] is True


@pytest.mark.parametrize(
    "moment",
    [("report", 0.07), pytest.param(("finished", 0.13), marks=pytest.mark.long)],
    ids=["in the first run", "in the second"],
)
def test_after_kill_9_workers_end_by_themselves_and_the_next_call_goes_on(
    undisturbed: Any, tmp_path: Path, moment: tuple[str, float]
) -> None:
    plan, whole, _, _ = undisturbed

    def stop(process: subprocess.Popen[str]) -> None:
        wait_for(process, moment[0])
        time.sleep(moment[1])
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 15  # a second or two on a machine that is not overloaded
        while not group_is_gone(process.pid):
            assert time.monotonic() < deadline, "a worker trains on for nobody"
            time.sleep(0.05)

    store = stopped_before_the_end(tmp_path, stop)
    assert list((store.path / "checkpoints").iterdir())  # the orphaned worker saved its step
    finish(plan, store, whole)


def test_a_worker_whose_parent_is_killed_while_it_starts_ends_too(tmp_path: Path) -> None:
    """Its first run lies in the pipe by then; it must not train it for nobody."""
    with sweeping(tmp_path, clean=1300, epochs=5000, alphas="[0, 100]", seeds=1) as process:
        wait_for(process, "started")
        time.sleep(0.2)  # until the run is sent
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 20  # torch is imported first
        while not group_is_gone(process.pid):
            assert time.monotonic() < deadline, "a worker trains on for nobody"
            time.sleep(0.1)


def _parent(plan: Plan, store: Path, start: Any, told: Any) -> None:
    told.put("ready")  # else the other may have trained all before this one has imported what it needs
    start.wait()
    came = execute([plan], Store(store, sys.exit), Watcher(), workers=0)
    told.put((came.trained, came.reused, len(came.failures)))


def test_two_parents_on_one_store_share_the_work(tmp_path: Path) -> None:
    plan = small_plan(tmp_path, epochs=20, seeds=3)
    context = multiprocessing.get_context("spawn")  # a fork of a process that has trained would keep torch's locks
    start, told = context.Event(), context.Queue()
    parents = [context.Process(target=_parent, args=(plan, tmp_path / "store", start, told)) for _ in range(2)]
    for parent in parents:
        parent.start()
    assert [told.get(timeout=120) for _ in parents] == ["ready"] * 2
    start.set()
    ends = [told.get(timeout=120) for _ in parents]
    for parent in parents:
        parent.join(60)  # seconds, where much else wants the cores
        assert parent.exitcode == 0
    assert sum(trained for trained, _, _ in ends) == 6  # none twice
    assert min(trained for trained, _, _ in ends) >= 1  # and neither stood idle
    assert all((trained + reused, failed) == (6, 0) for trained, reused, failed in ends)
    store, alone = Store(tmp_path / "store", pytest.fail), Store(tmp_path / "alone", pytest.fail)
    execute([plan], alone, Watcher(), workers=0)
    assert len(outcomes(store)) == 6 and outcomes(store) == outcomes(alone)
    assert not list((store.path / "locks").iterdir())
