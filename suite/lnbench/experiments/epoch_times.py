"""How long an epoch takes with SGD, SAM, ASAM, weight averaging and bootstrapping: times of one machine, side by side.

Table 1 of the report on SAM and label noise gives minutes an epoch on one CPU. A time says something of a machine and
of what else it does; a ratio of times says something of the methods, if both were taken together. So all is timed in
one process, in turns: each turn has one epoch of every optimiser and one pass of predictions, the next turn has them in
another order, and a ratio is taken within a turn. The number of a run is the median over its turns.

An epoch is what the engine does in it: all steps on `clean` images, and an evaluation on `test` images; where both are
the same share of the data set the ratios are those of whole epochs. What is composed of it:

    swa                for a training of E epochs: E epochs of SGD that keep the average, and one more pass over the
                       images for the statistics of batch normalisations (Izmailov et al. 2018, section 3.2)
    bootstrapped       2 epochs and a pass of predictions over the training images: the report's code makes these
                       again in every epoch of the first training
    bootstrapped_once  the same with one pass of predictions in a whole training, as the text has it
    sam_bootstrapped   as `bootstrapped`, with SAM's epochs

Another run, another time: these records come out again as numbers of the same kind, and not as the same numbers.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lnbench.experiments.entries import YIELDS
from lnbench.experiments.options import timed_network
from lnbench.experiments.running import attend, taken_up
from lnbench.training.hooks import Hooks, Progress, State

PARTS = ("sgd", "sam", "asam", "swa", "predictions", "norms")  # what is timed in each turn
UNTIMED = 1  # turns before the first that counts: memory is taken, kernels are chosen
METRICS = tuple(name for name, (_, _, experiments, _) in YIELDS.items() if "epoch_times" in experiments)


def run(
    options: dict[str, Any],
    seeds: dict[str, int],
    data_root: Path | None,
    *,
    state: Any = None,
    hooks: Any = None,
    device: Any = "cpu",
) -> dict[str, Any]:
    """Time all turns. A checkpoint has the seconds of the turns that are done; the networks begin afresh, as what they
    have learnt costs no time.

    Besides what `lnbench.experiments` asks for, the outcome has `load`: the machine's load (as `os.getloadavg`, one
    minute) before and after, null where the system tells none.
    """
    import torch

    from lnbench.data.images import load
    from lnbench.training.batches import DeviceData
    from lnbench.training.engine import prepare

    place = torch.device(device)
    prepare(place)
    data = load(options["dataset"], root=data_root)
    clocks = _Clocks(options, seeds, DeviceData(data, place))
    seconds, before, hooks = _taken_up(state, options["turns"]), _load(), hooks or Hooks()
    first = len(seconds)
    for turn in range(first - UNTIMED, options["turns"]):  # after a stop, too, memory is taken and kernels are chosen
        row = clocks.turn(turn)
        if turn >= first:
            seconds = np.vstack((seconds, row))
        done = partial(State, 0, len(seconds), [], [], {"seconds": seconds})
        attend(hooks, Progress(0, 1, len(seconds), options["turns"]), done)
    if not np.isfinite(seconds).all():
        raise ValueError("a time is not finite")
    metrics = ratios(seconds, options["epochs"])
    return {
        "status": "ok",
        "diverged_at": None,
        "metrics": metrics,
        "steps": list(range(1, len(seconds) + 1)),
        "curves": {f"seconds_{name}": column.tolist() for name, column in zip(PARTS, seconds.T, strict=True)},
        "load": [before, _load()],
        "classes": data.classes,
        "data_sha256": data.checksum,
    }


def ratios(seconds: np.ndarray, epochs: int) -> dict[str, float | None]:
    """Return the metrics of (turns, PARTS) float64 seconds: medians over turns of ratios within a turn."""
    sgd, sam, asam, swa, predictions, norms = seconds.T
    found = {
        "time_ratio_sam": sam / sgd,
        "time_ratio_asam": asam / sgd,
        "time_ratio_asam_sam": asam / sam,
        "time_ratio_swa": (swa + norms / epochs) / sgd,
        "time_ratio_bootstrapped": (2 * sgd + predictions) / sgd,
        "time_ratio_bootstrapped_once": (2 * sgd + predictions / epochs) / sgd,
        "time_ratio_sam_bootstrapped": (2 * sam + predictions) / sgd,
        "seconds_an_epoch": sgd,
    }
    return {name: statistics.median(found[name].tolist()) for name in METRICS}


class _Clocks:
    """The trainings that are timed, and a clock for each part of a turn."""

    def __init__(self, options: dict[str, Any], seeds: dict[str, int], data: Any):
        from lnbench.training.engine import Group

        self.device = data.device
        self.groups = {
            name: Group([timed_network(options, name, options["turns"] + UNTIMED)], [seeds], data)
            for name in ("sgd", "sam", "asam", "swa")
        }
        every = self.groups["sgd"].sets[0]
        self.images = every.clean_images(every.clean)

    def turn(self, number: int) -> np.ndarray:
        """Return (PARTS,) float64 seconds. The turn's number says with which part it begins."""
        taken = dict.fromkeys(PARTS, math.nan)
        for place in range(len(PARTS)):
            name = PARTS[(number + place) % len(PARTS)]
            taken[name] = self._clocked(self._work(name))
        return np.array([taken[name] for name in PARTS])

    def _work(self, name: str) -> Callable[[], Any]:
        backend = self.groups["sgd"].backend
        if name == "predictions":
            return lambda: [rows.argmax(1) for rows in backend.logits([self.images])]
        if name == "norms":
            return self._norms
        group = self.groups[name]

        def epoch() -> None:
            group.epoch()
            backend = group.backend
            numbers = backend.evaluate([group.sets[0].test]), backend.sums()
            _ = [each.cpu() for each in numbers]
            group.state.epoch, group.state.step = group.state.epoch + 1, 0

        return epoch

    def _norms(self) -> None:
        """Estimate the statistics of batch normalisations in one pass over the epoch's batches; they stay as they
        were."""
        import torch

        group = self.groups["sgd"]
        kept = [part.clone() for part in group.backend.norms()]
        group.backend.estimate_norms([batch] for batch in group.sets[0].batches(0, group.batch_size, 0))
        with torch.no_grad():
            for part, before in zip(group.backend.norms(), kept, strict=True):
                part.copy_(before)

    def _clocked(self, work: Callable[[], Any]) -> float:
        self._wait()
        began = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - began

    def _wait(self) -> None:
        """Wait for what the device still does."""
        import torch

        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _taken_up(state: Any, turns: int) -> np.ndarray:
    """Return (done, PARTS) float64: the seconds of a checkpoint; none where it is of no such run."""
    if state is not None:
        done = int(state.step)
        if taken_up(state, {"seconds": (done, len(PARTS))}, turns):
            return np.asarray(state.tensors["seconds"], dtype=np.float64)
    return np.empty((0, len(PARTS)))


def _load() -> float | None:
    """Return how many processes want a core, on average over the last minute."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None
