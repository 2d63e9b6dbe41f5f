"""A running training's file: what it keeps, and that nothing damaged is ever gone on from."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from lnbench.store import write_atomically
from lnbench.training.checkpoints import load_state, runs_in, save_state
from lnbench.training.hooks import State

STATE = State(
    2,
    17,
    [{"test_accuracy": [0.5, 0.625], "train_loss": [0.1 + 0.2, 1e-300]}],
    [False],
    {
        "weights": np.linspace(-1, 1, 1001, dtype=np.float32),
        "loss_sum": np.array(0.1 + 0.2),
        "right": np.array(123, dtype=np.int64),
        "optimiser.velocity": np.full(1001, 1e-30, dtype=np.float32),
    },
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "abc.npz"
    save_state(STATE, ["abc"], path, write_atomically)
    return path


def test_what_is_kept_comes_back_to_the_last_bit(file: Path) -> None:
    state = load_state(["abc"], file)
    assert state is not None
    assert (state.epoch, state.step, state.curves) == (STATE.epoch, STATE.step, STATE.curves)
    assert state.tensors.keys() == STATE.tensors.keys()
    for name, array in STATE.tensors.items():
        assert state.tensors[name].dtype == array.dtype
        assert state.tensors[name].tobytes() == array.tobytes()


def test_another_runs_state_is_not_taken(file: Path) -> None:
    assert load_state(["abd"], file) is None


def test_some_runs_of_a_group_are_taken_in_any_order(tmp_path: Path) -> None:
    weights = np.arange(6.0).reshape(3, 2)
    group = State(1, 4, [{"a": [0.0]}, {"a": [1.0]}, {}], [False, False, True], {"weights.0": weights})
    save_state(group, ["x", "y", "z"], tmp_path / "group.npz", write_atomically)
    assert runs_in(tmp_path / "group.npz") == ["x", "y", "z"]
    state = load_state(["z", "x"], tmp_path / "group.npz")
    assert state is not None
    assert (state.epoch, state.step, state.curves, state.diverged) == (1, 4, [{}, {"a": [0.0]}], [True, False])
    assert state.tensors["weights.0"].tolist() == [[4.0, 5.0], [0.0, 1.0]]
    assert load_state(["x", "other"], tmp_path / "group.npz") is None
    group.tensors["of all together"] = np.zeros((4, 3))  # whose share of it is whose?
    save_state(group, ["x", "y", "z"], tmp_path / "group.npz", write_atomically)
    assert load_state(["x", "y", "z"], tmp_path / "group.npz") is not None
    assert load_state(["x", "y"], tmp_path / "group.npz") is None
    assert runs_in(tmp_path / "none.npz") == []


def test_there_may_be_none(tmp_path: Path) -> None:
    assert load_state(["abc"], tmp_path / "abc.npz") is None
    (tmp_path / "folder.npz").mkdir()
    assert load_state(["folder"], tmp_path / "folder.npz") is None


def test_a_file_cut_off_anywhere_is_not_used(file: Path) -> None:
    whole = file.read_bytes()
    for length in [*range(0, 200, 7), *range(200, len(whole), 397), len(whole) - 1]:
        file.write_bytes(whole[:length])
        assert load_state(["abc"], file) is None, length


def test_a_file_with_a_flipped_byte_is_not_used_or_is_the_same(file: Path) -> None:
    """Bytes that mean nothing (dates in the zip) may change; a number never does."""
    whole = file.read_bytes()
    refused = 0
    for place in range(0, len(whole), 61):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        file.write_bytes(damaged)
        state = load_state(["abc"], file)
        refused += state is None
        if state is not None:
            assert state.curves == STATE.curves
            assert all(state.tensors[name].tobytes() == array.tobytes() for name, array in STATE.tensors.items())
    assert refused > 100


@pytest.mark.parametrize("about", [{"format": 2, "run": "abc"}, {"format": 1}, {"run": "abc"}, [], "abc", None, 3])
def test_a_file_of_another_form_is_not_used(tmp_path: Path, about: object) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8), weights=np.zeros(3))
    path = tmp_path / "abc.npz"
    path.write_bytes(buffer.getvalue())
    assert load_state(["abc"], path) is None


def test_no_object_is_ever_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "abc.npz"
    about = json.dumps({"format": 1, "run": "abc", "epoch": 0, "step": 0, "curves": {}}).encode()
    np.savez(path, about=np.frombuffer(about, dtype=np.uint8), weights=np.array([{"a": 1}], dtype=object))
    assert load_state(["abc"], path) is None
