"""Folders of train and test are no classes; an image under two labels is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lnbench.detect.copies import copies_in, notes_on
from lnbench.detect.data import Labelled
from lnbench.detect.reading import read
from lnbench.detect.splits import classes_in
from lnbench.errors import DataError
from tests.toys.planted_digits import detect, rows


def load(path: Path) -> Labelled:
    return read(path, None, lambda line: None)


def pictures(folder: Path, count: int, seed: int) -> None:
    folder.mkdir(parents=True)
    for number, pixels in enumerate(np.random.default_rng(seed).integers(0, 255, (count, 8, 8)).astype(np.uint8)):
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """train/ and test/, each with a folder of cats and one of dogs."""
    for seed, (part, name) in enumerate((part, name) for part in ("train", "test") for name in ("cat", "dog")):
        pictures(tmp_path / "data" / part / name, 30 if part == "train" else 10, seed)
    return tmp_path / "data"


def test_the_parts_of_a_data_set_are_read_together_and_said(parts: Path) -> None:
    """They became two classes, "train" and "test"."""
    data = load(parts)
    assert data.classes == ["cat", "dog"] and data.counts() == [40, 40]
    assert {name.rsplit("/", 1)[0] for name in data.names} == {"train/cat", "train/dog", "test/cat", "test/dog"}
    assert all(data.classes[label] == name.split("/")[1] for label, name in zip(data.labels, data.names, strict=True))
    assert data.notes[0].startswith("test and train are parts of one data set and were read together")
    (parts / "test").rename(parts / "Validation")
    assert load(parts).counts() == [40, 40]


def test_a_part_without_class_folders_is_left_out_and_named(parts: Path) -> None:
    pictures(parts / "val", 5, 9)
    pictures(parts / "dev/images", 5, 9)
    data = load(parts)
    assert data.counts() == [40, 40] and "left out, as without class folders such as theirs: dev and val" in data.notes
    for name in ("test", "val", "dev"):
        (parts / name).rename(parts.parent / name)
    data = load(parts)
    assert data.counts() == [30, 30] and "the classes are the folders in train" in data.notes


def test_parts_next_to_other_folders_are_refused_with_the_remedy(parts: Path) -> None:
    (parts / "annotations").mkdir()
    with pytest.raises(DataError, match=r"test and train have the same class folders.*next to annotations; give"):
        load(parts)


def test_classes_that_are_called_so_stay_classes(tmp_path: Path) -> None:
    for seed, name in enumerate(("test", "train", "bus")):
        pictures(tmp_path / "data" / name, 30, seed)
    assert load(tmp_path / "data").classes == ["bus", "test", "train"]
    pictures(tmp_path / "data/train/freight/old", 5, 7)
    assert load(tmp_path / "data").counts() == [30, 30, 35]
    for name in ("cat", "dog"):
        for place in ("indoor", "outdoor"):
            (tmp_path / "nested" / name / place).mkdir(parents=True)
    assert list(classes_in(tmp_path / "nested").folders) == ["cat", "dog"]


def test_an_image_under_two_labels_is_listed(parts: Path, tmp_path: Path) -> None:
    train = parts / "train"
    for one, other in (("cat/03.png", "dog/a.png"), ("cat/03.png", "cat/again.png"), ("dog/04.png", "dog/copy.png")):
        (train / other).write_bytes((train / one).read_bytes())
    Image.open(train / "dog/05.png").save(train / "cat/as.bmp")
    out = tmp_path / "out"
    assert detect(train, "-o", out, "--runs", 1, "--epochs", 2, "--model", "perceptron", "--top", 8) == 0
    table = rows(out / "conflicts.csv")
    assert [(row["group"], row["image"], row["label"], row["same_bytes"]) for row in table] == [
        ("1", "cat/03.png", "cat", "yes"), ("1", "cat/again.png", "cat", "yes"), ("1", "dog/a.png", "dog", "yes"),
        ("2", "cat/as.bmp", "cat", "no"), ("2", "dog/05.png", "dog", "no"),
    ]  # fmt: skip
    result, page = json.loads((out / "result.json").read_text()), (out / "report.md").read_text()
    assert [len(group["images"]) for group in result["conflicts"]] == [3, 2]
    assert "2 images are there under two labels or more" in page and "## One image, several labels (2)" in page
    assert "2 images under the same label as a copy of theirs" in page


def test_images_that_are_alike_when_small_only_are_told_from_copies() -> None:
    images = np.zeros((4, 1, 8, 8), np.uint8)
    images[3] = 1
    data = Labelled(images, np.array([0, 1, 0, 1]), list("abcd"), ["x", "y"], lambda index, size: images[index])
    data_with = Labelled(
        images, data.labels, data.names, data.classes, data.view, raw=lambda index: b"a" if index < 2 else b"b"
    )
    for one in (data, data_with):
        found = copies_in(one)
        assert (found.conflicts, found.same_bytes, found.redundant) == ([[0, 1, 2]], [False], 1)
    assert notes_on(found)[0].startswith("1 image is there under two labels or more, of which one at most is right")
