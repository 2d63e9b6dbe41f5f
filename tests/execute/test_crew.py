"""Who trains: a crew that is not lnbench's own, and shares of a plan that know nothing of each other."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import LnbenchError
from lnbench.execute.crew import Shard
from lnbench.execute.local import execute, lasting_crew
from lnbench.execute.pool import Pool
from lnbench.execute.work import Work
from lnbench.plan import Job, Plan, Run
from lnbench.store import Store
from tests.execute.sweep_tools import SUITE, Watcher, outcomes
from tests.execute.test_stages import small as staged
from tests.toys.small_runs import run, small_plan

CHOICE = (
    "{key: optimizer.lr, from: [0.01, 0.05], per: [noise.alpha], by: validation_accuracy, validation: 50, seeds: 1}"
)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Store]:
    """A plan with a choice between two learning rates at each of two levels, and its records, trained at once."""
    folder = tmp_path_factory.mktemp("whole")
    plan, store = small_plan(folder, seeds=4, choose=CHOICE), Store(folder / "store")
    assert execute([plan], store, Watcher(), workers=0).trained == 12
    return plan, store


# ---- a crew for several studies


def test_a_lasting_pool_starts_its_processes_once_and_ends_them_with_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    start = Pool._start
    monkeypatch.setattr(Pool, "_start", lambda pool, store: started.append(start(pool, store)) or started[-1])
    store = Store(tmp_path / "store")
    plans = [small_plan(folder(tmp_path, name), seeds=seeds) for name, seeds in (("one", 1), ("two", 2))]
    with lasting_crew("cpu", None, 1) as crew:
        first, second = (execute([plan], store, Watcher(), crew=crew) for plan in plans)
        assert first.trained and second.trained and not first.failures and not second.failures
        assert len(started) == 1 and started[0].process.is_alive()
        os.kill(started[0].process.pid, signal.SIGKILL)  # while it has nothing to do
        started[0].process.join()
        third = execute([small_plan(folder(tmp_path, "three"), seeds=3)], store, Watcher(), crew=crew)
        assert third.trained and not third.failures and len(started) == 2
    assert not any(member.process.is_alive() for member in started)
    alone = Store(tmp_path / "alone")
    execute([plans[1]], alone, Watcher(), workers=0)
    assert all(store.get(record["id"])["outcome"] == record["outcome"] for record in alone.records())  # type: ignore


def test_an_interrupted_lasting_pool_has_no_process_left_and_can_be_used_again(tmp_path: Path) -> None:
    class Interrupting(Watcher):
        def report(self, report: Any) -> None:
            raise KeyboardInterrupt

    # a worker says how far it is every half a second
    plan, store = small_plan(tmp_path, clean=1300, epochs=30, alphas="[0, 3]", seeds=1), Store(tmp_path / "store")
    with lasting_crew("cpu", None, 1) as crew:
        with pytest.raises(KeyboardInterrupt):
            execute([plan], store, Interrupting(), crew=crew)
        assert isinstance(crew, Pool) and crew.members == []
        assert not execute([plan], store, Watcher(), crew=crew).failures
    assert all(store.get(run.id) for run in plan.provisional_runs())


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


# ---- a crew of our own


class Queue:
    """A crew that trains elsewhere: tasks lie in a folder, and a process that shares no more with us takes them."""

    workers = 1
    OTHER = """
import pickle, sys, time
from pathlib import Path
from lnbench.execute.worker import Trainer
from lnbench.store import Store
queue, store = map(Path, sys.argv[1:])
trainer = Trainer(Store(store), "cpu", None, lambda report: None, lambda: False)
while not (queue / "end").exists():
    for file in queue.glob("*.task"):
        task = pickle.loads(file.read_bytes())
        file.unlink()
        (queue / "half done").write_bytes(pickle.dumps(trainer.do(task)))
        (queue / "half done").rename(file.with_suffix(".done"))
    time.sleep(0.02)
"""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()

    def run(self, work: Work) -> None:
        """Lay tasks into the folder, and take note of how they ended."""
        command = [sys.executable, "-c", self.OTHER, str(self.folder), str(work.store.path)]
        other = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(SUITE), "OMP_NUM_THREADS": "1"})
        while work.left:
            task = work.take()
            if task is not None:
                (self.folder / "half a task").write_bytes(pickle.dumps(task))  # each side has a name of its own
                (self.folder / "half a task").rename(self.folder / f"{task.id}.task")
            for file in self.folder.glob("*.done"):
                work.done(pickle.loads(file.read_bytes()))
                file.unlink()
            assert other.poll() is None
            time.sleep(0.02)
        (self.folder / "end").touch()
        assert other.wait(30) == 0


def test_a_crew_of_ones_own_trains_the_same_records(chosen: tuple[Plan, Store], tmp_path: Path) -> None:
    plan, whole = chosen
    store, watcher = Store(tmp_path / "store"), Watcher()
    came = execute([plan], store, watcher, crew=Queue(tmp_path / "queue"))
    assert (came.trained, came.failures) == (12, {})
    assert outcomes(store) == outcomes(whole)
    assert {how for _, how, _ in watcher.ended} == {"trained"}


# ---- shares


def test_two_shares_apart_are_together_the_whole(chosen: tuple[Plan, Store], tmp_path: Path) -> None:
    plan, whole = chosen
    together, trained, left = Store(tmp_path / "together"), [], []
    for number in (1, 2):
        store = Store(tmp_path / str(number))
        came = execute([plan], store, Watcher(), workers=0, shard=Shard(number, 2))
        assert came.failures == {}
        trained.append({record["id"] for record in store.records() if record["kind"] == "training"})
        left.append(came.left)
        store.export(tmp_path / f"{store.path.name}.jsonl")
        assert together.import_(tmp_path / f"{store.path.name}.jsonl")[2] == []
    assert outcomes(together) == outcomes(whole)
    assert len(trained[0] & trained[1]) == 4, "only what the choices need is trained by both"
    assert left[0] == trained[1] - trained[0] and left[1] == trained[0] - trained[1]
    assert left[0] and left[1]


def test_shares_of_one_store_train_nothing_twice(chosen: tuple[Plan, Store], tmp_path: Path) -> None:
    plan, whole = chosen
    store = Store(tmp_path / "store")
    watchers = [Watcher(), Watcher()]
    came = [
        execute([plan], store, watcher, workers=0, shard=Shard(number, 2))
        for number, watcher in enumerate(watchers, start=1)
    ]
    assert came[0].trained + came[1].trained == 12
    assert came[1].left == set(), "what the first share has trained is not left, but there"
    assert outcomes(store) == outcomes(whole)
    assert len(watchers[1].tasks) == came[1].trained


def test_a_run_that_was_left_is_trained_once_another_run_waits_for_it(tmp_path: Path) -> None:
    """A plan's own runs are, in another plan, what the first weights come from."""
    inputs = "inputs: {before: {kind: weights, of: {}, per: seed}}"
    reads = staged(tmp_path, inputs, vary="start: [null, before]", at="start: before", seeds=3)

    class OfAnInput(Job):
        def run(self, chosen: Any = None) -> Run:
            return reads.input_runs[self.seed]

    jobs = [OfAnInput({}, number, behind.recipe, (), None) for number, behind in enumerate(reads.input_runs)]
    plans = [replace(reads, jobs=tuple(jobs)), reads]
    assert plans[0].provisional_runs() == list(reads.input_runs)
    whole = Store(tmp_path / "whole")
    assert execute(plans, whole, Watcher(), workers=0).trained == 9
    together = Store(tmp_path / "together")
    for number in (1, 2):
        store = Store(tmp_path / str(number))
        came = execute(plans, store, Watcher(), workers=0, shard=Shard(number, 2))
        needed = {run.id for plan in plans for run in plan.provisional_runs()}
        assert came.failures == {} and came.left == needed - {record["id"] for record in store.records()}
        store.export(tmp_path / f"{store.path.name}.jsonl")
        assert together.import_(tmp_path / f"{store.path.name}.jsonl")[2] == []
    assert outcomes(together) == outcomes(whole)


def test_every_run_belongs_to_one_share() -> None:
    runs = [run(seed) for seed in range(60)]
    shares = [[each.id for each in runs if Shard(number, 3).has(each)] for number in (1, 2, 3)]
    assert sorted(run_id for share in shares for run_id in share) == sorted(each.id for each in runs)
    assert min(map(len, shares)) > 10


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1.0/2", "1/ 2", "٣/٤"])
def test_what_is_no_share_is_one_clear_error(text: str) -> None:
    assert Shard.parse("2/3") == Shard(2, 3)
    with pytest.raises(LnbenchError, match="not a share; write 1/3"):
        Shard.parse(text)
