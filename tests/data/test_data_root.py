"""Where the data root is, and what status and check say about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lnbench.data.root import check, data_root, status
from lnbench.errors import DataError

RAW = "MNIST/raw/train-images-idx3-ubyte"


def test_the_option_comes_before_the_environment_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/who")
    environ = {"LNBENCH_DATA": "/from/environment", "XDG_CACHE_HOME": "/cache"}
    assert data_root("/given", environ) == Path("/given")
    assert data_root(None, environ) == Path("/from/environment")
    assert data_root(None, {"XDG_CACHE_HOME": "/cache", "LNBENCH_DATA": ""}) == Path("/cache/lnbench/data")
    assert data_root(None, {"XDG_CACHE_HOME": "not/absolute"}) == Path("/home/who/.cache/lnbench/data")
    assert data_root(None, {}) == Path("/home/who/.cache/lnbench/data")
    assert data_root("~/data", {}) == Path("/home/who/data")


def state(fake: Any, root: Path) -> str:
    return status(root, sources=fake.sources)[0].state


def test_nothing_there_is_missing(fake_mnist: Any, tmp_path: Path) -> None:
    (found,) = status(tmp_path / "absent", ["mnist"], fake_mnist.sources)
    assert found.state == "missing"
    with pytest.raises(DataError) as error:
        found.demand()
    assert str(error.value) == (
        f"mnist is not at {tmp_path / 'absent'}; fetch it with `lnbench data fetch mnist` "
        "or point --data-dir / LNBENCH_DATA at a torchvision data root"
    )


def test_unpacked_files_alone_are_present(fake_mnist: Any, tmp_path: Path) -> None:
    root = fake_mnist.put(tmp_path)
    assert state(fake_mnist, root) == "present"
    (checked,) = check(root, sources=fake_mnist.sources)
    assert checked.describe() == f"mnist: present in {root}, checksums right"


def test_gzip_files_alone_are_present_but_a_tar_is_not(fake_mnist: Any, fake_tar: Any, tmp_path: Path) -> None:
    assert state(fake_mnist, fake_mnist.put_packed(tmp_path)) == "present"
    assert state(fake_tar, fake_tar.put_packed(tmp_path)) == "incomplete"


def test_one_absent_file_is_incomplete_and_named(fake_mnist: Any, tmp_path: Path) -> None:
    (fake_mnist.put(tmp_path) / RAW).unlink()
    (found,) = status(tmp_path, sources=fake_mnist.sources)
    assert found.describe() == f"mnist: incomplete: {tmp_path / RAW} is not there"
    with pytest.raises(DataError, match="mend it with `lnbench data fetch mnist`"):
        found.demand()


def test_a_download_that_began_is_incomplete(fake_mnist: Any, tmp_path: Path) -> None:
    (tmp_path / "MNIST/raw").mkdir(parents=True)
    (tmp_path / f"{RAW}.gz.part").write_bytes(b"half")
    assert state(fake_mnist, tmp_path) == "incomplete"


def test_a_truncated_file_is_damaged_and_named(fake_mnist: Any, tmp_path: Path) -> None:
    (fake_mnist.put(tmp_path) / RAW).write_bytes(b"short")
    (found,) = status(tmp_path, sources=fake_mnist.sources)
    assert found.describe() == f"mnist: damaged: {tmp_path / RAW} has 5 bytes, not 313,616"


@pytest.mark.parametrize("put", ["put", "put_packed"])
def test_one_changed_bit_is_found_by_check(fake_mnist: Any, tmp_path: Path, put: str) -> None:
    getattr(fake_mnist, put)(tmp_path)
    path = tmp_path / (RAW if put == "put" else f"{RAW}.gz")
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    assert state(fake_mnist, tmp_path) == "present", "status looks at names and sizes only"
    (found,) = check(tmp_path, sources=fake_mnist.sources)
    assert found.state == "damaged"
    assert f"{path} has MD5" in found.fault


def test_a_bad_archive_beside_whole_files_hurts_nobody_but_check(fake_mnist: Any, tmp_path: Path) -> None:
    fake_mnist.put_packed(fake_mnist.put(tmp_path))
    (tmp_path / f"{RAW}.gz").write_bytes(b"bad")
    assert state(fake_mnist, tmp_path) == "present"
    assert check(tmp_path, sources=fake_mnist.sources)[0].state == "damaged"


def test_an_unreadable_file_is_no_traceback(fake_mnist: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fake_mnist.put(tmp_path)

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    (found,) = check(root, sources=fake_mnist.sources)
    assert found.state == "damaged"
    assert "cannot be read (Permission denied)" in found.fault


def test_all_data_sets_are_listed_when_none_is_named(tmp_path: Path) -> None:
    states = {found.name: found.state for found in status(tmp_path)}
    assert states == {
        "mnist": "missing",
        "fashion_mnist": "missing",
        "fashion_mnist_32": "missing",
        "cifar10": "missing",
        "cifar100": "missing",
        "digits": "present",
        "synthetic_mnist": "present",
        "synthetic_cifar10": "present",
        "synthetic_other": "present",
        "imagenet": "missing",
    }
