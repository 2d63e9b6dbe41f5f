"""Trainings, from recipes and their seeds to their curves. The same code on the CPU and on CUDA.

A run is a pure function of (recipe, seeds, data): no generator has a state, so a run that was killed and goes on from
its checkpoint ends with the very numbers of one that was not (same machine, backend and thread count). The device is
asked for numbers once an epoch, never inside one. Runs of equal shape can be trained together, as a group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lnbench import catalog
from lnbench.data.images import ImageData
from lnbench.identity import sha256
from lnbench.training.arguments import check_group
from lnbench.training.backends.graph import Graph
from lnbench.training.backends.loop import Loop
from lnbench.training.backends.protocol import Backend, Rates
from lnbench.training.backends.stacked import Stacked
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.entries import PRUNED_KEPT
from lnbench.training.hooks import Hooks, Progress, State, Stopped
from lnbench.training.probes.confusion import test_confusion
from lnbench.training.probes.gradients import GradientCosine
from lnbench.training.probes.history import History
from lnbench.training.probes.pruning import pruned_accuracies, pruned_metrics
from lnbench.training.schedules import momentum

BACKENDS: dict[str, Callable[..., Backend]] = {"loop": Loop, "stacked": Stacked, "graph": Graph}
TEST_CONFUSION = "test_confusion"
GRADIENT_COSINE = "gradient_cosine"
PRUNED_ACCURACY = "pruned_accuracy"


def prepare(device: torch.device) -> None:
    """The reference arithmetic: TF32 off, deterministic kernels. Once a process."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # every value is written before it is read
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = False


def train(
    recipe: dict[str, Any],
    seeds: dict[str, int],
    data: ImageData | DeviceData,
    device: torch.device | str = "cpu",
    *,
    backend: str = "loop",
    compile: bool = False,
    inputs: Mapping[str, Any] | None = None,
    state: State | None = None,
    hooks: Hooks | None = None,
) -> dict[str, Any]:
    """Train once and return the outcome: see `train_group`, of which this is the group of one."""
    (outcome,) = train_group(
        [recipe], [seeds], data, device,
        backend=backend, compile=compile, inputs=[inputs or {}], state=state, hooks=hooks,
    )  # fmt: skip
    return outcome


def train_group(
    recipes: Sequence[dict[str, Any]],
    seeds: Sequence[dict[str, int]],
    data: ImageData | DeviceData,
    device: torch.device | str = "cpu",
    *,
    backend: str = "loop",
    compile: bool = False,
    inputs: Sequence[Mapping[str, Any]] | None = None,
    state: State | None = None,
    hooks: Hooks | None = None,
) -> list[dict[str, Any]]:
    """Train K runs of equal shape together and return their outcomes, in the order given.

    recipes: each `Recipe.identity()`. They may differ in noise (of the same number of examples), learning rate, weight
        decay and schedule; all else must be equal.
    seeds: of each run, one integer in [0, 2^32) for each stream of `randomness.Stream`.
    data: a data set as `lnbench.data.load` gives it, or already on the device (then `device` is not looked at).
    backend: "loop" (one run at a time only), "stacked" (dense networks), "graph" (one run, on CUDA; untested).
    compile: whether torch.compile is used where the backend can; it costs seconds once and pays in long runs.
    inputs: of each run, name -> outcome of the record that it builds on (`lnbench.plan.inputs`).
    state: what `hooks.save` was given, to go on from there; one that does not fit is not used.

    An outcome is plain data for JSON: `status` ("ok", or "diverged" when a loss is no longer finite: the run ends there
    and the others go on), `curves` (one value an epoch), counts, facts about the noise; `inputs`, the sha256 of each;
    and, where the recipe's `probes` ask for them, `arrays` (numpy): a number of each training example or held-out image
    for each finished epoch, and what the examples are (`training/history.py`); `confusion` (classes, classes), how many
    test images of a class were taken for another; `pruned`, test accuracy by how many weights are kept
    (`training/pruning.py`); `metrics`: the cosines of `training/probes.py`, and numbers of the pruned curve. Raises
    ValueError for runs that cannot be trained together or probes that do not go together, and Stopped after
    `hooks.should_stop()` is true (the state is saved first).
    """
    check_group(recipes, seeds, data, device, backend)
    on_device = data if isinstance(data, DeviceData) else DeviceData(data, torch.device(device))
    group = Group(recipes, seeds, on_device, BACKENDS[backend], compile, state or State(), hooks or Hooks(), inputs)
    return group.finish()


class Group:
    """Runs that train together. `backend` holds their networks, `sets` what each trains on."""

    def __init__(
        self,
        recipes: Sequence[dict[str, Any]],
        seeds: Sequence[dict[str, int]],
        data: DeviceData,
        make_backend: Callable[..., Backend] = Loop,
        compile: bool = False,
        state: State | None = None,
        hooks: Hooks | None = None,
        inputs: Sequence[Mapping[str, Any]] | None = None,
    ):
        self.inputs = inputs or [{} for _ in recipes]
        self.recipes, self.data, self.device, self.hooks = recipes, data, data.device, hooks or Hooks()
        self.sets = [
            TrainingSet(data, recipe, own, given)
            for recipe, own, given in zip(recipes, seeds, self.inputs, strict=True)
        ]
        self.backend = make_backend(list(zip(recipes, self.sets, strict=True)), compile)
        self.schedules = [catalog.find("schedule", recipe["schedule"]["kind"]).load() for recipe in recipes]
        self.batch_size, self.epochs = recipes[0]["batch_size"], recipes[0]["epochs"]
        self.examples = self.sets[0].examples
        self.steps_an_epoch = -(-self.examples // self.batch_size)
        self.probes = recipes[0].get("probes", ())
        self.history = History(self.probes, self.sets, self.epochs)
        self.cosine: GradientCosine | None = None
        if GRADIENT_COSINE in self.probes:
            self.cosine = GradientCosine(self.sets, self.epochs * self.steps_an_epoch)
        self.state = self._start(state or State())

    def _start(self, state: State) -> State:
        """The state to go on from: the one given, put into the backend, where it fits; else the beginning."""
        if state.tensors and self._fits(state):
            for name, tensor in self._tensors(state.epoch).items():
                tensor.copy_(torch.from_numpy(state.tensors[name]))
            self.backend.restored()
            return _snapshot(state, {})
        count = len(self.recipes)
        return State(curves=[{} for _ in range(count)], diverged=[False] * count)

    def finish(self) -> list[dict[str, Any]]:
        """Train to the end."""
        while self.state.epoch < self.epochs and not all(self.state.diverged):
            self.epoch()
            self.record()
        if self.cosine is not None:
            self.cosine.look(self.backend, self.epochs * self.steps_an_epoch)
        self.confusion = []
        if TEST_CONFUSION in self.probes:
            self.confusion = test_confusion(self.backend, self.sets, self.data.classes)
        self.pruned = []
        if PRUNED_ACCURACY in self.probes:
            self.pruned = pruned_accuracies(self.backend, self.sets)
        return [self._outcome(number) for number in range(len(self.recipes))]

    def epoch(self) -> None:
        """The rest of the current epoch. Asks the device for nothing."""
        epoch, first = self.state.epoch, self.state.step
        self.backend.begin(self._rates(epoch), self.history.visits(epoch), afresh=first == 0)
        done = epoch * self.examples + first * self.batch_size
        total = self.epochs * self.examples
        streams = [data.batches(epoch, self.batch_size, first) for data in self.sets]
        for batches in zip(*streams, strict=True):
            if self.cosine is not None:
                self.cosine.look(self.backend, epoch * self.steps_an_epoch + self.state.step)
            self.backend.step(list(batches), self.state.step)
            self.state.step += 1
            done += len(batches[0])
            save = self.hooks.tick(Progress(epoch, self.epochs, done, total))
            if self.hooks.should_stop():
                self._save()
                raise Stopped
            if save:
                self._save()

    def _rates(self, epoch: int) -> Rates:
        """What the schedules give at each step of an epoch."""
        total, length = self.epochs * self.steps_an_epoch, self.steps_an_epoch
        steps = range(epoch * length, (epoch + 1) * length)
        rates, momenta = np.empty((length, len(self.recipes))), []
        for run, (recipe, schedule) in enumerate(zip(self.recipes, self.schedules, strict=True)):
            options, base = recipe["schedule"], recipe["optimizer"]["lr"]
            rates[:, run] = [base * schedule(options, step, total, length) for step in steps]
            if options.get("momentum") is not None:
                momenta.append([momentum(options, step, total, length) for step in steps])
        return Rates(rates, np.array(momenta, dtype=np.float64).T if momenta else None)

    def record(self) -> None:
        """Close an epoch: one value on each curve of each run. The one place where the device is asked."""
        splits = {"test": [data.test for data in self.sets], "validation": [data.validation for data in self.sets]}
        splits = {name: held for name, held in splits.items() if len(held[0])}
        epoch = self.state.epoch
        judged = (self.backend.evaluate(held, self.history.held(split, epoch)) for split, held in splits.items())
        measured = [self.backend.sums(), *judged]
        numbers = torch.stack(measured, dim=1).cpu().numpy()  # (K, 1 + splits, 2): right answers, sum of losses
        self.history.close(self.backend, epoch)
        for run, (trained, *evaluated) in enumerate(numbers):
            if self.state.diverged[run]:
                continue
            values = {"train_loss": float(trained[1]) / self.examples, "train_accuracy": trained[0] / self.examples}
            for (split, held), (right, loss) in zip(splits.items(), evaluated, strict=True):
                values[f"{split}_accuracy"] = right / len(held[run])
                values[f"{split}_loss"] = loss / len(held[run])
            if not np.isfinite(list(values.values())).all():
                self.state.diverged[run] = True
                continue
            for name, value in values.items():
                self.state.curves[run].setdefault(name, []).append(float(value))
        self.state.epoch += 1
        self.state.step = 0

    def _outcome(self, run: int) -> dict[str, Any]:
        data = self.sets[run]
        outcome: dict[str, Any] = {
            "status": "diverged" if self.state.diverged[run] else "ok",
            "curves": self.state.curves[run],
            "examples": {"train": data.examples, "validation": len(data.validation), "test": len(data.test)},
            "classes": self.data.classes,
            "parameters": self.backend.parameters,
            "noise": data.noise_facts,
            "data_sha256": self.data.data.checksum,
        }
        if self.inputs[run]:
            outcome["inputs"] = {name: sha256(given) for name, given in sorted(self.inputs[run].items())}
        if self.cosine is not None:
            outcome["metrics"] = self.cosine.metrics(run, self.state.diverged[run])
        if self.confusion and not self.state.diverged[run]:
            outcome["confusion"] = self.confusion[run]
        if self.pruned:
            curve = None if self.state.diverged[run] else self.pruned[run]
            outcome["metrics"] = {**outcome.get("metrics", {}), **pruned_metrics(curve)}
            if curve is not None:
                outcome["pruned"] = {"kept_percent": list(PRUNED_KEPT), "test_accuracy": curve}
        arrays = self.history.arrays(run, len(self.state.curves[run].get("train_loss", [])))
        if arrays:
            outcome["arrays"] = arrays
        return outcome

    def _tensors(self, epoch: int) -> dict[str, torch.Tensor]:
        kept = {**self.backend.tensors(), **self.history.tensors(epoch)}
        if self.cosine is not None:
            kept[GRADIENT_COSINE] = self.cosine.values
        return kept

    def _fits(self, state: State) -> bool:
        """Whether a checkpoint holds the tensors of these runs, each of its shape, and a place within them."""
        shapes = {name: tuple(tensor.shape) for name, tensor in self._tensors(state.epoch).items()}
        found = {name: np.shape(array) for name, array in state.tensors.items()}
        whole = len(state.curves) == len(state.diverged) == len(self.recipes)
        return found == shapes and whole and state.epoch < self.epochs and state.step <= self.steps_an_epoch

    def _save(self) -> None:
        tensors = self._tensors(self.state.epoch)
        arrays = {name: tensor.detach().to("cpu", copy=True).numpy() for name, tensor in tensors.items()}
        self.hooks.save(_snapshot(self.state, arrays))


def _snapshot(state: State, arrays: dict[str, np.ndarray]) -> State:
    """A copy that stays as it is while the training goes on."""
    curves = [{name: list(values) for name, values in run.items()} for run in state.curves]
    return State(state.epoch, state.step, curves, list(state.diverged), arrays)
