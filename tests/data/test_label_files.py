"""A user's own file of labels: every form that is read, and every way in which one can be wrong."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench.data.label_files import GivenLabels, LabelFiles, agreement, bytes_of, complete, parsed
from lnbench.errors import DataError
from tests.toys.labelled import DIGITS, noisy_digits, write_labels

LABELS = noisy_digits()
TRUE = DIGITS.train_labels

WHICH = "say which labels are meant, with `key` in a study, or --labels-key"


def npy(values: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def npz(**values: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **values)
    return stream.getvalue()


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


def column(*rows: str) -> bytes:
    return ("\n".join(rows) + "\n").encode()


def labels_of(raw: bytes, name: str, key: str | None = None, **options: Any) -> np.ndarray:
    path = Path(name)
    return complete(parsed(raw, path, key), DIGITS, path, **options)


CHANGED = {str(image): int(LABELS[image]) for image in range(130)}
WHOLE = [*map(int, LABELS)]

# ---- what is read


@pytest.mark.parametrize(
    ("name", "raw", "key"),
    [
        ("a.npy", npy(LABELS), None),
        ("a.npy", npy(LABELS.astype(np.uint8)), None),
        ("a.NPY", npy(LABELS.astype(">i4")), None),
        ("a.npy", npy(LABELS.astype(np.float32)), None),
        ("a.npz", npz(noisy=LABELS, clean=TRUE), "noisy"),
        ("a.json", text(WHOLE), None),
        ("a.json", text({"noisy": WHOLE, "clean": TRUE.tolist()}), "noisy"),
        ("a.json", text(CHANGED), None),
        ("a.json", text({"changes": CHANGED}), "changes"),
        ("a.json", text([[image, label] for image, label in enumerate(WHOLE)][::-1]), None),
        ("a.json", text([[int(image), label] for image, label in CHANGED.items()]), None),
        ("a.csv", column(*map(str, WHOLE)), None),
        ("a.csv", b"\xef\xbb\xbf" + column("label", *map(str, WHOLE)), None),
        ("a.csv", column("index,label", *(f"{image},{label}" for image, label in CHANGED.items())), None),
        ("a.csv", column(",label", *(f"{image},{label}" for image, label in enumerate(WHOLE))), None),
        ("a.csv", column(*(f" {image} , {label} " for image, label in CHANGED.items())).replace(b"\n", b"\r\n"), None),
    ],
)
def test_every_form_gives_the_same_labels(name: str, raw: bytes, key: str | None) -> None:
    found = labels_of(raw, name, key)
    assert found.dtype == np.int64
    assert np.array_equal(found, LABELS)


# ---- what is refused


def cut(raw: bytes, count: int = 100) -> bytes:
    return raw[:-count]


def archive_with(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


HUGE = npy(np.zeros(10, dtype=np.int64)).replace(b"(10,), }" + b" " * 10, b"(1000000000000,), }")


@pytest.mark.parametrize(
    ("name", "raw", "key", "gist"),
    [
        ("a.pt", b"", None, "labels are read from .npy, .npz, .json, .csv files"),
        ("a.npy", b"", None, "is no NumPy array"),
        ("a.npy", pickle.dumps(LABELS), None, "is no NumPy array"),
        ("a.npy", npy(np.array([{}, 1], dtype=object)), None, "holds Python objects, which are not loaded"),
        ("a.npy", cut(npy(LABELS)), None, "is cut short: 10,300 bytes for an array of shape (1300,)"),
        ("a.npy", HUGE, None, "for an array of shape (1000000000000,)"),
        ("a.npy", npy(np.eye(10)[LABELS]), None, "has shape (1300, 10); labels are one column"),
        ("a.npy", npy(np.array(5)), None, "has shape ()"),
        ("a.npy", npy(np.empty(0, dtype=np.int64)), None, "has no labels; it is empty"),
        ("a.npy", npy(LABELS[:-1]), None, "has 1,299 labels, but digits has 1,300 training images"),
        ("a.npy", npy(np.where(TRUE == 0, 10, LABELS)), None, "is 10, and digits has 0 … 9; count from 0"),
        ("a.npy", npy(LABELS - 1), None, "is -1, and digits has 0 … 9; count from 0"),
        ("a.npy", npy(LABELS + 0.5), None, "not an integer; a label is the number of a class"),
        ("a.npy", npy(np.where(np.arange(1300) == 7, np.nan, LABELS)), None, "entry 7 is nan, not an integer"),
        ("a.npy", npy(LABELS == 1), None, "holds bool, not integers"),
        ("a.npy", npy(LABELS.astype(str)), None, "not integers"),
        ("a.npy", npy(LABELS), "noisy", "a .npy file has no keys; leave `key`, or --labels-key, out"),
        (
            "a.npz",
            npz(noisy=LABELS, clean=TRUE),
            None,
            WHICH + "; it has clean, noisy",
        ),
        ("a.npz", npz(noisy=LABELS), "nosy", "it has no key 'nosy'; it has noisy"),
        ("a.npz", npz(noisy=np.array([1, "x"], dtype=object)), "noisy", "holds Python objects"),
        ("a.npz", cut(npz(noisy=LABELS)), "noisy", "no NumPy archive"),
        ("a.npz", archive_with("noisy.npy", b"x"), "noisy", "is no NumPy array"),
        ("a.json", b"[1, 2", None, "is no JSON"),
        ("a.json", b"\xff\xfe", None, "is no JSON"),
        ("a.json", b"[" * 100_000, None, "nested too deeply"),
        ("a.json", b"[" + b"9" * 5000 + b"]", None, "is no JSON"),
        ("a.json", b"[1, NaN]", None, "it has NaN, which is not an integer"),
        ("a.json", b"[1, 1e999]", None, "entry 1 is inf, not an integer"),
        ("a.json", b"[1, true]", None, "entry 1 is True, not an integer"),
        ("a.json", b'[1, "2"]', None, "entry 1 is '2', not an integer"),
        ("a.json", b"[1, 2.5]", None, "entry 1 is 2.5, not an integer"),
        ("a.json", b"[]", None, "has no labels; it is empty"),
        ("a.json", b"{}", None, "it is empty"),
        ("a.json", b"3", None, "holds 3; write a list of labels"),
        (
            "a.json",
            b'{"noisy": [1]}',
            None,
            WHICH + "; it has noisy",
        ),
        ("a.json", b'{"noisy": [1]}', "clean", "it has no key 'clean'; it has noisy"),
        ("a.json", b"[1]", "noisy", "it has no key 'noisy'; it has nothing"),
        ("a.json", b'{"3": 1, "3": 2}', None, "the key '3' is there twice"),
        ("a.json", b"[[3, 1], [3, 2]]", None, "the index 3 is there 2 times; give each image one label"),
        ("a.json", b"[[3, 1], [4]]", None, "entry 1 is [4], not a pair [index, label]"),
        ("a.json", b"[[1300, 1]]", None, "index 0 is 1,300, and digits has 0 … 1,299"),
        ("a.json", b"[[-1, 1]]", None, "index 0 is -1, and digits has 0 … 1,299"),
        ("a.csv", b"", None, "has no labels; it is empty"),
        ("a.csv", b"label\n", None, "has no labels; it is empty"),
        ("a.csv", b"1\n\n2\nx\n", None, "line 4 has 'x', not an integer"),
        ("a.csv", b"1\n2.5\n", None, "line 2 has '2.5', not an integer"),
        ("a.csv", b"1,nan\n", None, "line 1 has 'nan', not an integer"),
        ("a.csv", b"1,2\n3\n", None, "line 2 has 1 columns"),
        ("a.csv", b"1,2,3\n", None, "line 1 has 3 columns; write one of labels, or two: index, label"),
        ("a.csv", b"a,b,c\n1,2,3\n", None, "line 2 has 3 columns"),
        ("a.csv", b"5,1\n5,1\n", None, "the index 5 is there 2 times"),
        ("a.csv", b"\xff\xfe\x00", None, "is no CSV"),
        ("a.csv", b"9999999999999999999999\n1\n", None, "digits has 1,300 training images"),
    ],
)
def test_a_file_that_cannot_be_right_says_what_is_wrong(name: str, raw: bytes, key: str | None, gist: str) -> None:
    with pytest.raises(DataError) as caught:
        labels_of(raw, name, key)
    assert gist in str(caught.value)
    assert name in str(caught.value), "the file is named"
    assert "\n" not in str(caught.value)


def test_shuffled_labels_are_refused_unless_they_are_meant_so() -> None:
    shuffled = np.random.default_rng(0).permutation(TRUE)
    with pytest.raises(DataError, match=r"% of its labels are the true ones of digits.*they look shuffled"):
        labels_of(npy(shuffled), "a.npy")
    assert np.array_equal(labels_of(npy(shuffled), "a.npy", check_order=False), shuffled)
    for wrong in (0.3, 0.8):  # noise that leaves a fifth of the labels alone is no shuffled file
        moved = np.where(np.random.default_rng(1).random(1300) < wrong, (TRUE + 3) % 10, TRUE)
        labels_of(npy(moved), "a.npy")


def test_the_agreement_of_shuffled_labels_has_the_mean_and_the_spread_that_are_worked_out() -> None:
    """Against 4,000 permutations of labels of uneven classes: the mean within four of its errors, the spread by 5 %."""
    numbers = np.random.default_rng(2)
    true = numbers.choice(5, 300, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    given = numbers.choice(5, 300, p=[0.3, 0.3, 0.2, 0.1, 0.1])
    _, chance, deviation = agreement(given, true, 5)
    shares = [(numbers.permutation(given) == true).mean() for _ in range(4000)]
    assert abs(np.mean(shares) - chance) < 4 * deviation / 4000**0.5
    assert np.std(shares) == pytest.approx(deviation, rel=0.05)
    assert agreement(true, true, 5)[0] == 1.0


def test_files_too_large_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = write_labels(tmp_path / "a.npy", LABELS)
    monkeypatch.setattr("lnbench.data.label_files.MOST_BYTES", 1000)
    with pytest.raises(DataError, match=r"a\.npy cannot be read: it has 10,528 bytes; at most 1,000 are read"):
        LabelFiles(tmp_path, {digest: str(tmp_path / "a.npy")}).read(digest, None)


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lnbench.data.label_files.MOST_BYTES", 100_000)
    raw = npz(noisy=np.zeros(100_000, dtype=np.int64))
    assert len(raw) < 10_000
    with pytest.raises(DataError, match="noisy unpacks to 800,128 bytes"):
        labels_of(raw, "a.npz", "noisy")


# ---- where a file lies


def test_a_file_is_found_by_its_path_or_by_its_checksum_in_the_data_root(tmp_path: Path) -> None:
    digest = write_labels(tmp_path / "elsewhere.npy", LABELS)
    by_path = LabelFiles(tmp_path / "root", {digest: str(tmp_path / "elsewhere.npy")})
    assert by_path.where(digest) == tmp_path / "elsewhere.npy"
    assert LabelFiles(tmp_path / "root").where(digest, str(tmp_path / "elsewhere.npy")) == tmp_path / "elsewhere.npy"
    kept = tmp_path / "root" / "labels" / "any name.npy"
    write_labels(kept, LABELS)
    write_labels(kept.with_name("other.npy"), TRUE)
    assert LabelFiles(tmp_path / "root").where(digest) == kept
    assert LabelFiles(tmp_path / "root", {digest: str(tmp_path / "gone.npy")}).where(digest) == kept


def test_a_file_that_is_not_there_or_has_changed_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    digest = write_labels(path, LABELS)
    files = LabelFiles(tmp_path, {digest: str(path)})
    other = write_labels(path, TRUE)
    with pytest.raises(DataError, match=f"a.npy has the sha256 {other}, not {digest}"):
        files.read(digest, None)
    path.unlink()
    with pytest.raises(DataError, match=f"{path} is not there, nor is one with its sha256 {digest} in"):
        files.read(digest, None)
    with pytest.raises(DataError, match="no path to the file of labels is known here"):
        LabelFiles(tmp_path).read(digest, None)


def test_a_part_of_the_images_keeps_the_others_labels() -> None:
    given = GivenLabels(np.array([4, 4]), np.array([0, 1299]))
    found = complete(given, DIGITS, Path("a.csv"))
    assert found[0] == found[1299] == 4 and np.array_equal(found[1:1299], TRUE[1:1299])
    assert hashlib.sha256(TRUE.tobytes()).hexdigest() == hashlib.sha256(DIGITS.train_labels.tobytes()).hexdigest()


def test_a_pipe_or_a_folder_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    for path in (tmp_path / "pipe.npy", tmp_path, Path("/dev/zero")):
        with pytest.raises(DataError, match="is not a file; give a file of labels"):
            bytes_of(path)
