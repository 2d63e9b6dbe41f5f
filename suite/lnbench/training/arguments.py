"""What can be wrong with a call of `train_group`, said before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from lnbench import catalog
from lnbench.data.image_folder import FolderData
from lnbench.data.images import AnyData
from lnbench.noise.law import novel_images
from lnbench.randomness import SEED_STREAMS
from lnbench.training.batches import DeviceData
from lnbench.training.probes.entries import method_problem, probe_problem
from lnbench.training.shape import alone, group_shape, method_entry, not_stacked

BACKENDS = ("loop", "stacked", "recorded")


def check_group(
    recipes: Sequence[dict[str, Any]],
    seeds: Sequence[dict[str, int]],
    data: AnyData | DeviceData,
    device: torch.device | str,
    backend: str,
) -> None:
    """Raises ValueError that says what is wrong: no runs, runs of different shape, data that cannot be trained on."""
    if not recipes:
        raise ValueError("a group needs at least one run")
    if len(recipes) != len(seeds):
        raise ValueError(f"{len(recipes)} recipes, but seeds for {len(seeds)}")
    if backend not in BACKENDS:
        raise ValueError(f"no backend '{backend}'; there are {', '.join(BACKENDS)}")
    if backend == "loop" and len(recipes) > 1:
        raise ValueError(f"the loop backend trains one run at a time, not {len(recipes)}")
    if backend == "recorded" and len(recipes) > 1 and (reasons := alone(recipes[0])):
        raise ValueError(f"the recorded backend trains runs with {' and '.join(reasons)} one at a time")
    shapes = [group_shape(recipe, data.classes) for recipe in recipes]
    for number, shape in enumerate(shapes):
        keys = {**shape, **shapes[0]}  # what only one of them has is a difference too
        different = [key for key in keys if shape.get(key) != shapes[0].get(key)]
        if different:
            what = ", ".join(f"{key} ({shape.get(key)!r}, not {shapes[0].get(key)!r})" for key in different)
            raise ValueError(f"run {number} cannot train in one group with run 0: it differs in {what}")
    for number, own in enumerate(seeds):
        missing = [stream for stream in SEED_STREAMS if type(own.get(stream)) is not int]
        if missing or not all(0 <= own[stream] < 2**32 for stream in SEED_STREAMS):
            raise ValueError(f"seeds of run {number}: one integer in [0, 2^32) for each of {', '.join(SEED_STREAMS)}")
    method, _ = method_entry(recipes[0])
    unfit = not_stacked(recipes[0])
    if backend == "stacked" and unfit:
        raise ValueError(f"the stacked backend cannot train with the {' and the '.join(unfit)}; use the loop backend")
    if backend != "loop" and isinstance(data.data if isinstance(data, DeviceData) else data, FolderData):
        raise ValueError(f"the {backend} backend needs all images in memory; use the loop backend for image files")
    if backend == "recorded" and not method.stacks:
        raise ValueError(
            "the recorded backend is for methods that are a loss of logits and labels; use the loop backend"
        )
    probes = recipes[0].get("probes", ())
    problem = probe_problem(probes) or method_problem(method.name, probes)
    if problem:
        raise ValueError(problem)
    _check_data(recipes[0], data.data if isinstance(data, DeviceData) else data)
    if not isinstance(data, DeviceData):
        _check_device(torch.device(device))


def _check_data(recipe: dict[str, Any], data: AnyData) -> None:
    clean, validation = recipe["dataset"]["clean"], recipe["dataset"]["validation"]
    noise = catalog.find("noise", recipe["noise"]["kind"]).load()(clean, data.classes, 0, recipe["noise"])
    novel = novel_images(noise)
    if novel and clean + validation + novel > len(data.train_labels):
        have = len(data.train_labels)
        raise ValueError(f"{novel} novel images beside {clean + validation}, but {data.name} has {have} for training")
    if clean + validation > len(data.train_labels):
        have = len(data.train_labels)
        raise ValueError(f"{clean} clean and {validation} validation images, but {data.name} has {have} for training")
    if recipe["batch_size"] > clean:
        raise ValueError(f"batch_size: {recipe['batch_size']} is larger than the data, {clean} clean images")
    if (recipe["augment"] == "resized_crop_flip") != isinstance(data, FolderData) and recipe["augment"] != "none":
        raise ValueError(f"augment: {recipe['augment']} is not for {data.name}; resized_crop_flip is for image files")
    if isinstance(data, FolderData):  # whose files were looked into when they were listed
        return
    for images, labels in ((data.train_images, data.train_labels), (data.test_images, data.test_labels)):
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ValueError(f"images are (N, C, H, W) bytes, not {images.dtype} of {images.ndim} dimensions")
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images, but {len(labels)} labels")
        inside = not labels.size or (labels.min() >= 0 and labels.max() < data.classes)  # there may be no test images
        if not np.issubdtype(labels.dtype, np.integer) or not inside:
            raise ValueError(f"labels are integers from 0 to {data.classes - 1}")


def _check_device(device: torch.device) -> None:
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise ValueError(f"no device '{device}': torch sees {count} CUDA devices")
    elif device.type != "cpu":
        raise ValueError(f"no device '{device}': lnbench trains on 'cpu' and 'cuda'")
