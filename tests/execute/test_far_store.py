"""A store on a machine that does not share the driver's file system: nothing that it makes is on that machine alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench.errors import StoreError
from lnbench.execute.far_store import FarStore, Keeper
from lnbench.store import Record, Store, StoreUnwritable, sidefiles
from tests.toys.records import training


class World:
    """The driver's store with its keeper, and far machines, which reach it by a plain call."""

    def __init__(self, folder: Path):
        self.folder, self.store = folder, Store(folder / "driver", pytest.fail)
        self.keeper = Keeper(folder / "driver")

    def far(self, name: str) -> FarStore:
        def ask(method: str, *arguments: Any) -> Any:
            return getattr(self.keeper, method)(*arguments)

        return FarStore(self.folder / name, ask, name, pytest.fail)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def record(value: int, arrays: dict[str, Any] | None = None) -> Record:
    return training(value, **({"arrays": sidefiles.describe(arrays)} if arrays else {}))


def test_a_record_and_its_arrays_are_in_the_drivers_store(world: World) -> None:
    arrays = {"losses": np.arange(6.0).reshape(2, 3)}
    made = record(1, arrays)
    world.far("one").put(made, arrays)
    assert world.store.get(made["id"]) == made
    assert np.array_equal(world.store.array(made, "losses"), arrays["losses"])
    assert world.store.ledger.check().sound


def test_what_a_run_builds_on_comes_from_there_with_its_arrays(world: World) -> None:
    arrays = {"losses": np.arange(6.0).reshape(2, 3)}
    made = record(2, arrays)
    world.store.put(made, arrays)
    far = world.far("one")
    assert far.get(made["id"]) == made
    assert np.array_equal(far.array(made, "losses"), arrays["losses"])
    assert far.get("0" * 32) is None


def test_a_checkpoint_is_in_the_drivers_store_and_found_by_another_machine(world: World) -> None:
    one, two, run = world.far("one"), world.far("two"), "a" * 32
    one.write(one.checkpoint_path(run), b"the state")
    assert world.store.checkpoint_path(run).read_bytes() == b"the state"
    assert two.checkpoint_path(run).read_bytes() == b"the state"
    two.drop_checkpoint(run)
    assert not world.store.checkpoint_path(run).exists() and not two.checkpoint_path(run).exists()


def test_a_lock_is_the_drivers_and_one_who_has_gone_gives_it_back(world: World) -> None:
    one, two, run = world.far("one"), world.far("two"), "a" * 32
    with one.lock(run) as mine, two.lock(run) as other, world.store.lock(run) as here:
        assert mine and not other and not here
    with world.store.lock(run) as here, one.lock(run) as mine:
        assert here and not mine
    lost = one.lock(run)
    assert lost.__enter__()
    world.keeper.forget("two")
    with two.lock(run) as mine:
        assert not mine
    world.keeper.forget("one")
    with two.lock(run) as mine:
        assert mine


def test_a_driver_whose_disk_takes_nothing_is_the_error_it_is_on_one_machine(world: World) -> None:
    (world.folder / "driver").write_text("a file")
    with pytest.raises(StoreError):
        world.far("one").put(record(3))
    (world.folder / "driver").unlink()

    def full(*given: Any, **named: Any) -> None:
        raise StoreUnwritable("the disk is full")

    world.keeper.put = full  # type: ignore[method-assign]
    far = world.far("one")
    with pytest.raises(StoreUnwritable):
        far.put(record(4))
    assert Store(far.path).get(record(4)["id"]) is None, "it is not finished while the driver has nothing"


def test_what_the_keeper_found_amiss_is_told_once(world: World) -> None:
    made = record(5)
    world.store.put(made)
    file = next((world.folder / "driver" / "records").glob("*/*.json"))
    file.write_text("{")
    assert world.far("one").get(made["id"]) is None
    assert "set aside" in world.keeper.notes()[0]
    assert world.keeper.notes() == []
