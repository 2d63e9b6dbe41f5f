"""Sweeps whose runs train in groups: the records of runs one by one, whatever happens to the group."""

from __future__ import annotations

import errno
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench.errors import StoreError
from lnbench.execute import worker
from lnbench.execute.groups import Task
from lnbench.execute.local import execute
from lnbench.plan import Plan
from lnbench.store import Store
from lnbench.training import engine
from lnbench.training.checkpoints import runs_in
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
from tests.toys.records import training
from tests.toys.small_runs import small_plan

# two groups of three runs, each of a few tenths of a second
GROUPS: dict[str, Any] = {"clean": 1000, "epochs": 8, "alphas": "[0, 1]", "seeds": 3}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Store]:
    """Every run by itself, stacked as one."""
    folder = tmp_path_factory.mktemp("whole")
    plan, store = small_plan(folder, **GROUPS), Store(folder / "store", pytest.fail)
    for job in plan.jobs:
        only_this = replace(plan, jobs=(job,))
        assert execute([only_this], store, Watcher(), workers=0, backend="stacked").trained == 1
    return plan, store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", pytest.fail)


def provenance(store: Store) -> list[dict[str, Any]]:
    return [one["provenance"] for one in store.records()]


def probed(plan: Plan) -> Plan:
    """The plan with each example's loss kept."""
    return replace(
        plan, jobs=tuple(replace(job, recipe={**job.recipe, "probes": ["example_loss"]}) for job in plan.jobs)
    )


# ---- nothing happens


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.long)])
def test_groups_give_the_records_of_runs_one_by_one(
    whole: tuple[Plan, Store], store: Store, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_REPORTS", 0.01)
    plan, alone = whole
    watcher = Watcher()
    came = execute([plan], store, watcher, workers=workers, backend="stacked")
    assert (came.trained, came.reused, came.failures) == (6, 0, {})
    assert outcomes(store) == outcomes(alone)
    sizes = sorted(one.get("replicas", 1) for one in provenance(store))
    assert sizes == ([3] * 6 if workers == 0 else [1, 1, 2, 2, 2, 2])
    assert {one["backend"] for one in provenance(store)} == {"stacked"}
    assert all("compiled" not in one and "untested" not in one for one in provenance(store))
    if workers == 0:
        assert {report.task_id for report in watcher.reports} == {task.id for task in watcher.tasks}
        assert sorted(one["place"] for one in provenance(store)) == [0, 0, 1, 1, 2, 2]
    assert not store.checkpoints() and not list((store.path / "locks").iterdir())
    assert no_child_is_left()


def test_the_loop_agrees_with_the_stack(whole: tuple[Plan, Store], store: Store) -> None:
    plan, stacked = whole
    execute([plan], store, Watcher(), workers=0, backend="loop")
    assert {one["backend"] for one in provenance(store)} == {"loop"}
    theirs = outcomes(stacked)
    for run_id, (content, outcome) in outcomes(store).items():
        assert theirs[run_id][0] == content
        for name, curve in outcome["curves"].items():
            assert theirs[run_id][1]["curves"][name] == pytest.approx(curve, rel=1e-4, abs=2.1 / 497), name


# ---- cut short


def test_ctrl_c_leaves_one_checkpoint_of_the_group(
    whole: tuple[Plan, Store], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_REPORTS", 0.05)
    plan, alone = whole
    watcher = Watcher(lambda report: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        execute([plan], store, watcher, workers=0, backend="stacked")
    (checkpoint,) = store.checkpoints()
    assert runs_in(checkpoint) == [run.id for run in watcher.tasks[0].runs] == watcher.begun
    assert (finish(plan, store, alone, "stacked")).trained == 6
    assert sorted(one["resumed"] for one in provenance(store)) == [False] * 3 + [True] * 3


def test_ctrl_c_to_the_whole_sweep_exits_130(whole: tuple[Plan, Store], tmp_path: Path, store: Store) -> None:
    plan, alone = whole
    with sweeping(tmp_path, backend="stacked", **GROUPS) as process:
        wait_for(process, "report")
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        assert rest.splitlines()[-1] == "interrupted" and "Traceback" not in rest
    (checkpoint,) = store.checkpoints()
    assert len(runs_in(checkpoint)) == 3
    finish(plan, store, alone, "stacked")


def test_a_worker_that_is_killed_is_replaced_and_its_group_goes_on(
    whole: tuple[Plan, Store], tmp_path: Path, store: Store
) -> None:
    _, alone = whole
    with sweeping(tmp_path, backend="stacked", **GROUPS) as process:
        wait_for(process, "report")
        (victim,) = workers_of(process.pid)
        os.kill(victim, signal.SIGTERM)
        note = wait_for(process, "note")
        assert note == "note 3 × perceptron together: its process was told to end; trying once more"
        assert wait_for(process, "done") == "done 6 0 0"
    assert outcomes(store) == outcomes(alone)
    assert sorted(one["resumed"] for one in provenance(store)) == [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    "everything", [True, pytest.param(False, marks=pytest.mark.long)], ids=["all processes", "the parent"]
)
def test_after_kill_9_the_next_call_goes_on(
    whole: tuple[Plan, Store], tmp_path: Path, store: Store, everything: bool
) -> None:
    plan, alone = whole
    with sweeping(tmp_path, backend="stacked", **GROUPS) as process:
        wait_for(process, "report")
        (os.killpg if everything else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 20
        while not group_is_gone(process.pid):
            assert time.monotonic() < deadline, "a worker trains on for nobody"
            time.sleep(0.05)
    assert len(store.checkpoints()) == (0 if everything else 1)
    finish(plan, store, alone, "stacked")


def test_a_process_killed_between_two_records_of_a_group_loses_nothing(
    whole: tuple[Plan, Store], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on from the group's checkpoint: hours later they would not like to begin anew."""
    plan, alone = whole
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_CHECKPOINTS", 0.03)
    put, kept = Store.put, 0

    def killed(self: Store, one: Any, arrays: Any = None) -> None:
        nonlocal kept
        if kept == 2:
            raise SystemExit("killed")
        kept += 1
        put(self, one, arrays)

    monkeypatch.setattr(Store, "put", killed)
    with pytest.raises(SystemExit):
        execute([plan], store, Watcher(), workers=0, backend="stacked")
    monkeypatch.setattr(Store, "put", put)
    (checkpoint,) = store.checkpoints()
    assert len(outcomes(store)) == 2 and len(runs_in(checkpoint)) == 3
    (last,) = set(runs_in(checkpoint)) - set(outcomes(store))
    finish(plan, store, alone, "stacked")
    record = store.get(last)
    assert record is not None and record["provenance"]["resumed"] is True


# ---- memory, disk, neighbours


def test_a_group_that_is_too_large_is_halved_and_says_so(
    whole: tuple[Plan, Store], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    plan, alone = whole
    honest, asked = engine.train_group, []

    def small_memory(recipes: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(len(recipes))
        if len(recipes) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB\nand much more")
        return honest(recipes, *arguments, **options)

    monkeypatch.setattr(engine, "train_group", small_memory)
    watcher = Watcher()
    came = execute([plan], store, watcher, workers=0, backend="stacked")
    assert (came.trained, came.failures) == (6, {})
    assert asked == [3, 1, 1, 1, 3, 1, 1, 1]  # the other three are of another shape
    assert outcomes(store) == outcomes(alone)
    assert {one["halved"] for one in provenance(store)} == {1}
    assert "3 × perceptron together: out of memory" in watcher.notes[0]
    assert "going on with half as many at once" in watcher.notes[0] and "\n" not in watcher.notes[0]


def test_a_single_run_that_is_too_large_fails_and_finished_runs_stay(
    whole: tuple[Plan, Store], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, alone = whole
    honest = engine.train_group

    def small_memory(recipes: Any, *arguments: Any, **options: Any) -> Any:
        if recipes[0]["noise"]["alpha"] == 0:
            raise MemoryError
        return honest(recipes, *arguments, **options)

    monkeypatch.setattr(engine, "train_group", small_memory)
    came = execute([plan], store, Watcher(), workers=0, backend="stacked")
    assert came.trained == 3 and len(came.failures) == 3
    assert set(came.failures.values()) == {"out of memory, with nothing beside it in this process (MemoryError)"}
    monkeypatch.undo()
    assert finish(plan, store, alone, "stacked").reused == 3


def test_a_disk_that_is_full_amid_a_groups_records_keeps_those_that_are_whole(
    whole: tuple[Plan, Store], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, alone = whole
    synced, fsync = 0, os.fsync

    def full(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        if synced > 2 * 2:  # two records: each file, and its folder
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    watcher = Watcher()
    came = execute([plan], store, watcher, workers=0, backend="stacked")
    monkeypatch.undo()
    assert (came.trained, len(came.failures)) == (2, 4)
    assert all("the disk is full; free some space" in message for message in came.failures.values())
    assert len(watcher.tasks) == 1 and "3 waiting runs were not begun" in watcher.notes[0]
    assert len(outcomes(store)) == 2
    assert finish(plan, store, alone, "stacked").reused == 2


def test_a_member_that_another_process_trains_is_left_to_it(
    whole: tuple[Plan, Store], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, alone = whole
    theirs = plan.jobs[0].run()
    monkeypatch.setattr(Store, "lock", busy_once(store, theirs.id, Store.lock))
    watcher = Watcher()
    came = execute([plan], store, watcher, workers=0, backend="stacked")
    assert (came.trained, came.failures) == (6, {})
    assert outcomes(store) == outcomes(alone)
    with_them = [len(task.runs) for task in watcher.tasks if theirs.id in [run.id for run in task.runs]]
    assert with_them == [3, 1]  # first with two others, who went on without it; then, a second later, alone


def busy_once(store: Store, run_id: str, lock: Any) -> Any:
    """`Store.lock`, that another process has the first time it is asked for this run."""
    import contextlib

    asked = 0

    @contextlib.contextmanager
    def locked(self: Store, record_id: str) -> Any:
        nonlocal asked
        with lock(self, record_id) as mine:
            asked += record_id == run_id
            yield mine and (record_id != run_id or asked > 1)

    return locked


def test_a_compiler_that_fails_is_told_once_and_the_record_does_not_speak_of_it(
    whole: tuple[Plan, Store], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def broken(function: Any, **options: Any) -> Any:
        def call(*arguments: Any) -> Any:
            raise RuntimeError("no working C++ compiler")

        return call

    plan, alone = whole
    monkeypatch.setattr(torch, "compile", broken)
    honest = worker.Trainer.do

    def compiling(self: worker.Trainer, task: Task) -> Any:
        return honest(self, replace(task, compile=True))

    monkeypatch.setattr(worker.Trainer, "do", compiling)
    notes: list[str] = []
    came = execute([plan], Store(store.path, notes.append), Watcher(), workers=0, backend="stacked")
    assert (came.trained, came.failures) == (6, {})
    (note,) = notes
    assert note.startswith("torch.compile fails here, so training runs uncompiled (RuntimeError: no working C++")
    assert all("compiled" not in one for one in provenance(store))
    assert outcomes(store) == outcomes(alone)


def test_what_no_machine_of_ours_has_run_says_so(
    whole: tuple[Plan, Store], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    trainer = worker.Trainer(store, "cpu", None, lambda report: None, lambda: False)
    run = whole[0].jobs[0].run()
    assert "untested" not in trainer._provenance(Task((run,), "stacked"), 1.0, False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    trainer.device = torch.device("cuda")
    says = {name: trainer._provenance(Task((run,), name), 1.0, False) for name in ("loop", "stacked", "recorded")}
    assert {name for name, one in says.items() if one.get("untested")} == {"stacked", "recorded"}
    assert {one["device"] for one in says.values()} == {"a GPU"}


# ---- arrays beside a record


def test_arrays_are_written_before_their_record_and_read_back(
    whole: tuple[Plan, Store], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = probed(whole[0])
    written: list[str] = []
    write = Store.write

    def noted(self: Store, file: Path, data: bytes) -> None:
        written.append(file.name)
        write(self, file, data)

    monkeypatch.setattr(Store, "write", noted)
    execute([plan], store, Watcher(), workers=0, backend="stacked")
    records = list(store.records())
    assert len(records) == 6
    for one in records:
        assert written.index(f"{one['id']}.npz") < written.index(f"{one['id']}.json")
        losses = store.array(one, "example_loss")
        assert losses.dtype == np.float32
        assert losses.shape == (8, 1000 * (2 if one["content"]["recipe"]["noise"]["alpha"] else 1))
        assert losses.mean(1) == pytest.approx(one["outcome"]["curves"]["train_loss"], rel=1e-6)


def test_arrays_of_a_sweep_that_was_killed_are_those_of_one_that_was_not(
    whole: tuple[Plan, Store], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, undisturbed = probed(whole[0]), Store(tmp_path / "undisturbed", pytest.fail)
    execute([plan], undisturbed, Watcher(), workers=0, backend="stacked")
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_REPORTS", 0.03)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            interrupting = Watcher(lambda report: os.kill(os.getpid(), signal.SIGINT))
            execute([plan], store, interrupting, workers=0, backend="stacked")
    finish(plan, store, undisturbed, "stacked")  # the checksums of the arrays are part of the outcomes
    for one in store.records():
        assert np.array_equal(store.array(one, "example_loss"), undisturbed.array(one, "example_loss"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("missing", r"not there \(an export holds none\); copy it"),
        pytest.param("cut off", "no NumPy archive, or a damaged one", marks=pytest.mark.long),
        ("another run's", "is not the array that its record describes"),
        ("a folder", "cannot be read: it is a folder, where a file is needed"),
    ],
)
def test_a_side_file_that_is_not_what_it_was_is_one_clear_error(
    whole: tuple[Plan, Store], store: Store, damage: str, words: str
) -> None:
    alike = [job for job in probed(whole[0]).jobs if job.point["noise.alpha"] == 0]
    plan = replace(whole[0], jobs=tuple(alike[:2]))
    execute([plan], store, Watcher(), workers=0, backend="stacked")
    one, other = (store.get(job.run().id) for job in plan.jobs)
    assert one is not None and other is not None
    file, theirs = (store.path / "records" / r["id"][:2] / f"{r['id']}.npz" for r in (one, other))
    data = file.read_bytes()
    file.unlink()
    if damage == "a folder":
        file.mkdir()
    elif damage != "missing":
        file.write_bytes(data[: len(data) // 2] if damage == "cut off" else theirs.read_bytes())
    with pytest.raises(StoreError, match=words) as caught:
        store.array(one, "example_loss")
    assert str(file) in str(caught.value) and f"lnbench store remove {one['id']}" in str(caught.value)
    with pytest.raises(StoreError, match="this record has no 'other'; name it in the recipe's `probes`"):
        store.array(one, "other")
    # what the message says to do works
    if damage == "a folder":
        file.rmdir()
    file.with_suffix(".json").unlink()
    execute([plan], store, Watcher(), workers=0, backend="stacked")
    assert store.array(one, "example_loss").shape[0] == 8


def test_a_record_that_is_there_keeps_its_own_arrays(store: Store) -> None:
    """Two trainings of one run at once (a file system without locks), by two backends: the first is what counts."""
    from lnbench.store import sidefiles

    arrays = [{"example_loss": np.full((1, 3), value, np.float32)} for value in (1, 2)]
    first, second = (training(1, arrays=sidefiles.describe(each)) for each in arrays)
    store.put(first, arrays[0])
    store.put(second, arrays[1])
    assert store.get(first["id"]) == first
    assert store.array(first, "example_loss").tolist() == [[1.0, 1.0, 1.0]]


def test_an_export_leaves_arrays_behind_and_the_record_says_so(
    whole: tuple[Plan, Store], store: Store, tmp_path: Path
) -> None:
    plan = replace(probed(whole[0]), jobs=probed(whole[0]).jobs[:1])
    execute([plan], store, Watcher(), workers=0, backend="stacked")
    assert store.with_arrays() == 1 and store.with_arrays([]) == 0
    assert store.export(tmp_path / "all.jsonl") == 1
    other = Store(tmp_path / "other", pytest.fail)
    assert other.import_(tmp_path / "all.jsonl") == (1, 0, [])
    (one,) = other.records()
    with pytest.raises(StoreError, match="not there"):
        other.array(one, "example_loss")
    file = Path("records") / one["id"][:2] / f"{one['id']}.npz"
    (other.path / file).write_bytes((store.path / file).read_bytes())  # as the message says
    assert np.array_equal(other.array(one, "example_loss"), store.array(one, "example_loss"))
