"""Large plans, and many machines: what planning, recognising and a cluster cost beside the trainings themselves."""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lnbench.execute.crew import Crew, Shard
from lnbench.execute.local import execute, lasting_crew
from lnbench.execute.work import Work
from lnbench.machine import available_cores
from lnbench.pipeline import Quiet, Training, train_share
from lnbench.plan import Plan, plan_study
from lnbench.spec import load_study
from lnbench.store import Store, make_record
from tests.benchmarks.ratios import Readings, Size
from tests.toys.small_runs import write_study

LEVELS, SEEDS = 50, 200  # of the plan of 10,000 runs
RUNS, SECONDS = 200, 0.5  # of the sweep that crews are compared by: how many, and about how long each takes on one core
EPOCHS = 40  # of the runs that warm both up; the others have as many as that time is for on this machine


def large_study(folder: Path, size: Size) -> Path:
    """Write a study of LEVELS noise levels and SEEDS seeds, and return its file."""
    alphas = [round(0.1 * level, 1) for level in range(size.of(LEVELS, 2))]
    return write_study(folder, alphas=str(alphas), seeds=size.of(SEEDS, 2))


@contextlib.contextmanager
def _not_synced() -> Iterator[None]:
    """Make records without waiting for the disk: they are thrown away."""
    sync, os.fsync = os.fsync, lambda descriptor: None
    try:
        yield
    finally:
        os.fsync = sync


def fill(store: Store, plan: Plan) -> None:
    """Give the store a record of each run of the plan, all with the outcome and provenance of one that is trained."""
    first = replace(plan, jobs=plan.jobs[:1])
    with _not_synced():
        assert execute([first], store, Quiet(), workers=0).trained == 1
        (made,) = store.records()
        for job in plan.jobs[1:]:
            store.put(make_record(job.run().content, made["outcome"], made["provenance"]))


class Stopwatch:
    """A crew that trains nothing, and notes when it could have begun."""

    workers = 1

    def __init__(self) -> None:
        self.began = 0.0
        self.left = 0

    def run(self, work: Work) -> None:
        """Take the first task, as every crew begins."""
        assert work.take() is not None
        self.began, self.left = time.process_time(), len(work.execution.left)


def recognised(size: Size) -> Readings:
    """Seconds from a study's file to `nothing to train`: what `verify` does before it judges, where every run is in the
    store."""
    values = []
    with tempfile.TemporaryDirectory() as folder:
        study, store = large_study(Path(folder), size), Path(folder, "store")
        plan = plan_study(load_study(study).tiers["smoke"])
        fill(Store(store), plan)
        for _ in range(size.repeats):
            began = time.process_time()
            came = train_share(load_study(study).tiers["smoke"], Store(store), Training(workers=0), Shard(1, 1))
            values.append(time.process_time() - began)
            assert (came.trained, len(came.outcomes)) == (0, len(plan.jobs))
    return Readings(values, f"{len(plan.jobs):,} runs")


def share_planned(size: Size) -> Readings:
    """Seconds from a study's file to the first task of a share of fifty, in an empty store."""
    values = []
    with tempfile.TemporaryDirectory() as folder:
        study = large_study(Path(folder), size)
        for repeat in range(size.repeats):
            crew, began = Stopwatch(), time.process_time()
            store = Store(Path(folder, f"store-{repeat}"))
            train_share(load_study(study).tiers["smoke"], store, Training(crew=crew), Shard(1, size.of(50, 2)))
            values.append(crew.began - began)
    return Readings(values, f"{crew.left:,} runs left to others")


def ray_over_pool(size: Size) -> Readings:
    """The time of a sweep by Ray's actors over that by worker processes, as many of both on the same cores, in turn.

    Both are started, and have trained, before: what is compared is handing out tasks, hearing of them and keeping
    their records, not how long torch takes to import. Three pairs at most, as one takes two minutes.
    """
    from lnbench.execute.ray_crew import RayCrew, connected

    workers = size.of(available_cores())
    runs, epochs = size.of(RUNS, 2), size.of(EPOCHS)
    pairs: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder, _cluster(workers) as address, connected(address):
        stores = {name: Store(Path(folder, name)) for name in ("ray", "pool")}
        with contextlib.closing(RayCrew("cpu", None, most=workers)) as ray, lasting_crew("cpu", None, workers) as pool:
            crews: dict[str, Crew] = {"ray": ray, "pool": pool}
            for name, crew in crews.items():
                _seconds(_sweep(Path(folder, "warm"), 0, 2 * workers, epochs), stores[name], crew)
            each = _seconds(_sweep(Path(folder, "timed"), 1, 2 * workers, epochs), stores["pool"], pool) / 2
            epochs = max(1, round(epochs * SECONDS / each))
            for number in range(2, 2 + min(size.repeats, 3)):
                sweep = _sweep(Path(folder, str(number)), number, runs, epochs)
                pairs.append((_seconds(sweep, stores["ray"], ray), _seconds(sweep, stores["pool"], pool)))
    words = " : ".join(f"{statistics.median(column):.1f}" for column in zip(*pairs, strict=True))
    return Readings([first / second for first, second in pairs], f"{words} s for {runs} runs, {workers} at a time")


def _sweep(folder: Path, number: int, runs: int, epochs: int) -> Plan:
    """Return a plan of so many runs, no two of which are in two sweeps."""
    study = write_study(folder, clean=1299 - number, epochs=epochs, alphas="[0, 1]", seeds=runs // 2)
    return plan_study(load_study(study).tiers["smoke"])


def _seconds(plan: Plan, store: Store, crew: Crew) -> float:
    began = time.perf_counter()
    came = execute([plan], store, Quiet(), crew=crew)
    if came.trained != len(plan.jobs) or came.failures:
        raise AssertionError(f"{came.trained} of {len(plan.jobs)} runs were trained: {came.failures}")
    return time.perf_counter() - began


@contextlib.contextmanager
def _cluster(cores: int) -> Iterator[str]:
    """A Ray cluster of this machine, and its address."""
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")  # it kills actors when anybody has filled the memory
    head = {"num_cpus": cores, "num_gpus": 0, "object_store_memory": 80 << 20, "include_dashboard": False}
    found = Cluster(initialize_head=True, head_node_args=head)
    try:
        found.wait_for_nodes()
        yield str(found.address)
    finally:
        found.shutdown()
