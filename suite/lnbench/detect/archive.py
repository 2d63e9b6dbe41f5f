"""An .npz with `images`, `labels` and, if there are names, `classes`; or as MedMNIST and Keras write one, by parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lnbench.data.arrays import opened_archive
from lnbench.detect.data import Images, Labelled, one_channel_if_grey, scaled, usual_size
from lnbench.detect.decode import fitted
from lnbench.detect.labels import class_numbers, shown_names
from lnbench.detect.splits import SPLITS
from lnbench.detect.wording import demand_distinct, named
from lnbench.errors import DataError, visible

CHANNELS = (1, 3, 4)
FORM = "(N, H, W), (N, H, W, C) or (N, C, H, W), C = 1, 3 or 4"


def read(path: Path, size: int | None) -> Labelled:
    """Read the archive at `path`. Raises DataError for anything that is not as `docs/detect.md` says. Nothing in the
    file is unpickled."""
    arrays, names, notes = _arrays(path)
    images = _channels_last(path, arrays["images"])  # (N, H, W, 3)
    given = shown_names(arrays["classes"], str(path)) if "classes" in arrays else None
    if given is not None:
        demand_distinct(given, str(path))
    labels, classes = class_numbers(arrays["labels"], len(images), given, str(path))
    present = sorted(set(labels.tolist()))
    side = size or usual_size([min(images.shape[1:3])] if len(images) else [1])
    absent = [name for number, name in enumerate(classes if given else []) if number not in present]
    if absent:
        notes.append(f"classes without an image are left out: {named(absent)}")
    scaling, scaled_down = scaled([images.shape[1:3]], side)
    small = fitted(images, side).transpose(0, 3, 1, 2)
    return Labelled(
        images=one_channel_if_grey(np.ascontiguousarray(small)),
        labels=np.searchsorted(present, labels).astype(np.int64),
        names=names or [str(index) for index in range(len(images))],
        classes=[classes[number] for number in present],
        view=lambda index, most: fitted(images[index : index + 1], min(most, *images.shape[1:3]))[0],
        notes=[*notes, *scaling],
        raw=lambda index: images[index].tobytes(),
        scaled_down=scaled_down,
    )


def _arrays(path: Path) -> tuple[dict[str, npt.NDArray[Any]], list[str], list[str]]:
    """Return the arrays `images` and `labels`, and `classes` if there are any; the images' names, none where their
    number is enough; and notes. Parts of a data set are read together."""
    with opened_archive(path, str(path)) as archive:
        have = set(archive.names)
        parts = {} if {"images", "labels"} & have else _parts(archive.names)
        wanted = parts or {"": ("images", "labels")}
        found = {name: archive.read(name) for name in ("classes",) if name in have}
        missing = [name for pair in wanted.values() for name in pair if name not in have]
        if missing:
            shown = visible(", ".join(archive.names[:10])) or "nothing"
            raise DataError(f"{path}: has no `{missing[0]}` (it has {shown[:200]}); expected `images` and `labels`")
        read = {part: (archive.read(one), archive.read(other)) for part, (one, other) in wanted.items()}
    if not parts:
        found["images"], found["labels"] = read[""]
        return found, [], []
    shapes = {images.shape[1:] for images, _ in read.values()}
    if len(shapes) > 1:
        raise DataError(f"{path}: the images of {', '.join(read)} have other shapes; give them one by one")
    short = [part for part, (images, labels) in read.items() if len(images) != len(labels)]
    if short:
        raise DataError(f"{path}: {short[0]} has {len(read[short[0]][0])} images and {len(read[short[0]][1])} labels")
    found["images"], found["labels"] = (np.concatenate([pair[side] for pair in read.values()]) for side in (0, 1))
    names = [f"{part}/{number}" for part, (images, _) in read.items() for number in range(len(images))]
    return found, names, [f"{' and '.join(read)} were read together, as parts of one data set"] if len(read) > 1 else []


def _parts(names: list[str]) -> dict[str, tuple[str, str]]:
    """Return part -> names of its images and labels: `train_images` and `train_labels`, or `x_train` and `y_train`."""
    found = {}
    for name in names:
        part = name.removesuffix("_images").removeprefix("x_")
        for pair in ((f"{part}_images", f"{part}_labels"), (f"x_{part}", f"y_{part}")):
            if name == pair[0] and pair[1] in names and part in SPLITS:
                found[part] = pair
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
