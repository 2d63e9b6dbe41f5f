"""Archives of arrays that are not what they should be: one clear error wherever one is read, and never a large
allocation."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench.data.label_files import parsed
from lnbench.data.label_sets import LABEL_SETS, _archive
from lnbench.detect import archive as detect_archive
from lnbench.detect import given_losses
from lnbench.errors import LnbenchError
from lnbench.store import sidefiles, write_atomically
from lnbench.training.checkpoints import load_state, runs_in, save_state
from lnbench.training.hooks import State
from tests.hostile.npz_mutations import edited, named, sound

NUMBERS = np.arange(3)
MOST = 32 << 20  # bytes that reading a small file may take
HUMAN = LABEL_SETS["cifar10"]


def _side(raw: bytes, folder: Path) -> object:
    (folder / "a.npz").write_bytes(raw)
    return sidefiles.read(folder / "a.npz", "labels", sidefiles.describe({"labels": NUMBERS})["labels"])


def _detect(raw: bytes, folder: Path) -> object:
    (folder / "a.npz").write_bytes(raw)
    return detect_archive.read(folder / "a.npz", None)


def _losses(raw: bytes, folder: Path) -> object:
    (folder / "a.npz").write_bytes(raw)
    return given_losses.read(folder / "a.npz", None)


READERS: dict[str, Callable[[bytes, Path], Any]] = {
    "a side file": _side,
    "a label file": lambda raw, folder: parsed(raw, folder / "a.npz", "labels"),
    "human labels": lambda raw, folder: _archive(raw, folder / "a.npz", HUMAN),
    "detect": _detect,
    "detect, from losses": _losses,
}


@pytest.mark.parametrize("what", sorted(named("labels")))
def test_an_archive_that_is_not_as_it_should_be_is_one_line_for_every_reader(what: str, tmp_path: Path) -> None:
    for reader, read in READERS.items():
        raw = named(next(iter(HUMAN.sha256)) if reader == "human labels" else "labels")[what]
        tracemalloc.start()
        try:
            with pytest.raises(LnbenchError) as caught:
                read(raw, tmp_path)
            assert tracemalloc.get_traced_memory()[1] < MOST, f"{what} takes too much memory of {reader}"
        finally:
            tracemalloc.stop()
        words = str(caught.value)
        assert str(tmp_path / "a.npz") in words and len(words.splitlines()) == 1 and len(words) < 1000, words
    (tmp_path / "run.npz").write_bytes(named("about")[what])
    assert load_state(["run"], tmp_path / "run.npz") is None and runs_in(tmp_path / "run.npz") == []


def _read_edited(seed: int, count: int, folder: Path) -> None:
    images = {"images": np.zeros((60, 8, 8), np.uint8), "labels": np.arange(60) % 3}
    whole = {"a side file": sound(labels=NUMBERS), "a label file": sound(labels=NUMBERS), "detect": sound(**images)}
    whole["detect, from losses"] = sound(losses=np.random.default_rng(0).random((3, 60)), labels=np.arange(60) % 3)
    for reader, raw in whole.items():
        for words, made in itertools.islice(edited(raw, seed), count):
            try:
                found = READERS[reader](made, folder)
            except LnbenchError as error:
                assert len(str(error).splitlines()) == 1, words
            else:
                assert reader != "a side file" or np.array_equal(found, NUMBERS), f"{words}: another array was taken"
    state = State(2, 1, [{"train_loss": [0.5, 0.25]}], [False], {"weights": np.linspace(0, 1, 50)})
    save_state(state, ["run"], folder / "run.npz", write_atomically)
    for words, made in itertools.islice(edited((folder / "run.npz").read_bytes(), seed), count):
        (folder / "run.npz").write_bytes(made)
        runs_in(folder / "run.npz")
        found = load_state(["run"], folder / "run.npz")
        assert found is None or (found.epoch, found.curves) == (state.epoch, state.curves), words


def test_edited_archives_are_read_right_or_refused(tmp_path: Path) -> None:
    _read_edited(0, 30, tmp_path)


@pytest.mark.long
def test_thousands_of_edited_archives_are_read_right_or_refused(tmp_path: Path) -> None:
    for seed in range(1, 11):
        _read_edited(seed, 100, tmp_path)  # of each of four files


@pytest.mark.parametrize(
    "change",
    [
        {"runs": ["run", "run"]}, {"runs": []}, {"runs": "run"}, {"runs": {"run": 1}},
        {"epoch": -1}, {"epoch": "2"}, {"epoch": True}, {"epoch": 1.5}, {"step": None},
        {"curves": [3]}, {"curves": [{"train_loss": ["x"]}]}, {"curves": [{"train_loss": [0.5]}]}, {"curves": [{}, {}]},
        {"diverged": [0]}, {"diverged": []}, {"format": 3}, {"format": "2"},
    ],
    ids=str,
)  # fmt: skip
def test_a_checkpoint_that_says_what_no_run_can_be_is_not_used(tmp_path: Path, change: dict[str, Any]) -> None:
    import json

    about = {"format": 2, "runs": ["run"], "epoch": 2, "step": 1, "curves": [{"train_loss": [0.5, 0.2]}],
             "diverged": [False]}  # fmt: skip
    for content, taken in ((about, True), ({**about, **change}, False)):
        text = np.frombuffer(json.dumps(content).encode(), dtype=np.uint8)
        (tmp_path / "run.npz").write_bytes(sound(about=text, weights=np.zeros(3)))
        assert (load_state(["run"], tmp_path / "run.npz") is not None) == taken


@pytest.mark.parametrize("array", [np.array(["x"]), np.array([1], dtype=">f4"), np.array([1 + 2j])], ids=str)
def test_a_checkpoint_of_arrays_that_no_tensor_holds_is_not_used(tmp_path: Path, array: Any) -> None:
    save_state(State(0, 1, [{}], [False], {"weights": array}), ["run"], tmp_path / "run.npz", write_atomically)
    assert load_state(["run"], tmp_path / "run.npz") is None
