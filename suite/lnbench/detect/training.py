"""The trainings whose loss curves are read, one after the other; finished ones are kept, an interrupted one resumes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lnbench import catalog
from lnbench.detect.data import Labelled
from lnbench.detect.options import Options, recipe
from lnbench.errors import Exit, LnbenchError, out_of_memory
from lnbench.identity import content_id
from lnbench.loss_curves.scores import area_under_loss, area_under_margin
from lnbench.machine import available_cores, environment
from lnbench.models import plain
from lnbench.randomness import SEED_STREAMS, derived_seed
from lnbench.store import Record, Store, make_record
from lnbench.training.hooks import Hooks, Progress, State

KIND = "detect"
SECONDS_BETWEEN_CHECKPOINTS = 30.0
USUAL_RATE = 0.1
MOST_THREADS = 8  # more are seldom faster for networks of this size


class TrainingFailed(LnbenchError):
    """A training gave no scores."""

    exit_code = Exit.RUN_FAILED


@dataclass(frozen=True)
class DetectRun:
    """One training: what it depends on, and what it costs. `number` counts from 1."""

    number: int
    recipe: dict[str, Any]
    seeds: dict[str, int]
    data: str  # sha256 of what it is trained on
    examples: int
    flop: float

    @cached_property
    def content(self) -> dict[str, Any]:
        versions = catalog.versions(self.recipe)
        return {"kind": KIND, "recipe": self.recipe, "seeds": self.seeds, "data": self.data, "versions": versions}

    @cached_property
    def id(self) -> str:
        return content_id(self.content)

    @property
    def epochs(self) -> int:
        return int(self.recipe["epochs"])

    def describe(self) -> str:
        return f"run {self.number}: {self.recipe['model']}"


def planned(options: Options, data: Labelled) -> list[DetectRun]:
    """Return the runs. Run r of a seed is the same whatever the number of runs, so that a fourth can be added to
    three."""
    plan, checksum, count = recipe(options, data), data.checksum, len(data.labels)
    mmac = catalog.find("model", plan["model"]).mmac
    # forward and backward: three times the forward pass, two operations per multiply-accumulate
    flop = 6e6 * mmac(data.shape, len(data.classes)) * count * plan["epochs"] if mmac else 1.0
    return [
        DetectRun(
            number,
            plan,
            {stream: derived_seed(f"detect {options.seed} {number} {stream}") for stream in SEED_STREAMS},
            checksum,
            count,
            flop,
        )
        for number in range(1, options.runs + 1)
    ]


class Trainer:
    """Trains runs on one device. `tell` is called with every step, `stop` says whether to stop.

    A training that stops has written its checkpoint and raises `hooks.Stopped`.
    """

    def __init__(
        self,
        data: Labelled,
        store: Store,
        device: str,
        tell: Callable[[DetectRun, Progress], None],
        stop: Callable[[], bool],
    ):
        self.data, self.store, self.device, self.tell, self.stop = data, store, device, tell, stop
        self._on_device: Any = None

    def record(self, run: DetectRun) -> Record:
        """Return the run's record, trained unless it is in the store.

        Its outcome: `aul` and `aum` (N,) lists, `epochs`, and the curves of training loss and accuracy. Raises
        TrainingFailed, StoreError, and Stopped.
        """
        with self.store.lock(run.id) as mine:
            found = self.store.get(run.id)
            if found is not None:
                if mine:
                    self.store.drop_checkpoint(run.id)  # left by one that was killed just before it did so itself
                return found
            if not mine:
                what = f"another lnbench is training {run.describe()} in {self.store.path}"
                raise TrainingFailed(f"{what}; wait for it, or name another folder with -o")
            made = self._trained(run)
            self.store.put(made)
            self.store.drop_checkpoint(run.id)
            return made

    def _trained(self, run: DetectRun) -> Record:
        import torch

        from lnbench.training import prepare, train
        from lnbench.training.batches import DeviceData
        from lnbench.training.checkpoints import load_state

        device = torch.device(self.device)
        prepare(device)
        threads, before = threads_for(run.recipe["model"]), torch.get_num_threads()
        file, began = self.store.checkpoint_path(run.id), time.monotonic()
        torch.set_num_threads(threads)
        try:
            if self._on_device is None:
                self._on_device = DeviceData(self.data.for_training(), device)
            state = load_state([run.id], file)
            outcome = train(run.recipe, run.seeds, self._on_device, device, state=state, hooks=self._hooks(run))
        except Exception as error:
            if not out_of_memory(error):
                raise
            what = f"{run.describe()} does not fit into the memory of {self.device}"
            raise TrainingFailed(f"{what}; give a smaller --batch-size or --size, or another --device") from None
        finally:
            torch.set_num_threads(before)
        if outcome["status"] != "ok":
            self.store.drop_checkpoint(run.id)
            raise TrainingFailed(_diverged(run, len(outcome["curves"].get("train_loss", []))))
        provenance = {
            "environment": environment(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "threads": threads,
            "seconds": round(time.monotonic() - began, 3),
            "resumed": state is not None and not state.refused,
        }
        return make_record(run.content, _summary(run, outcome), provenance)

    def _hooks(self, run: DetectRun) -> Hooks:
        from lnbench.training.checkpoints import save_state

        last = time.monotonic()

        def tick(progress: Progress) -> bool:
            nonlocal last
            self.tell(run, progress)
            due = time.monotonic() - last >= SECONDS_BETWEEN_CHECKPOINTS
            if due:
                last = time.monotonic()
            return due

        def save(state: State) -> None:
            save_state(state, [run.id], self.store.checkpoint_path(run.id), self.store.write)

        return Hooks(tick, self.stop, save)


def threads_for(model: str) -> int:
    """Return the number of CPU threads. Networks without batch normalisation are so small here that threads wait for
    each other."""
    return 1 if model in plain.NETWORKS else min(MOST_THREADS, available_cores())


def _summary(run: DetectRun, outcome: dict[str, Any]) -> dict[str, Any]:
    arrays, curves = outcome["arrays"], outcome["curves"]
    return {
        "epochs": run.epochs,
        "aul": area_under_loss(arrays["example_loss"], run.epochs).tolist(),
        "aum": area_under_margin(arrays["example_margin"], run.epochs).tolist(),
        "train_loss": curves["train_loss"],
        "train_accuracy": curves["train_accuracy"],
        "parameters": outcome["parameters"],
    }


def _diverged(run: DetectRun, epochs: int) -> str:
    lower = min(run.recipe["optimizer"]["lr"] / 10, USUAL_RATE)
    what = f"{run.describe()} diverged in epoch {epochs + 1} of {run.epochs}: its loss is no longer a finite number"
    return f"{what}; give a lower learning rate, such as --lr {lower:g}"
