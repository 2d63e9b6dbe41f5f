"""Data sets that lnbench knows by name, and labels from a file of their own (CIFAR-N's, or anybody's)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from lnbench import catalog
from lnbench.data.images import ImageData, load
from lnbench.data.label_files import DEVIATIONS, agreement, bytes_of, complete, parsed
from lnbench.detect.data import Images, Labelled, one_channel_if_grey, scaled, usual_size
from lnbench.detect.decode import fitted
from lnbench.errors import NoSuchData
from lnbench.untrusted import Unreadable, kind_of, shown


def demand_there(file: Path, option: str) -> None:
    """Raise NoSuchData where there is nothing at a path that an option names."""
    try:
        there = kind_of(file) != "nothing"
    except Unreadable as error:
        raise NoSuchData(f"{option} {shown(file)}: cannot be read: {error}") from None
    if not there:
        raise NoSuchData(f"{option} {shown(file)}: no such file")


def is_name(name: str) -> bool:
    """Return whether a data set is called so."""
    return name in catalog.names("dataset")


def read(name: str, size: int | None, root: Path | None) -> Labelled:
    """Return the training images of a data set, with its own labels. Raises DataError where it is not there."""
    data = load(name, root=root)
    images = data.train_images
    if data.scale != 255:  # scikit-learn's digits go up to 16
        images = np.minimum(np.round(images * (255 / data.scale)), 255).astype(np.uint8)
    return of_arrays(images, data.train_labels, [str(number) for number in range(data.classes)], size)


def of_arrays(images: Images, labels: np.ndarray, classes: list[str], size: int | None) -> Labelled:
    """Return images (N, C, H, W) uint8, C = 1 or 3, as they are trained on, with labels (N,) int64."""
    channels_last = images.transpose(0, 2, 3, 1)
    if images.shape[1] == 1:
        channels_last = np.repeat(channels_last, 3, axis=-1)
    side = size or usual_size([min(images.shape[2:])])
    small = fitted(channels_last, side).transpose(0, 3, 1, 2)
    notes, scaled_down = scaled([images.shape[2:]], side)
    most = min(images.shape[2:])
    return Labelled(
        images=one_channel_if_grey(np.ascontiguousarray(small)),
        labels=labels.astype(np.int64),
        names=[str(number) for number in range(len(images))],
        classes=classes,
        view=lambda index, wanted: fitted(channels_last[index : index + 1], min(wanted, most))[0],
        notes=notes,
        raw=lambda index: images[index].tobytes(),
        scaled_down=scaled_down,
    )


def with_labels(data: Labelled, file: Path, key: str | None, name: str) -> Labelled:
    """Return the images with the labels of a file, by the rules of the noise `labels_file`: numbers of classes, of all
    images in their order or of some by index. Raises DataError."""
    demand_there(file, "--labels-file")
    held = ImageData(name, data.images, data.labels, data.images[:0], data.labels[:0], len(data.classes), 255.0, "")
    labels = complete(parsed(bytes_of(file), file, key), held, file, check_order=False)
    changed = int((labels != data.labels).sum())
    whose = f"{file.name}{f', {key}' if key else ''}"
    notes = [f"the labels are those of {whose}: {changed:,} differ{'s' * (changed == 1)} from the data's own"]
    agree, chance, deviation = agreement(labels, data.labels, len(data.classes))
    if agree <= chance + DEVIATIONS * deviation:
        notes.append(
            f"{100 * agree:.1f} % of the labels are the data's own, as if they were shuffled ({100 * chance:.1f} %): "
            "are they in the order of the images?"
        )
    return replace(data, labels=labels, notes=[*data.notes, *notes])
