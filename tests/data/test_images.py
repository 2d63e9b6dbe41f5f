"""Data sets as arrays: the embedded ones, and files in torchvision's layout, whole and damaged."""

from __future__ import annotations

import errno
import gzip
import hashlib
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lnbench.data import images, readers
from lnbench.data.images import load
from lnbench.data.unpack import unpack
from lnbench.errors import DataError

RAW = "MNIST/raw/train-images-idx3-ubyte"


def test_the_digits_and_their_split_never_change() -> None:
    digits = load("digits")
    assert digits.checksum == "6b00e9dfe5793f82d49b410feed0814d756210107ff5e7d4252d51485d34a4b4"
    assert digits.train_images.shape == (1300, 1, 8, 8)
    assert digits.test_images.shape == (497, 1, 8, 8)
    assert digits.train_images.dtype == np.uint8 and digits.train_labels.dtype == np.int64
    assert (digits.train_images.max(), digits.scale) == (16, 16.0)
    assert np.bincount(digits.test_labels).tolist() == [50, 48, 48, 52, 49, 53, 51, 53, 45, 48]


def test_the_digits_parts_share_no_image_and_lose_none() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    digits = load("digits")
    both = np.concatenate([digits.train_images, digits.test_images]).reshape(-1, 64)
    theirs = datasets.load_digits().data.astype(np.uint8)
    assert sorted(map(bytes, both)) == sorted(map(bytes, theirs))


def test_the_checksum_sees_every_array_value_order_and_shape() -> None:
    base = load("synthetic_mnist", options={"train": 20, "test": 10})
    arrays: list[Any] = [base.train_images, base.train_labels, base.test_images, base.test_labels]

    def checksum(four: list[Any]) -> str:
        return images.checksum((four[0], four[1], four[2], four[3]))

    seen = {checksum(arrays)}
    for number, array in enumerate(arrays):
        changed = array.copy()
        changed.flat[-1] ^= 1
        for other in (changed, array[::-1], array[:-1]):
            seen.add(checksum([*arrays[:number], other, *arrays[number + 1 :]]))
    seen.add(checksum([arrays[0].reshape(20, 1, 14, 56), *arrays[1:]]))
    assert len(seen) == 1 + 4 * 3 + 1


def test_options_are_checked() -> None:
    with pytest.raises(DataError, match="synthetic_mnist has no option 'noise'; it has train, test and seed"):
        load("synthetic_mnist", options={"noise": 1})
    with pytest.raises(DataError, match="digits takes no options, but train was given"):
        load("digits", options={"train": 1})
    with pytest.raises(DataError, match="synthetic_mnist: train and test must lie in"):
        load("synthetic_mnist", options={"train": 0})
    with pytest.raises(DataError, match="there is no data set 'mnits'"):
        load("mnits")


@pytest.mark.parametrize("put", ["put", "put_packed"])
def test_idx_files_are_read_as_they_are(fake_mnist: Any, tmp_path: Path, put: str) -> None:
    pytest.importorskip("torchvision")
    getattr(fake_mnist, put)(tmp_path)
    data = load("mnist", root=tmp_path, sources=fake_mnist.sources)
    assert data.train_images.shape == (400, 1, 28, 28)
    assert np.array_equal(data.train_images[:, 0], fake_mnist.arrays["train_images"])
    assert np.array_equal(data.test_labels, fake_mnist.arrays["test_labels"])
    assert data.test_labels.dtype == np.int64
    assert (tmp_path / RAW).is_file(), "what was packed is now unpacked beside it"
    assert not list(tmp_path.rglob("*.part"))


def test_gzip_files_in_a_folder_that_may_not_be_written_are_read(
    fake_mnist: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchvision")
    fake_mnist.put_packed(tmp_path)

    def refuse(archive: Any, packed: Path, root: Path) -> None:
        if root == tmp_path:
            raise OSError(errno.EROFS, "Read-only file system")
        unpack(archive, packed, root)

    (tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte").write_bytes(fake_mnist.unpacked["MNIST/raw/t10k-labels-idx1-ubyte"])
    monkeypatch.setattr(readers, "unpack", refuse)
    data = load("mnist", root=tmp_path, sources=fake_mnist.sources)
    assert np.array_equal(data.train_images[:, 0], fake_mnist.arrays["train_images"])
    assert not (tmp_path / RAW).exists()


def message(fake: Any, root: Path) -> str:
    with pytest.raises(DataError) as error:
        load(fake.source.name, root=root, sources=fake.sources)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_missing_data_set_names_the_command_that_fetches_it(
    fake_mnist: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LNBENCH_DATA", str(tmp_path))
    with pytest.raises(DataError) as error:
        load("cifar10")
    assert str(error.value) == (
        f"cifar10 is not at {tmp_path}; fetch it with `lnbench data fetch cifar10` "
        "or point --data-dir / LNBENCH_DATA at a torchvision data root"
    )


def test_a_truncated_file_is_named(fake_mnist: Any, tmp_path: Path) -> None:
    path = fake_mnist.put(tmp_path) / RAW
    path.write_bytes(path.read_bytes()[:1000])
    assert f"mnist is damaged: {path} has 1,000 bytes, not 313,616" in message(fake_mnist, tmp_path)


@pytest.mark.parametrize("magic", [b"\0\0\x08\x01", b"\0\0\x0d\x03", b"what", b"\0\0\0\0"])
def test_a_wrong_magic_number_is_a_data_error(fake_mnist: Any, tmp_path: Path, magic: bytes) -> None:
    pytest.importorskip("torchvision")
    path = fake_mnist.put(tmp_path) / RAW
    path.write_bytes(magic + path.read_bytes()[4:])
    assert f"mnist in {tmp_path} is damaged" in message(fake_mnist, tmp_path)


def test_one_changed_pixel_is_a_data_error(fake_mnist: Any, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    path = fake_mnist.put(tmp_path) / RAW
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "its train_images are not the published ones" in message(fake_mnist, tmp_path)


def test_a_gzip_file_that_does_not_unpack_is_a_data_error(fake_mnist: Any, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    path = fake_mnist.put_packed(tmp_path) / f"{RAW}.gz"
    path.write_bytes(b"\0" * path.stat().st_size)
    assert f"{path} cannot be unpacked" in message(fake_mnist, tmp_path)


def test_a_gzip_file_of_something_else_is_a_data_error(fake_mnist: Any, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    path = fake_mnist.put_packed(tmp_path) / f"{RAW}.gz"
    other = gzip.compress(b"something else")
    path.write_bytes(other + b"\0" * (path.stat().st_size - len(other)))
    assert "has MD5" in message(fake_mnist, tmp_path)


# ---- images that are enlarged when they are read


@pytest.fixture
def fake_fashion(fake_mnist: Any) -> Any:
    """The fake images as those that `fashion_mnist_32` enlarges; of the labels alone there are published checksums."""
    arrays = {name: digest for name, digest in fake_mnist.source.arrays.items() if name.endswith("labels")}
    source = replace(fake_mnist.source, name="fashion_mnist_32", shape=(1, 32, 32), arrays=arrays)
    return replace(fake_mnist, source=source)


def test_enlarged_images_are_those_that_torchvisions_resize_gives(fake_fashion: Any, tmp_path: Path) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    fake_fashion.put(tmp_path)
    before = {path: path.stat() for path in tmp_path.rglob("*")}
    data = load("fashion_mnist_32", root=tmp_path, sources=fake_fashion.sources)
    resize = transforms.Resize((32, 32))  # bilinear and with antialias, as its defaults are
    for split in ("train", "test"):
        ours, raw = getattr(data, f"{split}_images"), fake_fashion.arrays[f"{split}_images"]
        theirs = [np.asarray(resize(Image.fromarray(image))) for image in raw]
        assert ours.shape == (len(raw), 1, 32, 32) and ours.dtype == np.uint8
        assert np.array_equal(ours[:, 0], theirs)
        assert np.array_equal(getattr(data, f"{split}_labels"), fake_fashion.arrays[f"{split}_labels"])
    assert {path: path.stat() for path in tmp_path.rglob("*")}.keys() == before.keys()
    assert all(path.stat().st_mtime_ns == then.st_mtime_ns for path, then in before.items())


def test_channels_are_enlarged_each_by_itself_as_a_colour_image_is() -> None:
    images = np.random.default_rng(2).integers(0, 256, (3, 3, 8, 9), dtype=np.uint8)
    bilinear = Image.Resampling.BILINEAR
    wanted = [Image.fromarray(image.transpose(1, 2, 0)).resize((13, 5), bilinear) for image in images]
    found = readers._resized(images, (5, 13))
    assert np.array_equal(found.transpose(0, 2, 3, 1), [np.asarray(image) for image in wanted])


def test_one_changed_pixel_is_seen_before_images_are_enlarged(fake_fashion: Any, tmp_path: Path) -> None:
    path = fake_fashion.put(tmp_path) / RAW
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    told = message(fake_fashion, tmp_path)
    assert told.startswith(f"fashion_mnist_32 is damaged: {path} has MD5") and "`lnbench data fetch" in told


@pytest.fixture
def fake_cifar(fake_tar: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """CIFAR-10 in the small: 10 images a batch, laid down in tmp_path; torchvision's MD5s are made to fit."""
    datasets = pytest.importorskip("torchvision.datasets")
    numbers = np.random.default_rng(0)
    md5s, files = {}, []
    for name in ["data_batch_1", "test_batch", "batches.meta"]:
        batch = {
            "data": numbers.integers(0, 256, (10, 3072), dtype=np.uint8),
            "labels": list(range(10)),
            "label_names": list("abcdefghij"),
        }
        content = pickle.dumps(batch)
        path = f"cifar-10-batches-py/{name}"
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
        md5s[name] = hashlib.md5(content).hexdigest()
        files.append(replace(fake_tar.source.files[0], path=path, size=len(content), md5=md5s[name]))
    patched = datasets.CIFAR10
    monkeypatch.setattr(patched, "train_list", [["data_batch_1", md5s["data_batch_1"]]])
    monkeypatch.setattr(patched, "test_list", [["test_batch", md5s["test_batch"]]])
    monkeypatch.setattr(patched, "meta", {**patched.meta, "md5": md5s["batches.meta"]})
    archive = replace(fake_tar.source.archives[0], members=tuple(files))
    source = replace(fake_tar.source, name="cifar10", shape=(3, 32, 32), train=10, test=10, archives=(archive,))
    return replace(fake_tar, source=source)


def test_cifar_batches_come_out_channels_first(fake_cifar: Any, tmp_path: Path) -> None:
    data = load("cifar10", root=tmp_path, sources=fake_cifar.sources)
    batch = pickle.loads((tmp_path / "cifar-10-batches-py/data_batch_1").read_bytes())
    assert data.train_images.shape == (10, 3, 32, 32)
    assert data.train_images.flags.c_contiguous
    assert np.array_equal(data.train_images.reshape(10, -1), batch["data"])
    assert data.train_labels.tolist() == list(range(10))


def test_a_changed_batch_is_never_unpickled(fake_cifar: Any, tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-batches-py/data_batch_1"
    path.write_bytes(b"cos\nabort\n(tR.".ljust(path.stat().st_size))  # os.abort(), were it unpickled
    assert f"cifar10 in {tmp_path} is damaged" in message(fake_cifar, tmp_path)


def test_a_data_set_of_another_size_is_a_data_error(fake_cifar: Any, tmp_path: Path) -> None:
    fake = replace(fake_cifar, source=replace(fake_cifar.source, train=11))
    assert "its train_images have shape (10, 3, 32, 32), not (11, 3, 32, 32)" in message(fake, tmp_path)
