"""Crop and flip against the same done image by image, their law, and how bytes become numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lnbench.data.images import load
from lnbench.training.augment import PADDING, crop_and_flip, pad, shifts
from lnbench.training.batches import DeviceData, Pixels, TrainingSet
from tests.toys.small_runs import recipe, seeds


@pytest.mark.parametrize("shape", [(7, 32, 32, 3), (5, 28, 28, 1), (4, 8, 6, 2)])
def test_a_batch_is_what_cropping_one_by_one_gives(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    images = torch.from_numpy(generator.integers(0, 256, shape, dtype=np.uint8))
    image = torch.from_numpy(generator.integers(0, shape[0], 200))
    shift = shifts(3, 1, torch.arange(200))
    made = crop_and_flip(pad(images), image, shift)
    for number in range(200):
        row, column, mirrored = shift[number].tolist()
        one = np.pad(images[image[number]].numpy(), ((PADDING, PADDING), (PADDING, PADDING), (0, 0)))
        one = one[:, ::-1] if mirrored else one
        expected = one[row : row + shape[1], column : column + shape[2]]
        assert np.array_equal(made[number].numpy(), expected)


def test_windows_and_mirrors_are_uniform_and_independent() -> None:
    drawn = shifts(1, 2, torch.arange(162 * 1000))
    counts = torch.bincount((drawn[:, 0] * 9 + drawn[:, 1]) * 2 + drawn[:, 2], minlength=162)
    assert len(counts) == 162 and float(((counts - 1000.0) ** 2 / 1000).sum()) < 230  # χ²(161): 99.9 % below 222
    assert not torch.equal(shifts(1, 3, torch.arange(100)), shifts(1, 2, torch.arange(100)))
    assert not torch.equal(shifts(2, 2, torch.arange(100)), shifts(1, 2, torch.arange(100)))


def test_an_augmented_set_shifts_by_example_and_epoch_wherever_the_example_comes() -> None:
    data = DeviceData(load("digits"), torch.device("cpu"))
    made = TrainingSet(data, recipe(augment="crop_flip"), seeds(4))
    for batch in made.batches(2, 50):
        assert batch.shift is not None
        assert torch.equal(batch.shift, shifts(4, 2, batch.example))
        assert made.pictures(batch.image, batch.shift).shape == (50, 8, 8, 1)
    plain = TrainingSet(data, recipe(), seeds(4))
    for a, b in zip(made.batches(2, 50), plain.batches(2, 50), strict=True):
        assert torch.equal(a.image, b.image) and torch.equal(a.label, b.label) and b.shift is None


def test_pixels_are_normalised_as_torchvision_does() -> None:
    from torchvision.transforms.v2.functional import normalize

    mean, std = (0.4914, 0.4824, 0.4467), (0.2471, 0.2435, 0.2616)
    data = DeviceData(load("synthetic_cifar10", options={"train": 10, "test": 10}), torch.device("cpu"))
    images = data.images
    pixels = Pixels.of({"pixels": {"mean": list(mean), "std": list(std)}}, data)
    expected = normalize(images.movedim(-1, 1).float() / 255, list(mean), list(std))
    assert torch.allclose(pixels(images), expected, atol=1e-5)
    assert pixels(images).is_contiguous(memory_format=torch.channels_last)
