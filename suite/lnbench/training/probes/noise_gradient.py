"""The gradients of wrong labels: how far they agree with one another, and whether they lead to fitting other ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lnbench.methods.method import cross_entropies
from lnbench.noise.law import random_label
from lnbench.randomness import PROBE, u32
from lnbench.training.backends.protocol import Backend, Losses
from lnbench.training.batches import Held
from lnbench.training.probes.at_shares import LABEL_SUMS, NOISE_GRADIENT
from lnbench.training.probes.gradients import cosine
from lnbench.training.probes.looks import Shares
from lnbench.training.probes.probe import Training

FEWEST = 2  # examples of which a sample is made, or there is none
DIRECTIONS = 8  # random ones
TIES = 1e-6  # a ratio that is less than another by so small a part of it is the same number, otherwise rounded
REDRAWN, DIRECTION = 0, 1  # what is drawn under `PROBE`
PIECE = 1 << 18  # numbers of a direction that are drawn at once


class NoiseGradient(Shares):
    """Two statements of the report on batch size under label noise (abstract, its sections 4.2 and 4.3) about the
    gradients of noisy examples; the report measures neither, so the measurement is ours.

    In evaluation mode, on whole images with the labels as given in the first epoch, of the plain cross-entropy whatever
    the method. An example is noisy if that label is wrong. Three samples, the same in every look: of the run's noisy
    examples, in the data set's order, the first `images`, and the next as many, *held back*: the run trains on all of
    its examples, so this means that their gradient is not in the first sample's. And the first clean ones, as many. A
    split draws which images a run has, so they are random samples. With fewer than 2 · `images` noisy examples each
    half of them is a sample. What needs a sample with fewer than 2 does not exist.

    **Do they agree?** R = |Σ g_i|² / (N Σ |g_i|²), of the gradients g_i of the N noisy examples of the first sample: 1
    if all are equal, on average 1/N if their directions are independent and uniform, 0 if they cancel. The gradients
    of one network on images of one kind have directions in common whatever the labels, so R is compared with what it is
    where the same images get other wrong labels: `redraws` times, each uniform over the classes that are not the true
    one. `noise_isotropy_over_null`: R over the mean of these; `noise_isotropy_p`: (1 + those at least as large as R) /
    (1 + `redraws`). p ≤ 0.01 needs 99 redraws at least. For noise of that law, and before the labels were trained on,
    the labels as given are one more such draw, and p is uniform on its values. Afterwards it need not be: the network
    has moved along the gradients of these labels and of no others. That changes the sum in either direction, and a
    network that fits all labels has no smaller p for it.

    **Where do they lead?** The mean loss of the held-back examples under their labels as given, along a straight line
    from the weights against the first sample's mean gradient g: it falls at first by h · g/|g| per unit of length, h
    their mean gradient. This derivative is exact, and costs one gradient, where a small step would cost a pass and its
    rounding. `overfit_direction` is that number: more than 0 says that a step that fits some wrong labels fits others.
    That is so in a network that has seen no label yet, too: a step that makes right labels less certain fits any wrong
    ones. So `overfit_direction_beyond` is that number less what it is with other wrong labels for the held-back images,
    in the exact mean over all of them, uniform over the classes that are not the true one (`any_wrong_label`). For
    noise of that law it has mean 0 before the labels were trained on; what it is later is about the labels that the
    network was given. `overfit_direction_random` is the mean of the same number over DIRECTIONS directions drawn
    uniformly. Over all directions it has mean 0 and standard deviation |h|/√P, for P weights;
    `overfit_direction_scaled` is the number over that scale, which is √P times the cosine of g and h.

    `noisy_clean_gradient_cosine`: of the first sample's mean gradient with the clean one's.
    """

    name = "noise_gradient"
    count = len(NOISE_GRADIENT)

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        super().__init__(training, options)
        assert options is not None
        data, most = self.data, int(options["images"])
        wrong = data.wrong()
        noisy, clean = (data.numbers[which] for which in (wrong, ~wrong))
        size = min(most, len(noisy) // 2)
        self.noisy, self.held_back, self.clean = noisy[:size], noisy[size : 2 * size], clean[:size]
        true = data.labels[data.given_to(self.noisy)[0]]
        seed = u32(data.seeds["noise"], PROBE, REDRAWN, 0)
        redrawn = (
            random_label(u32(seed, PROBE, draw, self.noisy), true, data.on_device.classes, include_true_class=False)
            for draw in range(options["redraws"])
        )
        self.labels = torch.stack([self._held(self.noisy).labels, *redrawn])

    def _held(self, example: Tensor, *, true: bool = False) -> Held:
        """Return training examples, by their numbers among all of the noise, with their labels as given, or true."""
        image, label = self.data.given_to(example)
        labels = self.data.labels[image] if true else label
        return Held(self.data.on_device.images, self.data.identity[image], labels)

    def _gradient(self, example: Tensor, losses: Losses = cross_entropies, *, true: bool = False) -> Tensor:
        """Return (P,) float64: the mean gradient of a sample; NaN of too small a one."""
        backend = self.training.backend
        if len(example) < FEWEST:
            return torch.full((backend.parameters,), torch.nan, dtype=torch.float64, device=self.training.device)
        return backend.gradients([self._held(example, true=true)], losses)[0]

    def numbers(self) -> Tensor:
        noisy, other, clean = (self._gradient(each) for each in (self.noisy, self.held_back, self.clean))
        redrawn = self._gradient(self.held_back, any_wrong_label, true=True)
        falls, beyond = (each @ noisy / noisy.norm() for each in (other, other - redrawn))
        seed = u32(self.data.seeds["order"], PROBE, DIRECTION, 0)
        random = along_random(other, seed, DIRECTIONS).mean()
        scale = other.norm() / math.sqrt(len(other))
        agreement = [torch.full_like(falls, torch.nan)] * 3
        if len(self.noisy) >= FEWEST:
            classes = self.data.on_device.classes
            ratios = resultants(self.training.backend, self._held(self.noisy), self.labels, classes)
            agreement = [ratios[0], ratios[0] / ratios[1:].mean(), p_value(ratios[0], ratios[1:])]
        (alike,) = cosine(noisy.unsqueeze(0), clean.unsqueeze(0))
        return torch.stack([*agreement, alike, falls, beyond, random, falls / scale])

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        columns = self.found(diverged).T.tolist()
        metrics: dict[str, float | None] = {}
        curves = {}
        for name, values in zip(NOISE_GRADIENT, columns, strict=True):
            metrics |= {f"{name}_{part}": at for part, at in self.parts(values, diverged, but="start").items()}
            curves[name] = self.curve(values)
        sizes = {"noisy": len(self.noisy), "held_back": len(self.held_back), "clean": len(self.clean)}
        return {"metrics": metrics, "probe_curves": curves, "noise_gradient": sizes}


def any_wrong_label(logits: Tensor, true: Tensor) -> Tensor:
    """Return (B,) the cross-entropies of (B, C) logits, each in its mean over the C − 1 labels that are not `true`."""
    logs = logits.log_softmax(1)
    return (logs.gather(1, true.unsqueeze(1)).squeeze(1) - logs.sum(1)) / (logits.shape[1] - 1)


def resultants(backend: Backend, held: Held, labels: Tensor, classes: int) -> Tensor:
    """Return (D,) float64: |Σ g_i|² / (n Σ |g_i|²) of n images' gradients of the cross-entropy, under each of D rows of
    `labels` (D, n) int64; NaN where all are 0. One run's backend.

    Each image's gradient is computed once under each class, and added to the sums of the draws that gave it this class.
    Where the D sums would be more than LABEL_SUMS numbers, each is a gradient in a batch instead.
    """
    draws, n = labels.shape
    together = draws * backend.parameters <= LABEL_SUMS
    sums = torch.zeros((draws, backend.parameters) if together else (0, 0), device=labels.device)
    squares = torch.zeros((n, classes), dtype=torch.float64, device=labels.device)
    for label in range(classes):
        first = 0
        for (rows,) in backend.example_gradients(
            [_labelled(held, torch.full_like(held.labels, label))], cross_entropies
        ):
            part = slice(first, first + len(rows))
            squares[part, label] = rows.norm(dim=1).double().square()
            if together:
                sums.addmm_((labels[:, part] == label).to(rows.dtype), rows)
            first += len(rows)
    if together:
        wholes = sums.norm(dim=1).double()
    else:
        means = (backend.gradients([_labelled(held, row)], cross_entropies) for row in labels)
        wholes = torch.stack([n * mean[0].norm() for mean in means])
    ratios: Tensor = wholes.square() / (n * squares.gather(1, labels.T).sum(0))
    return ratios


def p_value(observed: Tensor, null: Tensor) -> Tensor:
    """Return (1 + the number in `null` (D,) at least as large as `observed` ()) / (1 + D), of 64-bit numbers; NaN where
    one is. The p value of a permutation test (Phipson & Smyth 2010), never 0."""
    reached = (null >= observed * (1 - TIES)).sum()
    p = (1 + reached.double()) / (1 + len(null))
    return torch.where(observed.isnan() | null.isnan().any(), torch.nan, p)


def along_random(vector: Tensor, seed: int, count: int) -> Tensor:
    """Return (count,): the component of `vector` (P,) float64 along each of `count` directions, uniform on the sphere
    and functions of the seed."""
    dots, squares = (torch.zeros(count, dtype=torch.float64, device=vector.device) for _ in range(2))
    for number in range(count):
        for place, piece in enumerate(torch.split(vector, PIECE)):
            index = torch.arange(place * PIECE, place * PIECE + len(piece), device=vector.device)
            normal = torch.special.ndtri((u32(seed, PROBE, number, index).double() + 0.5) / 2**32)
            dots[number] += piece @ normal
            squares[number] += normal @ normal
    return dots / squares.sqrt()


def _labelled(held: Held, labels: Tensor) -> Held:
    return Held(held.images, held.index, labels)
