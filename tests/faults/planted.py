"""Faults that a reproduction easily makes, each planted in one place of the recipe or of the code.

`FAULTS` names them; a fault is planted for as long as a MonkeyPatch lasts. Records keep the recipe as it was planned:
what is trained is another, as after a slip in the code.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from lnbench import experiments
from lnbench.judge import run_numbers
from lnbench.training import augment, batches, engine
from lnbench.training.backends import network
from lnbench.training.backends.loop import Loop
from lnbench.training.batches import Held, TrainingSet
from lnbench.training.optimisers import Sam, Sgd

Patch = pytest.MonkeyPatch
Recipe = dict[str, Any]
Plant = Callable[[Patch], None]


@dataclass(frozen=True)
class Fault:
    """`words` for the table; `at`: which runs it is looked for in (`WORLDS` of world.py); `plant` puts it in."""

    words: str
    at: str
    plant: Plant


# ---- in the recipe


def recipe_with(*changes: tuple[str, Any]) -> Plant:
    """Train another recipe than the one on record: each key, dotted, set to a value or changed by a function."""

    def changed(recipe: Recipe) -> Recipe:
        found = copy.deepcopy(recipe)
        for key, value in changes:
            *path, last = key.split(".")
            place = found
            for name in path:
                place = place[name]
            place[last] = value(place[last]) if callable(value) else value
        return found

    def plant(patch: Patch) -> None:
        train, run = engine.train_group, experiments.run

        def train_group(recipes: list[Recipe], *rest: Any, **more: Any) -> Any:
            return train([changed(recipe) for recipe in recipes], *rest, **more)

        patch.setattr(engine, "train_group", train_group)
        patch.setattr(experiments, "run", lambda recipe, *rest, **more: run(changed(recipe), *rest, **more))

    return plant


def times(factor: float) -> Callable[[Any], Any]:
    return lambda value: value * factor


def plus(number: int) -> Callable[[Any], Any]:
    return lambda value: value + number


# ---- in the code


def replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> Plant:
    """Put `make(what was there)` in the place of an attribute."""

    def plant(patch: Patch) -> None:
        static = isinstance(vars(owner).get(name) if isinstance(owner, type) else None, staticmethod)
        new = make(getattr(owner, name))
        patch.setattr(owner, name, staticmethod(new) if static else new)

    return plant


def never_flipped(honest: Any) -> Any:
    def shifts(*arguments: Any) -> torch.Tensor:
        found: torch.Tensor = honest(*arguments)
        found[..., 2] = 0
        return found

    return shifts


def flipped_by_a_quarter(honest: Any) -> Any:
    def shifts(seed: int, epoch: int, example: Any) -> torch.Tensor:
        found: torch.Tensor = honest(seed, epoch, example)
        found[..., 2] *= honest(seed + 1, epoch, example)[..., 2]
        return found

    return shifts


def shifted_along_one_axis(honest: Any) -> Any:
    def shifts(*arguments: Any) -> torch.Tensor:
        found: torch.Tensor = honest(*arguments)
        found[..., 0] = augment.PADDING
        return found

    return shifts


def one_shift_for_all_epochs(honest: Any) -> Any:
    return lambda seed, epoch, example: honest(seed, 0, example)


def one_order_for_all_epochs(honest: Any) -> Any:
    return lambda seed, stream, epoch, n, position: honest(seed, stream, 0, n, position)


def in_order(honest: Any) -> Any:
    def permutation(seed: int, stream: int, epoch: int, n: int, position: Any) -> Any:
        return position if isinstance(position, torch.Tensor) else honest(seed, stream, epoch, n, position)

    return permutation


def without_the_last(honest: Any) -> Any:
    def found(self: TrainingSet, epoch: int, size: int, first: int = 0) -> Any:
        return (batch for batch in honest(self, epoch, size, first) if len(batch) == size)

    return found


def norms(**changes: float) -> Plant:
    """Batch normalisations with another momentum or another ε."""

    def make(honest: Any) -> Any:
        def built(*arguments: Any) -> nn.Module:
            module: nn.Module = honest(*arguments)
            for layer in module.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    for name, value in changes.items():
                        setattr(layer, name, value)
            return module

        return built

    return replaced(network, "built", make)


def last_layer(change: Callable[[torch.Tensor], Any]) -> Plant:
    """Another start of the last dense layer's weights."""

    def make(honest: Any) -> Any:
        def first_weights(module: nn.Module, *rest: Any) -> None:
            honest(module, *rest)
            change([layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1].weight.data)

        return first_weights

    return replaced(network, "first_weights", make)


def law(name: str) -> Plant:
    """Every network starts by another law."""

    def make(honest: Any) -> Any:
        return lambda module, own, *rest: honest(module, name, *rest)

    return replaced(network, "first_weights", make)


def tested_in_training_mode(honest: Any) -> Any:
    def answer(self: Loop, held: Held, index: torch.Tensor) -> torch.Tensor:
        self._train_mode(True)
        inputs = self.pixels(held.images[index])
        return self.method.answer(tuple(network.model(inputs) for network in self.networks))

    return answer


def held_from_training(name: str) -> Plant:
    """Validate, or test, on images that are trained on."""

    def make(honest: Any) -> Any:
        def leaking(self: TrainingSet, *arguments: Any) -> None:
            honest(self, *arguments)
            count = len(getattr(self, name))
            setattr(self, name, Held(self.on_device.images, self.identity[:count], self.labels[:count]))

        return leaking

    return replaced(TrainingSet, "__init__", make)


def gradients(change: Callable[[torch.Tensor], torch.Tensor]) -> Plant:
    def make(honest: Any) -> Any:
        def gradient_at(self: Loop, *arguments: Any) -> Any:
            found = honest(self, *arguments)
            return lambda at: change(found(at))

        return gradient_at

    return replaced(Loop, "_gradient_at", make)


def clipped(gradient: torch.Tensor) -> torch.Tensor:
    return gradient * (1.0 / gradient.norm()).clamp_max(1.0)


def not_uphill(honest: Any) -> Any:
    def update(weights: Any, gradient_at: Any, state: Any, options: Any, **more: Any) -> Any:
        return Sgd.update(weights, gradient_at, state, options["base"], **more)

    return update


def uphill_without_a_norm(honest: Any) -> Any:
    def update(weights: Any, gradient_at: Any, state: Any, options: Any, **more: Any) -> Any:
        def uphill(at: Any) -> Any:
            return gradient_at(at + gradient_at(at) * options["rho"])

        return Sgd.update(weights, uphill, state, options["base"], **more)

    return update


def decay_beside_the_gradient(honest: Any) -> Any:
    """Decoupled weight decay (Loshchilov & Hutter 2019), which the papers did not use."""

    def update(weights: Any, *rest: Any, lr: Any, weight_decay: Any, **more: Any) -> Any:
        found = honest(weights, *rest, lr=lr, weight_decay=0.0, **more)
        weights.mul_(1 - lr * weight_decay)
        return found

    return update


def smoothed_labels(honest: Any) -> Any:
    def losses(self: Any, logits: torch.Tensor, labels: torch.Tensor, seen: Any) -> torch.Tensor:
        return 0.9 * honest(self, logits, labels, seen) - 0.1 * logits.log_softmax(1).mean(1)

    return losses


def _standard() -> type:
    from lnbench.methods.standard import Standard

    return Standard


def epochs_moved(by: int) -> Plant:
    """The metric is read `by` epochs beside where the selection rule says."""

    def make(honest: Any) -> Any:
        def epoch(selection: str, curves: dict[str, list[float]]) -> int:
            length = len(curves["test_accuracy"])
            return min(max(honest(selection, curves) % length + by, 0), length - 1)

        return epoch

    return replaced(run_numbers, "_epoch", make)


def selected_by_test(honest: Any) -> Any:
    return lambda selection, curves: honest("best_test" if selection == "best_validation" else selection, curves)


def the_last_of_equals(honest: Any) -> Any:
    def epoch(selection: str, curves: dict[str, list[float]]) -> int:
        curve = curves["validation_accuracy"] if selection == "best_validation" else [0.0]
        return max(range(len(curve)), key=lambda at: (curve[at], at)) if len(curve) > 1 else honest(selection, curves)

    return epoch


S, R, D, M, L, C = "sharpness", "residual", "dense", "dilution", "linear", "counts"


def one_label_fewer(noise: Recipe) -> Recipe:
    return {**noise, "alpha": noise["alpha"] - 1} if "alpha" in noise else noise


FAULTS = [
    Fault("learning rate × 1.1", S, recipe_with(("optimizer.lr", times(1.1)))),
    Fault("learning rate × 0.9", S, recipe_with(("optimizer.lr", times(0.9)))),
    Fault("learning rate × 1.01", S, recipe_with(("optimizer.lr", times(1.01)))),
    Fault("learning rate × 1.1", R, recipe_with(("optimizer.lr", times(1.1)))),
    Fault("learning rate × 0.9", D, recipe_with(("optimizer.lr", times(0.9)))),
    Fault("learning rate × 1.1", M, recipe_with(("optimizer.lr", times(1.1)))),
    Fault("weight decay dropped", S, recipe_with(("optimizer.weight_decay", 0.0))),
    Fault("weight decay doubled", S, recipe_with(("optimizer.weight_decay", times(2)))),
    Fault("weight decay dropped", R, recipe_with(("optimizer.weight_decay", 0.0))),
    Fault("weight decay dropped", D, recipe_with(("optimizer.weight_decay", 0.0))),
    Fault("weight decay beside the gradient, not in it", R, replaced(Sgd, "update", decay_beside_the_gradient)),
    Fault("momentum 0.85 in place of 0.9", S, recipe_with(("optimizer.base.momentum", 0.85))),
    Fault("momentum 0.85 in place of 0.9", R, recipe_with(("optimizer.momentum", 0.85))),
    Fault("momentum 0.85 in place of 0.9", M, recipe_with(("optimizer.momentum", 0.85))),
    Fault("Nesterov's momentum off", R, recipe_with(("optimizer.nesterov", False))),
    Fault("Nesterov's momentum off", D, recipe_with(("optimizer.nesterov", False))),
    Fault("Nesterov's momentum on", M, recipe_with(("optimizer.nesterov", True))),
    Fault("one epoch fewer", S, recipe_with(("epochs", plus(-1)))),
    Fault("one epoch more", S, recipe_with(("epochs", plus(1)))),
    Fault("one epoch more", R, recipe_with(("epochs", plus(1)))),
    Fault("one epoch more", M, recipe_with(("epochs", plus(1)))),
    Fault("batches of 50 in place of 40", S, recipe_with(("batch_size", 50))),
    Fault("batches of 41 in place of 40", R, recipe_with(("batch_size", 41))),
    Fault("the last, smaller batch left out", M, replaced(TrainingSet, "batches", without_the_last)),
    Fault("25 % wrong labels in place of 20 %", S, recipe_with(("noise.rate", 0.25))),
    Fault("replaced labels may be the true one", S, recipe_with(("noise.include_true_class", True))),
    Fault("alpha 5.5 in place of 5", M, recipe_with(("noise.alpha", times(1.1)))),
    Fault("alpha 4 in place of 5", M, recipe_with(("noise.alpha", plus(-1)))),
    Fault("diluted labels are never the true one", M, recipe_with(("noise.include_true_class", False))),
    Fault("pixels not normalised", S, recipe_with(("pixels", None))),
    Fault("pixels not normalised", R, recipe_with(("pixels", None))),
    Fault("pixels over 0.353 in place of 0.376", D, recipe_with(("pixels.std", [0.353]))),
    Fault("no crops and flips", R, recipe_with(("augment", "none"))),
    Fault("flips left out", R, replaced(batches, "shifts", never_flipped)),
    Fault("flips with probability 1/4", R, replaced(batches, "shifts", flipped_by_a_quarter)),
    Fault("crops move along one axis only", D, replaced(batches, "shifts", shifted_along_one_axis)),
    Fault("the same crops in each epoch", R, replaced(batches, "shifts", one_shift_for_all_epochs)),
    Fault("the order is not drawn again", S, replaced(batches, "permutation_at", one_order_for_all_epochs)),
    Fault("the order is that of the data set", R, replaced(batches, "permutation_at", in_order)),
    Fault("batch normalisation's momentum 0.2 in place of 0.1", R, norms(momentum=0.2)),
    Fault("batch normalisation's momentum 0.01 in place of 0.1", D, norms(momentum=0.01)),
    Fault("batch normalisation's ε 1e-3 in place of 1e-5", R, norms(eps=1e-3)),
    Fault("tested in training mode", D, replaced(Loop, "_answer", tested_in_training_mode)),
    Fault("the last layer starts at 0", R, last_layer(lambda weight: weight.zero_())),
    Fault("the last layer starts at 0.9 of its weights", S, last_layer(lambda weight: weight.mul_(0.9))),
    Fault("first weights by fan in, not fan out", D, law("kaiming_normal")),
    Fault("first weights by torch's default, not Glorot's", M, law("torch_default")),
    Fault("the rate drops one epoch late", R, recipe_with(("schedule.milestones", [3]))),
    Fault("the rate drops one epoch early", D, recipe_with(("schedule.milestones", [1]))),
    Fault("the rate drops to 1/5, not 1/10", R, recipe_with(("schedule.gamma", 0.2))),
    Fault("no warm-up", S, recipe_with(("schedule.rise", 0.0))),
    Fault("the rate moves each epoch, not each step", S, recipe_with(("schedule.per", "epoch"))),
    Fault("validation images are training images", S, held_from_training("validation")),
    Fault("test images are training images", R, held_from_training("test")),
    Fault("the epoch after the chosen one is read", S, epochs_moved(1)),
    Fault("the epoch before the last is read", R, epochs_moved(-1)),
    Fault("the epoch is chosen by test accuracy", S, replaced(run_numbers, "_epoch", selected_by_test)),
    Fault("of equal epochs the last is chosen, not the first", S, replaced(run_numbers, "_epoch", the_last_of_equals)),
    Fault("SAM's ρ doubled", S, recipe_with(("optimizer.rho", times(2)))),
    Fault("SAM's ρ × 1.1", S, recipe_with(("optimizer.rho", times(1.1)))),
    Fault("SAM's step uphill left out", S, replaced(Sam, "update", not_uphill)),
    Fault("SAM's gradient not divided by its norm", S, replaced(Sam, "update", uphill_without_a_norm)),
    Fault("gradients clipped to norm 1", R, gradients(clipped)),
    Fault("gradients × 1.1", D, gradients(times(1.1))),
    Fault("labels smoothed by 0.1", S, replaced(_standard(), "losses", smoothed_labels)),
    Fault("learning rate × 1.1", L, recipe_with(("lr", times(1.1)))),
    Fault("label noise σ × 1.1", L, recipe_with(("sigma", times(1.1)))),
    Fault("10 % fewer steps", L, recipe_with(("steps", lambda steps: steps * 9 // 10))),
    Fault("one label fewer for each clean one", C, recipe_with(("noise", one_label_fewer))),
]  # fmt: skip
