"""One training of a detection: a finished one is kept, an interrupted one resumes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lnbench.data.images import ImageData
from lnbench.detect.data import Images, Labelled, Labels
from lnbench.detect.runs import DetectRun
from lnbench.errors import Exit, LnbenchError, out_of_memory
from lnbench.loss_curves.scores import area_under_loss, area_under_margin
from lnbench.machine import environment
from lnbench.store import Record, Store, make_record, sidefiles
from lnbench.training.hooks import Hooks, Progress, State

SECONDS_BETWEEN_CHECKPOINTS = 30.0
USUAL_RATE = 0.1


class TrainingFailed(LnbenchError):
    """A training gave no scores."""

    exit_code = Exit.RUN_FAILED


class TooLarge(TrainingFailed):
    """A training does not fit into the memory; with smaller batches it may."""


@dataclass(frozen=True)
class Material:
    """What trainings are made of, as it goes to a process. images: (N, C, S, S) uint8; labels: (N,) int64; classes: K;
    fold: (N,) int64, None where no fold is trained."""

    images: Images
    labels: Labels
    classes: int
    checksum: str
    fold: Labels | None

    @staticmethod
    def of(data: Labelled, fold: Labels | None) -> Material:
        return Material(data.images, data.labels, len(data.classes), data.checksum, fold)

    def without(self, number: int | None) -> ImageData:
        """Return the data as the engine takes it, fold `number` as the test images; without a fold there are none."""
        images, labels = self.images, self.labels
        if number is None or self.fold is None:
            parts = (images, labels, images[:0], labels[:0])
        else:
            held = self.fold == number
            parts = (images[~held], labels[~held], images[held], labels[held])
        return ImageData("user", *parts, self.classes, 255.0, self.checksum)


class Trainer:
    """Trains runs on one device. `tell` is called with every step, `stop` says whether to stop.

    A training that stops has written its checkpoint and raises `hooks.Stopped`.
    """

    def __init__(
        self,
        material: Material,
        store: Store,
        device: str,
        tell: Callable[[DetectRun, Progress], None],
        stop: Callable[[], bool],
        threads: int = 1,
    ):
        self.material, self.store, self.device, self.tell, self.stop = material, store, device, tell, stop
        self.threads = threads
        self._on_device: tuple[int | None, Any] | None = None  # of which fold, and its data

    def record(self, run: DetectRun) -> Record:
        """Return the run's record, trained unless it is in the store.

        The outcome of a run: `aul` and `aum` (N,) lists, `epochs`, and the curves of training loss and accuracy; that
        of a fold has `epochs` and an array, `runs.PROBABILITIES`. Raises TrainingFailed, StoreError, and Stopped.
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
            self.store.put(*self._trained(run))
            made = self.store.get(run.id)
            assert made is not None
            self.store.drop_checkpoint(run.id)
            return made

    def _trained(self, run: DetectRun) -> tuple[Record, dict[str, Any]]:
        """Return the run's record and its arrays."""
        import torch

        from lnbench.training import prepare, train
        from lnbench.training.checkpoints import load_state

        device = torch.device(self.device)
        prepare(device)
        before = torch.get_num_threads()
        file, began, too_large = self.store.checkpoint_path(run.id), time.monotonic(), False
        torch.set_num_threads(self.threads)
        try:
            state = load_state([run.id], file)
            outcome = train(run.recipe, run.seeds, self._data(run), device, state=state, hooks=self._hooks(run))
        except Exception as error:
            too_large = out_of_memory(error)
            if not too_large:
                raise
        finally:
            torch.set_num_threads(before)
        if too_large:  # here, as the error's traceback would have held on to all that the training had
            self._free()
            what = f"{run.describe()} does not fit into the memory of {self.device}"
            raise TooLarge(f"{what}; give a smaller --batch-size or --size, or another --device")
        if outcome["status"] != "ok":
            self.store.drop_checkpoint(run.id)
            raise TrainingFailed(_diverged(run, len(outcome["curves"].get("train_loss", []))))
        provenance = {
            "environment": environment(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "threads": self.threads,
            "seconds": round(time.monotonic() - began, 3),
            "resumed": state is not None and not state.refused,
        }
        if run.fold is None:
            return make_record(run.content, _summary(run, outcome), provenance), {}
        arrays = outcome["arrays"]
        summary = {"epochs": run.epochs, "arrays": sidefiles.describe(arrays), "parameters": outcome["parameters"]}
        return make_record(run.content, summary, provenance), arrays

    def _data(self, run: DetectRun) -> Any:
        """Return what the run trains on, on the device; one fold's at a time."""
        import torch

        from lnbench.training.batches import DeviceData

        number = None if run.fold is None else run.fold[0]
        if self._on_device is None or self._on_device[0] != number:
            self._free()
            self._on_device = (number, DeviceData(self.material.without(number), torch.device(self.device)))
        return self._on_device[1]

    def _free(self) -> None:
        """Give back what memory is held between trainings."""
        import gc

        import torch

        self._on_device = None
        gc.collect()
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()

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
