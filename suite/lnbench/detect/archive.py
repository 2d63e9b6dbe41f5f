"""An .npz with `images`, `labels` and, if there are names, `classes`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lnbench.data.arrays import opened_archive
from lnbench.detect.data import Images, Labelled, Labels, one_channel_if_grey, usual_size
from lnbench.errors import DataError, visible

CHANNELS = (1, 3, 4)
FORM = "(N, H, W), (N, H, W, C) or (N, C, H, W), C = 1, 3 or 4"


def read(path: Path, size: int | None) -> Labelled:
    """Read the archive at `path`. Raises DataError for anything that is not as `docs/detect.md` says. Nothing in the
    file is unpickled."""
    arrays = _arrays(path)
    images = _channels_last(path, arrays["images"])  # (N, H, W, 3)
    labels = _labels(path, arrays["labels"], len(images))
    names = _class_names(path, arrays.get("classes"), labels)
    present = sorted(set(labels.tolist()))
    side = size or usual_size([min(images.shape[1:3])] if len(images) else [1])
    notes = []
    absent = [name for number, name in enumerate(names or []) if number not in present]
    if absent:
        notes.append(f"classes without an image are left out: {', '.join(absent)}")
    if images.shape[1:3] != (side, side):
        notes.append(f"each image's middle square was scaled to {side}×{side} pixels")
    small = _fitted(images, side).transpose(0, 3, 1, 2)
    return Labelled(
        images=one_channel_if_grey(np.ascontiguousarray(small)),
        labels=np.searchsorted(present, labels).astype(np.int64),
        names=[str(index) for index in range(len(images))],
        classes=[names[number] if names else str(number) for number in present],
        view=lambda index, most: _fitted(images[index : index + 1], min(most, *images.shape[1:3]))[0],
        notes=notes,
    )


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    found: dict[str, npt.NDArray[Any]] = {}
    with opened_archive(path, str(path)) as archive:
        for name in ("images", "labels", "classes"):
            if name in archive.names:
                found[name] = archive.read(name)
            elif name != "classes":
                have = visible(", ".join(archive.names[:10])) or "nothing"
                raise DataError(f"{path}: has no `{name}` (it has {have[:200]}); expected `images` and `labels`")
    return found


def _channels_last(path: Path, images: npt.NDArray[Any]) -> Images:
    """Return the images as (N, H, W, 3), transparent parts on white. Where two readings of the shape are possible,
    channels are last."""
    if images.dtype != np.uint8:
        what = f"`images` is {images.dtype}, not uint8 (0 to 255)"
        raise DataError(f"{path}: {what}; scale the pixels yourself, so that nothing is guessed")
    if images.ndim == 3:
        images = images[..., None]
    elif images.ndim == 4 and images.shape[-1] not in CHANNELS and images.shape[1] in CHANNELS:
        images = images.transpose(0, 2, 3, 1)
    if images.ndim != 4 or images.shape[-1] not in CHANNELS or not images.size:
        raise DataError(f"{path}: `images` has shape {images.shape}; expected {FORM}")
    if images.shape[-1] == 4:
        alpha = images[..., 3:].astype(np.uint16)
        blended = images[..., :3] * alpha + 255 * (255 - alpha)
        images = ((blended + 127) // 255).astype(np.uint8)
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images


def _labels(path: Path, labels: npt.NDArray[Any], count: int) -> Labels:
    if labels.shape != (count,):
        raise DataError(f"{path}: `labels` has shape {labels.shape}, but there are {count} images; expected ({count},)")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{path}: `labels` is {labels.dtype}; expected integers from 0 on, and names in `classes`")
    if labels.min() < 0:
        where = int(np.argmax(labels < 0))
        raise DataError(f"{path}: label {int(labels[where])} of image {where} is negative; labels count from 0")
    if labels.max() > np.iinfo(np.int64).max // 2:
        raise DataError(f"{path}: label {int(labels.max())} is not a class number")
    return labels.astype(np.int64)


def _class_names(path: Path, classes: npt.NDArray[Any] | None, labels: Labels) -> list[str] | None:
    if classes is None:
        return None
    if classes.ndim != 1 or len(classes) <= labels.max():
        what = f"`classes` has shape {classes.shape}, but labels go up to {int(labels.max())}"
        raise DataError(f"{path}: {what}; give one name for each class, number 0 first")
    return [one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in classes.tolist()]


def _fitted(images: Images, side: int) -> Images:
    """Return (N, side, side, 3): the middle square of each, scaled as an image file is."""
    from PIL import Image, ImageOps

    if images.shape[1:3] == (side, side):
        return images
    way = Image.Resampling.BILINEAR
    squares = (ImageOps.fit(Image.fromarray(image), (side, side), method=way) for image in images)
    return np.stack([np.asarray(square, dtype=np.uint8) for square in squares])
