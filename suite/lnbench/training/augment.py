"""Random crop and flip of a whole batch as one indexed copy: no image is touched alone.

The usual augmentation of CIFAR (He et al. 2016, section 4.2): a border of 4 black pixels, a random window of the
image's own size, and a mirror image half of the time. What an example gets in an epoch is a function of the run's
`augment` seed, the epoch and the example's number.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from lnbench.randomness import Stream, below, u32

PADDING = 4
PLACES = 2 * PADDING + 1  # along each axis


def pad(images: torch.Tensor) -> torch.Tensor:
    """Return (N, H, W, C) uint8 with a black border, as it is and mirrored: (2, N, H + 8, W + 8, C).

    The mirror images cost memory (CIFAR: 480 MB in all) and save a third of the time of a batch.
    """
    padded = F.pad(images, (0, 0, PADDING, PADDING, PADDING, PADDING))
    return torch.stack((padded, padded.flip(2)))


def shifts(seed: int, epoch: int, example: Any) -> torch.Tensor:
    """Return (B, 3) int64 of examples (B,): the window's row and column in 0 … 8, and 1 where it is of the mirror
    image."""
    bits = u32(seed, Stream.AUGMENT, epoch, example)
    place = below(bits, PLACES * PLACES * 2)
    return torch.stack((place // (2 * PLACES), place // 2 % PLACES, place % 2), dim=-1)


def crop_bits(seed: int, epoch: int, example: Any) -> torch.Tensor:
    """Return (B, 1) int64 of examples (B,): the 32 random bits from which a crop of an image file is drawn
    (`data/decoding.py`)."""
    bits: torch.Tensor = u32(seed, Stream.AUGMENT, epoch, example)
    return bits.unsqueeze(-1)


def crop_and_flip(padded: torch.Tensor, image: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Return (B, H, W, C) uint8: images `image` (B,) int64 of `padded` (see `pad`), each by its own `shift` (B, 3).

    All windows of all images are a view of them with overlapping strides, so a batch is one indexed copy of whole
    rows. Leading dimensions may be more than one.
    """
    _, count, tall, wide, channels = padded.shape
    row, size = wide * channels, tall * wide * channels
    shape = (2, count, PLACES, PLACES, tall - 2 * PADDING, (wide - 2 * PADDING) * channels)
    windows = padded.as_strided(shape, (count * size, size, row, channels, row, 1))
    rows = windows[shift[..., 2], image, shift[..., 0], shift[..., 1]]
    return rows.view(*rows.shape[:-1], -1, channels)
