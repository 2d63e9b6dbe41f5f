"""The code that a data set's catalog entry names reads it, and what comes back is compared with the source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench import catalog
from lnbench.data import DataError, Source, load
from lnbench.data.fetch import fetch
from lnbench.data.root import check, status

PLAIN = Source("theirs", (1, 4, 4), 3, train=6, test=3, licence="none", citation="nobody")


def read(source: Source, root: Path, *, brightness: int = 7) -> Any:
    """A reader that is right."""
    return (
        np.full((6, 1, 4, 4), brightness, np.uint8), np.arange(6) % 3,
        np.zeros((3, 1, 4, 4), np.uint8), np.array([2, 1, 0]),
    )  # fmt: skip


def changed(number: int, change: Callable[[Any], Any]) -> Callable[..., Any]:
    def reader(source: Source, root: Path) -> Any:
        arrays = list(read(source, root))
        arrays[number] = change(arrays[number])
        return tuple(arrays)

    return reader


def fails(source: Source, root: Path) -> Any:
    return {}["images"]


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a data set called "theirs" into the catalog, with a reader and a source."""

    def put(reader: Callable[..., Any], source: Source = PLAIN) -> None:
        monkeypatch.setitem(globals(), "chosen", reader)
        entry = catalog.Entry("dataset", "theirs", value=source, target=f"{__name__}:chosen")
        monkeypatch.setitem(catalog.entries()["dataset"], "theirs", entry)

    return put


def test_the_entrys_code_reads_the_data_set(theirs: Callable[..., None]) -> None:
    theirs(read)
    data = load("theirs")
    assert (data.shape, data.classes, data.test_labels.tolist()) == ((1, 4, 4), 3, [2, 1, 0])
    assert data.checksum != load("theirs", options={"brightness": 8}).checksum
    with pytest.raises(DataError, match=r"theirs has no option 'train'; it has brightness$"):
        load("theirs", options={"train": 3})


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        (changed(0, lambda images: images.astype(np.int16)), "its train_images are int16, not uint8; mend its reader"),
        (changed(2, lambda images: images[:2]), r"its test_images have shape \(2, 1, 4, 4\), not \(3, 1, 4, 4\)"),
        (changed(1, lambda labels: labels + 1), "its train_labels do not all lie in 0 … 2"),
        (changed(3, lambda labels: -labels), "its test_labels do not all lie in 0 … 2"),
        (changed(3, lambda labels: labels.astype(np.float32)), "its test_labels are float32, not int64"),
        (fails, f"theirs cannot be read: {__name__}:chosen fails with KeyError: 'images'"),
    ],
)
def test_what_is_not_as_the_source_says_is_one_clear_error(
    theirs: Callable[..., None], reader: Callable[..., Any], message: str
) -> None:
    theirs(reader)
    with pytest.raises(DataError, match=message) as error:
        load("theirs")
    assert len(str(error.value).splitlines()) == 1


def test_published_checksums_hold_for_any_reader(theirs: Callable[..., None]) -> None:
    from dataclasses import replace

    theirs(read, replace(PLAIN, arrays={"train_images": "0" * 64}))
    with pytest.raises(DataError, match="its train_images are not the published ones"):
        load("theirs")


def test_files_of_a_plugged_in_data_set_are_fetched_checked_and_demanded(
    theirs: Callable[..., None], fake_mnist: Any, tmp_path: Path
) -> None:
    from dataclasses import replace

    theirs(read, replace(fake_mnist.source, name="theirs", shape=(1, 4, 4), classes=3, train=6, test=3, arrays={}))
    assert [found.state for found in status(tmp_path, ["theirs"])] == ["missing"]
    with pytest.raises(DataError, match=r"theirs is not at .*; fetch it with `lnbench data fetch theirs`"):
        load("theirs", root=tmp_path)
    fake_mnist.put_packed(tmp_path)  # nothing is left to download
    assert [found.state for found in fetch(tmp_path, ["theirs"])] == ["present"]
    assert [found.verified for found in check(tmp_path, ["theirs"])] == [True]
    assert load("theirs", root=tmp_path).name == "theirs"
