"""How anything that runs for long speaks with the outside: progress, checkpoints, being stopped. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lnbench.data.label_files import LabelFiles
from lnbench.training.gradient_noise import GradientNoise


class Stopped(Exception):
    """The run was asked to stop; its checkpoint is written."""


@dataclass
class Progress:
    """Where a run (or each run of a group) stands: for who watches, and for deciding whether to write a checkpoint.

    An experiment has one epoch, and an example is what one of its steps reads.
    """

    epoch: int
    epochs: int
    examples_done: int
    examples_total: int


@dataclass
class State:
    """All that a checkpoint keeps: where the runs are, and every array that the next step reads.

    Of a group, what is a run's lies at its place along the first axis, so that some runs can go on without others.
    """

    epoch: int = 0  # epochs finished
    step: int = 0  # batches finished in the current epoch; of an experiment, steps
    curves: list[dict[str, list[float]]] = field(default_factory=list)  # one a run; an experiment's are arrays
    diverged: list[bool] = field(default_factory=list)
    tensors: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    refused: bool = field(default=False, compare=False)  # set by a run that it does not fit: it began at the start


@dataclass
class Hooks:
    """What the outside wants of a running training; the defaults want nothing.

    `tick` is asked after every step and says whether to save; `should_stop` then says whether to leave off, which saves
    and raises Stopped. `save` gets a copy, which the run does not change. `gradient_noise`: for `lnbench measure` only;
    what is trained with it is no run of its recipe, and no record may be made of it. `files`: where the label files lie
    that a recipe's noise may read; a recipe knows such a file by its checksum.
    """

    tick: Callable[[Progress], bool] = lambda progress: False
    should_stop: Callable[[], bool] = lambda: False
    save: Callable[[State], None] = lambda state: None
    gradient_noise: GradientNoise | None = None
    files: LabelFiles = field(default_factory=LabelFiles)
