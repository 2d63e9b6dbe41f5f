"""Label noise that stands in a table: one label for each training image of the whole data set.

Such a kind is told of the data set (`law.on_data`) and loads its table, or computes it. A run on a part of the images
reads its part of the table, by the images' numbers, so that a subset's labels are those of the full set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from lnbench.data.label_files import LabelFiles, complete
from lnbench.data.label_sets import label_status, of_dataset
from lnbench.data.root import data_root
from lnbench.noise.law import Noise

if TYPE_CHECKING:
    from lnbench.data.images import ImageData

Labels = npt.NDArray[np.int64]

MOST_CLASSES_SHOWN = 10  # a record has the counts of a table up to so many classes: 100 numbers


class Table:
    """Labels (N,) int64 of all training images of a data set, held against the true ones. `source`: where they are
    from, in words that do not depend on the machine."""

    def __init__(self, labels: Labels, true: Labels, classes: int, source: str):
        self.labels, self.source, self.classes = labels, source, classes
        counts = np.bincount(true * classes + labels, minlength=classes * classes)
        self.transition = counts.reshape(classes, classes)  # row: true class, column: label

    @property
    def wrong(self) -> float:
        """Return the share of wrong labels."""
        count = len(self.labels)
        return (count - int(np.trace(self.transition))) / max(1, count)

    def facts(self) -> dict[str, Any]:
        """Return for the record: the labels' sha256 as uint8 (uint16 above 256 classes), where they are from, the share
        of wrong ones, and, for few classes, how many images of each true class (row) have each label (column)."""
        narrow = self.labels.astype(np.uint8 if self.classes <= 256 else np.uint16)
        return {
            "sha256": hashlib.sha256(narrow.tobytes()).hexdigest(),
            "source": self.source,
            "images": len(self.labels),
            "wrong": self.wrong,
            **({"transition": self.transition.tolist()} if self.classes <= MOST_CLASSES_SHOWN else {}),
        }


@dataclass(frozen=True)
class TableNoise(Noise):
    """What the kinds of this form share. Each has `made`, which returns its table; until `on` was called there are no
    labels, only the number of examples."""

    table: Table | None = None

    def on(self, data: ImageData, files: LabelFiles) -> Self:
        """Return the noise with its table for a data set. Raises DataError where that cannot be made."""
        return replace(self, table=self.made(data, files))

    def made(self, data: ImageData, files: LabelFiles) -> Table:
        """Return the table of labels of a data set's training images."""
        raise NotImplementedError

    @property
    def known(self) -> Table:
        """Return the table. Raises ValueError where the noise was not told of the data set."""
        if self.table is None:
            raise ValueError(f"noise {self.options['kind']}: its labels are those of a data set; call noise.on first")
        return self.table

    def labels(self, example: Any, clean: Any, identity: Any) -> Any:
        """Return labels (B,) int64 of the images with the numbers `identity` (B,) in the whole data set."""
        return self._labels_like(identity)[identity]

    def nominal_wrong(self) -> float:
        return self.known.wrong

    def facts(self) -> dict[str, Any]:
        """Return for the record what the whole table is (`Table.facts`)."""
        return {"table": self.known.facts()}

    @cached_property
    def _moved(self) -> dict[str, Any]:
        return {}

    def _labels_like(self, identity: Any) -> Any:
        """Return the labels on the side where `identity` is: numpy, or a tensor on its device, moved there once."""
        if isinstance(identity, np.ndarray):
            return self.known.labels
        device = str(identity.device)
        if device not in self._moved:
            self._moved[device] = identity.new_tensor(self.known.labels)
        return self._moved[device]


@dataclass(frozen=True)
class Human(TableNoise):
    """Labels that people gave: CIFAR-10N (`aggregate`, `random1` to `random3`, `worst`) and CIFAR-100N (`noisy`), Wei
    et al. 2022. The same labels for every seed."""

    def made(self, data: ImageData, files: LabelFiles) -> Table:
        labels, name = files.human(data, self.options["labels"])
        return Table(labels, data.train_labels, data.classes, name)

    @staticmethod
    def demand(options: Mapping[str, Any], dataset: str, files: LabelFiles) -> None:
        """Check that the labels are there, without reading them. Raises DataError."""
        demand_human(options["labels"], dataset, files)


def demand_human(labels: str, dataset: str, files: LabelFiles) -> None:
    """Check that the human labels of a data set are in the data root, without reading them. Raises DataError."""
    of_dataset(dataset, labels, files.sets)
    (found,) = label_status(data_root(files.root), [dataset], sets=files.sets)
    found.demand()


@dataclass(frozen=True)
class LabelsFile(TableNoise):
    """Labels from a file of a user's own (`data.label_files` has its forms), known by the sha256 of the file's bytes.
    The same labels for every seed."""

    def made(self, data: ImageData, files: LabelFiles) -> Table:
        options = self.options
        given, path = files.read(options["sha256"], options.get("key"), options.get("path"))
        labels = complete(given, data, path, options.get("check_order", True))
        source = f"file with sha256 {options['sha256']}"
        return Table(labels, data.train_labels, data.classes, source)

    @staticmethod
    def demand(options: Mapping[str, Any], dataset: str, files: LabelFiles) -> None:
        """Check that the file is there, with its checksum. Raises DataError."""
        files.where(options["sha256"], options.get("path"))
