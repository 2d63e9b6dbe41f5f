"""A user's labelled images, as the training takes them; where they come from is `folders.py` or `archive.py`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lnbench.detect.ranges import SMALLEST

FEWEST = 50  # images: two Gaussians fitted to fewer values say nothing
FEW_OF_A_CLASS = 5  # images that a network hardly learns as a class
USUAL_SIZE = 32
SIZE_STEP = 4  # a side is a multiple of it: residual networks halve the image twice
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Labelled:
    """N labelled images, all (C, S, S).

    images: (N, C, S, S) uint8; labels: (N,) int64, indices into `classes`; names: of each image, its path in the folder
    or its index in the archive. `classes`: those that have images. `skipped`: (file, why) of what gave no image.
    `notes`: what was done to the images that a reader should know. `scaled_down`: whether some image has more pixels
    than it is trained on with. `view(index, size)`: one image for the eye,
    (size', size', 3) uint8, as large as `size` where the original is. `raw(index)`: the bytes that the image was read
    from, to tell copies from images that only look alike when they are small; empty where they cannot be had.
    """

    images: Images
    labels: Labels
    names: list[str]
    classes: list[str]
    view: Callable[[int, int], Images]
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    raw: Callable[[int], bytes] | None = None
    scaled_down: bool = False

    @property
    def pictured(self) -> bool:
        """Return whether the examples are images: of losses that somebody brings, there may be none."""
        return bool(self.images.size)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channels, height, width)."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    @cached_property
    def checksum(self) -> str:
        """Return the sha256, in hex, of what is trained on: images, labels, and how many classes. Names are not part of
        it."""
        digest = hashlib.sha256(f"{self.images.shape} {len(self.classes)}\n".encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return digest.hexdigest()

    @cached_property
    def first_copy(self) -> Labels:
        """Return (N,) int64: of each image the first one that is equal to it, pixel by pixel as it is trained on."""
        seen: dict[bytes, int] = {}
        found = [
            seen.setdefault(hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest(), number)
            for number, image in enumerate(self.images)
        ]
        return np.array(found, dtype=np.int64)

    def counts(self) -> list[int]:
        """Return the number of images of each class."""
        return [int(count) for count in np.bincount(self.labels, minlength=len(self.classes))]


def usual_size(shorter: list[int]) -> int:
    """Return the side to train on, from the images' shorter sides, by the rule of `read`."""
    have = sorted(shorter)[len(shorter) // 10]
    return max(SMALLEST, min(USUAL_SIZE, have) // SIZE_STEP * SIZE_STEP)


def scaled(sizes: Iterable[tuple[int, int]], side: int) -> tuple[list[str], bool]:
    """Return (a note where images of these sizes (height, width) were made `side` pixels a side, whether some lost
    pixels in that)."""
    changed = {size for size in sizes if size != (side, side)}
    notes = [f"each image's middle square was scaled to {side}×{side} pixels"] if changed else []
    return notes, any(max(size) > side for size in changed)


def one_channel_if_grey(images: Images) -> Images:
    """Turn (N, 3, S, S) into (N, 1, S, S) where the three channels are equal in every image."""
    grey = all(np.array_equal(images[:, 0], images[:, channel]) for channel in (1, 2))
    return np.ascontiguousarray(images[:, :1]) if grey else images
