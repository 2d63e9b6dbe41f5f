"""A crew on a real Ray cluster of two nodes: one is lost in mid-sweep, and the records are those of one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import LnbenchError
from lnbench.execute import worker
from lnbench.execute.crew import Crew
from lnbench.execute.local import execute
from lnbench.execute.worker import Report
from lnbench.plan import Plan
from lnbench.store import Store
from tests.execute.sweep_tools import Watcher, outcomes
from tests.toys.small_runs import small_plan

ray = pytest.importorskip("ray", reason="needs ray (pip install 'lnbench[ray]')")
from lnbench.execute import ray_crew  # noqa: E402
from lnbench.execute.ray_crew import About, RayCrew, connected  # noqa: E402

NODE = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 << 20}
# neither looked at nor grown: each would be a process more
HEAD = {**NODE, "include_dashboard": False, "include_log_monitor": False, "no_monitor": True}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One node with one CPU, to which tests may add others."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")  # it kills actors when anybody has filled the memory
        # one that starts slowly on a busy machine is not to be ended and begun again, each time from the first import
        patch.setenv("RAY_worker_register_timeout_seconds", "600")
        found = Cluster(initialize_head=True, head_node_args=HEAD)
        found.wait_for_nodes()
        try:
            with connected(found.address):
                yield found
        finally:
            found.shutdown()


@pytest.fixture
def second(cluster: Any) -> Iterator[Any]:
    """A second node, which the test may take away."""
    node = cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    yield node
    if node in cluster.list_all_nodes():
        cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Store]:
    """A plan of four runs, and its records, made in this process."""
    folder = tmp_path_factory.mktemp("alone")
    plan, store = small_plan(folder, epochs=60), Store(folder / "store")
    assert execute([plan], store, Watcher(), workers=0).trained == 4
    return plan, store


class Losing(Watcher):
    """Takes a node away once a training on each has a checkpoint."""

    def __init__(self, cluster: Any, node: Any, store: Store):
        super().__init__()
        self.cluster, self.node, self.store = cluster, node, store

    def report(self, report: Report) -> None:
        super().report(report)
        if self.node is not None and len(self.store.checkpoints()) == 2:
            self.cluster.remove_node(self.node, allow_graceful=False)
            self.node = None


@pytest.mark.long  # Ray takes most of a minute to see that a node is gone, and minutes on a machine that is busy
def test_a_lost_node_takes_no_result_with_it_and_is_no_runs_fault(
    cluster: Any, second: Any, alone: tuple[Plan, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_CHECKPOINTS", 0.2)
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_REPORTS", 0.1)
    plan, expected = alone
    store = Store(tmp_path / "store")
    watcher, crew = Losing(cluster, second, store), RayCrew("cpu", None)
    assert crew.workers == 2
    try:
        done = execute([plan], store, watcher, crew=crew)
    finally:
        crew.close()
    assert watcher.node is None, "no node was lost"
    assert not done.failures and done.trained == 4
    assert outcomes(store) == outcomes(expected)
    assert any("was lost; going on elsewhere from its last checkpoint" in note for note in watcher.notes)
    assert [record for record in store.records() if record["provenance"]["resumed"]]
    assert not store.checkpoints()


def test_where_no_file_system_is_shared_the_records_come_back(
    cluster: Any, alone: tuple[Plan, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An actor that does not find the driver's mark takes the store for another machine's."""
    begin = RayCrew._begin

    def with_another_mark(crew: RayCrew, work: Any) -> None:
        begin(crew, work)
        (work.store.path / "locks" / ray_crew.MARK).write_text("of somebody else")

    monkeypatch.setattr(RayCrew, "_begin", with_another_mark)
    plan, expected = alone
    store, crew = Store(tmp_path / "store"), RayCrew("cpu", None, most=1)
    try:
        done = execute([plan], store, Watcher(), crew=crew)
        (member,) = crew._idle
        assert member.about is not None and not member.about.shares_store
    finally:
        crew.close()
    assert not done.failures and done.trained == 4
    assert outcomes(store) == outcomes(expected)


@pytest.mark.long
def test_an_interrupt_leaves_checkpoints_and_the_next_call_goes_on(
    cluster: Any, alone: tuple[Plan, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_REPORTS", 0.1)

    class Interrupting(Watcher):
        def report(self, report: Report) -> None:
            raise KeyboardInterrupt

    plan, expected = alone
    store, crew = Store(tmp_path / "store"), RayCrew("cpu", None)
    with pytest.raises(KeyboardInterrupt):
        execute([plan], store, Interrupting(), crew=crew)
    assert store.checkpoints()
    try:
        assert not execute([plan], store, Watcher(), crew=crew).failures
    finally:
        crew.close()
    assert outcomes(store) == outcomes(expected)


# ---- what a node may be


@pytest.mark.parametrize(
    "about, error",
    [
        ({"versions": {"lnbench": "0.0.1 (1234)", "torch": "2.0"}}, "the node 10.0.0.7 has lnbench 0.0.1 .*same on"),
        ({"lacks": ("cifar10 in /data",)}, "the node 10.0.0.7 lacks cifar10 in /data; fetch it there"),
    ],
    ids=["another version", "no data"],
)  # fmt: skip
def test_a_node_that_cannot_train_is_one_line(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, about: dict[str, Any], error: str
) -> None:
    found = About(**{"node": "n", "address": "10.0.0.7", "versions": ray_crew.versions(), "shares_store": True,
                     "lacks": (), **about})  # fmt: skip
    monkeypatch.setattr(ray_crew.ray, "get", lambda future: found)
    crew = RayCrew("cpu", None)
    with pytest.raises(LnbenchError, match=error):
        crew._started(ray_crew._Actor(None, "name"), None, work=None)  # type: ignore[arg-type]


def test_a_gpu_that_the_cluster_has_not_is_one_line(cluster: Any) -> None:
    with pytest.raises(LnbenchError, match=r"--device cuda: the Ray cluster has no GPU to train on \(it has \d CPU\)"):
        RayCrew("cuda", None)


@pytest.mark.parametrize(
    "address, error",
    [
        ("nowhere", "--address nowhere: not an address; write host:port"),
        ("127.0.0.1:0", "not an address"),
        ("127.0.0.1:99999", "not an address"),
        ("127.0.0.1:9", "--address 127.0.0.1:9: nothing answers there"),
    ],
)
def test_an_address_where_there_is_no_cluster_is_one_line(address: str, error: str) -> None:
    with pytest.raises(LnbenchError, match=error), connected(address):
        pass


def test_it_is_a_crew(cluster: Any) -> None:
    crew: Crew = RayCrew("cpu", None, most=1)
    assert crew.workers == 1
