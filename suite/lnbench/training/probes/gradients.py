"""Gradients that a training does not follow, compared with those that it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lnbench.methods.method import Loss, cross_entropies
from lnbench.training.probes.entries import CLEAN_IMAGES, CURVE_SPANS, GRADIENT_COSINES
from lnbench.training.probes.probe import Probe, StepView, Training, curve


class GradientCosine(Probe):
    """The cosine between the mean gradient of the method's loss and that of the cross-entropy, both on the same clean
    labels of at most CLEAN_IMAGES training images; looked at four times in a training, and kept on the device.

    A step whose gradient is 0 has no cosine: NaN, and null in the record.
    """

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        self.images = [data.clean_images(CLEAN_IMAGES) for data in training.sets]
        self.marks = (0, training.steps // 10, training.steps // 2, training.steps)
        self.values = torch.full((training.replicas, len(self.marks)), torch.nan, device=training.device)

    def at(self, step: int) -> bool:
        return step in self.marks

    def before(self, view: StepView) -> None:
        self._look(view.step)

    def finish(self) -> None:
        self._look(self.training.steps)

    def _look(self, step: int) -> None:
        backend = self.training.backend
        assert isinstance(backend.method, Loss)  # `method_problem` has seen to it
        own, plain = (backend.gradients(self.images, losses) for losses in (backend.method.loss, cross_entropies))
        now = _cosine(own, plain).float()
        for place, mark in enumerate(self.marks):
            if mark == step:
                self.values[:, place] = now

    def tensors(self, epoch: int) -> dict[str, Tensor]:
        return {"gradient_cosine": self.values}

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        """name -> cosine, or None where there is none."""
        numbers = self.values[run].tolist()
        metrics = {
            name: None if diverged or number != number else number
            for name, number in zip(GRADIENT_COSINES, numbers, strict=True)
        }
        return {"metrics": metrics}


class _Looks(Probe):
    """Curves over steps: `curves` numbers at each k-th step, before the update, from step 0 on. On the device,
    (K, looks, curves) float32."""

    curves: tuple[str, ...]

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        assert options is not None
        self.every: int = options["every"]
        self.steps = range(0, training.steps, self.every)
        shape = (training.replicas, len(self.steps), len(self.curves))
        self.values = torch.full(shape, torch.nan, device=training.device)

    def at(self, step: int) -> bool:
        return step % self.every == 0

    def numbers(self, view: StepView) -> tuple[Tensor, ...]:
        """Return (K,) for each of `curves`."""
        raise NotImplementedError

    def before(self, view: StepView) -> None:
        for place, now in enumerate(self.numbers(view)):
            self.values[:, view.step // self.every, place] = now

    def tensors(self, epoch: int) -> dict[str, Tensor]:
        return {self.curves[0]: self.values}

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        """Return the curves, and the mean of each over a span of the looks; what does not exist is left out of a mean.
        A run that diverged has no means."""
        columns = self.values[run].double().cpu()
        metrics: dict[str, float | None] = {}
        for name, values in zip(self.curves, columns.unbind(1), strict=True):
            for span, (first, last, _) in CURVE_SPANS.items():
                mean = values[int(first * len(values)) : max(1, int(last * len(values)))].nanmean().item()
                metrics[f"{name}_{span}"] = None if diverged or mean != mean else mean
        curves = {
            name: curve("steps", self.steps, columns[:, place].tolist()) for place, name in enumerate(self.curves)
        }
        return {"metrics": metrics, "probe_curves": curves}


class BatchGradient(_Looks):
    """The norm of a batch's gradient, and its cosine with that of the batch's clean members, at every k-th step.

    Before the update, on the batch that the step trains on, of the mean cross-entropy under the labels as given, in
    evaluation mode: the measurement of the batch-size report (its section 4.2). A batch without a clean member has no
    cosine.
    """

    curves = ("batch_gradient_norm", "batch_clean_cosine")

    def numbers(self, view: StepView) -> tuple[Tensor, ...]:
        return view.gradient.norm(dim=1), _cosine(view.gradient, view.gradient_of(view.clean))


class FullGradientCosine(_Looks):
    """The cosine of a batch's gradient with that of the clean training data, at every k-th step.

    The batch's gradient is that of `BatchGradient`; the other is the gradient of the mean cross-entropy on the true
    labels of at most CLEAN_IMAGES clean training images, the same in every look. So batches of any size are compared
    with one direction.
    """

    curves = ("full_clean_cosine",)

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        self.images = [data.clean_images(CLEAN_IMAGES) for data in training.sets]

    def numbers(self, view: StepView) -> tuple[Tensor, ...]:
        return (_cosine(view.gradient, self.training.backend.gradients(self.images, cross_entropies)),)


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """Return (K,): of (K, P) each."""
    pairs = zip(one, other, strict=True)
    return torch.stack([(first @ second) / (first.norm() * second.norm()) for first, second in pairs])
