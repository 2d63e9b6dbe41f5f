"""Labels and images as people have them: text, columns, lists of files, data sets of other packages."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import lnbench.detect
from lnbench.detect.data import Labelled
from lnbench.detect.reading import From, read
from lnbench.errors import DataError, LnbenchError
from tests.toys.planted_digits import Planted, detect, rows

QUICK = {"runs": 1, "epochs": 2, "model": "perceptron", "top": 8, "device": "cpu"}
ASKED = ("--runs", 1, "--epochs", 2, "--model", "perceptron", "--top", 8)


def load(path: Path, **where: Any) -> Labelled:
    return read(path, None, lambda line: None, From(**where))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """80 pictures in one folder, and no word of what they are."""
    (tmp_path / "pictures/deep").mkdir(parents=True)
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 255, (80, 8, 8)).astype(np.uint8)):
        Image.fromarray(pixels).save(tmp_path / "pictures" / ("deep" if number % 2 else "") / f"{number:02d}.png")
    return tmp_path / "pictures"


def lines(pictures: Path) -> list[list[str]]:
    return [
        [f"{'deep/' if number % 2 else ''}{number:02d}.png", "cat" if number < 40 else "dog"] for number in range(80)
    ]


def written(file: Path, table: list[list[str]], mark: str = ",") -> Path:
    with file.open("w", newline="") as text:
        csv.writer(text, delimiter=mark).writerows(table)
    return file


# ---- archives


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array(["dog", "cat"] * 40), ["cat", "dog"]),
        (np.array([[b"dog"], [b"cat"]] * 40), ["cat", "dog"]),
        (np.array([[1], [0]] * 40, np.uint8), ["0", "1"]),
        (np.array([1.0, 0.0] * 40), ["0", "1"]),
    ],
)
def test_labels_of_an_archive_may_be_text_or_a_column(tmp_path: Path, labels: np.ndarray, classes: list[str]) -> None:
    images = np.random.default_rng(0).integers(0, 255, (80, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    data = load(tmp_path / "a.npz")
    assert data.classes == classes and data.labels.tolist() == [1, 0] * 40


@pytest.mark.parametrize("names", [("{}_images", "{}_labels"), ("x_{}", "y_{}")], ids=["as MedMNIST", "as Keras"])
def test_the_parts_of_an_archive_are_read_together(tmp_path: Path, names: tuple[str, str]) -> None:
    rng, arrays = np.random.default_rng(0), {}
    for part, count in (("train", 60), ("test", 20)):
        arrays[names[0].format(part)] = rng.integers(0, 255, (count, 8, 8)).astype(np.uint8)
        arrays[names[1].format(part)] = (np.arange(count) % 2)[:, None]
    np.savez(tmp_path / "a.npz", **arrays)
    data = load(tmp_path / "a.npz")
    assert data.counts() == [40, 40] and data.names[0] == "train/0" and data.names[-1] == "test/19"
    assert "train and test were read together, as parts of one data set" in data.notes


# ---- lists of files


@pytest.mark.parametrize(
    ("head", "mark"),
    [([["file_name", "label"]], ","), ([], ","), ([["label", "path"]], ";"), ([["Image", "Class"]], "\t")],
)
def test_a_list_of_files_is_read(pictures: Path, head: list[list[str]], mark: str) -> None:
    table = lines(pictures)
    if head and head[0][0] == "label":
        table = [[label, path] for path, label in table]
    file = written(pictures / ("list.tsv" if mark == "\t" else "list.csv"), [*head, *table], mark)
    data = load(file)
    assert data.classes == ["cat", "dog"] and data.counts() == [40, 40] and data.names[:2] == ["00.png", "deep/01.png"]
    moved = pictures.parent / file.name
    shutil.move(file, moved)
    assert load(moved, images=pictures).names == data.names


def test_whole_paths_below_the_folder_are_right_and_others_refused(pictures: Path) -> None:
    whole = [[str(pictures / path), label] for path, label in lines(pictures)]
    assert load(written(pictures / "list.csv", whole)).names[1] == "deep/01.png"
    (pictures.parent / "secret.png").write_bytes((pictures / "00.png").read_bytes())
    (pictures / "link.png").symlink_to("../secret.png")
    for path in (
        "../secret.png",
        str(pictures.parent / "secret.png"),
        "link.png",
        "/etc/passwd",
        "deep/../../secret.png",
    ):
        file = written(pictures / "list.csv", [*lines(pictures), [path, "cat"]])
        with pytest.raises(DataError, match=r"list.csv: line 81: .* lies outside the folder .*; give the folder"):
            load(file)


@pytest.mark.parametrize(
    ("table", "gist"),
    [
        ([], "is empty"),
        ([["a", "b", "c"]], r"line 1 \(a, b, c\) names no column of paths"),
        ([["path", "label"], ["00.png"]], "line 2 has 1 columns; the path is number 1, the label 2"),
        ([["path", "label"], ["00.png", ""]], "line 2 gives 00.png no label"),
        ([["path", "label"], ["", "cat"]], "line 2 names no image"),
        (
            [["path", "label"], *([f"none{number}.png", "cat"] for number in range(60))],
            "none of 60 files",
        ),
    ],
)
def test_what_is_wrong_with_a_list_is_one_line(pictures: Path, table: list[list[str]], gist: str) -> None:
    with pytest.raises(DataError, match=gist) as error:
        load(written(pictures / "list.csv", table))
    assert len(str(error.value).splitlines()) == 1


def test_what_is_for_a_list_alone_is_refused_elsewhere(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(LnbenchError, match=r"--images .* is for a CSV of paths and labels"):
        load(pictures, images=tmp_path)
    with pytest.raises(LnbenchError, match="--labels-key x: is an array of --labels-file"):
        load(written(pictures / "list.csv", lines(pictures)), labels_key="x")


def test_cleaned_labels_are_a_list_that_can_be_read_and_are_never_overwritten(
    digits: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "out", tmp_path / "cleaned.csv"
    assert detect(digits.folder, "-o", out, "--runs", 1, "--epochs", 10, "--write-cleaned", file) == 0
    table, scores = rows(file), rows(out / "scores.csv")
    assert [row["image"] for row in table] == digits.names
    for row, score in zip(table, scores, strict=True):
        changed = score["suspect"] == "yes" and score["suggested"] != score["label"]
        assert row["changed"] == ("yes" if changed else "no") and row["given_label"] == score["label"]
        assert row["label"] == (score["suggested"] if changed else score["label"])
    changed = {row["image"] for row in table if row["changed"] == "yes"}
    assert len(changed & digits.wrong) > 0.9 * len(digits.wrong) and len(changed - digits.wrong) < 0.03 * len(table)
    data = load(file, images=digits.folder)
    assert [data.classes[label] for label in data.labels] == [row["label"] for row in table]
    before = file.read_bytes()
    assert detect(digits.folder, "-o", out, "--runs", 1, "--epochs", 10, "--write-cleaned", file) == 2
    assert "is already there, and nothing is overwritten" in capsys.readouterr().err and file.read_bytes() == before
    for bad, gist in (("a.txt", "write a .csv or a .npz"), ("none/a.csv", "there is no folder")):
        assert detect(digits.folder, "-o", out, "--write-cleaned", tmp_path / bad) == 2
        assert gist in capsys.readouterr().err
    (tmp_path / "link.csv").symlink_to("nowhere")
    assert detect(digits.folder, "-o", out, "--write-cleaned", tmp_path / "link.csv") == 2
    assert detect(digits.folder, "-o", out, "--runs", 1, "--epochs", 10, "--write-cleaned", tmp_path / "c.npz") == 0
    with np.load(tmp_path / "c.npz") as made:
        assert made["classes"][made["labels"]].tolist() == [row["label"] for row in table]
        assert made["names"].tolist() == digits.names and made["changed"].sum() == len(changed)


@pytest.mark.parametrize("path", ["a" * 5000, "\0", "/dev/zero"], ids=["too long", "a NUL", "a device"])
def test_a_path_that_is_no_path_is_one_line(
    digits: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    calls = ((path,), ("--from-losses", path), (digits.archive, "--labels-file", path + ".csv"),
             (digits.archive, "--write-cleaned", path + ".csv"), (tmp_path / "a.csv", "--images", path))  # fmt: skip
    written(tmp_path / "a.csv", [["a.png", "b"]])
    for arguments in calls[: 5 if path != "/dev/zero" else 2]:
        assert detect(*arguments, "-o", tmp_path / "out") in (2, 6), arguments
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1 and "Traceback" not in err, arguments


# ---- known data sets, and labels from a file


def test_a_data_set_is_known_by_its_name_and_takes_labels_from_a_file(tmp_path: Path) -> None:
    data = load(Path("digits"))
    assert data.classes == [str(digit) for digit in range(10)] and data.shape == (1, 8, 8)
    labels = data.labels.copy()
    labels[:100] = (labels[:100] + 1) % 10
    np.savez(tmp_path / "labels.npz", worse=labels, order=np.roll(labels, 7))
    found = load(Path("digits"), labels_file=tmp_path / "labels.npz", labels_key="worse")
    assert np.array_equal(found.labels, labels) and "100 differ from the data's own" in found.notes[-1]
    rolled = load(Path("digits"), labels_file=tmp_path / "labels.npz", labels_key="order")
    assert "as if they were shuffled" in rolled.notes[-1]
    with pytest.raises(DataError, match="say which labels are meant, with `key` in a study, or --labels-key"):
        load(Path("digits"), labels_file=tmp_path / "labels.npz")
    (tmp_path / "few.csv").write_text("index,label\n3,7\n")
    some = load(Path("digits"), labels_file=tmp_path / "few.csv")
    assert some.labels[3] == 7 and (some.labels != data.labels).sum() <= 1


# ---- from Python


class TorchLike:
    """What a data set of torchvision looks like from outside."""

    classes = ("even", "odd")

    def __init__(self, scale: float = 1.0):
        self.images = load_digits().images[:60] / 16 * scale

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, number: int) -> tuple[Any, int]:
        import torch

        return torch.tensor(self.images[number], dtype=torch.float32)[None], int(load_digits().target[number] % 2)


class Features:
    names = ("even", "odd")


class HuggingFaceLike:
    """What a `datasets.Dataset` looks like from outside."""

    features: dict[str, Any] = {"image": object(), "label": Features()}  # noqa: RUF012

    def __len__(self) -> int:
        return 60

    def __getitem__(self, number: int) -> dict[str, Any]:
        pixels = (load_digits().images[number] * 255 / 16).round().astype(np.uint8)
        return {"image": Image.fromarray(pixels), "label": int(load_digits().target[number] % 2)}


def test_data_sets_of_torch_and_hugging_face_give_what_arrays_give(tmp_path: Path) -> None:
    images = (load_digits().images[:60] * 255 / 16).round().astype(np.uint8)
    labels = load_digits().target[:60] % 2
    names = np.array(["even", "odd"])[labels]
    found = [
        lnbench.detect.detect(data, tmp_path / name, **QUICK, **more)
        for name, data, more in (
            ("arrays", images, {"labels": labels, "classes": ["even", "odd"]}),
            ("text", images[..., None], {"labels": names}),
            ("torch", TorchLike(), {}),
            ("hugging", HuggingFaceLike(), {}),
        )
    ]
    for one in found:
        assert one.data.classes == ["even", "odd"] and np.array_equal(one.data.labels, labels)
        assert np.array_equal(one.scores.aul, found[0].scores.aul) and (one.folder / "page.html").is_file()


def test_what_is_wrong_with_a_data_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"item 0: its pixels lie in 0 to 1\.88, not 0 to 1; leave Normalize out"):
        lnbench.detect.detect(TorchLike(2.0), tmp_path / "a", **QUICK)
    with pytest.raises(DataError, match="object has no length or gives no items"):
        lnbench.detect.detect(object(), tmp_path / "a", **QUICK)
    with pytest.raises(DataError, match="item 0 is no pair"):
        lnbench.detect.detect([1, 2], tmp_path / "a", **QUICK)
    with pytest.raises(DataError, match="item 0 has text; rename its columns to `image` and `label`"):
        lnbench.detect.detect([{"text": "x"}], tmp_path / "a", **QUICK)
    with pytest.raises(LnbenchError, match="there is no option epoch; there are runs, epochs"):
        lnbench.detect.detect(TorchLike(), tmp_path / "a", epoch=3)
    assert not os.listdir(tmp_path)
