"""Gradients that a training does not follow, compared with those that it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lnbench.methods.method import Loss, cross_entropies
from lnbench.training.batches import Held
from lnbench.training.probes.at_shares import CLEAN_IMAGES
from lnbench.training.probes.entries import GRADIENT_COSINES
from lnbench.training.probes.looks import Looks
from lnbench.training.probes.probe import Probe, StepView, Training


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
        now = cosine(own, plain).float()
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


class BatchGradient(Looks):
    """The norm of a batch's gradient, and its cosine with that of the batch's clean members, at every k-th step.

    Before the update, on the batch that the step trains on, of the mean cross-entropy under the labels as given, in
    evaluation mode: the measurement of the batch-size report (its section 4.2). A batch without a clean member has no
    cosine.
    """

    curves = ("batch_gradient_norm", "batch_clean_cosine")

    def numbers(self, view: StepView) -> tuple[Tensor, ...]:
        return view.gradient.norm(dim=1), cosine(view.gradient, view.gradient_of(view.clean))


class FullGradientCosine(Looks):
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
        return (cosine(view.gradient, self.training.backend.gradients(self.images, cross_entropies)),)


class FixedGradient(Looks):
    """Cosines of gradients on the same training examples, at every k-th step, before the update.

    What `BatchGradient` measures depends on the batch's size twice: by the state of a network that such batches have
    trained, and by how much the gradient of so few examples varies. On the same `images` examples, whatever the batch,
    only the first is left. They are the first ones in the data set's order (all, if there are fewer), whole images with
    the labels as given; a split draws which images a run has, so they are a random sample. `fixed_clean_cosine`: of
    all of them with the clean ones; `fixed_noisy_cosine`: of the noisy ones with the clean ones. Null where there is no
    clean or no noisy one.
    """

    curves = ("fixed_clean_cosine", "fixed_noisy_cosine")

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        assert options is not None
        self.held, self.clean = [], []
        for data in training.sets:
            image, label = data.given()
            image, label = image[: options["images"]], label[: options["images"]]
            self.held.append(Held(data.on_device.images, data.identity[image], label))
            self.clean.append(data.labels[image] == label)

    def numbers(self, view: StepView) -> tuple[Tensor, ...]:
        members = (self.clean, [~clean for clean in self.clean])
        of = [self.training.backend.gradients(self.held, cross_entropies, each) for each in members]
        counts = [torch.stack([each.sum() for each in part]).double().unsqueeze(1) for part in members]
        whole = sum(part.nan_to_num() * count for part, count in zip(of, counts, strict=True))
        return cosine(torch.where(counts[0] > 0, whole, torch.nan), of[0]), cosine(of[1], of[0])


def cosine(one: Tensor, other: Tensor) -> Tensor:
    """Return (K,): of (K, P) each."""
    pairs = zip(one, other, strict=True)
    return torch.stack([(first @ second) / (first.norm() * second.norm()) for first, second in pairs])
