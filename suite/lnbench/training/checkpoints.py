"""A running training's state in one .npz file, written whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lnbench.training.engine import State

FORMAT = 1


def save_state(state: State, run_id: str, file: Path, write: Callable[[Path, bytes], None]) -> None:
    """Write the state with the id of the run it belongs to. `write` is the store's atomic one."""
    about = {"format": FORMAT, "run": run_id, "epoch": state.epoch, "step": state.step, "curves": state.curves}
    buffer = io.BytesIO()
    np.savez(buffer, about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8), **state.tensors)
    write(file, buffer.getvalue())


def load_state(run_id: str, file: Path) -> State | None:
    """The state, or None where there is none, or none that is whole and of this run: then training starts anew."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            if about["format"] != FORMAT or about["run"] != run_id:
                return None
            tensors = {name: arrays[name] for name in arrays.files if name != "about"}
            return State(about["epoch"], about["step"], about["curves"], tensors)
    except Exception:  # numpy and zipfile raise a dozen kinds of error for a damaged file, MemoryError among them
        return None
