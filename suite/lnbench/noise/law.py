"""What every kind of label noise is made of, and what is asked of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lnbench import catalog
from lnbench.randomness import below

if TYPE_CHECKING:
    from lnbench.data.images import AnyData
    from lnbench.data.label_files import LabelFiles

CHUNK = 1 << 15  # examples at a time when all labels are gone through: a quarter MB of int64 per array


def random_label(bits: Any, clean: Any, classes: int, include_true_class: bool) -> Any:
    """Return a uniform label from the bits of `u32`: of all `classes`, or of those that are not the true one."""
    if include_true_class:
        return below(bits, classes)
    return (clean + 1 + below(bits, classes - 1)) % classes


def share_wrong(classes: int, include_true_class: bool) -> float:
    """Return the chance that such a label is wrong."""
    return (classes - 1) / classes if include_true_class else 1.0


class LabelNoise(Protocol):
    """Which image and which label each training example has. `clean` (n,) int64 are the true labels.

    A kind that draws new labels in each epoch also has `at(epoch)`, the noise as it is in that epoch: see `in_epoch`.
    One that must know the whole data set has `of_all` or `on`, and one that reads files `demand`: see `on_data` and
    `demand_labels`.
    """

    size: int

    def images(self, example: Any) -> Any: ...

    def labels(self, example: Any, clean: Any, identity: Any) -> Any: ...

    def nominal_wrong(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Noise:
    """What all kinds are made of: n clean images, m classes, a seed, and the kind's options. One example per image,
    unless a kind says otherwise."""

    n: int
    classes: int
    seed: int
    options: dict[str, Any]

    @property
    def size(self) -> int:
        return self.n

    def images(self, example: Any) -> Any:
        return example


def in_epoch(noise: LabelNoise, epoch: int) -> LabelNoise:
    """Return the noise as it is in an epoch, 0 the first. It changes only for a kind that draws new labels in each
    epoch (it has `at`)."""
    changed: LabelNoise = noise.at(epoch) if hasattr(noise, "at") else noise
    return changed


def of_all(noise: LabelNoise, images: int) -> LabelNoise:
    """Return the noise, told how many images the whole data set has. It matters to a kind that replaces an exact number
    of these (it has `of_all`)."""
    told: LabelNoise = noise.of_all(images) if hasattr(noise, "of_all") else noise
    return told


def on_data(noise: LabelNoise, data: AnyData, files: LabelFiles) -> LabelNoise:
    """Return the noise, told of the data set that its labels are of (`of_all`), and where label files lie on this
    machine. It matters to a kind whose labels stand in a table of the whole data set (it has `on`). Raises DataError
    where such a kind cannot have its labels."""
    told = of_all(noise, len(data.train_labels))
    found: LabelNoise = told.on(data, files) if hasattr(told, "on") else told
    return found


def reads_file(noise: Mapping[str, Any]) -> bool:
    """Return whether a noise's options may name a file of labels (its kind has `demand`)."""
    return hasattr(catalog.find("noise", noise["kind"]).load(), "demand")


def label_source(recipe: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return (data set, options of the noise) of a recipe, a training's or an experiment's, whose labels are read from
    a file; None of any other."""
    noise, dataset = recipe.get("noise"), recipe.get("dataset")
    if not isinstance(noise, dict) or dataset is None or not reads_file(noise):
        return None
    return dataset_of(recipe), noise


def dataset_of(recipe: Mapping[str, Any]) -> str:
    """Return the name of the data set of a recipe: a training has options beside it, an experiment the name alone."""
    dataset = recipe["dataset"]
    return str(dataset if isinstance(dataset, str) else dataset["name"])


def demand_labels(noise: Mapping[str, Any], dataset: str, files: LabelFiles) -> None:
    """Check that the files that a noise's options name are there (its kind has `demand`). Raises DataError that says
    which one, and where to put it."""
    kind = catalog.find("noise", noise["kind"]).load()
    if hasattr(kind, "demand"):
        kind.demand(noise, dataset, files)


def novel_images(noise: LabelNoise) -> int:
    """Return how many images beyond the clean ones a kind of noise shows."""
    return int(getattr(noise, "novel", 0))


def describe(noise: LabelNoise, clean: np.ndarray, identity: np.ndarray) -> dict[str, Any]:
    """Describe a draw for the record: sizes, nominal and realised share of wrong labels, the labels' checksum (sha256
    over uint8/uint16 labels in example order), the number of right labels, and the `facts` that the kind of noise adds.

    `clean`, `identity`: (n,) int64, of the clean images and the novel or foreign ones. Goes through all labels in
    chunks; memory does not grow with the noise.
    """
    novel, foreign = novel_images(noise), int(getattr(noise, "foreign", 0))
    facts: dict[str, Any] = noise.facts() if hasattr(noise, "facts") else {}
    digest, wrong = hashlib.sha256(), 0
    narrow = np.uint8 if int(clean.max(initial=0)) < 256 else np.uint16
    for start in range(0, noise.size, CHUNK):
        example = np.arange(start, min(start + CHUNK, noise.size), dtype=np.int64)
        image = noise.images(example)
        labels = noise.labels(example, clean[image], identity[image])
        wrong += int((labels != clean[image]).sum())
        digest.update(labels.astype(narrow).tobytes())
    return {
        "examples": noise.size,
        "clean_images": len(clean) - novel - foreign,
        **({"novel_images": novel} if novel else {}),
        **({"foreign_images": foreign} if foreign else {}),
        "right_labels": noise.size - wrong,
        "nominal_wrong": noise.nominal_wrong(),
        "realised_wrong": wrong / noise.size,
        "labels_sha256": digest.hexdigest(),
        **facts,
    }
