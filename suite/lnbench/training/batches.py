"""The training set on the device: a batch is an index, its labels are computed, nothing is copied or loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lnbench import catalog
from lnbench.data.images import ImageData
from lnbench.data.noise import LabelNoise, describe
from lnbench.randomness import Stream, permutation_at

BATCHES_A_DRAW = 64  # examples and labels are drawn for that many batches at a time


@dataclass(frozen=True)
class LabelledImages:
    """Images (N, C, H, W) uint8 and true labels (N,) int64 on the device; `scale` is the pixel value that means 1."""

    images: torch.Tensor
    labels: torch.Tensor
    scale: float

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        """Pixels in [0, 1] as (B, C, H, W) float32, channels-last."""
        picked = self.images[index].to(torch.float32).mul_(1.0 / self.scale)
        return picked.contiguous(memory_format=torch.channels_last)


def _on_device(images: np.ndarray, labels: np.ndarray, scale: float, device: torch.device) -> LabelledImages:
    return LabelledImages(torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device), scale)


class TrainingSet:
    """What one run trains on, is validated on and is tested on: a function of its recipe and its seeds."""

    def __init__(self, data: ImageData, recipe: dict[str, Any], seeds: dict[str, int], device: torch.device):
        have = len(data.train_labels)
        clean, validation = recipe["dataset"]["clean"], recipe["dataset"]["validation"]
        shuffled = permutation_at(seeds["split"], Stream.SPLIT, 0, have, np.arange(have, dtype=np.int64))
        identity = np.sort(shuffled[:clean])  # each image's number in the whole data set
        held_out = np.sort(shuffled[clean : clean + validation])
        labels = data.train_labels.astype(np.int64)
        self.order_seed = seeds["order"]
        self.train = _on_device(data.train_images[identity], labels[identity], data.scale, device)
        self.identity = torch.from_numpy(identity).to(device)
        self.validation = _on_device(data.train_images[held_out], labels[held_out], data.scale, device)
        self.test = _on_device(data.test_images, data.test_labels.astype(np.int64), data.scale, device)
        noise_class = catalog.find("noise", recipe["noise"]["kind"]).load()
        self.noise: LabelNoise = noise_class(clean, data.classes, seeds["noise"], recipe["noise"])
        self.noise_facts = describe(self.noise, labels[identity], identity)

    @property
    def examples(self) -> int:
        """Training examples in an epoch."""
        return self.noise.size

    def batches(self, epoch: int, size: int, first: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """(image indices, labels as given), both (B,) int64, from batch number `first` on; the last may be smaller."""
        device = self.train.labels.device
        span = size * BATCHES_A_DRAW
        for start in range(first * size, self.examples, span):
            position = torch.arange(start, min(start + span, self.examples), device=device)
            example = permutation_at(self.order_seed, Stream.ORDER, epoch, self.examples, position)
            image = self.noise.images(example)
            labels = self.noise.labels(example, self.train.labels[image], self.identity[image])
            yield from zip(image.split(size), labels.split(size), strict=True)
