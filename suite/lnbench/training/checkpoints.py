"""A running training's state in one .npz file, written whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lnbench.training.hooks import State

FORMAT = 2


def save_state(state: State, runs: list[str], file: Path, write: Callable[[Path, bytes], None]) -> None:
    """Write the state with the ids of the runs it belongs to, in their order. `write` is the store's atomic one."""
    about = {
        "format": FORMAT,
        "runs": runs,
        "epoch": state.epoch,
        "step": state.step,
        "curves": state.curves,
        "diverged": state.diverged,
    }
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8), **state.tensors}
    np.savez(buffer, **arrays)
    write(file, buffer.getvalue())


def load_state(runs: Sequence[str], file: Path) -> State | None:
    """Return the state, or None where there is none, or none that is whole and of these runs: then training starts from
    the beginning.

    Of a group's checkpoint some runs can be taken, in any order: all that a replica is lies along the first axis.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            of = about["runs"]
            if about["format"] != FORMAT or not set(runs) <= set(of):
                return None
            tensors = {name: arrays[name] for name in arrays.files if name != "about"}
            curves, diverged = about["curves"], about["diverged"]
            if list(runs) != of:
                places = [of.index(run) for run in runs]
                if any(array.shape[:1] != (len(of),) for array in tensors.values()):
                    return None
                tensors = {name: array[places] for name, array in tensors.items()}
                curves, diverged = [curves[place] for place in places], [diverged[place] for place in places]
            return State(about["epoch"], about["step"], curves, diverged, tensors)
    except Exception:  # numpy and zipfile raise a dozen kinds of error for a damaged file, MemoryError among them
        return None


def runs_in(file: Path) -> list[str]:
    """Return the ids of the runs whose checkpoint this is, in their group's order; none where the file cannot be
    read."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            return [str(run_id) for run_id in about["runs"]] if about["format"] == FORMAT else []
    except Exception:  # as above
        return []
