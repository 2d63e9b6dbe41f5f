"""Image files in a folder for each class: what is listed, what the index keeps, and one clear error for what is
wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench.data.image_folder import INDEX, FolderData, Names, kept_index, load_folder
from lnbench.data.images import load, load_for
from lnbench.data.root import check, states_of, status
from lnbench.data.sources import IMAGE_FOLDER, IMAGENET, FolderSource
from lnbench.errors import DataError
from tests.toys.picture_folder import ABOUT, CLASSES, NAMES, TEST, TRAIN, dataset, folder_data, make_folder

SOURCE = IMAGE_FOLDER.of(dataset())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the folder `birds`."""
    root = tmp_path_factory.mktemp("root")
    make_folder(root / "birds")
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that may be spoilt; no index is kept elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(made / "birds", tmp_path / "birds")
    return tmp_path


def test_classes_and_files_have_torchvisions_order_and_numbers(made: Path) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    data = folder_data(made)
    theirs = datasets.ImageFolder(str(made / "birds" / "train"))
    assert [(data.train_file(number), label) for number, label in enumerate(data.train_labels)] == theirs.samples
    assert (len(data.train_labels), len(data.test_labels), data.classes) == (TRAIN, TEST, CLASSES)
    assert data.shape == (3, 64, 64)
    assert np.bincount(data.test_labels).tolist() == [TEST // CLASSES] * CLASSES


def test_names_are_held_as_one_block_and_come_back() -> None:
    told = ["a/b.jpg", "ä/ø ✓.png", os.fsdecode(b"c/\xff.jpg"), "d"]
    names = Names.of(told)
    assert [names[number] for number in range(len(names))] == told
    assert len(Names.of([])) == 0
    with pytest.raises(IndexError):
        names[4]


def test_the_index_is_made_once_and_again_where_a_file_came_or_went(root: Path) -> None:
    heard: list[tuple[int, int]] = []

    def listed() -> str:
        return load_folder(SOURCE, root, lambda done, total: heard.append((done, total))).checksum

    first = listed()
    assert (root / INDEX / "birds.npz").is_file()
    assert heard[-1] == (TRAIN + TEST, TRAIN + TEST) and len(heard) == 2 * CLASSES
    heard.clear()
    assert listed() == first and not heard, "the index is kept"
    (root / "birds/train" / NAMES[0] / "000.JPEG").rename(root / "birds/train" / NAMES[0] / "zzz.JPEG")
    assert listed() != first and heard, "a file has another name"


@pytest.mark.parametrize("spoil", [b"", b"no index", None])
def test_a_damaged_index_is_made_again(root: Path, spoil: bytes | None) -> None:
    first = load_folder(SOURCE, root).checksum
    file = root / INDEX / "birds.npz"
    file.write_bytes(file.read_bytes()[:-200] if spoil is None else spoil)
    assert kept_index(SOURCE, root) is None
    assert load_folder(SOURCE, root).checksum == first
    assert kept_index(SOURCE, root) is not None


def test_the_index_lies_in_the_cache_where_the_data_root_cannot_be_written(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / INDEX).write_text("a file in its place", encoding="utf-8")
    load_folder(SOURCE, root)
    (kept,) = (root / "cache" / "lnbench" / "index").iterdir()
    assert kept.name.startswith("birds-") and kept_index(SOURCE, root) is not None


def test_the_checksum_is_of_the_listing_and_of_nothing_else(root: Path) -> None:
    first = load_folder(SOURCE, root).checksum
    assert load_folder(SOURCE.of(dataset(size=96)), root).checksum == first
    other = root / "elsewhere"
    (root / "birds").rename(other)
    assert load_folder(replace(SOURCE, folder="elsewhere"), root).checksum == first
    with (other / "val" / NAMES[1] / "001.JPEG").open("ab") as file:
        file.write(b"\0")
    shutil.rmtree(root / INDEX)
    assert load_folder(replace(SOURCE, folder="elsewhere"), root).checksum != first, "a file has another size"


def spoilt(what: str) -> Callable[[Path], Any]:
    def one_class_only(birds: Path) -> None:
        for name in NAMES[1:]:
            shutil.rmtree(birds / "train" / name)

    def link(birds: Path) -> None:
        (birds / "train" / NAMES[2] / "001.JPEG").unlink()
        (birds / "train" / NAMES[2] / "001.JPEG").symlink_to("/nowhere/001.JPEG")

    def folder_link(birds: Path) -> None:
        (birds / "train" / "n9").symlink_to("/nowhere/n9")

    def empty_class(birds: Path) -> None:
        for file in (birds / "train" / NAMES[3]).iterdir():
            file.unlink()
        (birds / "train" / NAMES[3] / "README.txt").write_text("no image", encoding="utf-8")

    return {
        "one class only": one_class_only,
        "link": link,
        "folder link": folder_link,
        "empty class": empty_class,
        "no split": lambda birds: shutil.rmtree(birds / "val"),
        "nothing": shutil.rmtree,
        "missing class": lambda birds: shutil.rmtree(birds / "val" / NAMES[4]),
        "another class": lambda birds: (birds / "val" / NAMES[4]).rename(birds / "val" / "n7"),
        "fewer classes": lambda birds: [shutil.rmtree(birds / split / NAMES[4]) for split in ("train", "val")],
        "a file less": lambda birds: (birds / "val" / NAMES[0] / "000.JPEG").unlink(),
        "damaged": lambda birds: (birds / "train" / NAMES[1] / "002.JPEG").write_bytes(b"\xff\xd8 no more"),
        "empty file": lambda birds: (birds / "val" / NAMES[1] / "002.JPEG").write_bytes(b""),
    }[what]


@pytest.mark.parametrize(
    ("what", "where", "told", "mend"),
    [
        ("one class only", "birds/train", "has one class only, n00000000", "a folder of its own"),
        ("link", "birds/train/n00000002/001.JPEG", "is a broken link, to /nowhere/001.JPEG", "mend or remove it"),
        ("folder link", "birds/train/n9", "is a broken link, to /nowhere/n9", "mend or remove it"),
        ("empty class", "birds/train/n00000003", "has no images", "add some, or remove the class"),
        ("no split", "birds/val", "is not there", "train/CLASS/FILE"),
        ("nothing", "birds/train", "is not there", "train/CLASS/FILE"),
        ("missing class", "birds/val", "the class n00000004 is missing", "both splits need"),
        ("another class", "birds/val", "the class n00000004 is missing", "both splits need"),
        ("fewer classes", "birds", "has 5 class folders, not 6", "write `classes: 5` under dataset.folder"),
        ("a file less", "birds", "has 35 images in val, not 36", "write `test: 35` under dataset.folder"),
        ("damaged", "birds/train/n00000001/002.JPEG", "is damaged", "replace or remove it"),
        ("empty file", "birds/val/n00000001/002.JPEG", "is damaged", "replace or remove it"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_place_and_what_mends_it(
    root: Path, what: str, where: str, told: str, mend: str
) -> None:
    spoilt(what)(root / "birds")
    with pytest.raises(DataError) as error:
        load_for(dataset(), root=root)
    message = str(error.value)
    assert str(root / where) in message and told in message and mend in message and "\n" not in message


def test_a_file_that_is_cut_short_is_found_where_all_are_checked(root: Path) -> None:
    """Its header is whole, so that only whoever decodes it sees what it lacks."""
    source = replace(SOURCE, name="birds")
    (found,) = check(root, ["birds"], {"birds": source})
    assert (found.state, found.verified) == ("present", True)
    file = root / "birds/train" / NAMES[1] / "002.JPEG"
    file.write_bytes(file.read_bytes()[:-300])
    assert isinstance(load_for(dataset(), root=root), FolderData)
    (found,) = check(root, ["birds"], {"birds": source})
    assert found.state == "damaged" and str(file) in found.fault and "truncated" in found.fault


def test_an_own_folder_is_found_by_what_a_recipe_says(root: Path) -> None:
    (there,) = states_of(root, [dataset(), dataset(size=96)])
    assert there.state == "present"
    (absent,) = states_of(root, [dataset(folder={**ABOUT, "path": "fish"})])
    assert (absent.state, str(root / "fish" / "train") in absent.fault) == ("missing", True)
    with pytest.raises(DataError, match="put your own files there, as train/CLASS/FILE"):
        absent.demand()


def test_imagenet_is_where_the_error_says_and_its_files_are_counted(root: Path) -> None:
    (found,) = status(root, ["imagenet"])
    with pytest.raises(DataError, match=r"image-net\.org and put them there, as train/CLASS/FILE and val/CLASS"):
        found.demand()
    (root / "imagenet").symlink_to(root / "birds")  # a link to a folder elsewhere will do
    assert status(root, ["imagenet"])[0].usable
    with pytest.raises(DataError, match=r"has 6 class folders, not 1,000; add what is missing"):
        load_folder(IMAGENET, root)
    assert isinstance(IMAGENET, FolderSource) and IMAGENET.of({"size": 64}).shape == (3, 64, 64)


def test_what_needs_all_images_in_memory_says_so(made: Path) -> None:
    with pytest.raises(DataError, match="imagenet: its images are files"):
        load("imagenet", root=made)
    for name in ("train_images", "test_images"):
        with pytest.raises(DataError, match="decoded batch by batch"):
            getattr(folder_data(made), name)


def test_a_file_that_was_replaced_since_it_was_listed_is_an_error(root: Path) -> None:
    """The record's checksum is of the listing: what is decoded must be what was listed."""
    data = load_folder(SOURCE, root)
    file = Path(data.train_file(0))
    before = {folder: folder.stat().st_mtime_ns for folder in (file.parent, file.parent.parent)}
    file.write_bytes(file.read_bytes() + b"\0")
    assert before == {folder: folder.stat().st_mtime_ns for folder in before}  # no listing sees it
    again = load_folder(SOURCE, root)
    assert again.checksum == data.checksum
    with pytest.raises(DataError, match=r"has [\d,]+ bytes, and had [\d,]+ when the folder was listed; put it back"):
        again.train_file(0)
    again.train_file(1)
    os.utime(file.parent)
    assert load_folder(SOURCE, root).checksum != data.checksum
