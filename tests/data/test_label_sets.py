"""The human label sets in both of their forms, and every way in which their file can be wrong."""

from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lnbench.data.label_files import LabelFiles
from lnbench.data.label_sets import CIFAR10N, CIFAR100N, LABEL_SETS, LabelSet, label_status, read
from lnbench.data.sources import CIFAR10, CIFAR100
from lnbench.errors import DataError
from tests.toys.labelled import DIGITS, noisy_digits

TRUE = DIGITS.train_labels
ARRAYS = {"clean_label": TRUE, "worse_label": noisy_digits(), "random_label1": noisy_digits(50)}
DIGITS_N = LabelSet(
    name="digitsn",
    dataset="digits",
    archive="digitsn_labels.npz",
    official="DIGITS_human.pt",
    labels={"worst": "worse_label", "random1": "random_label1"},
    clean="clean_label",
    sha256={name: hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest() for name, labels in ARRAYS.items()},
    images=1300,
    classes=10,
)
SETS = {"digits": DIGITS_N}
OTHERS: dict[str, Any] = {"time": np.ones(3), "more": np.arange(2)}  # the authors' file has other arrays too


def folder(root: Path) -> Path:
    (root / "cifar_n").mkdir(parents=True, exist_ok=True)
    return root / "cifar_n"


def put_archive(root: Path, **changes: Any) -> Path:
    path = folder(root) / DIGITS_N.archive
    np.savez_compressed(path, **{**ARRAYS, **OTHERS, **changes})
    return path


def put_official(root: Path, content: Any = None, **options: Any) -> Path:
    path = folder(root) / DIGITS_N.official
    torch.save({**ARRAYS, "more": np.arange(2)} if content is None else content, path, **options)
    return path


class Harm:
    """A pickle that would write a file where it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


# ---- what is read


@pytest.mark.parametrize("form", ["archive", "official", "official, old zip", "official, int64 of numpy 1"])
def test_both_forms_of_the_file_give_the_published_labels(tmp_path: Path, form: str) -> None:
    if form == "archive":
        put_archive(tmp_path)
    elif form == "official":
        put_official(tmp_path)
    elif form == "official, old zip":
        put_official(tmp_path, _use_new_zipfile_serialization=False)
    else:
        path = put_official(tmp_path, _use_new_zipfile_serialization=False)
        renamed = path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        assert renamed != path.read_bytes(), "numpy 1 pickles its arrays under this name"
        path.write_bytes(renamed)
    found = read(DIGITS_N, tmp_path)
    assert set(found) == set(ARRAYS)
    for name, labels in ARRAYS.items():
        assert found[name].dtype == np.int64 and np.array_equal(found[name], labels)


def test_human_labels_come_with_the_check_of_their_order(tmp_path: Path) -> None:
    put_archive(tmp_path)
    files = LabelFiles(tmp_path, sets=SETS)
    labels, name = files.human(DIGITS, "worst")
    assert name == "digitsn worst" and np.array_equal(labels, noisy_digits())
    turned = replace(DIGITS, train_labels=TRUE[::-1].copy())
    with pytest.raises(DataError, match="are not those of digits, image by image"):
        files.human(turned, "worst")
    fewer = replace(DIGITS, train_labels=TRUE[:-1])
    with pytest.raises(DataError, match="are not those of digits, image by image"):
        files.human(fewer, "worst")
    with pytest.raises(DataError, match="no human labels of digits are called 'wurst'; did you mean 'worst'"):
        files.human(DIGITS, "wurst")
    with pytest.raises(DataError, match="there are no human labels of digits; there are some of cifar10 and cifar100"):
        LabelFiles(tmp_path).human(DIGITS, "worst")


# ---- what is refused


def test_without_the_file_the_error_says_which_it_is_where_it_is_available_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(CIFAR10N, tmp_path)
    for gist in ("CIFAR-10_human.pt", "https://github.com/UCSC-REAL/cifar-10-100n", str(tmp_path / "cifar_n")):
        assert gist in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "gist"),
    [
        ({"worse_label": noisy_digits()[::-1]}, "worse_label does not have the published labels"),
        ({"worse_label": noisy_digits()[:-1]}, r"worse_label has shape \(1299,\), not \(1300,\)"),
        ({"clean_label": np.where(TRUE == 9, 10, TRUE)}, "clean_label does not lie in 0 … 9"),
        ({"clean_label": TRUE + 0.5}, "clean_label: entry 0 is"),
        ({"worse_label": np.array(["x"] * 1300)}, "not integers"),
        ({"worse_label": np.array([None] * 1300)}, "holds Python objects|not integers"),
    ],
)
@pytest.mark.parametrize("form", ["archive", "official"])
def test_labels_that_are_not_the_published_ones_are_refused(
    tmp_path: Path, form: str, changes: dict[str, Any], gist: str
) -> None:
    if form == "archive":
        put_archive(tmp_path, **changes)
    else:
        put_official(tmp_path, {**ARRAYS, **changes})
        gist = f"{gist}|was not loaded"
    with pytest.raises(DataError, match=gist):
        read(DIGITS_N, tmp_path)


def test_a_pickled_object_is_refused_and_not_run(tmp_path: Path) -> None:
    harmed = tmp_path / "harmed"
    for content in (Harm(harmed), {"clean_label": Harm(harmed)}):
        for options in ({}, {"_use_new_zipfile_serialization": False}):
            put_official(tmp_path, content, **options)
            with pytest.raises(DataError, match="is not a dict of numpy arrays as torch saves it, and was not loaded"):
                read(DIGITS_N, tmp_path)
    folder(tmp_path).joinpath(DIGITS_N.official).write_bytes(pickle.dumps(Harm(harmed)))
    with pytest.raises(DataError, match="was not loaded"):
        read(DIGITS_N, tmp_path)
    assert not harmed.exists()


@pytest.mark.parametrize("content", [[1, 2], {"clean_label": [1, 2]}, {3: TRUE}, {"clean_label": torch.ones(3)}])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: Any) -> None:
    put_official(tmp_path, content)
    with pytest.raises(DataError, match=r"not a dict of numpy arrays"):
        read(DIGITS_N, tmp_path)


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"<html>log in first</html>"])
def test_a_file_that_is_cut_short_or_a_web_page_is_refused(tmp_path: Path, raw: bytes) -> None:
    for name in (DIGITS_N.official, DIGITS_N.archive):
        (folder(tmp_path) / name).write_bytes(raw)
        with pytest.raises(DataError, match=r"download DIGITS_human\.pt again|download it again"):
            read(DIGITS_N, tmp_path)


def test_a_missing_array_and_a_file_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder(tmp_path) / DIGITS_N.archive
    np.savez(path, clean_label=TRUE)
    with pytest.raises(DataError, match="has no array 'worse_label'"):
        read(DIGITS_N, tmp_path)
    monkeypatch.setattr("lnbench.data.label_sets.MOST_BYTES", 100)
    with pytest.raises(DataError, match=r"at most 100 are read"):
        read(DIGITS_N, tmp_path)


# ---- what the command line says


def test_the_state_of_a_label_set(tmp_path: Path) -> None:
    def state(verify: bool) -> str:
        (found,) = label_status(tmp_path, verify=verify, sets=SETS)
        return found.state

    assert state(False) == state(True) == "missing"
    put_archive(tmp_path, worse_label=TRUE)
    assert (state(False), state(True)) == ("present", "damaged")
    put_archive(tmp_path)
    assert state(True) == "present"


def test_the_sets_are_of_the_data_sets_that_they_name() -> None:
    assert set(LABEL_SETS) == {"cifar10", "cifar100"}
    for about, source in ((CIFAR10N, CIFAR10), (CIFAR100N, CIFAR100)):
        assert (about.dataset, about.images, about.classes) == (source.name, source.train, source.classes)
        assert about.sha256[about.clean] == source.arrays["train_labels"]
        assert {*about.labels.values(), about.clean} == set(about.sha256)


@pytest.mark.parametrize("about", [CIFAR10N, CIFAR100N])
def test_the_published_labels(about: LabelSet, tmp_path: Path) -> None:
    """The archive where LNBENCH_DATA has it, and the same arrays in the form in which their authors publish them."""
    root = os.environ.get("LNBENCH_DATA")
    if not root or about.file(Path(root)) is None:
        pytest.skip(f"LNBENCH_DATA has no {about.name} to read")
    labels = read(about, Path(root))
    torch.save(labels, folder(tmp_path) / about.official)
    again = read(about, tmp_path)
    assert all(np.array_equal(labels[name], again[name]) for name in about.sha256)
