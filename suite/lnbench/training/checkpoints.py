"""A running training's state in one .npz file, written whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lnbench.data.arrays import Archive, opened_archive
from lnbench.errors import DataError
from lnbench.training.hooks import State
from lnbench.untrusted import parsed

FORMAT = 2
ABOUT = "about"  # the array that holds, as JSON, what is no tensor
MOST_ABOUT = 256 << 20  # bytes: of a group of 64 runs, 100,000 epochs long


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
    arrays: dict[str, Any] = {ABOUT: np.frombuffer(json.dumps(about).encode(), dtype=np.uint8), **state.tensors}
    np.savez(buffer, **arrays)
    write(file, buffer.getvalue())


def load_state(runs: Sequence[str], file: Path) -> State | None:
    """Return the state, or None where there is none, or none that is whole and of these runs: then training starts from
    the beginning.

    Of a group's checkpoint some runs can be taken, in any order: all that a replica is lies along the first axis.
    """
    try:
        with opened_archive(file, str(file)) as arrays:
            about = _about(arrays)
            if about is None or not set(runs) <= set(about.runs):
                return None
            tensors = {name: arrays.read(name) for name in arrays.names if name != ABOUT}
    except DataError:
        return None
    if any(array.dtype.kind not in "biuf" or not array.dtype.isnative for array in tensors.values()):
        return None  # nothing that a tensor of ours holds
    curves, diverged = about.curves, about.diverged
    if list(runs) != about.runs:
        places = [about.runs.index(run) for run in runs]
        if len(curves) < len(about.runs) or any(array.shape[:1] != (len(about.runs),) for array in tensors.values()):
            return None
        tensors = {name: array[places] for name, array in tensors.items()}
        curves, diverged = [curves[place] for place in places], [diverged[place] for place in places]
    return State(about.epoch, about.step, curves, diverged, tensors)


def runs_in(file: Path) -> list[str]:
    """Return the ids of the runs whose checkpoint this is, in their group's order; none where the file cannot be
    read."""
    try:
        with opened_archive(file, str(file)) as arrays:
            about = _about(arrays)
    except DataError:
        return []
    return about.runs if about is not None else []


class _About(BaseModel):
    """What a checkpoint says of itself."""

    model_config = ConfigDict(strict=True)

    format: Literal[2]
    runs: list[str] = Field(min_length=1)
    epoch: Annotated[int, Field(ge=0)]
    step: Annotated[int, Field(ge=0)]
    curves: list[dict[str, list[float]]]  # one a run; an experiment's are arrays, and there are none here
    diverged: list[bool]

    @property
    def whole(self) -> bool:
        """Return whether the parts fit: of each run that goes on, one value for every epoch that is finished."""
        lengths = [{len(curve) for curve in curves.values()} for curves in self.curves]
        ends = zip(lengths, self.diverged, strict=False)
        return (
            len(set(self.runs)) == len(self.runs)
            and len(self.curves) == len(self.diverged)
            and len(self.curves) in (0, len(self.runs))
            and all(max(found, default=0) <= self.epoch for found in lengths)
            and all(found <= {self.epoch} for found, diverged in ends if not diverged)
        )


def _about(arrays: Archive) -> _About | None:
    """Return what an open checkpoint says of itself; None where that is not whole, or of another format. Raises
    DataError."""
    if ABOUT not in arrays.names:
        return None
    try:
        about = _About.model_validate(parsed(arrays.read(ABOUT, MOST_ABOUT).tobytes()))
    except ValueError:
        return None
    return about if about.whole else None
