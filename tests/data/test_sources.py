"""The registry agrees with torchvision and imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lnbench.data.sources import SOURCES, FolderSource, find
from lnbench.errors import DataError


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_sources_are_torchvisions(name: str) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    source = SOURCES[name]
    theirs = getattr(datasets, source.torchvision)
    assert [(archive.url_name, archive.md5) for archive in source.archives] == theirs.resources
    assert list(source.mirrors) == theirs.mirrors
    assert all(file.path.startswith(f"{source.torchvision}/raw/") for file in source.files)
    assert source.classes == len(theirs.classes)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_sources_are_torchvisions(name: str) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    source = SOURCES[name]
    theirs = getattr(datasets, source.torchvision)
    (archive,) = source.archives
    assert (archive.path, archive.md5) == (theirs.filename, theirs.tgz_md5)
    assert [mirror + archive.url_name for mirror in source.mirrors] == [theirs.url]
    listed = [*theirs.train_list, *theirs.test_list, [theirs.meta["filename"], theirs.meta["md5"]]]
    ours = [[file.path, file.md5] for file in source.files]
    assert ours == [[f"{theirs.base_folder}/{name}", md5] for name, md5 in listed]


def test_the_enlarged_fashion_mnist_is_read_from_the_files_of_the_other() -> None:
    small, large = SOURCES["fashion_mnist"], SOURCES["fashion_mnist_32"]
    assert (large.archives, large.mirrors, large.torchvision) == (small.archives, small.mirrors, small.torchvision)
    assert (large.train, large.test, large.classes, large.shape) == (60_000, 10_000, 10, (1, 32, 32))
    assert large.arrays == {name: small.arrays[name] for name in ("train_labels", "test_labels")}


def test_idx_file_sizes_follow_from_the_shapes() -> None:
    for name in ("mnist", "fashion_mnist"):
        source = SOURCES[name]
        pixels = source.shape[1] * source.shape[2]
        assert [file.size for file in source.files] == [
            16 + source.train * pixels,
            8 + source.train,
            16 + source.test * pixels,
            8 + source.test,
        ]


def test_every_source_says_whose_it_is_in_one_line() -> None:
    for name, source in SOURCES.items():
        assert source.name == name
        assert source.licence and source.citation and "\n" not in source.describe()
        in_files = isinstance(source, FolderSource)  # somebody else's, and not downloaded
        assert source.embedded == (source.download_bytes == 0 and not in_files)
    expected = "cifar10: 10 classes, 50,000 + 10,000 images of 3x32x32, 170 MB to download"
    assert SOURCES["cifar10"].describe() == expected


def test_an_unknown_name_is_a_data_error() -> None:
    with pytest.raises(DataError, match="there is no data set 'cifar'"):
        find("cifar")


def test_importing_the_package_and_reading_what_is_embedded_imports_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys, lnbench.data, lnbench.data.fetch;"
        "lnbench.data.load('synthetic_mnist', options={'train': 10}); lnbench.data.load('digits');"
        "print([m for m in ('torch', 'torchvision', 'sklearn', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
