"""A small folder of real JPEG files, of images of CIFAR-10 where they are there, and else of made-up ones."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lnbench.data.image_folder import FolderData
from lnbench.data.images import load, load_for
from lnbench.data.root import status
from tests.toys.small_runs import recipe

CLASSES, TRAIN, TEST = 6, 72, 36  # images in all
NAMES = [f"n{number:08}" for number in range(CLASSES)]
ABOUT = {"path": "birds", "classes": CLASSES, "train": TRAIN, "test": TEST}
IN_YAML = f"{{path: birds, classes: {CLASSES}, train: {TRAIN}, test: {TEST}}}"


@cache
def images() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return (N, 3, 32, 32) images and their labels."""
    root = os.environ.get("LNBENCH_DATA", "")
    real = bool(root) and status(Path(root), ["cifar10"])[0].usable
    data = load("cifar10", root=root) if real else load("synthetic_cifar10")
    return data.train_images, data.train_labels


def make_folder(place: Path) -> Path:
    """Write TRAIN and TEST images, as many of each class, between 64 and 96 pixels wide and high, as JPEG files."""
    pixels, labels = images()
    sides = np.random.default_rng(0)
    for number, name in enumerate(NAMES):
        places = np.flatnonzero(labels == number)
        for split, first, count in (("train", 0, TRAIN // CLASSES), ("val", TRAIN, TEST // CLASSES)):
            folder = place / split / name
            folder.mkdir(parents=True)
            for each in range(count):
                image = Image.fromarray(pixels[places[first + each]].transpose(1, 2, 0))
                wide, tall = (int(side) for side in sides.integers(64, 97, 2))
                image.resize((wide, tall), Image.Resampling.BICUBIC).save(folder / f"{each:03}.JPEG", quality=92)
    return place


def dataset(**changes: Any) -> dict[str, Any]:
    """Return the folder as a recipe names it: 64 pixels, all its images but those held out."""
    return {"name": "image_folder", "clean": 60, "validation": 12, "size": 64, "folder": ABOUT, **changes}


def folder_recipe(**changes: Any) -> dict[str, Any]:
    """Return a small training on the folder, two epochs of two random labels for each clean one."""
    return recipe(**{
        "dataset": dataset(), "model": "resnet8_w8", "augment": "resized_crop_flip", "batch_size": 16, "epochs": 2,
        "probes": ["top5"], **changes,
    })  # fmt: skip


def folder_data(root: Path, **changes: Any) -> FolderData:
    data = load_for(dataset(**changes), root=root)
    assert isinstance(data, FolderData)
    return data
