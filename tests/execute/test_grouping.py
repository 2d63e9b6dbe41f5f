"""The rule of groups.py, and how work that was begun is taken up again. Nothing is trained, no torch imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench.errors import LnbenchError
from lnbench.execute.groups import SIDE_BY_SIDE, STACK_MOST, Grouping, Task, check_backend
from lnbench.execute.work import ATTEMPTS, LOSSES, Work
from lnbench.execute.worker import Finished
from lnbench.plan import Plan, Run, layers_of
from lnbench.store import Store, make_record
from lnbench.training.checkpoints import load_state, save_state
from lnbench.training.hooks import State
from tests.execute.sweep_tools import Watcher
from tests.toys.records import OUTCOME
from tests.toys.small_runs import SGD, dilution, run, small_plan

DENSE: dict[str, Any] = {"model": "mlp1_w32", "epochs": 1000}  # 7.5 s by the planning figures: 60 s a group of 8
RESNET: dict[str, Any] = {"model": "resnet8_w8", "epochs": 40_000}


def many(count: int, **changes: Any) -> list[Run]:
    return [run(seed, **{**DENSE, **changes}) for seed in range(count)]


def task_of(runs: list[Run], **options: Any) -> Task:
    return Grouping(**options).task(runs[0], runs)


# ---- the rule


def test_dense_networks_worth_a_minute_are_stacked_and_compiled() -> None:
    assert task_of(many(8)) == Task(tuple(many(8)), "stacked", compile=True)
    assert task_of(many(8, epochs=900)) == Task((many(1, epochs=900)[0],), "loop")


def test_how_a_run_is_computed_does_not_hang_on_who_is_left() -> None:
    """Else the last runs of a sweep that was killed would end otherwise than those of one that was not."""
    runs = many(8)
    ways = {(task.backend, task.compile) for left in range(1, 9) for task in [task_of(runs[:left])]}
    assert ways == {("stacked", True)}


@pytest.mark.parametrize(
    ("model", "dataset", "most"), [("mlp1_w32", "digits", 8), ("perceptron", "mnist", 8), ("mlp1", "mnist", 1)]
)
def test_a_group_is_as_many_as_stay_in_the_cache(model: str, dataset: str, most: int) -> None:
    runs = many(20, model=model, dataset={"name": dataset, "clean": 300, "validation": 0}, epochs=10_000)
    weights = sum(layer.parameters for layer in layers_of(runs[0]))
    assert len(task_of(runs).runs) == most
    assert most == STACK_MOST or (most + 1) * weights * 12 > 4 * 2**20


def test_on_a_gpu_a_group_is_not_as_small_as_a_cores_cache() -> None:
    runs = many(20, model="mlp1", dataset={"name": "mnist", "clean": 300, "validation": 0})
    assert len(task_of(runs, device="cuda", backend="stacked").runs) == STACK_MOST


def test_batch_normalisation_in_bfloat16_is_not_compiled() -> None:
    """It would keep its statistics in bfloat16, and gains nothing."""
    assert task_of([run(**RESNET)]).compile
    assert not task_of([run(**RESNET, precision="fast")]).compile


@pytest.mark.parametrize(("workers", "size"), [(0, 6), (1, 6), (2, 3), (4, 2), (5, 2), (6, 1), (64, 1)])
def test_no_worker_stands_idle_while_another_has_several(workers: int, size: int) -> None:
    assert len(task_of(many(6), workers=workers).runs) == size


def test_those_of_highest_priority_go_first_and_none_twice() -> None:
    runs = many(20)
    grouping = Grouping()
    assert grouping.task(runs[3], [runs[3], *runs[5:]]).runs == (runs[3], *runs[5:12])


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "mlp1"}, {"batch_size": 64}, {"epochs": 1001}, {"precision": "fast"}, {"noise": dilution(2.0)},
        {"dataset": {"name": "digits", "clean": 299, "validation": 1}}, {"optimizer": {**SGD, "momentum": 0.8}},
        {"probes": ["example_loss"]}, {"augment": "crop_flip"},
        {"pixels": {"mean": [0.5], "std": [0.2]}},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_different_shapes_never_train_together(changes: dict[str, Any]) -> None:
    one, other = many(1)[0], many(1, **changes)[0]
    assert task_of([one, other]).runs == (one,)
    assert task_of([other, one], backend="stacked").runs == (other,)


def test_what_replicas_may_differ_in() -> None:
    cosine = {"kind": "cosine", "length": 2, "unit": "epochs", "per": "epoch", "final": 0.0}
    runs = [
        *many(1), *many(1, optimizer={**SGD, "lr": 1.0, "weight_decay": 0.1}), *many(1, schedule=cosine),
        *many(1, noise=dilution(1.0, False)),
    ]  # fmt: skip
    assert task_of(runs).runs == tuple(runs)


def test_smoke_never_compiles_and_so_never_stacks() -> None:
    runs = many(8)
    smoke = {run.id for run in runs[4:]}
    grouping = Grouping(smoke=smoke.__contains__)
    assert grouping.task(runs[0], runs) == Task(tuple(runs[:4]), "stacked", compile=True)
    assert grouping.task(runs[4], runs) == Task((runs[4],), "loop")
    forced = Grouping(smoke=smoke.__contains__, backend="stacked")
    assert forced.task(runs[4], runs) == Task(tuple(runs[4:]), "stacked")
    assert Grouping(smoke=lambda run_id: True).way(run(**RESNET)) == ("loop", False)


@pytest.mark.parametrize("backend", ["auto", "stacked"])
def test_convolutions_go_one_by_one(backend: str) -> None:
    assert task_of(many(8, model="convnet4"), backend=backend) == Task((many(1, model="convnet4")[0],), "loop")
    assert task_of(many(8, **RESNET), backend=backend) == Task((run(**RESNET),), "loop", compile=True)
    assert task_of([run(**{**RESNET, "epochs": 10})], backend=backend).compile is False


def test_a_plug_ins_network_without_a_table_goes_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from lnbench import catalog

    models = catalog.entries()["model"]
    monkeypatch.setitem(models, "theirs", replace(models["mlp1_w32"], name="theirs", layers=None))
    assert task_of(many(8, model="theirs")).backend == "loop"


def test_experiments_go_alone(experiment: Run) -> None:
    others = [replace(experiment, seeds={**experiment.seeds, "init": seed}) for seed in range(1, 9)]
    for backend in ("auto", "stacked", "loop", "recorded"):
        assert task_of([experiment, *others, *many(3)], backend=backend) == Task((experiment,), "experiment")
    assert experiment not in task_of([many(1)[0], experiment], backend="stacked").runs


@pytest.fixture
def experiment() -> Run:
    recipe = {"experiment": "linear_network", "steps": 10, "samples": 5, "batch": "one"}
    return Run(recipe, {"init": 0})


def test_a_gpu_loops_unless_it_is_told_otherwise() -> None:
    assert task_of(many(8), device="cuda") == Task((many(1)[0],), "loop")
    assert task_of([run(**RESNET)], device="cuda") == Task((run(**RESNET),), "loop")
    assert len(task_of(many(8, epochs=10**6), device="cuda", backend="stacked").runs) == 8
    together = task_of(many(8), device="cuda", backend="recorded")
    assert (len(together.runs), together.backend, together.compile) == (SIDE_BY_SIDE, "recorded", False)
    assert len(task_of(many(8, average={"kind": "ema", "decay": 0.9}), device="cuda", backend="recorded").runs) == 1
    long = task_of([run(**RESNET)], device="cuda", backend="recorded")
    assert (long.backend, long.compile) == ("recorded", True)
    assert task_of(many(8), backend="loop") == Task((many(1)[0],), "loop")


def test_gradients_that_are_compared_are_looped() -> None:
    assert task_of(many(8, probes=["gradient_cosine"]), backend="stacked").backend == "loop"


def test_what_was_too_large_is_halved_until_it_is_one() -> None:
    grouping, runs = Grouping(), many(20)
    other = many(20, model="mlp1", dataset={"name": "digits", "clean": 300, "validation": 0})
    sizes = []
    for _ in range(5):
        task = grouping.task(runs[0], runs)
        sizes.append(len(task.runs))
        grouping.too_large(task)
    assert sizes == [8, 4, 2, 1, 1]
    assert len(grouping.task(other[0], other).runs) > 1  # another shape's memory is another matter


def test_a_backend_that_is_not_to_be_had_is_one_line() -> None:
    check_backend("recorded", "cuda:1")
    with pytest.raises(LnbenchError, match="recorded: is for a CUDA device, not for cpu; use --backend auto"):
        check_backend("recorded", "cpu")
    with pytest.raises(LnbenchError, match="magic: there is no such backend; use auto, loop, stacked, recorded"):
        check_backend("magic", "cpu")


def test_a_tasks_checkpoint_is_its_run_s_or_all_its_runs_own() -> None:
    one, two = many(2)
    assert Task((one,)).id == one.id
    assert len({Task((one,)).id, Task((two,)).id, Task((one, two)).id, Task((two, one)).id}) == 4
    assert Task((one,)).describe() == one.describe()
    assert Task((one, two)).describe() == "2 × mlp1_w32 together"


# ---- taken up again


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Eight runs of one shape."""
    return small_plan(tmp_path, alphas="[0, 0.001]", seeds=4)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", pytest.fail)


@pytest.fixture
def work(plan: Plan, store: Store) -> Callable[..., Work]:
    """The work that the store says is left, with groups of up to eight."""

    def make(only: Any = lambda point: True, **options: Any) -> Work:
        return Work([plan], store, Watcher(), only, Grouping(**{"backend": "stacked", **options}))

    return make


def save(store: Store, task: Task, step: int = 7) -> None:
    """A checkpoint as the group's worker writes it."""
    count = len(task.runs)
    state = State(1, step, [{"train_loss": [float(place)]} for place in range(count)], [False] * count)
    state.tensors = {"weights.0": np.arange(count * 3.0).reshape(count, 3)}
    save_state(state, [run.id for run in task.runs], store.checkpoint_path(task.id), store.write)


def keep(store: Store, *runs: Run) -> None:
    for one in runs:
        store.put(make_record(one.content, OUTCOME, {}))


def first(work: Work) -> Task:
    task = work.take()
    assert task is not None
    return task


def test_a_group_that_was_begun_is_formed_again_as_it_was(store: Store, work: Callable[..., Work]) -> None:
    """Though more workers would now share the runs otherwise."""
    begun = first(work())
    save(store, begun)
    again = first(work(workers=2))
    assert (again.runs, again.id, again.begun) == (begun.runs, begun.id, begun.id)


def test_who_is_not_done_goes_on_where_the_group_was(store: Store, work: Callable[..., Work]) -> None:
    """As when the process was killed between two records: hours would be lost if the others began anew."""
    begun = first(work())
    save(store, begun)
    keep(store, begun.runs[1], begun.runs[4])
    rest = first(work())
    assert list(rest.runs) == [run for run in begun.runs if run not in (begun.runs[1], begun.runs[4])]
    assert rest.begun == begun.id != rest.id
    ids = [run.id for run in rest.runs]
    assert load_state(ids, store.checkpoint_path(rest.id)) is None
    state = load_state(ids, store.checkpoint_path(rest.begun))
    assert state is not None and state.step == 7
    places = [begun.runs.index(run) for run in rest.runs]
    assert [curves["train_loss"] for curves in state.curves] == [[place] for place in places]
    assert state.tensors["weights.0"].tolist() == [[place * 3.0 + k for k in range(3)] for place in places]


def test_the_later_checkpoint_of_a_run_counts(store: Store, work: Callable[..., Work]) -> None:
    begun = first(work())
    save(store, begun, step=7)
    keep(store, begun.runs[0])
    rest = first(work())
    save(store, rest, step=9)
    again = first(work())
    assert (again.id, again.begun) == (rest.id, rest.id)


def test_a_groups_checkpoint_goes_when_its_last_run_is_done(store: Store, work: Callable[..., Work]) -> None:
    begun = first(work())
    save(store, begun)
    keep(store, *begun.runs[1:])
    left = work()
    last = first(left)
    assert (last.runs, last.begun) == (begun.runs[:1], begun.id)
    assert store.checkpoints()
    keep(store, *last.runs)
    left.done(Finished(last.id, "trained"))
    assert not store.checkpoints() and not left.left
    save(store, begun)  # killed between the last record and clearing up
    assert not work().left and not store.checkpoints()


def test_who_was_begun_does_not_join_others(store: Store, work: Callable[..., Work], plan: Plan) -> None:
    """It would have to begin anew with them. Only half of the runs are wanted at first, then all."""
    half = first(work(lambda point: point["noise.alpha"] == 0))
    save(store, half)
    everything = work()
    tasks = [first(everything), first(everything)]
    assert everything.take() is None
    assert sorted((len(task.runs), task.begun == half.id) for task in tasks) == [(4, False), (4, True)]
    alone = Task(half.runs[:1], "stacked")
    store.drop_checkpoint(half.id)
    save(store, alone)
    everything = work()
    assert sorted(len(first(everything).runs) for _ in range(2)) == [1, 7]


def test_a_checkpoint_that_cannot_be_read_is_as_none(store: Store, work: Callable[..., Work]) -> None:
    begun = first(work())
    store.write(store.checkpoint_path(begun.id), b"half of it")
    assert first(work()) == begun


def test_a_group_is_not_stacked_again_where_it_would_not_be_now(store: Store, work: Callable[..., Work]) -> None:
    save(store, first(work()))
    assert [len(first(work(backend=backend)).runs) for backend in ("loop", "auto")] == [1, 1]


# ---- how tasks end


def test_a_busy_member_is_waited_for_and_the_others_go_on(store: Store, work: Callable[..., Work]) -> None:
    left = work()
    task = first(left)
    save(store, task)
    busy = task.runs[2]
    keep(store, task.runs[0])  # done by the other process in between
    left.done(Finished(task.id, "busy", busy=(task.runs[0].id, busy.id)))
    assert (left.execution.reused, left.execution.trained) == (1, 0)
    rest = first(left)
    assert rest.runs == (task.runs[1], *task.runs[3:]) and rest.begun == task.id
    assert left.take() is None and left.left
    left.not_before.clear()  # a second later
    assert first(left).runs == (busy,)


def test_a_group_that_is_too_large_is_halved_and_goes_on(store: Store, work: Callable[..., Work]) -> None:
    left = work()
    task = first(left)
    assert len(task.runs) == 8
    save(store, task)
    left.done(Finished(task.id, "too large", "out of memory"))
    halves = [first(left), first(left)]
    assert [(len(half.runs), half.halved, half.begun) for half in halves] == [(4, 1, task.id)] * 2
    assert halves[0].runs + halves[1].runs == task.runs
    left.done(Finished(halves[0].id, "too large", "out of memory"))
    assert [(len(half.runs), half.halved) for half in (first(left), first(left))] == [(2, 2)] * 2
    assert not left.execution.failures


def test_what_ends_its_process_again_and_again_is_found_by_halving(store: Store, work: Callable[..., Work]) -> None:
    left = work()
    killer = min(left.waiting.values(), key=lambda run: run.id)
    tasks = 0
    while left.left:
        task, tasks = first(left), tasks + 1
        if killer in task.runs:
            left.done(Finished(task.id, "died", "killed by signal 9"))
        else:
            keep(store, *task.runs)
            left.done(Finished(task.id, "trained"))
    assert left.execution.failures == {killer.id: "killed by signal 9"}
    assert left.execution.trained == 7
    assert tasks == ATTEMPTS + 2 + 2 + 2  # all eight, then 4 + 4, 2 + 2, 1 + 1
    watcher = left.watcher
    assert isinstance(watcher, Watcher)
    assert [note.split(": ")[0] for note in watcher.notes][:2] == ["8 × perceptron together"] * 2
    assert "trying once more" in watcher.notes[0] and "half as many" in watcher.notes[1]


def test_a_machine_that_is_lost_is_no_attempt_of_its_runs(store: Store, work: Callable[..., Work]) -> None:
    """The group goes on as it was, however often; yet what loses every machine that it meets ends as a failure."""
    left = work()
    task = first(left)
    for _ in range(LOSSES):
        save(store, task)
        left.done(Finished(task.id, "lost", "the node 10.0.0.7 was lost"))
        again = first(left)
        assert (again.runs, again.halved) == (task.runs, 0)
    assert not left.attempts and not left.execution.failures
    watcher = left.watcher
    assert isinstance(watcher, Watcher)
    assert watcher.notes[-1].endswith("was lost; going on elsewhere from its last checkpoint")
    left.done(Finished(task.id, "lost", "the node 10.0.0.7 was lost"))
    assert left.attempts


def test_records_that_a_failed_group_has_written_count(store: Store, work: Callable[..., Work]) -> None:
    """As when the disk is full half way through them."""
    left = work()
    task = first(left)
    keep(store, *task.runs[:3])
    left.done(Finished(task.id, "failed", "the disk is full", fatal=True))
    assert left.execution.trained == 3
    assert set(left.execution.failures) == {run.id for run in task.runs[3:]}
    assert not left.left
