"""Trainings, from recipes and their seeds to their curves. The same code on the CPU and on CUDA.

A run is a pure function of (recipe, seeds, data): no generator has a state, so a run that was killed and goes on from
its checkpoint ends with the very numbers of one that was not (same machine, backend and thread count). The device is
asked for numbers once an epoch, never inside one. Runs of equal shape can be trained together, as a group.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lnbench import catalog
from lnbench.data.images import AnyData
from lnbench.identity import sha256
from lnbench.training.arguments import check_group
from lnbench.training.averages import average_of, in_place
from lnbench.training.backends.loop import Loop
from lnbench.training.backends.protocol import Backend, Pass, Rates
from lnbench.training.backends.recorded import Recorded
from lnbench.training.backends.stacked import Stacked
from lnbench.training.batches import Batch, DeviceData, Held, TrainingSet
from lnbench.training.folder_data import on_device
from lnbench.training.hooks import Hooks, Progress, State, Stopped
from lnbench.training.probes.entries import asked
from lnbench.training.probes.probe import Probe, StepView, Training
from lnbench.training.schedules import momentum

BACKENDS: dict[str, Callable[..., Backend]] = {"loop": Loop, "stacked": Stacked, "recorded": Recorded}
AVERAGED = "_averaged"  # behind the names of the curves of averaged weights
JOINED = ("metrics", "counted", "arrays", "probe_curves")  # of an outcome: what all probes give is put together


def deterministic(strict: bool, warns: bool = False) -> None:
    """Do as `torch.use_deterministic_algorithms(strict, warn_only=warns)`, but do not import torch's compiler for its
    sake, which takes as long as torch: where a step is compiled, `compiling.py` tells the compiler too."""
    if "torch._inductor.config" in sys.modules:
        torch.use_deterministic_algorithms(strict, warn_only=warns)
    else:
        torch.set_deterministic_debug_mode("default" if not strict else "warn" if warns else "error")


def prepare(device: torch.device) -> None:
    """Set the reference arithmetic: deterministic kernels only (an operation that has none is an error), no TF32, no
    sums of bfloat16 numbers. Once a process; `train_group` sets it for as long as it trains."""
    deterministic(True)
    # every value is written before it is read
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when torch first calls cuBLAS
        if device.index is not None:
            torch.cuda.set_device(device)  # a CUDA graph records what is done on the current device
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = False


@contextlib.contextmanager
def reference_arithmetic(device: torch.device) -> Iterator[None]:
    """Do as `prepare` in this context; afterwards torch is as it was, so that a program that trains with lnbench keeps
    its own settings. (Only the device that is the current one stays.)"""
    settings = [
        (torch.utils.deterministic, "fill_uninitialized_memory"),
        (torch.backends.cuda.matmul, "allow_tf32"),
        (torch.backends.cuda.matmul, "allow_bf16_reduced_precision_reduction"),
        (torch.backends.cudnn, "allow_tf32"),
        (torch.backends.cudnn, "benchmark"),
    ]
    before = [(of, name, getattr(of, name)) for of, name in settings]
    strict, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    prepare(device)
    try:
        yield
    finally:
        deterministic(strict, warns)
        for of, name, value in before:
            setattr(of, name, value)


def train(
    recipe: dict[str, Any],
    seeds: dict[str, int],
    data: AnyData | DeviceData,
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
    data: AnyData | DeviceData,
    device: torch.device | str = "cpu",
    *,
    backend: str = "loop",
    compile: bool = False,
    inputs: Sequence[Mapping[str, Any]] | None = None,
    state: State | None = None,
    hooks: Hooks | None = None,
) -> list[dict[str, Any]]:
    """Train K runs of equal shape together and return their outcomes, in the order given.

    recipes: each `Recipe.identity()`, whose `dataset.name` may be left out: `data` are the images. They may differ in
        noise (of the same number of examples), learning rate, weight decay and schedule; all else must be equal.
    seeds: of each run, one integer in [0, 2^32) for each stream of `randomness.Stream`.
    data: a data set as `lnbench.data.load` gives it, or `load_for` where its images are files; or already on the
        device (then `device` is not looked at).
    backend: "loop" (one run at a time only), "stacked" (dense networks), "recorded" (on CUDA; untested).
    compile: whether torch.compile is used where the backend can; it costs seconds once and pays in long runs.
    inputs: of each run, name -> outcome of the record that it builds on (`lnbench.plan.inputs`); a `given.Given` where
        the run reads arrays of it (`dataset.only`, `start`).
    state: what `hooks.save` was given, to go on from there; one that does not fit is not used.

    An outcome is plain data for JSON: `status` ("ok", or "diverged" when a loss is no longer finite: the run ends there
    and the others go on), `curves` (one value an epoch), counts, facts about the noise; `inputs`, the sha256 of each;
    and, where the recipe's `probes` ask for them, `metrics` (name -> number or None), `arrays` (numpy), `probe_curves`
    (curves that carry their axis) and keys of single probes (docs/training.md). Raises ValueError for runs that cannot
    be trained together or probes that do not go together, and Stopped after `hooks.should_stop()` is true (the state is
    saved first).
    """
    check_group(recipes, seeds, data, device, backend)
    with reference_arithmetic(data.device if isinstance(data, DeviceData) else torch.device(device)):
        group = Group(
            recipes,
            seeds,
            on_device(data, device),
            BACKENDS[backend],
            compile,
            state or State(),
            hooks or Hooks(),
            inputs,
        )
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
            TrainingSet(data, recipe, own, given, self.hooks.files)
            for recipe, own, given in zip(recipes, seeds, self.inputs, strict=True)
        ]
        if len({data.examples for data in self.sets}) > 1:
            sizes = ", ".join(str(data.examples) for data in self.sets)
            raise ValueError(f"runs on different numbers of examples ({sizes}) cannot train in one group")
        self.backend = make_backend(list(zip(recipes, self.sets, strict=True)), compile)
        if self.hooks.gradient_noise is not None:
            if type(self.backend) is not Loop:
                raise ValueError("gradient noise is for the loop backend")
            self.backend.gradient_noise = self.hooks.gradient_noise.of(seeds[0]["init"])
        self.schedules = [catalog.find("schedule", recipe["schedule"]["kind"]).load() for recipe in recipes]
        self.batch_size, self.epochs = recipes[0]["batch_size"], recipes[0]["epochs"]
        self.examples = self.sets[0].examples
        self.steps_an_epoch = -(-self.examples // self.batch_size)
        self.average = average_of(recipes[0], self.backend, self.steps_an_epoch)
        self.probes = self._made(recipes[0])
        self.backend.keeps_logits = any(probe.needs_logits for probe in self.probes)
        self.waiting: deque[tuple[StepView, list[Probe]]] = deque()  # who looks at steps that the backend has not done
        self.state = self._start(state or State())

    def _made(self, recipe: dict[str, Any]) -> list[Probe]:
        """Return the probes that a recipe asks for, in the catalog's order."""
        self.training = Training(self.backend, self.sets, self.epochs, self.steps_an_epoch)
        for entry, options in asked(recipe):
            self.training.probes[entry.name] = entry.load()(self.training, options)
        return list(self.training.probes.values())

    def _start(self, state: State) -> State:
        """Return the state to go on from: the one given, put into the backend, where it fits; else the beginning."""
        if state.tensors and self._fits(state):
            for name, tensor in self._tensors(state.epoch).items():
                tensor.copy_(torch.from_numpy(state.tensors[name]))
            self.backend.restored()
            return _snapshot(state, {})
        state.refused = True
        count = len(self.recipes)
        return State(curves=[{} for _ in range(count)], diverged=[False] * count)

    def finish(self) -> list[dict[str, Any]]:
        """Train to the end."""
        while self.state.epoch < self.epochs and not all(self.state.diverged):
            self.epoch()
            self.record()
        for probe in self.probes:
            probe.finish()
        return [self._outcome(number) for number in range(len(self.recipes))]

    def epoch(self) -> None:
        """Train the rest of the current epoch. Asks the device for nothing."""
        epoch, first = self.state.epoch, self.state.step
        self.backend.begin(self._rates(epoch), afresh=first == 0)
        visits = [self.sets[0].visits(number) for number in range(self.epochs)]
        done, total = sum(visits[:epoch]) + self.sets[0].visits(epoch, first), sum(visits)
        for batches in self._batches(epoch, first):
            self._step(batches, epoch * self.steps_an_epoch + self.state.step)
            self.state.step += 1
            done += len(batches[0])
            save = self.hooks.tick(Progress(epoch, self.epochs, done, total))
            if self.hooks.should_stop():
                self._save()
                raise Stopped
            if save:
                self._save()
        self._settle()

    def _batches(self, epoch: int, first: int = 0) -> Iterator[list[Batch]]:
        """Yield each step's batches, one for each replica, from step number `first` of the epoch on."""
        streams = [data.batches(epoch, self.batch_size, first) for data in self.sets]
        return map(list, zip(*streams, strict=True))

    def _step(self, batches: list[Batch], step: int) -> None:
        """Step number `step` of the training, from 0, before the eyes of the probes that want to see it."""
        looking = [probe for probe in self.probes if probe.at(step)]
        closely = [probe for probe in looking if probe.needs_network]
        view = StepView(self.training, step, [batch.own for batch in batches] if looking else [])
        if closely:
            self._settle()
            for probe in closely:
                probe.before(view)
        self.waiting.append((view, looking))
        self._tell(self.backend.step(batches, step % self.steps_an_epoch))
        average = self.average if self.average is not None and self.average.takes(step + 1) else None
        if closely or average:
            self._settle()
        if average:
            average.take(self.backend.weights(), step + 1)

    def _settle(self) -> None:
        """Have the backend do the steps that wait: before anything looks at the networks."""
        self._tell(self.backend.settle())

    def _tell(self, passes: list[Pass]) -> None:
        """Let the probes see what the oldest waiting steps have seen."""
        for seen in passes:
            view, looking = self.waiting.popleft()
            view.seen = seen
            for probe in looking:
                probe.after(view)

    def _rates(self, epoch: int) -> Rates:
        """Return what the schedules give at each step of an epoch."""
        total, length = self.epochs * self.steps_an_epoch, self.steps_an_epoch
        steps = range(epoch * length, (epoch + 1) * length)
        rates, momenta, radii = np.empty((length, len(self.recipes))), [], []
        for run, (recipe, schedule) in enumerate(zip(self.recipes, self.schedules, strict=True)):
            options, base = recipe["schedule"], recipe["optimizer"]["lr"]
            rates[:, run] = [base * schedule(options, step, total, length) for step in steps]
            if options.get("momentum") is not None:
                momenta.append([momentum(options, step, total, length) for step in steps])
            if (moves := recipe["optimizer"].get("rho_schedule")) is not None:
                factor, rho = catalog.find("schedule", moves["kind"]).load(), recipe["optimizer"]["rho"]
                radii.append([rho * factor(moves, step, total, length) for step in steps])
        momentum_of, rho_of = (np.array(each, dtype=np.float64).T if each else None for each in (momenta, radii))
        return Rates(epoch, rates, momentum_of, rho_of)

    def record(self) -> None:
        """Close an epoch: one value on each curve of each run. The one place where the device is asked."""
        splits = {"test": [data.test for data in self.sets], "validation": [data.validation for data in self.sets]}
        splits = {name: held for name, held in splits.items() if len(held[0])}
        epoch = self.state.epoch
        judged = {(split, ""): self._evaluate(split, held, epoch) for split, held in splits.items()}
        judged |= self._evaluate_average(splits, epoch)
        measured = [self.backend.sums(), *judged.values()]
        numbers = torch.stack(measured, dim=1).cpu().numpy()  # (K, 1 + evaluations, 2): right answers, sum of losses
        for probe in self.probes:
            probe.close(epoch)
        for run, (trained, *evaluated) in enumerate(numbers):
            if self.state.diverged[run]:
                continue
            visits = self.sets[run].visits(epoch)
            values = {"train_loss": float(trained[1]) / visits, "train_accuracy": trained[0] / visits}
            for (split, weights), (right, loss) in zip(judged, evaluated, strict=True):
                images = len(splits[split][run])
                values[f"{split}_accuracy{weights}"] = right / images
                values[f"{split}_loss{weights}"] = loss / images
            if not np.isfinite(list(values.values())).all():
                self.state.diverged[run] = True
                continue
            for name, value in values.items():
                self.state.curves[run].setdefault(name, []).append(float(value))
        if epoch + 1 < self.epochs:
            self.backend.close(epoch)
        self.state.epoch += 1
        self.state.step = 0

    def _evaluate(self, split: str, held: list[Held], epoch: int) -> torch.Tensor:
        """Return (K, 2) as `Backend.evaluate` gives it; probes that want the loss of each image get it."""
        wanted = [rows for probe in self.probes if (rows := probe.each(split, epoch)) is not None]
        found = self.backend.evaluate(held, wanted[0] if wanted else None)
        for rows in wanted[1:]:
            rows.copy_(wanted[0])
        return found

    def _evaluate_average(self, splits: dict[str, list[Held]], epoch: int) -> dict[tuple[str, str], torch.Tensor]:
        """Return the same for the averaged weights; nothing where the recipe keeps no average."""
        if self.average is None:
            return {}
        if self.average.count((epoch + 1) * self.steps_an_epoch) == 0:  # it is still the network itself
            return {(split, AVERAGED): self.backend.evaluate(held) for split, held in splits.items()}
        with in_place(self.average, self.backend, lambda: self._batches(epoch)):
            return {(split, AVERAGED): self.backend.evaluate(held) for split, held in splits.items()}

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
        if facts := self.backend.method.facts():
            outcome["method"] = facts
        if self.inputs[run]:
            outcome["inputs"] = {name: sha256(given) for name, given in sorted(self.inputs[run].items())}
        epochs = len(self.state.curves[run].get("train_loss", []))
        for probe in self.probes:
            for key, found in probe.outcome(run, epochs, self.state.diverged[run]).items():
                outcome[key] = {**outcome.get(key, {}), **found} if key in JOINED else found
        return outcome

    def _tensors(self, epoch: int) -> dict[str, torch.Tensor]:
        parts = [self.backend.tensors(), *(probe.tensors(epoch) for probe in self.probes)]
        if self.average is not None:
            parts.append(self.average.tensors())
        kept = {name: tensor for part in parts for name, tensor in part.items()}
        if len(kept) < sum(map(len, parts)):
            raise ValueError("two probes keep tensors of one name; name a probe's tensors after it")
        return kept

    def _fits(self, state: State) -> bool:
        """Return whether a checkpoint holds the tensors of these runs, each of its shape, and a place within them."""
        shapes = {name: tuple(tensor.shape) for name, tensor in self._tensors(state.epoch).items()}
        found = {name: np.shape(array) for name, array in state.tensors.items()}
        whole = len(state.curves) == len(state.diverged) == len(self.recipes)
        return found == shapes and whole and state.epoch < self.epochs and state.step <= self.steps_an_epoch

    def _save(self) -> None:
        self._settle()
        tensors = self._tensors(self.state.epoch)
        arrays = {name: tensor.detach().to("cpu", copy=True).numpy() for name, tensor in tensors.items()}
        self.hooks.save(_snapshot(self.state, arrays))


def _snapshot(state: State, arrays: dict[str, np.ndarray]) -> State:
    """Return a copy that stays as it is while the training goes on."""
    curves = [{name: list(values) for name, values in run.items()} for run in state.curves]
    return State(state.epoch, state.step, curves, list(state.diverged), arrays)
