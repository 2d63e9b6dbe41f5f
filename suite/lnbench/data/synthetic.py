"""Seeded synthetic images of MNIST and CIFAR shape, for smoke runs that need no download.

A class is a smooth random pattern; an image is its class's pattern moved, scaled, bent, a channel now and
then seen in negative, laid over a smooth background of its own, and covered with pixel noise. Moves and
negatives are what a linear model cannot undo and a ConvNet can.

Everything is integer arithmetic on lnbench's counter-based hash, so the same bytes come out on every platform
and with every numpy; a test pins their checksum. Coordinates are in 1/256 pixel, pattern values in -128 …
127.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..randomness import below, u32

Ints = npt.NDArray[np.int32]
Index = npt.NDArray[np.int64]
Images = npt.NDArray[np.uint8]

CLASSES = 10
MOST = 1 << 16  # images of one split
BLOCK = 250  # images made at once: bounds the memory, changes no byte

# streams of the hash, apart from those of training (`randomness.Stream`), one a purpose
PATTERN, LABEL, VIEW, BEND, BACKGROUND, PIXEL = range(101, 107)

CELLS = 7  # a class's pattern is drawn on 7x7 points, bends and backgrounds on 4x4
NEGATIVE = 25  # per cent of an image's channels that are seen in negative
SHIFT = 4 * 256  # 1/256 pixel, either way
ZOOM = (208, 304)  # /256
BEND_RANGE = 2 * 256  # 1/256 pixel, either way
CONTRAST = (160, 256)  # /256
BACKGROUND_GAIN = 96  # /256
NOISE = 48  # grey levels, either way


def make(
    shape: tuple[int, int, int], *, train: int = 2_000, test: int = 1_000, seed: int = 0
) -> tuple[Images, Index, Images, Index]:
    """Return (train_images (train, C, H, W) uint8, train_labels int64, test_images, test_labels), classes 0 … 9.

    Classes are balanced: in any run of ten images from the start of a split each class comes once. The test
    images are the same whatever `train` is, and fewer training images are the first of more. Raises
    ValueError for a count outside 1 … 65536 or a seed outside 0 … 2^32-1.
    """
    if min(train, test) < 1 or max(train, test) > MOST:
        raise ValueError(f"train and test must lie in 1 … {MOST}, not {train} and {test}")
    draws = u32(seed, PATTERN, 0, _count(CLASSES * shape[0] * CELLS**2))
    patterns = _smooth(draws, (CLASSES, shape[0], CELLS), shape[1:])
    # the test images' indices start where those of the training images must have ended
    return (*_split(patterns, seed, 0, train), *_split(patterns, seed, MOST, test))


def _split(patterns: Ints, seed: int, first: int, count: int) -> tuple[Images, Index]:
    labels = _labels(seed, first, count)
    images = np.empty((count, *patterns.shape[1:]), dtype=np.uint8)
    for start in range(0, count, BLOCK):
        block = slice(start, min(start + BLOCK, count))
        images[block] = _images(patterns, seed, first + _count(count)[block], labels[block])
    return images, labels


def _labels(seed: int, first: int, count: int) -> Index:
    """Return labels of which each ten in turn are a shuffle of 0 … 9."""
    tens = -(-count // CLASSES)
    keys = u32(seed, LABEL, 0, first + _count(tens * CLASSES)).reshape(tens, CLASSES)
    return np.argsort(keys, axis=1, kind="stable").reshape(-1)[:count].astype(np.int64)


def _images(patterns: Ints, seed: int, index: Index, labels: Index) -> Images:
    """Return the images with these numbers and labels, (N, C, H, W)."""
    _, channels, *size = patterns.shape
    channel = _count(channels)
    seen = _sample(patterns[labels], *_coordinates((size[0], size[1]), seed, index))
    contrast = _draw(seed, VIEW, 4, index[:, None] * channels + channel, *CONTRAST)
    negative = _draw(seed, VIEW, 5, index[:, None] * channels + channel, 0, 99) < NEGATIVE
    seen = (seen * np.where(negative, -contrast, contrast)[..., None, None]) >> 8
    points = _count(channels * 16)
    ground = u32(seed, BACKGROUND, 0, index[:, None] * len(points) + points)
    background = _smooth(ground, (len(index), channels, 4), (size[0], size[1]))
    pixels = _count(seen[0].size)
    noise = _draw(seed, PIXEL, 0, index[:, None] * len(pixels) + pixels, -NOISE, NOISE)
    mixed = 128 + seen + ((background * BACKGROUND_GAIN) >> 8) + noise.reshape(seen.shape)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _coordinates(size: tuple[int, int], seed: int, index: Index) -> tuple[Ints, Ints]:
    """Return where each pixel of each image looks in its pattern: y and x, (N, H, W) each, in 1/256 pixel."""
    points = _count(32)  # two fields of 4x4
    bends = _smooth(u32(seed, BEND, 0, index[:, None] * 32 + points), (len(index), 2, 4), size)
    found = []
    for axis, length in enumerate(size):
        middle = (length - 1) * 128
        line = np.arange(length, dtype=np.int32) * 256 - middle
        grid = np.broadcast_to(line[:, None] if axis == 0 else line, size)
        zoom = _draw(seed, VIEW, axis, index, *ZOOM)[:, None, None]
        shift = _draw(seed, VIEW, 2 + axis, index, -SHIFT, SHIFT)[:, None, None]
        bend = (bends[:, axis] * BEND_RANGE) >> 7
        found.append(((grid * zoom) >> 8) + shift + bend + middle)
    return found[0], found[1]


def _sample(patterns: Ints, y: Ints, x: Ints) -> Ints:
    """Read `patterns` (N, C, H, W) at (y, x) (N, H, W) bilinearly, wrapped round at the edges."""
    count, channels, height, width = patterns.shape
    flat = patterns.reshape(count, channels, height * width)
    fy, fx = (y & 255)[:, None], (x & 255)[:, None]

    def at(row: Ints, column: Ints) -> Ints:
        place = (row % height) * width + column % width
        found: Ints = np.take_along_axis(flat, place.reshape(count, 1, -1), axis=2)
        return found.reshape(patterns.shape)

    y, x = y >> 8, x >> 8
    upper = at(y, x) * (256 - fx) + at(y, x + 1) * fx
    lower = at(y + 1, x) * (256 - fx) + at(y + 1, x + 1) * fx
    sampled: Ints = (upper * (256 - fy) + lower * fy) >> 16
    return sampled


def _smooth(draws: Index, shape: tuple[int, int, int], size: tuple[int, ...]) -> Ints:
    """Return fields in -128 … 127, (N, C, H, W): N x C grids of cells x cells draws, blown up to `size`."""
    count, channels, cells = shape
    grid = (below(draws, 256) - 128).astype(np.int32).reshape(count * channels, cells, cells)
    for axis, length in enumerate(size, start=1):
        place = _count(length) * (cells - 1) * 256 // (length - 1)  # in 1/256 cell
        low = np.minimum(place >> 8, cells - 2)
        part = (place - low * 256).astype(np.int32).reshape((-1, 1) if axis == 1 else (1, -1))
        grid = (np.take(grid, low, axis) * (256 - part) + np.take(grid, low + 1, axis) * part) >> 8
    fields: Ints = grid.reshape(count, channels, *size)
    return fields


def _count(n: int) -> Index:
    return np.arange(n, dtype=np.int64)  # said aloud: the default is 32 bits on some platforms


def _draw(seed: int, stream: int, kind: int, counter: Index, low: int, high: int) -> Ints:
    """Return an integer in low … high, both included, for each counter; `kind` keeps draws of one stream apart."""
    values: Index = below(u32(seed, stream, kind, counter), high - low + 1) + low
    return np.asarray(values, dtype=np.int32)
