"""One training, from a recipe and its seeds to its curves. The same code on the CPU and on CUDA.

A run is a pure function of (recipe, seeds, data): no generator has a state, so a run that was killed and goes on from
its checkpoint ends with the very numbers of one that was not (same machine and thread count). The device is asked for
a number once an epoch, never inside one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from lnbench import catalog
from lnbench.data.images import ImageData
from lnbench.training.batches import LabelledImages, TrainingSet
from lnbench.training.flat import FlatParameters, glorot_uniform

EVALUATION_BATCH = 1000


class Stopped(Exception):
    """The run was asked to stop; its checkpoint is written."""


@dataclass
class Progress:
    """Where a run stands: for the person who watches, and for deciding whether to write a checkpoint."""

    epoch: int
    epochs: int
    examples_done: int
    examples_total: int


@dataclass
class State:
    """All that a checkpoint keeps: where the run is, and every tensor that the next step reads."""

    epoch: int = 0  # epochs finished
    step: int = 0  # batches finished in the current epoch
    curves: dict[str, list[float]] = field(default_factory=dict)
    tensors: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Hooks:
    """What the outside wants of a running training. `tick` is called after every step and says whether to save."""

    tick: Callable[[Progress], bool] = lambda progress: False
    should_stop: Callable[[], bool] = lambda: False
    save: Callable[[State], None] = lambda state: None


def prepare(device: torch.device) -> None:
    """The reference arithmetic: TF32 off, deterministic kernels. Once a process."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = False


def train(
    recipe: dict[str, Any],
    seeds: dict[str, int],
    data: ImageData,
    device: torch.device,
    *,
    state: State | None = None,
    hooks: Hooks | None = None,
) -> dict[str, Any]:
    """Train once and return the outcome: `status`, `curves` (one value an epoch), counts, and facts about the noise.

    `recipe`: `spec.Recipe.identity()`; `seeds`: one integer in [0, 2^32) for each stream of `randomness.Stream`.
    `state` goes on from a checkpoint. A loss that is not finite ends the run with status "diverged". Raises Stopped
    after `hooks.should_stop()` is true (the state is saved first).
    """
    return _Run(recipe, seeds, data, device, state or State(), hooks or Hooks()).finish()


class _Run:
    def __init__(
        self,
        recipe: dict[str, Any],
        seeds: dict[str, int],
        data: ImageData,
        device: torch.device,
        state: State,
        hooks: Hooks,
    ):
        self.recipe, self.data, self.device, self.state, self.hooks = recipe, data, device, state, hooks
        self.set = TrainingSet(data, recipe, seeds, device)
        build = catalog.find("model", recipe["model"]).load()
        self.model: nn.Module = build(recipe["model"], data.shape, data.classes)
        self.flat = FlatParameters(self.model, device)
        glorot_uniform(self.model, seeds["init"])
        self.method = catalog.find("method", recipe["method"]).load()()
        optimizer = recipe["optimizer"]
        self.optimiser = catalog.find("optimizer", optimizer["kind"]).load()(optimizer, self.flat.weights)
        self.schedule = catalog.find("schedule", recipe["schedule"]["kind"]).load()
        self.batch_size, self.epochs = recipe["batch_size"], recipe["epochs"]
        self.steps_an_epoch = -(-self.set.examples // self.batch_size)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.right = torch.zeros((), dtype=torch.int64, device=device)
        if state.tensors and self._fits(state):
            for name, tensor in self._tensors().items():
                tensor.copy_(torch.from_numpy(state.tensors[name]))
        elif state.tensors:
            self.state = State()  # of another lnbench: the run starts anew

    def finish(self) -> dict[str, Any]:
        status = "ok"
        while self.state.epoch < self.epochs:
            self._epoch()
            if not self._record():
                status = "diverged"
                break
        return {
            "status": status,
            "curves": self.state.curves,
            "examples": {
                "train": self.set.examples,
                "validation": len(self.set.validation),
                "test": len(self.set.test),
            },
            "classes": self.data.classes,
            "parameters": self.flat.weights.numel(),
            "noise": self.set.noise_facts,
            "data_sha256": self.data.checksum,
        }

    def _epoch(self) -> None:
        epoch, base_rate = self.state.epoch, self.recipe["optimizer"]["lr"]
        done = epoch * self.set.examples + self.state.step * self.batch_size
        total = self.epochs * self.set.examples
        self.model.train()
        for images, labels in self.set.batches(epoch, self.batch_size, self.state.step):
            step = epoch * self.steps_an_epoch + self.state.step
            factor = self.schedule(self.recipe["schedule"], step, self.epochs * self.steps_an_epoch)
            self._step(self.set.train.inputs(images), labels, base_rate * factor)
            self.state.step += 1
            done += len(labels)
            save = self.hooks.tick(Progress(epoch, self.epochs, done, total))
            if self.hooks.should_stop():
                self._save()
                raise Stopped
            if save:
                self._save()

    def _step(self, inputs: torch.Tensor, labels: torch.Tensor, rate: float) -> None:
        self.flat.gradient.zero_()
        with self._precision():
            logits = self.model(inputs)
        logits = logits.float()
        losses = self.method.losses(logits, labels)
        losses.mean().backward()
        self.optimiser.step(self.flat.weights, self.flat.gradient, rate)
        with torch.no_grad():
            self.loss_sum += losses.sum(dtype=torch.float64)
            self.right += (logits.argmax(1) == labels).sum()

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        """`fast`: bfloat16 where autocast deems it safe; weights, loss and optimiser stay float32."""
        if self.recipe["precision"] == "fast":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def _record(self) -> bool:
        """Close an epoch: one value on each curve. False when the loss is not finite."""
        loss = float(self.loss_sum) / self.set.examples
        if not np.isfinite(loss):
            return False
        values = {"train_loss": loss, "train_accuracy": int(self.right) / self.set.examples}
        for split, held in (("test", self.set.test), ("validation", self.set.validation)):
            if len(held):
                values[f"{split}_accuracy"], values[f"{split}_loss"] = self._evaluate(held)
        if not np.isfinite(list(values.values())).all():
            return False
        for name, value in values.items():
            self.state.curves.setdefault(name, []).append(value)
        self.loss_sum.zero_()
        self.right.zero_()
        self.state.epoch += 1
        self.state.step = 0
        return True

    @torch.no_grad()
    def _evaluate(self, held: LabelledImages) -> tuple[float, float]:
        """(accuracy, mean cross-entropy), always in float32 whatever the training's precision."""
        self.model.eval()
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        loss = torch.zeros((), dtype=torch.float64, device=self.device)
        for index in torch.arange(len(held), device=self.device).split(EVALUATION_BATCH):
            logits = self.model(held.inputs(index))
            right += (logits.argmax(1) == held.labels[index]).sum()
            loss += nn.functional.cross_entropy(logits, held.labels[index], reduction="sum").double()
        return int(right) / len(held), float(loss) / len(held)

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {
            "weights": self.flat.weights,
            "loss_sum": self.loss_sum,
            "right": self.right,
            **{f"optimiser.{name}": tensor for name, tensor in self.optimiser.state.items()},
        }

    def _fits(self, state: State) -> bool:
        """Whether a checkpoint holds the tensors of this run, each of its shape, and a place within the run."""
        shapes = {name: tuple(tensor.shape) for name, tensor in self._tensors().items()}
        found = {name: np.shape(array) for name, array in state.tensors.items()}
        return found == shapes and state.epoch < self.epochs and state.step <= self.steps_an_epoch

    def _save(self) -> None:
        self.state.tensors = {name: tensor.detach().cpu().numpy() for name, tensor in self._tensors().items()}
        self.hooks.save(self.state)
